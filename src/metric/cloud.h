#ifndef DCS_METRIC_CLOUD_H
#define DCS_METRIC_CLOUD_H
/** What the estimators that compare samples share: clouds of particles, how many of them, and roots of mean squares.
 *
 *  A block is one comparison of clouds of problem->samples particles each: it adds one value to the sums, of the
 *  distance between sampler and target, and one of the *floor*, the same distance between two clouds of the target.
 *  Results are means over blocks, so that their errors come from the spread over blocks. A particle of the sampler
 *  counts as a path. */
#include "metric/metric.h"

/** Order of quantities in the sums of all these estimators. */
enum { DCS_CLOUD_DISTANCE, DCS_CLOUD_FLOOR, DCS_CLOUD_QUANTITIES };

typedef struct {
  int n, d;
  double *output; /**< [n][d] X_N of the sampler */
  double *exact;  /**< [n][d] X_{sigma_N}, draws of the target's noisy law */
  double *again;  /**< [n][d] the same, independent of the other two */
  dcs_posterior *posterior;
  double *x, *z; /**< [d][DCS_LANES] */
} dcs_cloud;

/** Clouds of n particles; 0 is enough for dcs_cloud_output. */
DCS_NODISCARD dcs_status dcs_cloud_create(const dcs_problem *problem, int n, dcs_cloud *cloud);
void dcs_cloud_destroy(dcs_cloud *cloud);

/** The clouds of one block. Those of different blocks are independent; those of different estimators are the same.
 *  DCS_ENUMERIC when a coordinate is not finite. */
DCS_NODISCARD dcs_status dcs_cloud_draw(const dcs_problem *problem, int64_t block, dcs_cloud *cloud, dcs_error *err);

/** Particles first, first + 1, ..., first + n - 1 of the sampler alone, to out[n][d]: the ones that blocks 0, 1, ... have
 *  in `output` one after the other. DCS_ENUMERIC when a coordinate is not finite. */
DCS_NODISCARD dcs_status dcs_cloud_output(const dcs_problem *problem, int64_t first, int n, dcs_cloud *cloud,
                                          double *out, dcs_error *err);

/** Floating-point operations of dcs_cloud_draw. */
double dcs_cloud_flops(const dcs_problem *problem);

/** One phase: eight blocks (or what max_paths allows, at least one), then more of them until the standard error of the
 *  distance is at most rel_error times the distance. power: 2 when the sums hold squares of distances, else 1. */
dcs_next dcs_cloud_plan(const dcs_problem *problem, int power, const dcs_stop *stop, const dcs_design *previous,
                        const dcs_sums *sums, dcs_design *next);

/** Root of the mean of a quantity. The bias bound is that of the root alone, var/(8 mean^{3/2}) to leading order. */
dcs_estimate dcs_cloud_root(const dcs_sums *sums, int quantity);

#endif
