/** Path-space divergence of a sampler's chain from the exact reverse chain X_{sigma_0}, ..., X_{sigma_N}:
 *      KL_path = KL(q_{sigma_0} || p_init) + sum_k KL_k,     KL_k = E KL(q(X_{k+1} | X_k) || p(X_{k+1} | X_k)).
 *
 *  Given X_k = x, the exact X_{k+1} = x + B* (X_0 - x) + c* z is X_0 seen through a Gaussian channel with the snr
 *      gamma_{k+1} - gamma_k = B*^2/c*^2 = length,    gamma = 1/sigma^2,   B* = 1 - sigma'^2/sigma^2,   c*^2 = sigma'^2 B*.
 *  Let G be a normal law with the mean m of X_0 | X_k and a covariance V. Both laws run through the same heat equation as
 *  the snr t falls from `length` to 0, so by de Bruijn's identity the exact step differs from the one with G for X_0 by
 *      D(V) = 1/2 int_0^length E|m(X_gamma) - m - tV (I + tV)^{-1} (y - m)|^2 dt,    gamma = gamma_k + t,            [1]
 *  the mean square between the best estimate and the best linear one under V, from X_k and y = (gamma X_gamma - gamma_k
 *  X_k)/t, which is what X_gamma adds to X_k (Verdu 2010; V = 0: Reeves and Pfister arXiv:2502.02305).
 *    moment-2 has G itself with V = C in the place of X_0:    KL_k = E D(C) + shift.
 *    x' = F + c z is normal and isotropic. With V = vI, v = tr C/d, the exact step has the mean and the variance of the
 *  one with G, and log-densities of isotropic normal laws depend on nothing else, so divergences add:
 *      KL_k = E D(vI) + d/2 E[e - log1p e] + shift,    1 + e = (c*^2 + B*^2 v)/c^2.                                  [2]
 *  The shift is that of the means, F - F* with F* = x + B* (m - x): E|F - F*|^2/(2 c^2), or for moment-2
 *  E (F - F*)^T (c*^2 I + B*^2 C)^{-1} (F - F*)/2. Nothing here is a difference of large numbers, no sample is negative,
 *  and D measures only how far the posterior is from normal. A normal start is a step from gamma = 0, where m = E X_0.
 *
 *  E|...|^2 in [1] grows linearly from t = 0 and turns down where tC ~ 1: t/(1 + bt), b a typical C, is drawn with a
 *  linear density. Steps use independent draws, which costs one draw of X_0 more than a chain and has none of its
 *  correlation. The lanes of a tile share their t, so a tile is one sample of the sums. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "metric/estimators.h"
#include "metric/mean_design.h"
#include "metric/snr.h"
#include "numerics/vmath.h"
#include "sampler/map.h"

typedef dcs_vec row[DCS_VECS];

struct dcs_block_work {
  dcs_map *map;        /**< at (X_k, sigma_k) */
  dcs_posterior *post; /**< at (X_gamma, 1/sqrt(gamma)) */
  dcs_stream *draw;    /**< [strata + 1] one for each stratum and one for the start */
  double *x;           /**< [d][DCS_LANES] X_gamma */
  double *upper;       /**< [d][DCS_LANES] X_k */
  double *z;           /**< [d][DCS_LANES] scratch */
  double *v;           /**< [d][DCS_LANES] y - m */
};

static double square(double x) { return x * x; }

/** The law that is measured: one factor of a product, or the whole where a score error couples the factors. */
static const dcs_target *law_of(const dcs_problem *problem, int *copies)
{
  *copies = 1;
  return problem->steps->error == NULL ? dcs_target_factor(problem->target, copies) : problem->target;
}

static dcs_status check(const dcs_problem *problem, dcs_error *err)
{
  const dcs_steps *steps = problem->steps;
  if (steps->sampler->kind == DCS_MAP_MOMENT_3)
    return dcs_fail(err, DCS_EREFUSED, "path: the steps of %s are not normal; use kl", steps->sampler->name);
  for (int k = 0; k < steps->count; k++)
    if (!(steps->step[k].c2 > 0))
      return dcs_fail(err, DCS_EREFUSED,
                      "path: step %d of %s adds no noise, so its path divergence is infinite; use kl", k + 1,
                      steps->sampler->name);
  return DCS_OK;
}

static double path_flops(const dcs_problem *problem)
{
  int copies;
  const dcs_target *target = law_of(problem, &copies);
  bool factors = problem->steps->sampler->kind == DCS_MAP_MOMENT_2;
  return dcs_snr_strata(problem->steps->count) *
         (2 * dcs_target_flops(target, false) + 100 + (factors ? dcs_target_flops(target, true) : 0) +
          60.0 * dcs_target_dimension(target));
}

static dcs_next plan(const dcs_problem *problem, const dcs_stop *stop, const dcs_design *previous, const dcs_sums *sums,
                     dcs_design *next)
{
  return dcs_mean_plan(path_flops(problem), DCS_LANES, 1, (const bool[]){true}, stop, previous, sums, next);
}

static void work_destroy(dcs_block_work **work)
{
  if (*work == NULL) return;
  dcs_map_destroy(&(*work)->map);
  dcs_posterior_destroy(&(*work)->post);
  dcs_free(&(*work)->draw);
  dcs_free(&(*work)->x);
  dcs_free(&(*work)->upper);
  dcs_free(&(*work)->z);
  dcs_free(&(*work)->v);
  dcs_free(work);
}

static dcs_status work_create(const dcs_problem *problem, dcs_block_work **out)
{
  dcs_status st = DCS_OK;
  dcs_block_work *work = NULL;
  int copies, streams = dcs_snr_strata(problem->steps->count) + 1;
  const dcs_target *target = law_of(problem, &copies);
  size_t n = (size_t)dcs_target_dimension(target) * DCS_LANES;
  dcs_stream draw = dcs_stream_create(problem->seed, DCS_PURPOSE_DRAW, problem->point);
  DCS_TRY(dcs_alloc(1, sizeof *work, &work));
  DCS_TRY(dcs_map_create(target, problem->steps, &work->map));
  DCS_TRY(dcs_posterior_create(target, &work->post));
  DCS_TRY(dcs_alloc((size_t)streams, sizeof *work->draw, &work->draw));
  for (int i = 0; i < streams; i++) work->draw[i] = dcs_stream_fork(draw, (uint32_t)i);
  DCS_TRY(dcs_alloc(n, sizeof(double), &work->x));
  DCS_TRY(dcs_alloc(n, sizeof(double), &work->upper));
  DCS_TRY(dcs_alloc(n, sizeof(double), &work->z));
  DCS_TRY(dcs_alloc(n, sizeof(double), &work->v));
done:
  if (st != DCS_OK) work_destroy(&work);
  *out = work;
  return st;
}

static double lane_mean(const double *a)
{
  double sum = 0;
  for (int l = 0; l < DCS_LANES; l++) sum += a[l];
  return sum / DCS_LANES;
}

/** Mean over the lanes of a . b, [d][DCS_LANES] both. */
static double mean_dot(int d, const double *a, const double *b)
{
  row sum = {};
  for (int i = 0; i < d; i++)
    for (int p = 0; p < DCS_VECS; p++) sum[p] += ((const row *)a)[i][p] * ((const row *)b)[i][p];
  return lane_mean((const double *)sum);
}

/** A random snr inside a step, and the weight of what is measured there in an integral over the step. */
typedef struct {
  double t, weight;
} point;

/** w = t/(1 + bt) = w_max sqrt(u); b: variance of the posterior at snr gamma for a normal law as wide as the target. */
static point choose_point(const dcs_target *target, double gamma, double length, double u)
{
  double a = dcs_target_variance(target) / dcs_target_dimension(target), b = a / (1 + a * gamma);
  double root_u = sqrt(u), t = length * root_u / (1 + b * length * (1 - u) / (1 + root_u));
  return (point){.t = t, .weight = length / (1 + b * length) / (2 * root_u) * square(1 + b * t)};
}

/** Mean over the lanes of |m(X_gamma) - m - gain (y - m)|^2; mean [d][DCS_LANES] is m, work->v is y - m. */
static double mean_residual(dcs_block_work *work, int d, const double *mean, const row gain)
{
  const row *inner = (const row *)dcs_posterior_mean(work->post), *m = (const row *)mean, *v = (const row *)work->v;
  row sum = {};
  for (int i = 0; i < d; i++)
    for (int p = 0; p < DCS_VECS; p++) {
      dcs_vec r = inner[i][p] - m[i][p] - gain[p] * v[i][p];
      sum[p] += r * r;
    }
  return lane_mean((const double *)sum);
}

/** d/2 (e - log1p e), mean over the lanes: an isotropic normal law from another with 1 + e times less variance. */
static double mean_excess(int d, const row e)
{
  row sum;
  for (int p = 0; p < DCS_VECS; p++) sum[p] = 0.5 * d * (e[p] - dcs_vec_log1p(e[p]));
  return lane_mean((const double *)sum);
}

/** D(V) of this posterior with V = vI, v = tr C/d, and the rest of [2] but the shift. `variance` is v of the sampler's
 *  normal law in the place of X_0, c^2 = c*^2 + B*^2 variance. */
static double isotropic(dcs_block_work *work, int d, const double *mean, const row v, double variance, double length,
                        point at)
{
  row gain, e;
  for (int p = 0; p < DCS_VECS; p++) {
    gain[p] = at.t * v[p] / (1.0 + at.t * v[p]);
    e[p] = length * (v[p] - variance) / (1.0 + length * variance);
  }
  return 0.5 * at.weight * mean_residual(work, d, mean, gain) + mean_excess(d, e);
}

/** D(C): tC (I + tC)^{-1} (y - m) = (y - m) - (I + tC)^{-1} (y - m). */
static double matched(dcs_block_work *work, int d, const double *mean, point at)
{
  row log_det, gain;
  dcs_posterior *top = dcs_map_posterior(work->map);
  dcs_posterior_factor(top, 1, at.t, (double *)log_det);
  dcs_posterior_solve(top, work->v, work->z);
  for (int i = 0; i < d * DCS_LANES; i++) work->v[i] -= work->z[i];
  for (int p = 0; p < DCS_VECS; p++) gain[p] = dcs_vec_set(1);
  return 0.5 * at.weight * mean_residual(work, d, mean, gain);
}

/** B* without cancellation. */
static double exact_b(const dcs_step *s)
{
  return (s->sigma - s->sigma_next) * (s->sigma + s->sigma_next) / square(s->sigma);
}

/** Mean over the lanes of the shift's term; work->v and work->z are overwritten. */
static double shift(dcs_block_work *work, const dcs_steps *steps, const dcs_step *s, int d, double length)
{
  row log_det;
  double b = exact_b(s);
  if (s->b == b && steps->error == NULL) return 0;
  dcs_posterior *top = dcs_map_posterior(work->map);
  const double *f = dcs_map_value(work->map), *m = dcs_posterior_mean(top), *x = work->upper;
  for (int i = 0; i < d * DCS_LANES; i++) work->v[i] = f[i] - (x[i] + b * (m[i] - x[i]));
  if (steps->sampler->kind != DCS_MAP_MOMENT_2) return 0.5 * mean_dot(d, work->v, work->v) / s->c2;
  dcs_posterior_factor(top, 1, length, (double *)log_det);
  dcs_posterior_solve(top, work->v, work->z);
  return 0.5 * mean_dot(d, work->v, work->z) * length / square(b);
}

/** Mean over the lanes of a sample of KL_k. */
static double step_divergence(dcs_block_work *work, const dcs_target *target, const dcs_steps *steps, dcs_snr_pick pick,
                              dcs_stream draw, const dcs_lane_ids *ids)
{
  row v;
  int d = dcs_target_dimension(target);
  const dcs_step *s = &steps->step[pick.step];
  double length = dcs_snr_length(s), divergence;
  point at = choose_point(target, 1 / square(s->sigma), length, pick.u);
  double level = dcs_snr_level(s->sigma, at.t), noise = sqrt(at.t) * level * s->sigma;
  dcs_sampler_draw(target, level, draw, ids, work->x, work->z);
  dcs_stream_normal(draw, ids, DCS_DRAW_FREE, d, work->z);
  for (int i = 0; i < d * DCS_LANES; i++) work->upper[i] = work->x[i] + noise * work->z[i];
  dcs_posterior_at(work->post, level, work->x);
  dcs_map_at(work->map, pick.step, work->upper);
  const double *m = dcs_posterior_mean(dcs_map_posterior(work->map));
  /* noise^2 = sigma_k^2 - level^2 and gamma_k (X_gamma - X_k)/t = -z level^2/noise */
  for (int i = 0; i < d * DCS_LANES; i++) work->v[i] = work->x[i] - level * level / noise * work->z[i] - m[i];
  if (steps->sampler->kind == DCS_MAP_MOMENT_2) {
    divergence = matched(work, d, m, at);
  } else {
    double b = exact_b(s), variance = (s->c2 - square(s->sigma_next) * b) / square(b);
    dcs_posterior_trace(dcs_map_posterior(work->map), (double *)v);
    for (int p = 0; p < DCS_VECS; p++) v[p] /= (double)d;
    divergence = isotropic(work, d, m, v, variance, length, at);
  }
  return divergence + shift(work, steps, s, d, length);
}

/** Mean over the lanes of a sample of KL(q_{sigma_0} || p_init): [2] from gamma = 0 with m = E X_0, y = X_gamma. */
static double start_divergence(dcs_block_work *work, const dcs_target *target, const dcs_steps *steps, double u,
                               dcs_stream draw, const dcs_lane_ids *ids)
{
  if (steps->init == DCS_INIT_EXACT) return 0;
  row v;
  int d = dcs_target_dimension(target);
  double length = 1 / square(steps->step[0].sigma), variance = steps->init == DCS_INIT_PRIOR ? 1 : 0, shift2 = 0;
  point at = choose_point(target, 0, length, u);
  const double *mean = dcs_target_mean(target);
  dcs_sampler_draw(target, 1 / sqrt(at.t), draw, ids, work->x, work->z);
  dcs_posterior_at(work->post, 1 / sqrt(at.t), work->x);
  for (int i = 0; i < d; i++) {
    if (steps->init == DCS_INIT_PRIOR) shift2 += square(mean[i]);
    for (int l = 0; l < DCS_LANES; l++) {
      work->upper[i * DCS_LANES + l] = mean[i];
      work->v[i * DCS_LANES + l] = work->x[i * DCS_LANES + l] - mean[i];
    }
  }
  for (int p = 0; p < DCS_VECS; p++) v[p] = dcs_vec_set(dcs_target_variance(target) / d);
  return isotropic(work, d, work->upper, v, variance, length, at) + 0.5 * length * shift2 / (1 + length * variance);
}

static dcs_status block(const dcs_problem *problem, const dcs_design *design, int64_t number, dcs_block_work *work,
                        dcs_sums *sums, dcs_error *err)
{
  const dcs_steps *steps = problem->steps;
  int copies, strata = dcs_snr_strata(steps->count);
  const dcs_target *target = law_of(problem, &copies);
  dcs_stream choice = dcs_stream_create(problem->seed, DCS_PURPOSE_PROPOSAL, problem->point);
  memset(sums, 0, sizeof *sums);
  for (int64_t first = 0; first < design->outer; first += DCS_LANES) {
    dcs_lane_ids ids = {0};
    for (int l = 0; l < DCS_LANES; l++) ids.path[l] = (uint64_t)(number * design->outer + first + l);
    double u[2], total;
    dcs_stream_uniform2_ref(choice, ids.path[0], 0, (uint32_t)strata, 0, u);
    total = start_divergence(work, target, steps, u[0], work->draw[strata], &ids);
    for (int i = 0; i < strata; i++) {
      dcs_snr_pick pick = dcs_snr_choose(choice, ids.path[0], steps->count, i);
      total += pick.weight * step_divergence(work, target, steps, pick, work->draw[i], &ids);
    }
    if (!isfinite(total)) return dcs_fail(err, DCS_ENUMERIC, "path: the divergence of a step is not finite");
    dcs_sums_add(sums, 1, &total);
  }
  return DCS_OK;
}

/** Rounding: an error r in the vectors squared in [1] moves KL by at most 2 sqrt(KL R) + R, R = 1/2 int |r|^2 dgamma.
 *  Relative to the size of y - m (its square is d/t: d for each step) and of m it is a few roundings, and up to
 *  |X_0|/sigma times that where components overlap: their log-odds are numbers up to |X_0|^2/sigma^2, and they differ by
 *  sigma. */
static void finish(const dcs_problem *problem, const dcs_design *design, const dcs_sums *sums, dcs_estimate *estimates)
{
  (void)design;
  int copies;
  const dcs_steps *steps = problem->steps;
  const dcs_target *target = law_of(problem, &copies);
  double gamma = 1 / square(steps->step[steps->count - 1].sigma_next), size = gamma * dcs_snr_second_moment(target);
  double r = square(16 * DBL_EPSILON) * (1 + size) * (0.5 * size + dcs_target_dimension(target) * (double)steps->count);
  dcs_estimate e = dcs_sums_estimate(sums, 0);
  *estimates = (dcs_estimate){.value = copies * e.value,
                              .std_error = copies * e.std_error,
                              .bias_bound = copies * (2 * sqrt(e.value * r) + r),
                              .n = e.n};
}

static double flops(const dcs_problem *problem, const dcs_design *design)
{
  return path_flops(problem) * (double)design->outer;
}

const dcs_estimator dcs_estimator_path = {
    .name = "path",
    .help = "exact draws at random signal-to-noise ratios inside the steps; any target, samplers with normal noise",
    .source = "1/2 int E|m(X_gamma) - linear estimate from step k|^2 dgamma; after Reeves and Pfister arXiv:2502.02305",
    .count = 1,
    .quantity = {"kl_path"},
    .check = check,
    .plan = plan,
    .work_create = work_create,
    .work_destroy = work_destroy,
    .block = block,
    .finish = finish,
    .flops = flops,
};
