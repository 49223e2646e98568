#ifndef DCS_TESTS_SUPPORT_H
#define DCS_TESTS_SUPPORT_H
/** What several tests share: targets and problems from a few numbers, an estimator run to its end in one process. */
#include "metric/metric.h"

/** Abort with the message when a set-up call fails: a test's set-up is not what it tests. */
void must(dcs_status status, const dcs_error *err);

/** A law with its parameters given as key, rows, cols, values; ends with key NULL. Owned by the caller. */
typedef struct {
  const char *key;
  int rows, cols;
  const double *values;
} setting;
dcs_target *make_target(const char *law, const setting *settings);

/** The targets the conformance checks run on, by index; NULL after the last. *name describes it. */
dcs_target *sample_target(int index, const char **name);

typedef struct {
  const char *sampler, *levels;
  double lambda, sigma_max, delta;
  int steps;
  dcs_init init;
  uint64_t seed;
} setup;
/** Takes ownership of the target. */
dcs_problem make_problem(dcs_target *target, setup s);

/** Plan, run all blocks, plan again ... as `dcs run` does on one rank; estimates [estimator->count]. Returns how it
 *  ended; `design` (may be NULL) is the last one. */
dcs_next run_estimator(const dcs_estimator *estimator, const dcs_problem *problem, dcs_stop stop,
                       dcs_estimate *estimates, dcs_design *design);

/** The same, and the values of one quantity along the levels: profile [steps + 1]. */
dcs_next run_profile(const dcs_estimator *estimator, const dcs_problem *problem, dcs_stop stop, dcs_estimate *estimates,
                     dcs_design *design, int quantity, dcs_estimate *profile);

/** Index of a quantity by name. */
int quantity_of(const dcs_estimator *estimator, const char *name);

/** Fail the test, saying all three numbers, unless |value - expected| <= tolerance; tolerance 0 asks for the same bits.
 */
#define assert_near(value, expected, tolerance) near_or_fail(value, expected, tolerance, __FILE__, __LINE__)
void near_or_fail(double value, double expected, double tolerance, const char *file, int line);

/** Lane ids of paths first, first + 1, ... */
dcs_lane_ids lane_ids(uint64_t first);

#endif
