#include "metric/mean_design.h"

#include <math.h>

enum {
  FIRST_SAMPLES = 4096,
  MIN_BLOCKS = 32,  /**< the bootstrap resamples blocks */
  MOST_BLOCKS = 256 /**< of a phase when it begins: enough to share among ranks, and the fewer the fewer records */
};
#define LEAST_BLOCK_FLOPS 1e8 /**< about 10 ms: a thousand times what a record costs the ranks that handle it */
#define MAX_GROWTH 8.0        /**< of the number of blocks at once: an early error is itself uncertain */
#define MAX_FRESH_GROWTH 32.0 /**< of the number of samples, when the phases before are lost */

static double paths_of(const dcs_design *design)
{
  return (double)design->blocks * (double)design->outer * design->inner;
}

static dcs_design first_design(double flops_per_sample, int multiple, const dcs_stop *stop)
{
  double outer = fmin(FIRST_SAMPLES, stop->max_paths) / MIN_BLOCKS;
  outer = fmin(outer, DCS_BLOCK_FLOPS / flops_per_sample);
  outer = fmax(floor(outer / multiple), 1) * multiple;
  double blocks = fmin(MIN_BLOCKS, floor(stop->max_paths / outer));
  return (dcs_design){.inner = 1, .outer = (int64_t)outer, .blocks = (int64_t)fmax(blocks, 1), .is_final = true};
}

/** How many times the samples of `sums` the worst quantity needs. */
static double needed(int count, const bool *wanted, const dcs_stop *stop, const dcs_sums *sums)
{
  double most = 0;
  for (int q = 0; q < count; q++) {
    if (!wanted[q]) continue;
    dcs_estimate e = dcs_sums_estimate(sums, q);
    if (e.std_error > 0) most = fmax(most, pow(e.std_error / (stop->rel_error * fabs(e.value)), 2));
  }
  return most;
}

/** A new phase of about n samples in at least MIN_BLOCKS blocks, within the paths that are left. */
static dcs_design fresh_design(double flops_per_sample, int multiple, double n, const dcs_stop *stop,
                               const dcs_design *previous)
{
  dcs_design next = *previous;
  next.phase++;
  next.spent += paths_of(previous);
  n = fmin(n, (stop->max_paths - next.spent) / previous->inner);
  double outer = fmax(n / MOST_BLOCKS, LEAST_BLOCK_FLOPS / flops_per_sample);
  outer = fmin(fmin(outer, n / MIN_BLOCKS), DCS_BLOCK_FLOPS / flops_per_sample);
  next.outer = (int64_t)fmax(floor(outer / multiple), 1) * multiple;
  next.blocks = (int64_t)floor(n / (double)next.outer);
  return next;
}

dcs_next dcs_mean_extend(int count, const bool *wanted, const dcs_stop *stop, const dcs_design *previous,
                         const dcs_sums *sums, dcs_design *next)
{
  double more = needed(count, wanted, stop, sums);
  if (more <= 1) return DCS_NEXT_DONE;
  double blocks = ceil((double)previous->blocks * fmin(1.1 * more, MAX_GROWTH));
  double limit = floor((stop->max_paths - previous->spent) / ((double)previous->outer * previous->inner));
  *next = *previous;
  next->blocks = (int64_t)fmin(fmax(blocks, (double)previous->blocks + 1), limit);
  return next->blocks > previous->blocks ? DCS_NEXT_RUN : DCS_NEXT_STOPPED;
}

dcs_next dcs_mean_plan(double flops_per_sample, int multiple, int count, const bool *wanted, const dcs_stop *stop,
                       const dcs_design *previous, const dcs_sums *sums, dcs_design *next)
{
  if (previous == NULL) {
    *next = first_design(flops_per_sample, multiple, stop);
    return DCS_NEXT_RUN;
  }
  double growth = fmin(1.1 * needed(count, wanted, stop, sums), MAX_FRESH_GROWTH);
  double samples = (double)previous->outer * (double)previous->blocks;
  if (growth > MAX_GROWTH) {
    *next = fresh_design(flops_per_sample, multiple, growth * samples, stop, previous);
    if (next->outer > previous->outer && paths_of(next) >= MAX_GROWTH * paths_of(previous)) return DCS_NEXT_RUN;
  }
  return dcs_mean_extend(count, wanted, stop, previous, sums, next);
}
