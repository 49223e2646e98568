#ifndef DCS_ARCHIVE_LAYOUT_H
#define DCS_ARCHIVE_LAYOUT_H
/** Names and shapes of the result file that writer and reader share; private to src/archive. */
#include "archive/h5.h"
#include "archive/result.h"

#define DCS_FORMAT "dcs-result"
enum { DCS_FORMAT_VERSION = 1 };

/** One field of dcs_record as a data set of /records (wall_s is not data: it goes to /provenance). */
typedef struct {
  const char *name;
  dcs_h5_kind kind;
  size_t offset, width; /**< bytes; width of one entry */
  int cols;             /**< 0: one entry per record */
  const char *unit, *long_name;
} dcs_record_field;

const dcs_record_field *dcs_record_fields(int *count);

/** What a data set over `point` is for: attribute `role`. */
#define DCS_ROLE_COLUMN "column"
#define DCS_ROLE_METRIC "metric"

/** A group /fits or /claims as read back from a file; entries owned. */
typedef struct {
  bool present;
  int n_columns;
  int64_t n_rows;
  char **name;     /**< [n_columns] */
  double **number; /**< [n_columns], NULL for a text column */
  char ***text;    /**< [n_columns], NULL for a number column */
} dcs_table_copy;

DCS_NODISCARD dcs_status dcs_table_put(dcs_h5 *h5, const char *group, const dcs_table *table);
DCS_NODISCARD dcs_status dcs_table_get(dcs_h5 *h5, const char *group, dcs_table_copy *table);
void dcs_table_copy_destroy(dcs_table_copy *table);

/** All groups of a result file but /fits and /claims. */
DCS_NODISCARD dcs_status dcs_result_put(dcs_h5 *h5, const dcs_result *result);
DCS_NODISCARD dcs_status dcs_result_get(dcs_h5 *h5, dcs_result **out);

#endif
