/** lim steps^2 KL(q || p) for any target, at a cost that does not depend on the number of steps.
 *
 *  One step of length h in log s multiplies the density ratio by rho, log rho = a(x, s) h^2 + O(h^3), theory (2). Along
 *  N steps of lengths h_k the ratio at the end is r - 1 = A/N + O(1/N^2) with A = E[N sum_k h_k^2 a(X_k, s_k) | x]
 *  over the exact reverse chain from X_N = x, and KL = 1/2 E_q[(r - 1)^2] + ..., so
 *      lim N^2 KL = 1/2 E_q[A^2],     A(x) = E[ int N h(s) a(X_s, s) d log s | X_{sqrt(delta)} = x ].
 *  For noise c^2 ~ 2 h s^2 the reverse chain tends to the reverse SDE, whose time reversal is plain noising: X_s = x +
 *  sqrt(s^2 - delta) z can be drawn at any level at once. Levels are drawn with density proportional to h(s), so that
 *  every draw carries the same factor W = N sum_k h_k^2, and stratified: M strata of equal mass, two independent draws
 *  in each. With a_j1, a_j2 the values in stratum j,
 *      S = W/M sum_j (a_j1 + a_j2)/2,     V = (W/M)^2 sum_j ((a_j1 - a_j2)/2)^2,     E[S^2 - V | x] = A^2
 *  exactly, because E V is the variance of S. The 16 particles of a tile share their levels, so a tile is one sample.
 *
 *  a is the extrapolation of log rho/h^2 over LENGTHS step lengths; the estimate from one length less is measured
 *  beside it, and their difference bounds what the extrapolation leaves. E_q[A] = 0 is checked. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "metric/constant_design.h"
#include "metric/estimators.h"
#include "metric/limit.h"
#include "metric/outer.h"

enum { LENGTHS = 3 /**< of steps that a is extrapolated over, the longest DCS_LIMIT_LENGTH/2 */ };

struct dcs_block_work {
  dcs_posterior *here, *below;
  dcs_outer outer;
  double *x, *noisy, *z, *f; /**< [d][DCS_LANES] */
  double *mass;              /**< [steps + 1] sum of h_i^2 over i < k */
};

static dcs_status check(const dcs_problem *problem, dcs_error *err)
{
  const dcs_steps *steps = problem->steps;
  dcs_status st = dcs_limit_check(problem, "constant", err);
  if (st != DCS_OK || fabs(dcs_limit_noise(steps, steps->step[0].sigma) - 1) < 1e-6) return st;
  return dcs_fail(
      err, DCS_EREFUSED,
      "constant: the exact chain can be drawn backwards at once only where it tends to the reverse SDE, noise "
      "c^2 ~ 2 h sigma^2; %s has another noise: measure kl and extrapolate",
      steps->sampler->name);
}

/** The law that is measured: KL adds over independent copies. */
static const dcs_target *law_of(const dcs_problem *problem)
{
  int copies = 1;
  return dcs_target_factor(problem->target, &copies);
}

static double draw_flops(const dcs_problem *problem)
{
  const dcs_target *target = law_of(problem);
  return (1 + LENGTHS) * dcs_target_flops(target, false) + LENGTHS * dcs_target_flops(target, true) +
         (40 + 4 * LENGTHS) * dcs_target_dimension(target) + 200;
}

static dcs_next plan(const dcs_problem *problem, const dcs_stop *stop, const dcs_design *previous, const dcs_sums *sums,
                     dcs_design *next)
{
  return dcs_constant_plan(draw_flops(problem), stop, previous, sums, next);
}

static void work_destroy(dcs_block_work **work)
{
  if (*work == NULL) return;
  dcs_posterior_destroy(&(*work)->here);
  dcs_posterior_destroy(&(*work)->below);
  dcs_free(&(*work)->x);
  dcs_free(&(*work)->noisy);
  dcs_free(&(*work)->z);
  dcs_free(&(*work)->f);
  dcs_free(&(*work)->mass);
  dcs_free(work);
}

static double length_of(const dcs_step *step) { return log(step->sigma / step->sigma_next); }

static dcs_status work_create(const dcs_problem *problem, dcs_block_work **out)
{
  dcs_status st = DCS_OK;
  dcs_block_work *work = NULL;
  const dcs_steps *steps = problem->steps;
  const dcs_target *target = law_of(problem);
  dcs_stream stream = dcs_stream_create(problem->seed, DCS_PURPOSE_PROPOSAL, problem->point);
  size_t n = (size_t)dcs_target_dimension(target) * DCS_LANES;
  DCS_TRY(dcs_alloc(1, sizeof *work, &work));
  DCS_TRY(dcs_posterior_create(target, &work->here));
  DCS_TRY(dcs_posterior_create(target, &work->below));
  DCS_TRY(dcs_alloc(n, sizeof(double), &work->x));
  DCS_TRY(dcs_alloc(n, sizeof(double), &work->noisy));
  DCS_TRY(dcs_alloc(n, sizeof(double), &work->z));
  DCS_TRY(dcs_alloc(n, sizeof(double), &work->f));
  DCS_TRY(dcs_alloc((size_t)steps->count + 1, sizeof(double), &work->mass));
  for (int k = 0; k < steps->count; k++) {
    double h = length_of(&steps->step[k]);
    work->mass[k + 1] = work->mass[k] + h * h;
  }
  DCS_TRY(
      dcs_outer_create(target, steps->step[steps->count - 1].sigma_next, stream, work->here, work->z, &work->outer));
done:
  if (st != DCS_OK) work_destroy(&work);
  *out = work;
  return st;
}

/** The level above which the share v of the mass h(s) d log s lies, 0 < v < 1. */
static double level_at(const dcs_steps *steps, const double *mass, double v)
{
  int lo = 0, hi = steps->count;
  double wanted = v * mass[steps->count];
  while (hi - lo > 1) {
    int middle = (lo + hi) / 2;
    if (mass[middle] <= wanted)
      lo = middle;
    else
      hi = middle;
  }
  const dcs_step *step = &steps->step[lo];
  double h = length_of(step), share = (wanted - mass[lo]) / (h * h);
  return fmax(step->sigma * exp(-h * share), step->sigma_next); /* a rounding error below the last level is none */
}

/** a(x, sigma) at `noisy`: best [DCS_LANES] from all step lengths, other [DCS_LANES] without the longest. */
static void local_ratio(const dcs_problem *problem, double sigma, dcs_block_work *work, double *restrict best,
                        double *restrict other)
{
  static const double all[LENGTHS] = {1.0 / 3, -2, 8.0 / 3}, short_ones[LENGTHS] = {0, -1, 2};
  _Alignas(DCS_ALIGN) double log_det[DCS_LANES];
  int size = dcs_target_dimension(law_of(problem)) * DCS_LANES;
  const double *x = work->noisy, *m = dcs_posterior_mean(work->here), *log_q = dcs_posterior_log_q(work->here);
  dcs_posterior_at(work->here, sigma, x);
  memset(best, 0, DCS_LANES * sizeof *best);
  memset(other, 0, DCS_LANES * sizeof *other);
  for (int i = 0; i < LENGTHS; i++) {
    double h = ldexp(DCS_LIMIT_LENGTH, -1 - i), inverse = 1 / (h * h);
    dcs_step step = dcs_limit_step(problem->steps, sigma, h);
    dcs_posterior_factor(work->here, step.one_minus_b, step.b / (sigma * sigma), log_det);
    for (int j = 0; j < size; j++) work->f[j] = step.one_minus_b * x[j] + step.b * m[j];
    dcs_posterior_at(work->below, sqrt(step.u2), work->f);
    const double *log_below = dcs_posterior_log_q(work->below);
    for (int l = 0; l < DCS_LANES; l++) {
      double a = (log_q[l] - log_below[l] - log_det[l]) * inverse;
      best[l] += all[i] * a;
      other[l] += short_ones[i] * a;
    }
  }
}

/** Sums over the draws of one tile: of a, and of the squared half differences in the strata; [0] by all step lengths,
 *  [1] without the longest. */
typedef struct {
  double sum[2][DCS_LANES], square[2][DCS_LANES];
} tile_sums;

static void add_stratum(const dcs_problem *problem, const dcs_design *design, const dcs_lane_ids *ids, int stratum,
                        dcs_stream levels, dcs_stream noise, dcs_block_work *work, tile_sums *tile)
{
  double a[DCS_CONSTANT_STRATUM][2][DCS_LANES], u[2], last = work->outer.sigma;
  int d = dcs_target_dimension(law_of(problem)), strata = design->inner / DCS_CONSTANT_STRATUM;
  dcs_stream_uniform2_ref(levels, ids->path[0], (uint32_t)stratum, 0, 0, u);
  for (int r = 0; r < DCS_CONSTANT_STRATUM; r++) {
    dcs_lane_ids here = *ids;
    double sigma = level_at(problem->steps, work->mass, (stratum + u[r]) / strata);
    double spread = sqrt((sigma - last) * (sigma + last));
    for (int l = 0; l < DCS_LANES; l++) here.inner[l] = (uint32_t)(DCS_CONSTANT_STRATUM * stratum + r);
    dcs_stream_normal(noise, &here, 0, d, work->z);
    for (int j = 0; j < d * DCS_LANES; j++) work->noisy[j] = work->x[j] + spread * work->z[j];
    local_ratio(problem, sigma, work, a[r][0], a[r][1]);
  }
  for (int v = 0; v < 2; v++)
    for (int l = 0; l < DCS_LANES; l++) {
      double half = 0.5 * (a[0][v][l] - a[1][v][l]);
      tile->sum[v][l] += 0.5 * (a[0][v][l] + a[1][v][l]);
      tile->square[v][l] += half * half;
    }
}

/** Means over the tile of what one x adds to the sums; `unit` = W/M. */
static void add_tile(int inner, double unit, const double *weight, const tile_sums *tile, double *values)
{
  double strata = (double)inner / DCS_CONSTANT_STRATUM;
  for (int l = 0; l < DCS_LANES; l++) {
    double w = weight[l] / DCS_LANES, w2 = weight[l] * w, half_square[2];
    double v = inner * unit * unit * tile->square[0][l];
    for (int i = 0; i < 2; i++)
      half_square[i] = 0.5 * unit * unit * (tile->sum[i][l] * tile->sum[i][l] - tile->square[i][l]);
    values[DCS_CONSTANT_KL] += w * half_square[0];
    values[DCS_CONSTANT_TRUNCATION] += w * (half_square[1] - half_square[0]);
    values[DCS_CONSTANT_MEAN] += w * unit * tile->sum[0][l];
    values[DCS_CONSTANT_NOISE2] += w2 * v * v / (1 + 2 / strata); /* of M squared normal numbers, E V^2 = (1 + 2/M) */
    values[DCS_CONSTANT_SIGNAL_NOISE] += w2 * 2 * half_square[0] * v;
  }
}

static dcs_status block(const dcs_problem *problem, const dcs_design *design, int64_t number, dcs_block_work *work,
                        dcs_sums *sums, dcs_error *err)
{
  const dcs_target *target = law_of(problem);
  uint32_t phase = (uint32_t)design->phase;
  dcs_stream draw = dcs_stream_fork(dcs_stream_create(problem->seed, DCS_PURPOSE_DRAW, problem->point), phase);
  dcs_stream noise = dcs_stream_fork(dcs_stream_create(problem->seed, DCS_PURPOSE_BRIDGE, problem->point), phase);
  dcs_stream levels = dcs_stream_create(problem->seed, DCS_PURPOSE_PROPOSAL, problem->point);
  levels = dcs_stream_fork(levels, phase);
  int strata = design->inner / DCS_CONSTANT_STRATUM;
  double unit = problem->steps->count * work->mass[problem->steps->count] / strata;
  memset(sums, 0, sizeof *sums);
  for (int64_t first = 0; first < design->outer; first += DCS_LANES) {
    _Alignas(DCS_ALIGN) double weight[DCS_LANES];
    dcs_lane_ids ids = {0};
    tile_sums tile = {0};
    for (int l = 0; l < DCS_LANES; l++) ids.path[l] = (uint64_t)(number * design->outer + first + l);
    dcs_outer_draw(target, &work->outer, draw, &ids, work->here, work->below, work->x, work->z, weight);
    for (int j = 0; j < strata; j++) add_stratum(problem, design, &ids, j, levels, noise, work, &tile);
    double values[DCS_CONSTANT_QUANTITIES] = {0};
    add_tile(design->inner, unit, weight, &tile, values);
    dcs_sums_add(sums, DCS_CONSTANT_QUANTITIES, values);
  }
  for (int q = 0; q < DCS_CONSTANT_QUANTITIES; q++)
    if (!isfinite(sums->mean[q]) || !isfinite(sums->m2[q]))
      return dcs_fail(err, DCS_ENUMERIC, "constant: a density ratio of a short step is not finite");
  return DCS_OK;
}

/** Rounding of A: the terms of log rho are of size d + 8 and, where a squared distance is a difference of squares,
 *  |X_0|^2/s^2; the extrapolation multiplies their errors by 51/h^2, h the longest length; A sums them over levels. */
static double rounding_of(const dcs_problem *problem)
{
  const dcs_target *target = law_of(problem);
  const dcs_steps *steps = problem->steps;
  double d = dcs_target_dimension(target), variance = dcs_target_variance(target), sum = 0;
  for (int k = 0; k < steps->count; k++) {
    const dcs_step *s = &steps->step[k];
    sum += pow(length_of(s), 2) * (d + 8 + variance / (s->sigma * s->sigma_next));
  }
  return 51 / pow(DCS_LIMIT_LENGTH / 2, 2) * 8 * DBL_EPSILON * steps->count * sum;
}

static void finish(const dcs_problem *problem, const dcs_design *design, const dcs_sums *sums, dcs_estimate *estimates)
{
  (void)design;
  int copies = 1;
  dcs_target_factor(problem->target, &copies);
  for (int q = 0; q < DCS_CONSTANT_QUANTITIES; q++) estimates[q] = dcs_sums_estimate(sums, q);
  dcs_estimate *kl = &estimates[DCS_CONSTANT_KL];
  const dcs_estimate *left = &estimates[DCS_CONSTANT_TRUNCATION], *mean = &estimates[DCS_CONSTANT_MEAN];
  double signal = sqrt(2 * fmax(kl->value, kl->std_error)), rounding = rounding_of(problem);
  kl->bias_bound = fabs(left->value) + 3 * left->std_error + rounding * (signal + rounding);
  /* E_q[A] = 0; where the sample says otherwise, x too rare to have been seen carry a part of A, and nothing is known
   * about their part in E A^2 */
  if (!(fabs(mean->value) <= 5 * mean->std_error + kl->bias_bound / signal + rounding)) kl->bias_bound = INFINITY;
  for (int q = 0; q < DCS_CONSTANT_QUANTITIES; q++) estimates[q].bias_bound = kl->bias_bound;
  kl->value *= copies;
  kl->std_error *= copies;
  kl->bias_bound *= copies;
}

static double flops(const dcs_problem *problem, const dcs_design *design)
{
  return draw_flops(problem) * (double)design->outer * design->inner;
}

const dcs_estimator dcs_estimator_constant = {
    .name = "constant",
    .help = "short steps at random levels; any target, samplers that tend to the reverse SDE",
    .source = "1/2 E_q[A^2], A = E[int N h a d log s | x], a = lim log rho_h/h^2",
    .count = DCS_CONSTANT_QUANTITIES,
    .quantity = {[DCS_CONSTANT_KL] = "kl_constant",
                 [DCS_CONSTANT_TRUNCATION] = "truncation",
                 [DCS_CONSTANT_NOISE2] = "noise_square",
                 [DCS_CONSTANT_SIGNAL_NOISE] = "signal_noise",
                 [DCS_CONSTANT_MEAN] = "mean_excess"},
    .check = check,
    .plan = plan,
    .work_create = work_create,
    .work_destroy = work_destroy,
    .block = block,
    .finish = finish,
    .flops = flops,
};
