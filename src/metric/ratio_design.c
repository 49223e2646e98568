#include "metric/ratio_design.h"

#include <math.h>

#include "metric/jackknife.h"

enum {
  PILOT_INNER = 32,
  PILOT_OUTER = 16, /**< per block */
  PILOT_BLOCKS = 4, /**< of the first pilot */
  PILOT_GROWTH = 8, /**< each further pilot has this many times the paths */
  INNER_GROWTH = 4, /**< of which this many times the inner paths: noise falls as 1/M^2, but only as 1/outer */
  MIN_BLOCKS = 32,  /**< of the final phase: the bootstrap resamples blocks */
  WANTED_BLOCKS = 64,
  MIN_INNER = 32,
  MAX_INNER = 1024,
  TAIL_FACTOR = 2,
  MAX_PHASES = 8
};

/** The error bar must itself be known: the mean of squares, from which it is computed, to this relative standard error.
 *  A divergence made by rare x has heavy tails, and a small sample would show both it and its error too small. At most
 *  TAIL_FACTOR times the work that rel_error alone asks for is spent on it. */
#define ERROR_OF_ERROR 0.3
/** Inner paths are at least this many times Var(w | x): the bias left by the jackknife is of order (s^2/M)^4. */
#define NOISE_FACTOR 32
/** A phase that turns out to need more than this many times the planned work is designed anew. */
#define REDESIGN_FACTOR 4

static double paths_of(const dcs_design *design)
{
  return (double)design->blocks * (double)design->outer * design->inner;
}

static double round_up(double value, int multiple) { return ceil(value / multiple) * multiple; }

double dcs_ratio_upper(dcs_estimate e) { return fabs(e.value) + 3 * e.std_error; }

/** Relative standard error of the mean square of the divergence's samples. */
static double error_of_error(const dcs_sums *sums)
{
  dcs_estimate square = dcs_sums_estimate(sums, DCS_RATIO_KL_SQUARE);
  return square.value > 0 ? square.std_error / square.value : 0;
}

/** A phase of about n outer samples with `inner` paths each, within the paths that are left. */
static dcs_design sized(double path_flops, const dcs_stop *stop, dcs_design base, int inner, double n)
{
  double affordable = (stop->max_paths - base.spent) / inner;
  double by_flops = DCS_BLOCK_FLOPS / (path_flops * inner);
  int multiple =
      inner == 1 ? DCS_LANES : 1; /* a block is whole tiles; inner is a multiple of DCS_LANES when it is not 1 */
  double outer = round_up(fmax(fmin(fmin(n, affordable) / WANTED_BLOCKS, by_flops), 1), multiple);
  double blocks = fmin(fmax(ceil(n / outer), MIN_BLOCKS), floor(affordable / outer));
  base.inner = inner;
  base.outer = (int64_t)outer;
  base.blocks = (int64_t)fmax(blocks, 1);
  base.is_final = true;
  return base;
}

/** Best design for what the sums say, with at least min_inner inner paths. */
static dcs_design best(double path_flops, const dcs_stop *stop, dcs_design base, const dcs_sums *sums, int min_inner)
{
  dcs_estimate kl = dcs_sums_estimate(sums, DCS_RATIO_KL);
  double signal = fmax(kl.value, 0.5 * kl.std_error), wanted = pow(stop->rel_error * signal, 2);
  double total = sums->m2[DCS_RATIO_KL] / (double)(sums->n - 1);
  double tails = (double)sums->n * pow(error_of_error(sums) / ERROR_OF_ERROR, 2);
  double inner = 1, variance = total;
  if (base.inner > 1) {
    double m = base.inner, v1 = fmax(sums->mean[DCS_RATIO_SIGNAL_NOISE], 0), v2 = sums->mean[DCS_RATIO_VARIANCE2] / 2;
    double vf = total - v1 / m - v2 / (m * (m - 1));
    /* a small difference of noisy numbers: kept between what a normal A (half the square of the mean, and more in low
     * dimension) and a heavy-tailed one would give */
    vf = fmin(fmax(vf, 0.5 * signal * signal), 4 * signal * signal);
    inner = fmax(fmax(1 + sqrt(v2 / vf), NOISE_FACTOR * sums->mean[DCS_RATIO_VARIANCE]), min_inner);
    inner = fmin(round_up(inner, DCS_JACKKNIFE_GROUPS), MAX_INNER);
    variance = vf + v1 / inner + v2 / (inner * (inner - 1));
  }
  return sized(path_flops, stop, base, (int)inner,
               fmax(variance, fmin(tails * wanted, TAIL_FACTOR * variance)) / wanted);
}

/** The same samples in more blocks, so that none takes long: a pilot of many steps in a high dimension would. */
static dcs_design divided(double path_flops, dcs_design design)
{
  int multiple = design.inner == 1 ? DCS_LANES : 1;
  while (design.outer % (2 * multiple) == 0 && path_flops * (double)design.outer * design.inner > DCS_BLOCK_FLOPS) {
    design.outer /= 2;
    design.blocks *= 2;
  }
  return design;
}

static dcs_design new_phase(const dcs_design *previous)
{
  dcs_design next = *previous;
  next.phase++;
  next.spent += paths_of(previous);
  return next;
}

/** After a pilot: another one while the divergence drowns in its error, else the phase that counts. */
static dcs_next after_pilot(double path_flops, const dcs_stop *stop, const dcs_design *pilot, const dcs_sums *sums,
                            dcs_design *next)
{
  dcs_estimate kl = dcs_sums_estimate(sums, DCS_RATIO_KL);
  *next = new_phase(pilot);
  if (kl.value < 3 * kl.std_error && next->spent + PILOT_GROWTH * paths_of(pilot) <= stop->max_paths / 8) {
    int inner_growth = pilot->inner == 1 || INNER_GROWTH * pilot->inner > MAX_INNER ? 1 : INNER_GROWTH;
    next->inner *= inner_growth;
    next->blocks *= PILOT_GROWTH / inner_growth;
    *next = divided(path_flops, *next);
  } else {
    *next = best(path_flops, stop, *next, sums, MIN_INNER);
  }
  return DCS_NEXT_RUN;
}

/** After blocks that count: done, more of them, or a new design. */
static dcs_next after_final(double path_flops, const dcs_stop *stop, const dcs_design *previous, const dcs_sums *sums,
                            dcs_design *next)
{
  dcs_estimate kl = dcs_sums_estimate(sums, DCS_RATIO_KL);
  double allowed = stop->rel_error * fabs(kl.value), error = kl.std_error / allowed;
  double tails = error_of_error(sums) / ERROR_OF_ERROR;
  bool tails_known = tails <= 1 || previous->blocks >= TAIL_FACTOR * WANTED_BLOCKS;
  bool biased = previous->inner > 1 && previous->inner < MAX_INNER &&
                !(dcs_ratio_upper(dcs_sums_estimate(sums, DCS_RATIO_KL_BIAS)) <= allowed);
  if (error <= 1 && tails_known && !biased) return DCS_NEXT_DONE;

  double needed = pow(tails_known ? error : fmax(error, tails), 2);
  if (previous->inner > 1 && previous->phase < MAX_PHASES && (biased || needed > REDESIGN_FACTOR)) {
    int min_inner = biased ? 2 * previous->inner : MIN_INNER;
    dcs_design fresh = best(path_flops, stop, new_phase(previous), sums, min_inner);
    bool other = fresh.inner > 1.4 * previous->inner || 1.4 * fresh.inner < previous->inner;
    if (other && fresh.spent + paths_of(&fresh) <= stop->max_paths) {
      *next = fresh;
      return DCS_NEXT_RUN;
    }
  }
  double limit = floor((stop->max_paths - previous->spent) / (double)(previous->outer * previous->inner));
  double wanted = ceil((double)previous->blocks * fmin(4, 1.1 * needed));
  *next = *previous;
  next->blocks = (int64_t)fmin(fmax(wanted, (double)previous->blocks + 1), limit);
  return next->blocks > previous->blocks ? DCS_NEXT_RUN : DCS_NEXT_STOPPED;
}

dcs_next dcs_ratio_plan(double path_flops, bool deterministic, const dcs_stop *stop, const dcs_design *previous,
                        const dcs_sums *sums, dcs_design *next)
{
  if (previous != NULL) return (previous->is_final ? after_final : after_pilot)(path_flops, stop, previous, sums, next);
  int inner = deterministic ? 1 : PILOT_INNER;
  *next = (dcs_design){.inner = inner, .outer = (int64_t)PILOT_OUTER * PILOT_INNER / inner, .blocks = PILOT_BLOCKS};
  *next = divided(path_flops, *next);
  if (paths_of(next) > stop->max_paths / 2) *next = sized(path_flops, stop, *next, inner, stop->max_paths);
  return DCS_NEXT_RUN;
}
