#ifndef DCS_STUDY_STUDY_H
#define DCS_STUDY_STUDY_H
/** From the bytes of a study file to a validated list of points.
 *
 *  Strict: an unknown, repeated, misspelt or out-of-range key is DCS_EUSAGE with "FILE:LINE: ..." and the nearest valid
 *  name. Pure function of (bytes, --set overrides): every rank parses the same bytes. Not collective. */
#include "metric/metric.h"

/** One coordinate of the point dimension: the standard ones (target, d, copies, sampler, lambda, schedule, sigma_max,
 *  steps, delta, init, score_error) and then every other grid axis by its own name. */
typedef struct {
  char *name;
  const char *unit, *long_name;
  bool is_text, is_integer;
  double *number; /**< [n_points]; NAN where it does not apply (lambda of ddim) */
  char **text;    /**< [n_points] when is_text; entries owned */
} dcs_column;

typedef struct {
  uint64_t
      hash; /**< of `canonical`; identity of the physics, independent of seed, resources and position in the grid */
  char *canonical; /**< one line, every parameter with its value or default, fixed order, %.17g */
  const dcs_law *law;
  dcs_params target; /**< borrowed from dcs_study.shared */
  const dcs_schedule_rule *rule;
  dcs_params schedule; /**< borrowed from dcs_study.shared */
  const dcs_sampler *sampler;
  double lambda; /**< NAN when the sampler takes none */
  dcs_init init;
  int steps;
  double delta;              /**< NAN when the rule fixes its own */
  double score_error;        /**< E|s^ - s|^2 = score_error^2 at every level, 1/data units; 0: the score is exact */
  uint64_t score_error_seed; /**< of the error field; 0 when there is none */
  double quantile;           /**< of the smoothness over X */
  int samples;               /**< particles in each cloud of the metrics that compare samples */
} dcs_point;

/** A point cloud from a data set of an HDF5 file. */
typedef struct {
  char *path, *dataset;
  int rows, cols;
  double *values; /**< [rows][cols] */
} dcs_dataset;

typedef enum {
  DCS_CLAIM_EXPONENT,     /**< metric ~ versus^a */
  DCS_CLAIM_BOUNDED,      /**< metric * prod column^power does not grow */
  DCS_CLAIM_BELOW,        /**< metric <= other */
  DCS_CLAIM_LOG_EXPONENT, /**< metric ~ (log 1/versus)^a */
  DCS_CLAIM_STEPS_TO,     /**< the steps that metric <= eps^2 takes ~ eps^-a */
  DCS_CLAIM_BETWEEN       /**< metric * prod factor^power, the largest of several, lies in [lo, hi] */
} dcs_claim_kind;

typedef struct {
  char *column; /**< coordinate name */
  int count;
  double *number; /**< allowed values, [count], or */
  char **text;    /**< allowed words, [count] */
} dcs_filter;

/** Where a metric is asked for: the points that pass every filter, all of them when there is none. */
typedef struct {
  int n_where;
  dcs_filter *where;
} dcs_scope;

/** prod name^power */
typedef struct {
  int count;
  char **name; /**< coordinate; between: or metric */
  double *power;
} dcs_product;

typedef struct {
  char *name, *source;
  int line; /**< in the study file */
  dcs_claim_kind kind;
  const dcs_metric *metric;
  char *versus;            /**< coordinate on the abscissa; NULL for below */
  double lo, hi;           /**< band of a, or of the values; bounded: hi = largest admissible growth exponent (default
                                0.05) */
  const dcs_metric *other; /**< below: metric <= other */
  int n_products;          /**< bounded: 1; between: any number, 0 being the metric itself */
  dcs_product *product;
  int n_eps; /**< steps_to */
  double *eps;
  int n_per; /**< one verdict for each combination of these coordinates; default: all that vary but versus */
  char **per;
  int n_where; /**< restrict to points that pass every filter */
  dcs_filter *where;
} dcs_claim;

typedef struct {
  char *path; /**< for messages */
  char *name, *source;
  uint64_t seed;
  uint64_t hash;   /**< of name and seed: what a journal and a result file must agree on */
  char *text;      /**< verbatim bytes */
  char *canonical; /**< every key with its value, overrides applied, YAML */
  dcs_stop stop;
  int64_t save_samples; /**< particles of each point to keep in a file; 0: none */
  int n_metrics;
  const dcs_metric **metric; /**< in the order of the file */
  dcs_scope *scope;          /**< [n_metrics] */
  int64_t n_points;
  int n_shared;
  dcs_params *shared; /**< the distinct parameter sets: points share them */
  int n_clouds;
  dcs_dataset *cloud; /**< what parameter sets borrow their points from */
  dcs_point *point;   /**< grid in row-major order of the axes as written; duplicates (same hash) dropped */
  int n_columns;
  dcs_column *column;
  int n_claims;
  dcs_claim *claim;
} dcs_study;

/** Parse and validate. `path` is used in messages; `set` are "key=value" overrides with dotted keys, in their order, but
 *  "scale=NAME" before all others. */
DCS_NODISCARD dcs_status dcs_study_parse(const char *path, const char *text, size_t n_text, int n_set,
                                         const char *const *set, dcs_study **out, dcs_error *err);
/** The same, but only as far as claims go: no points (n_points = 0), so that nothing a target refers to has to be there.
 *  For texts that have been a study before, such as the one stored in a result file. */
DCS_NODISCARD dcs_status dcs_study_parse_claims(const char *path, const char *text, size_t n_text, dcs_study **out,
                                                dcs_error *err);
enum { DCS_STUDY_MOST_BYTES = 16 << 20 /**< of a text; longer ones are DCS_EUSAGE */ };
/** Read the bytes of a file (at most DCS_STUDY_MOST_BYTES). DCS_EIO / DCS_EUSAGE with a message. *text is owned by the caller. */
DCS_NODISCARD dcs_status dcs_study_read(const char *path, char **text, size_t *n_text, dcs_error *err);
void dcs_study_destroy(dcs_study **study);

/** Drop the points (and the rows of the columns) that are not marked in keep[n_points]. */
void dcs_study_keep(dcs_study *study, const bool *keep);

/** Is this metric (index into study->metric) asked for at this point? */
bool dcs_study_asks(const dcs_study *study, int metric, int64_t point);

/** At how many points is it? */
int64_t dcs_study_count(const dcs_study *study, int metric);

/** The values in the filters of a metric that no point has, as "steps = 255, 511; sampler = heun"; "" when there is none.
 *  No error, as --set may have left points out; but a misspelt number is found in no other way. */
void dcs_study_missing(const dcs_study *study, int metric, size_t size, char *text);

/** True when the point passes every filter; `column` are those of a study or of a result. */
bool dcs_filters_pass(int n_columns, const dcs_column *column, int n_where, const dcs_filter *where, int64_t point);

const dcs_column *dcs_study_column(const dcs_study *study, const char *name);

/** Target, schedule and steps of one point; release with dcs_problem_destroy, then dcs_free. DCS_EUSAGE / DCS_EREFUSED
 *  with a message that names the point's values. */
DCS_NODISCARD dcs_status dcs_study_problem(const dcs_study *study, int64_t point, dcs_problem **out, dcs_error *err);

/** For who builds many points: those of one target share it, if they come one after another. For one thread. `study` is
 *  borrowed until dcs_targets_destroy; problems may live longer. */
typedef struct dcs_targets dcs_targets;
DCS_NODISCARD dcs_status dcs_targets_create(const dcs_study *study, dcs_targets **out);
void dcs_targets_destroy(dcs_targets **targets);
/** As dcs_study_problem. */
DCS_NODISCARD dcs_status dcs_targets_problem(dcs_targets *targets, int64_t point, dcs_problem **out, dcs_error *err);

#endif
