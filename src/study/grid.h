#ifndef DCS_STUDY_GRID_H
#define DCS_STUDY_GRID_H
/** Axes of a study. Private to src/study.
 *
 *  The axes of `grid` vary independently, those of one entry of `zip` together: a *dimension* is one grid axis or one
 *  zip entry. A *combination* picks an index for every dimension, row-major in the order of the file. */
#include "study/node.h"

enum { DCS_AXES_MAX = 32, DCS_AXIS_LENGTH_MAX = 1024, DCS_COMBINATIONS_MAX = 100000 };

typedef struct {
  const char *name;       /**< borrowed from the tree, like `values` */
  const dcs_node *values; /**< list of scalars */
  int dimension;
  bool is_used;
  const char *unit, *help; /**< of the first parameter that takes its value from here; NULL before */
} dcs_axis;

typedef struct {
  int n_axes, n_dimensions;
  dcs_axis axis[DCS_AXES_MAX];
  int length[DCS_AXES_MAX]; /**< of each dimension */
  int64_t n_combinations;   /**< before exclude */
  const dcs_node *exclude;  /**< NULL or a list of maps */
} dcs_grid;

/** Read `grid`, `zip` and `exclude`. Ranges {from, to, factor | step} are replaced in the tree by the list they mean.
 */
DCS_NODISCARD dcs_status dcs_grid_read(dcs_node *root, dcs_grid *grid, dcs_error *err);

/** Number of the axis, -1 when there is none. */
int dcs_grid_find(const dcs_grid *grid, const char *name);

/** Mark the axes that `$name` anywhere in the node refers to as used, and add their dimensions to *mask. */
DCS_NODISCARD dcs_status dcs_grid_refer(dcs_grid *grid, const dcs_node *node, uint32_t *mask, dcs_error *err);

/** Indices of a combination, [DCS_AXES_MAX]. */
void dcs_grid_combination(const dcs_grid *grid, int64_t combination, int *index);
bool dcs_grid_is_excluded(const dcs_grid *grid, const int *index);

/** Numbering of the combinations of the dimensions in the mask only: how many, and which one. */
int64_t dcs_grid_size(const dcs_grid *grid, uint32_t mask);
int64_t dcs_grid_flat(const dcs_grid *grid, uint32_t mask, const int *index);

/** The scalar itself, or the axis value its `$name` stands for. */
const dcs_node *dcs_grid_resolve(const dcs_grid *grid, const int *index, const dcs_node *scalar);
const dcs_node *dcs_grid_value(const dcs_grid *grid, int axis, const int *index);

#endif
