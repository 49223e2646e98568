#ifndef DCS_STUDY_POINTS_H
#define DCS_STUDY_POINTS_H
/** Combinations of the grid -> points and their coordinates. Private to src/study. */
#include "study/grid.h"
#include "study/study.h"

/** Where a point came from, and coordinates that are not in dcs_point. */
typedef struct {
  int64_t combination;
  uint32_t mask;      /**< dimensions its physics depends on */
  const char *target; /**< borrowed from the tree */
  int d, copies;
  double sigma_max, delta;
} dcs_origin;

/** Fill study->point (n_points, shared); *origin [n_points] is owned by the caller. */
DCS_NODISCARD dcs_status dcs_points_create(dcs_node *root, dcs_grid *grid, dcs_study *study, dcs_origin **origin,
                                           dcs_error *err);

/** Fill study->column. columns.c */
DCS_NODISCARD dcs_status dcs_columns_create(const dcs_grid *grid, const dcs_origin *origin, dcs_study *study);

/** Fill study->metric and study->scope from `metrics`, after the columns. metrics.c */
DCS_NODISCARD dcs_status dcs_metrics_create(const dcs_node *root, dcs_study *study, dcs_error *err);

/** Fill study->claim from `claims`. claims.c */
DCS_NODISCARD dcs_status dcs_claims_create(const dcs_node *root, dcs_study *study, dcs_error *err);

#endif
