#include "metric/mean_design.h"

#include <math.h>

enum {
  FIRST_SAMPLES = 4096,
  MIN_BLOCKS = 32 /**< the bootstrap resamples blocks */
};
#define MAX_BLOCK_FLOPS 1e10 /**< about a second on one core: what a crash can lose and a rank can wait for */
#define MAX_GROWTH 8.0       /**< of the number of blocks at once: an early error is itself uncertain */

static dcs_design first_design(double flops_per_sample, int multiple, const dcs_stop *stop)
{
  double outer = fmin(FIRST_SAMPLES, stop->max_paths) / MIN_BLOCKS;
  outer = fmin(outer, MAX_BLOCK_FLOPS / flops_per_sample);
  outer = fmax(floor(outer / multiple), 1) * multiple;
  double blocks = fmin(MIN_BLOCKS, floor(stop->max_paths / outer));
  return (dcs_design){.inner = 1, .outer = (int64_t)outer, .blocks = (int64_t)fmax(blocks, 1), .is_final = true};
}

dcs_next dcs_mean_plan(double flops_per_sample, int multiple, int count, const bool *wanted, const dcs_stop *stop,
                       const dcs_design *previous, const dcs_sums *sums, dcs_design *next)
{
  if (previous == NULL) {
    *next = first_design(flops_per_sample, multiple, stop);
    return DCS_NEXT_RUN;
  }
  double needed = 0;
  for (int q = 0; q < count; q++) {
    if (!wanted[q]) continue;
    dcs_estimate e = dcs_sums_estimate(sums, q);
    if (e.std_error > 0) needed = fmax(needed, pow(e.std_error / (stop->rel_error * fabs(e.value)), 2));
  }
  if (needed <= 1) return DCS_NEXT_DONE;
  double blocks = ceil((double)previous->blocks * fmin(1.1 * needed, MAX_GROWTH));
  double limit = floor(stop->max_paths / (double)previous->outer);
  *next = *previous;
  next->blocks = (int64_t)fmin(fmax(blocks, (double)previous->blocks + 1), limit);
  return next->blocks > previous->blocks ? DCS_NEXT_RUN : DCS_NEXT_STOPPED;
}
