#include "metric/constant_design.h"

#include <math.h>

#include "metric/mean_design.h"

enum {
  PILOT_INNER = 32,
  PILOT_TILES = 64,
  PILOT_GROWTH = 4,
  MIN_INNER = 8,
  MAX_INNER = 8192,
  MIN_OUTER = 128 * DCS_LANES /**< of the phase that counts: four tiles in each of its blocks */
};
#define PILOT_BLOCK_FLOPS 1e9

static double paths_of(const dcs_design *design) { return (double)(design->outer * design->blocks) * design->inner; }

/** A pilot with PILOT_TILES tiles, or what max_paths allows. */
static dcs_design pilot_of(int inner, double draw_flops, double max_paths)
{
  double tiles = fmin(fmax(floor(PILOT_BLOCK_FLOPS / (DCS_LANES * inner * draw_flops)), 1), 4);
  dcs_design pilot = {.inner = inner, .outer = (int64_t)tiles * DCS_LANES, .blocks = 1};
  pilot.blocks = (int64_t)fmin(fmax(floor(max_paths / paths_of(&pilot)), 1), floor(PILOT_TILES / tiles));
  return pilot;
}

/** Draws per outer sample for what a pilot says. */
static int best_inner(const dcs_design *pilot, const dcs_sums *sums, double signal)
{
  double k = pilot->inner, v1 = fmax(sums->mean[DCS_CONSTANT_SIGNAL_NOISE], 0);
  double v2 = sums->mean[DCS_CONSTANT_NOISE2] / 2;
  double total = DCS_LANES * sums->m2[DCS_CONSTANT_KL] / (double)(sums->n - 1);
  /* a small difference of noisy numbers: kept between what a normal A (half the square of the mean, and more in low
   * dimension) and a heavy-tailed one would give */
  double vf = fmin(fmax(total - v1 / k - v2 / (k * k), 0.5 * signal * signal), 4 * signal * signal);
  double inner = fmin(fmax(vf > 0 ? sqrt(v2 / vf) : MIN_INNER, MIN_INNER), MAX_INNER);
  return DCS_CONSTANT_STRATUM * (int)ceil(inner / DCS_CONSTANT_STRATUM);
}

/** Another pilot while the result drowns in its error, else the phase that counts, no larger than it has to be. */
static dcs_next after_pilot(double draw_flops, const dcs_stop *stop, const dcs_design *pilot, const dcs_sums *sums,
                            dcs_design *next)
{
  dcs_estimate kl = dcs_sums_estimate(sums, DCS_CONSTANT_KL);
  double spent = pilot->spent + paths_of(pilot), signal = fmax(kl.value, 0.5 * kl.std_error);
  int phase = pilot->phase + 1;
  *next = pilot_of(PILOT_GROWTH * pilot->inner, draw_flops, INFINITY);
  next->phase = phase;
  next->spent = spent;
  if (kl.value < 3 * kl.std_error && next->inner <= MAX_INNER && spent + paths_of(next) <= stop->max_paths / 8)
    return DCS_NEXT_RUN;
  int inner = sums->n > 1 ? best_inner(pilot, sums, signal) : PILOT_INNER;
  double outer = (double)(pilot->outer * pilot->blocks) * pow(kl.std_error / (stop->rel_error * signal), 2);
  outer *= fmin(1, (double)pilot->inner / inner);
  dcs_stop first = {stop->rel_error, fmin((stop->max_paths - spent) / inner, fmax(outer, MIN_OUTER))};
  dcs_next verdict = dcs_mean_plan(inner * draw_flops, DCS_LANES, 0, NULL, &first, NULL, NULL, next);
  next->phase = phase;
  next->inner = inner;
  next->spent = spent;
  return verdict;
}

dcs_next dcs_constant_plan(double draw_flops, const dcs_stop *stop, const dcs_design *previous, const dcs_sums *sums,
                           dcs_design *next)
{
  static const bool wanted[DCS_CONSTANT_QUANTITIES] = {[DCS_CONSTANT_KL] = true};
  if (previous == NULL) {
    *next = pilot_of(PILOT_INNER, draw_flops, stop->max_paths / 8);
    return DCS_NEXT_RUN;
  }
  if (!previous->is_final) return after_pilot(draw_flops, stop, previous, sums, next);
  return dcs_mean_plan(previous->inner * draw_flops, DCS_LANES, DCS_CONSTANT_QUANTITIES, wanted, stop, previous, sums,
                       next);
}
