#ifndef DCS_METRIC_METRIC_H
#define DCS_METRIC_METRIC_H
/** Metrics and the estimators that measure them.
 *
 *  An *estimator* measures several metrics of one problem at once. Its work is cut into *phases* (pilots, then the main
 *  phase) and each phase into numbered *blocks*; a block's sums depend on (problem, phase, design, block number) only.
 *  The estimator's `plan` looks at the merged sums of a phase and says what comes next, so every decision is a pure
 *  function of sums: the same on any number of ranks and after any crash. No MPI, no files, no YAML here. */
#include "base/estimate.h"
#include "sampler/sampler.h"

enum { DCS_SUMS_MAX = 12 };

/** Moments of up to DCS_SUMS_MAX quantities over n independent samples, merged as (n, mean, M2). n = 0 after a phase of
 *  an exact estimator: `mean` holds the value. */
typedef struct {
  int64_t n;
  double mean[DCS_SUMS_MAX], m2[DCS_SUMS_MAX];
} dcs_sums;

void dcs_sums_add(dcs_sums *sums, int count, const double *values); /**< one sample (Welford) */
void dcs_sums_merge(dcs_sums *into, const dcs_sums *from);          /**< Chan, Golub, LeVeque 1983 */

/** Sample mean of one quantity with its standard error (INFINITY below two samples); bias_bound is left 0. */
dcs_estimate dcs_sums_estimate(const dcs_sums *sums, int quantity);

typedef struct {
  double rel_error; /**< stop when std_error <= rel_error * |kl| */
  double max_paths; /**< never start more than this many paths per point and estimator, but one block */
} dcs_stop;

/** Size and shape of a block in one phase. */
typedef struct {
  int32_t phase;  /**< 0, 1, ... */
  int32_t inner;  /**< inner paths per outer sample */
  int64_t outer;  /**< outer samples per block */
  int64_t blocks; /**< blocks of this phase wanted so far; a later order may raise it */
  double spent;   /**< paths in the phases before this one */
  bool is_final;  /**< sums of this phase make the result */
} dcs_design;

/** Most operations in a block that can be made smaller, about a second on one core: what a crash can lose, and a rank
 *  can wait for. On a thousand ranks four times as much cost 5% of their time (tests/README.md). */
#define DCS_BLOCK_FLOPS 1e10

/** One point of a study, ready to be measured. */
typedef struct {
  dcs_target *target;
  dcs_schedule *schedule;
  dcs_steps *steps;
  uint64_t seed, point; /**< stream identity */
  double quantile;      /**< of the smoothness over X, in (0, 1) */
  int samples;          /**< particles in each cloud of the metrics that compare samples */
} dcs_problem;          /**< owns target, schedule and steps */

/** Settings of a point unless its study says otherwise. */
#define DCS_QUANTILE_DEFAULT 0.99
enum { DCS_SAMPLES_DEFAULT = 2000 };

void dcs_problem_destroy(dcs_problem *problem);

typedef struct dcs_estimator dcs_estimator;
typedef struct dcs_block_work dcs_block_work; /**< scratch an estimator keeps between blocks of one problem */

typedef enum { DCS_NEXT_RUN, DCS_NEXT_DONE, DCS_NEXT_STOPPED /**< max_paths reached above rel_error */ } dcs_next;

struct dcs_estimator {
  const char *name; /**< what NAME_method records */
  const char *help, *source;
  bool exact;
  int count;                          /**< quantities in a block's sums */
  const char *quantity[DCS_SUMS_MAX]; /**< their names; those that are metric names are results */
  /** Groups of blocks; NULL: one. Block b belongs to group b % groups, and each group has sums of its own: what is
   *  measured level by level has a group for each level sigma_0 ... sigma_N. Wherever `sums` is passed it has this many
   *  entries. A phase has at least one block of every group. */
  int64_t (*groups)(const dcs_problem *problem);
  /** DCS_OK; DCS_EARG: not for this kind of target; DCS_EREFUSED: this point is out of its reach, `err` says why. */
  dcs_status (*check)(const dcs_problem *problem, dcs_error *err);
  /** First design (previous == NULL) or the next one after all `previous->blocks` blocks are merged into `sums`. */
  dcs_next (*plan)(const dcs_problem *problem, const dcs_stop *stop, const dcs_design *previous, const dcs_sums *sums,
                   dcs_design *next);
  dcs_status (*work_create)(const dcs_problem *problem, dcs_block_work **work);
  void (*work_destroy)(dcs_block_work **work);
  /** Sums of one block. DCS_ENUMERIC with a reason when a value is not finite or an inversion failed. */
  dcs_status (*block)(const dcs_problem *problem, const dcs_design *design, int64_t block, dcs_block_work *work,
                      dcs_sums *sums, dcs_error *err);
  /** Estimates of all quantities from the merged sums of the final phase; those that are not results are ignored. */
  void (*finish)(const dcs_problem *problem, const dcs_design *design, const dcs_sums *sums, dcs_estimate *estimates);
  /** Values of one quantity along the levels, out [steps + 1]; NULL: the estimator has none. Called after the final
   *  phase, for the quantities of metrics that have a profile. */
  void (*profile)(const dcs_problem *problem, const dcs_design *design, const dcs_sums *sums, int quantity,
                  dcs_estimate *out);
  /** Floating-point operations of one block, for ordering work and for `dcs plan`. */
  double (*flops)(const dcs_problem *problem, const dcs_design *design);
};

/** Number of groups: what `groups` says, or 1. */
int64_t dcs_estimator_groups(const dcs_estimator *estimator, const dcs_problem *problem);

const dcs_estimator *dcs_estimator_find(const char *name);
const dcs_estimator *dcs_estimator_at(int index);

typedef struct {
  const char *name, *unit, *long_name, *help, *source;
  const char *const *estimators; /**< names in order of preference, ends with NULL */
  const char *quantity;          /**< the estimator's quantity that is this metric */
  bool has_profile;              /**< a value at every level beside the one of the point, stored under /levels */
  const char *companion;         /**< metric that is always measured beside this one (its noise floor), or NULL */
} dcs_metric;

const dcs_metric *dcs_metric_find(const char *name);
const dcs_metric *dcs_metric_at(int index);

/** First estimator of the metric that takes this problem, and the index of the metric in its sums. DCS_EREFUSED with
 *  the reason when none does; `*estimator` is then the one that refused, or NULL when no estimator is for this target.
 */
DCS_NODISCARD dcs_status dcs_metric_choose(const dcs_metric *metric, const dcs_problem *problem,
                                           const dcs_estimator **estimator, int *quantity, dcs_error *err);

#endif
