#include "metric/level_design.h"

#include <math.h>

#define MAX_GROWTH 32.0   /**< of the number of samples at once: an early error is itself uncertain */
#define SAFETY 1.2        /**< that this growth is enough */
#define MAX_EXTENSION 3.0 /**< growth up to which more blocks of the same size are better than a fresh start */

int64_t dcs_level_groups(const dcs_problem *problem) { return (int64_t)problem->steps->count + 1; }

static double round_down(double value, int multiple) { return fmax(floor(value / multiple), 1) * multiple; }

dcs_next dcs_level_plan(double flops_per_path, int multiple, int64_t first, int64_t least, int64_t groups,
                        double needed, const dcs_stop *stop, const dcs_design *previous, dcs_design *next)
{
  double n = (double)groups, affordable = stop->max_paths / n;
  if (previous == NULL) {
    double outer = fmin((double)first, fmax(DCS_BLOCK_FLOPS / flops_per_path, (double)least));
    outer = round_down(fmin(outer, affordable / DCS_LEVEL_BLOCKS), multiple);
    double blocks = fmin(fmax(floor(affordable / outer), 1), DCS_LEVEL_BLOCKS);
    *next = (dcs_design){.inner = 1, .outer = (int64_t)outer, .blocks = (int64_t)blocks * groups, .is_final = true};
    return DCS_NEXT_RUN;
  }
  if (needed <= 1) return DCS_NEXT_DONE;
  double outer = (double)previous->outer, blocks = (double)(previous->blocks / groups);
  double growth = fmin(SAFETY * needed, MAX_GROWTH), left = affordable - previous->spent / n;
  double fresh = fmin(growth * outer * blocks, left - outer * blocks) / DCS_LEVEL_BLOCKS;
  fresh = fmin(round_down(fresh, multiple), round_down(DCS_BLOCK_FLOPS / flops_per_path, multiple));
  *next = *previous;
  if (growth > MAX_EXTENSION && fresh > outer) {
    next->phase++;
    next->spent += outer * blocks * n;
    next->outer = (int64_t)fresh;
    next->blocks = DCS_LEVEL_BLOCKS * groups;
  } else {
    next->blocks = (int64_t)fmin(fmax(floor(blocks * growth), blocks + 1), floor(left / outer)) * groups;
  }
  return next->phase > previous->phase || next->blocks > previous->blocks ? DCS_NEXT_RUN : DCS_NEXT_STOPPED;
}
