#ifndef DCS_ARCHIVE_RESULT_H
#define DCS_ARCHIVE_RESULT_H
/** The result of a study in memory, and its HDF5 file.
 *
 *  A result is a pure function of (study, records); the file adds /provenance. Flat dimension `point`; layout in
 *  README.md ("How to read a result"). Every data set carries units, long_name and source; object times off;
 *  fletcher32. */
#include "archive/record.h"
#include "study/study.h"

typedef enum {
  DCS_POINT_OK,         /**< every metric that the study asks for here measured to stop.rel_error (or exactly) */
  DCS_POINT_MAX_PATHS,  /**< stop.max_paths came first: the error bars are wider than asked for */
  DCS_POINT_INCOMPLETE, /**< work is left; run again */
  DCS_POINT_REFUSED,    /**< an instrument cannot measure it: see reason; that metric is NaN */
  DCS_POINT_FAILED      /**< a block failed (not finite, inversion): see reason; NaN */
} dcs_point_status;
#define DCS_POINT_STATUS_WORDS "ok", "max_paths", "incomplete", "refused", "failed"

typedef struct {
  char *name; /**< metric name; rows: NAME, NAME_se, NAME_bias, NAME_n, NAME_method */
  char *unit, *long_name, *source;
  dcs_estimate *estimate; /**< [n_points]; value NAN where missing */
  char **method;          /**< [n_points]: estimator name, "" where missing; entries owned */
  dcs_estimate
      *profile; /**< aligned with dcs_result.level: the values at each level, NAN where the method has none; NULL
                             for metrics without a profile */
} dcs_result_metric;

typedef struct {
  char *study, *source; /**< names from the study file */
  uint64_t seed, study_hash;
  char *text, *canonical; /**< /config */
  int64_t n_points;
  uint64_t *hash; /**< [n_points] */
  int n_columns;
  dcs_column *column; /**< unit and long_name are owned here too when read from a file (see owns_text) */
  int n_metrics;
  dcs_result_metric *metric;
  int *status;          /**< [n_points] dcs_point_status */
  char **reason;        /**< [n_points], "" when ok */
  double *wall_s;       /**< [n_points] seconds over all ranks; stored under /provenance */
  int64_t *level_first; /**< [n_points + 1] offsets into level */
  double *level;        /**< noise levels really used, data units */
  dcs_records records;  /**< every block, sorted by dcs_record_compare */
  char *provenance;     /**< "key\tvalue\n" lines */
  bool owns_text;
} dcs_result;

void dcs_result_destroy(dcs_result **result);

/** Write PATH.tmp, close, fsync, rename to PATH, fsync the directory. On failure PATH is as it was, PATH.tmp is removed
 *  and the message says why. One rank calls it. */
DCS_NODISCARD dcs_status dcs_result_write(const char *path, const dcs_result *result, dcs_error *err);

/** Read everything back, checking format version, sizes, ranges, checksums: files are untrusted. DCS_EIO, DCS_ECORRUPT.
 */
DCS_NODISCARD dcs_status dcs_result_read(const char *path, dcs_result **out, dcs_error *err);

/** Digest over all data (everything but /provenance, /fits, /claims): equal for equal results. Stored as attribute
 *  `data_digest` of the root group. */
uint64_t dcs_result_digest(const dcs_result *result);

/** Index of a metric or column by name, -1 when absent. */
int dcs_result_metric_find(const dcs_result *result, const char *name);
int dcs_result_column_find(const dcs_result *result, const char *name);

/** Tables for /fits and /claims: text columns and number columns of equal length. Replaces the group of that name
 *  (read, write to PATH.tmp, rename: never in place). */
typedef struct {
  int n_columns;
  int64_t n_rows;
  const char **name;     /**< [n_columns] */
  const double **number; /**< [n_columns], NULL for a text column */
  char ***text;          /**< [n_columns], NULL for a number column; [n_rows] */
} dcs_table;
DCS_NODISCARD dcs_status dcs_result_write_table(const char *path, const char *group, const dcs_table *table,
                                                dcs_error *err);

#endif
