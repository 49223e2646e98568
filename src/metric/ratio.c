/** The marginal divergences of any sampler whose step is a map and normal noise, in any dimension, without bias.
 *
 *  For x ~ q_{sigma_N} and backward paths X_N = x, X_u ~ law of X_u given X_{sigma'}, X_k = F_k^{-1}(X_u), the weight
 *      w = (p_init/q_{sigma_0})(X_0) prod_k rho_k(X_k),     rho_k = q_{sigma_k}/(det DF_k q_u(F_k)),
 *  has E[w | x] = r(x) = p_N(x)/q_{sigma_N}(x) exactly: with p_k = r_k q_{sigma_k} the law at level k,
 *      r_{k+1}(x') = E[ r_k(X_k) rho_k(X_k) | X_{k+1} = x' ].
 *  Divergences of r come from M weights per x by metric/jackknife.h, M and the number of x from metric/ratio_design.h.
 *
 *  The outer x and their weights come from metric/outer.h. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "metric/estimators.h"
#include "metric/jackknife.h"
#include "metric/outer.h"
#include "metric/ratio.h"
#include "metric/ratio_design.h"

struct dcs_block_work {
  dcs_inverter inverter;
  dcs_outer proposal;
  double *x, *z; /**< [d][DCS_LANES] */
  double *log_w; /**< [n_paths] one for each path */
  double *outer; /**< [n_paths] q/g of its x */
  size_t n_log_w, n_outer;
};

static bool is_deterministic(const dcs_steps *steps)
{
  for (int k = 0; k < steps->count; k++)
    if (steps->step[k].c2 > 0) return false;
  return true;
}

static dcs_status check(const dcs_problem *problem, dcs_error *err)
{
  const dcs_sampler *sampler = problem->steps->sampler;
  if (sampler->kind != DCS_MAP_ONE_SCORE && sampler->kind != DCS_MAP_HEUN)
    return dcs_fail(err, DCS_EREFUSED,
                    "ratio: %s adds noise that depends on the state; only a product target, by "
                    "quadrature, has a marginal KL for it",
                    sampler->name);
  for (int k = 0; k < problem->steps->count; k++) {
    const dcs_step *s = &problem->steps->step[k];
    if (!(s->u2 > 0))
      return dcs_fail(
          err, DCS_EREFUSED,
          "ratio: step %d of %d is too coarse: its noise c^2 = %.3g is not below sigma'^2 = %.3g; use more steps",
          k + 1, problem->steps->count, s->c2, s->sigma_next * s->sigma_next);
    if (!(s->one_minus_b > 0))
      return dcs_fail(err, DCS_EREFUSED, "ratio: step %d of %d is too coarse: B = %.3g is not below 1; use more steps",
                      k + 1, problem->steps->count, s->b);
  }
  return DCS_OK;
}

static dcs_status check_factor(const dcs_problem *problem, dcs_error *err)
{
  int copies = 1;
  dcs_target_factor(problem->target, &copies);
  if (copies == 1) return dcs_fail(err, DCS_EARG, "the target is not a product");
  if (problem->steps->error != NULL)
    return dcs_fail(err, DCS_EARG, "the score error couples the factors of the product");
  return check(problem, err);
}

/** The law that is measured: one factor, or the whole. */
static const dcs_target *law_of(const dcs_problem *problem, bool factor)
{
  int copies = 1;
  return factor ? dcs_target_factor(problem->target, &copies) : problem->target;
}

static double path_flops(const dcs_problem *problem, bool factor)
{
  const dcs_target *target = law_of(problem, factor);
  const dcs_steps *steps = problem->steps;
  double d = dcs_target_dimension(target), below = is_deterministic(steps) ? 0 : dcs_target_flops(target, false);
  return steps->count *
         (3 * dcs_map_flops(target, steps, false) + below + 2 * dcs_map_flops(target, steps, true) + 60 * d + 100);
}

static double block_flops(const dcs_problem *problem, const dcs_design *design, bool factor)
{
  return path_flops(problem, factor) * (double)design->outer * design->inner;
}

static void work_destroy(dcs_block_work **work)
{
  if (*work == NULL) return;
  dcs_inverter_destroy(&(*work)->inverter);
  dcs_free(&(*work)->x);
  dcs_free(&(*work)->z);
  dcs_free(&(*work)->log_w);
  dcs_free(&(*work)->outer);
  dcs_free(work);
}

static dcs_status work_create(const dcs_problem *problem, const dcs_target *target, dcs_block_work **out)
{
  dcs_status st = DCS_OK;
  dcs_block_work *work = NULL;
  size_t n = (size_t)dcs_target_dimension(target) * DCS_LANES;
  DCS_TRY(dcs_alloc(1, sizeof *work, &work));
  DCS_TRY(dcs_inverter_create(target, problem->steps, &work->inverter));
  DCS_TRY(dcs_alloc(n, sizeof(double), &work->x));
  DCS_TRY(dcs_alloc(n, sizeof(double), &work->z));
  DCS_TRY(dcs_outer_create(target, problem->steps->step[problem->steps->count - 1].sigma_next,
                           dcs_stream_create(problem->seed, DCS_PURPOSE_PROPOSAL, problem->point),
                           dcs_inverter_posterior(&work->inverter), work->z, &work->proposal));
done:
  if (st != DCS_OK) work_destroy(&work);
  *out = work;
  return st;
}

/** log p_init/q_{sigma_0} at the top of the paths. */
static void add_start(const dcs_target *target, const dcs_steps *steps, const dcs_posterior *top, double *log_w)
{
  if (steps->init == DCS_INIT_EXACT) return;
  int d = dcs_target_dimension(target);
  const double *x = dcs_posterior_x(top), *log_q = dcs_posterior_log_q(top), *mean = dcs_target_mean(target);
  double s2 = steps->step[0].sigma * steps->step[0].sigma, v = steps->init == DCS_INIT_PRIOR ? 1 + s2 : s2;
  double constant = -0.5 * d * log(2 * acos(-1) * v);
  for (int l = 0; l < DCS_LANES; l++) {
    double square = 0;
    for (int i = 0; i < d; i++) {
      double e = x[i * DCS_LANES + l] - (steps->init == DCS_INIT_MEAN ? mean[i] : 0);
      square += e * e;
    }
    log_w[l] += constant - 0.5 * square / v - log_q[l];
  }
}

dcs_status dcs_ratio_weights(const dcs_target *target, const dcs_steps *steps, dcs_inverter *inverter,
                             dcs_stream bridge, const dcs_lane_ids *ids, const double *x, double *log_w, dcs_error *err)
{
  dcs_status st = DCS_OK;
  for (int l = 0; l < DCS_LANES; l++) log_w[l] = 0;
  dcs_inverter_place(inverter, steps->step[steps->count - 1].sigma_next, x);
  for (int k = steps->count - 1; k >= 0; k--) DCS_TRY(dcs_invert_step(inverter, k, bridge, ids, log_w, err));
  add_start(target, steps, dcs_inverter_posterior(inverter), log_w);
  for (int l = 0; l < DCS_LANES; l++)
    if (!isfinite(log_w[l])) return dcs_fail(err, DCS_ENUMERIC, "ratio: a log weight is not finite");
done:
  return st;
}

/** What one outer sample adds to the sums. */
static void add_outer(double weight, int inner, double *log_w, dcs_sums *sums)
{
  dcs_divergences e;
  if (inner == 1) {
    dcs_divergences_exact(*log_w, &e);
  } else {
    for (int j = 0; j < inner; j++) log_w[j] = expm1(log_w[j]);
    dcs_jackknife(inner, log_w, &e);
  }
  double kl = weight * e.kl, weight2 = weight * weight;
  const double values[DCS_RATIO_QUANTITIES] = {[DCS_RATIO_KL] = kl,
                                               [DCS_RATIO_KL_REV] = weight * e.kl_rev,
                                               [DCS_RATIO_CHI2] = weight * e.chi2,
                                               [DCS_RATIO_MEAN_RATIO] = 1 + weight * (e.mean_ratio - 1),
                                               [DCS_RATIO_KL_BIAS] = weight * e.kl_bias,
                                               [DCS_RATIO_KL_REV_BIAS] = weight * e.kl_rev_bias,
                                               [DCS_RATIO_VARIANCE] = weight * e.variance,
                                               [DCS_RATIO_VARIANCE2] = weight2 * e.variance2,
                                               [DCS_RATIO_SIGNAL_NOISE] = weight2 * e.signal_noise,
                                               [DCS_RATIO_KL_SQUARE] = kl * kl};
  dcs_sums_add(sums, DCS_RATIO_QUANTITIES, values);
}

static dcs_status block(const dcs_problem *problem, const dcs_target *target, const dcs_design *design, int64_t number,
                        dcs_block_work *work, dcs_sums *sums, dcs_error *err)
{
  dcs_status st = DCS_OK;
  const dcs_steps *steps = problem->steps;
  int64_t paths = design->outer * design->inner;
  dcs_stream draw = dcs_stream_create(problem->seed, DCS_PURPOSE_DRAW, problem->point);
  dcs_stream bridge = dcs_stream_create(problem->seed, DCS_PURPOSE_BRIDGE, problem->point);
  draw = dcs_stream_fork(draw, (uint32_t)design->phase);
  bridge = dcs_stream_fork(bridge, (uint32_t)design->phase);
  DCS_TRY(dcs_reserve(&work->log_w, &work->n_log_w, (size_t)paths, sizeof *work->log_w));
  DCS_TRY(dcs_reserve(&work->outer, &work->n_outer, (size_t)paths, sizeof *work->outer));
  for (int64_t first = 0; first < paths; first += DCS_LANES) {
    dcs_lane_ids ids, outer_ids = {0};
    for (int l = 0; l < DCS_LANES; l++) {
      ids.path[l] = outer_ids.path[l] = (uint64_t)(number * design->outer + (first + l) / design->inner);
      ids.inner[l] = (uint32_t)((first + l) % design->inner);
    }
    dcs_outer_draw(target, &work->proposal, draw, &outer_ids, dcs_inverter_posterior(&work->inverter),
                   dcs_map_posterior(work->inverter.spare), work->x, work->z, work->outer + first);
    DCS_TRY(dcs_ratio_weights(target, steps, &work->inverter, bridge, &ids, work->x, work->log_w + first, err));
  }
  memset(sums, 0, sizeof *sums);
  for (int64_t p = 0; p < paths; p += design->inner) add_outer(work->outer[p], design->inner, work->log_w + p, sums);
  for (int q = 0; q < DCS_RATIO_QUANTITIES; q++)
    if (!isfinite(sums->mean[q]) || !isfinite(sums->m2[q])) {
      st = dcs_fail(err, DCS_ENUMERIC, "ratio: the weights left the range of numbers; use more steps");
      goto done;
    }
done:
  return st;
}

/** Relative error of a weight that the jackknife does not know, over all steps: rounding, and the inversion's tolerance
 *  to second order. A relative error e of r changes KL by at most e E|r - 1| <= e sqrt(chi2). */
static double weight_error(const dcs_problem *problem, const dcs_target *target)
{
  double per_step = DCS_INVERT_TOLERANCE * DCS_INVERT_TOLERANCE + 8 * DBL_EPSILON * (dcs_target_dimension(target) + 8);
  return problem->steps->count * per_step;
}

/** E_q[r] = 1. Where the sample says otherwise, weights too rare to have been seen carry a part of p, and nothing is
 *  known about their part in the divergences. */
static bool misses_mass(dcs_estimate mean_ratio)
{
  return !(fabs(mean_ratio.value - 1) <= 5 * mean_ratio.std_error + mean_ratio.bias_bound);
}

static void finish(const dcs_problem *problem, bool factor, const dcs_sums *sums, dcs_estimate *estimates)
{
  int copies = 1;
  const dcs_target *target = law_of(problem, factor);
  if (factor) dcs_target_factor(problem->target, &copies);
  double error = weight_error(problem, target);
  for (int q = 0; q < DCS_RATIO_QUANTITIES; q++) estimates[q] = dcs_sums_estimate(sums, q);
  double moved = error * sqrt(fmax(estimates[DCS_RATIO_CHI2].value, 0) + sums->mean[DCS_RATIO_VARIANCE]);
  /* what the tolerance leaves of F(x) - y displaces the path by 1e-8 of a level's noise at most, and r - 1 varies by
   *  about itself over that noise: a relative change of r - 1, hence twice that of a divergence */
  double shifted = 2 * problem->steps->count * DCS_INVERT_TOLERANCE;
  estimates[DCS_RATIO_KL].bias_bound = dcs_ratio_upper(estimates[DCS_RATIO_KL_BIAS]) + moved;
  estimates[DCS_RATIO_KL_REV].bias_bound = dcs_ratio_upper(estimates[DCS_RATIO_KL_REV_BIAS]) + moved;
  estimates[DCS_RATIO_CHI2].bias_bound = 2 * moved;
  for (int q = DCS_RATIO_KL; q <= DCS_RATIO_CHI2; q++) estimates[q].bias_bound += shifted * fabs(estimates[q].value);
  estimates[DCS_RATIO_MEAN_RATIO].bias_bound = error;
  if (misses_mass(estimates[DCS_RATIO_MEAN_RATIO]))
    for (int q = DCS_RATIO_KL; q <= DCS_RATIO_CHI2; q++) estimates[q].bias_bound = INFINITY;
  for (int q = DCS_RATIO_KL; q <= DCS_RATIO_KL_REV; q++) {
    estimates[q].value *= copies;
    estimates[q].std_error *= copies;
    estimates[q].bias_bound *= copies;
  }
  if (copies > 1) { /* 1 + chi2 multiplies over factors; the bias is that of the curvature, to second order */
    dcs_estimate *c = &estimates[DCS_RATIO_CHI2];
    double one = c->value, slope = copies * exp((copies - 1) * log1p(one));
    double curvature = slope * (copies - 1) / (1 + one);
    c->value = expm1(copies * log1p(one));
    c->bias_bound = slope * c->bias_bound + 0.5 * curvature * c->std_error * c->std_error;
    c->std_error *= slope;
  }
}

#define QUANTITY_NAMES                                                                                                 \
  {                                                                                                                    \
    [DCS_RATIO_KL] = "kl", [DCS_RATIO_KL_REV] = "kl_rev", [DCS_RATIO_CHI2] = "chi2",                                   \
    [DCS_RATIO_MEAN_RATIO] = "mean_ratio", [DCS_RATIO_KL_BIAS] = "kl_bias", [DCS_RATIO_KL_REV_BIAS] = "kl_rev_bias",   \
    [DCS_RATIO_VARIANCE] = "weight_variance", [DCS_RATIO_VARIANCE2] = "weight_variance_squared",                       \
    [DCS_RATIO_SIGNAL_NOISE] = "signal_noise", [DCS_RATIO_KL_SQUARE] = "kl_square"                                     \
  }
#define SOURCE "theory of the backward weight: E[w | x] = p/q; third-order jackknife over inner paths"

/** The two estimators differ in the law they measure and in nothing else. */
#define DEFINE(suffix, is_factor)                                                                                      \
  static dcs_next plan_##suffix(const dcs_problem *problem, const dcs_stop *stop, const dcs_design *previous,          \
                                const dcs_sums *sums, dcs_design *next)                                                \
  {                                                                                                                    \
    return dcs_ratio_plan(path_flops(problem, is_factor), is_deterministic(problem->steps), stop, previous, sums,      \
                          next);                                                                                       \
  }                                                                                                                    \
  static dcs_status work_create_##suffix(const dcs_problem *problem, dcs_block_work **work)                            \
  {                                                                                                                    \
    return work_create(problem, law_of(problem, is_factor), work);                                                     \
  }                                                                                                                    \
  static dcs_status block_##suffix(const dcs_problem *problem, const dcs_design *design, int64_t number,               \
                                   dcs_block_work *work, dcs_sums *sums, dcs_error *err)                               \
  {                                                                                                                    \
    return block(problem, law_of(problem, is_factor), design, number, work, sums, err);                                \
  }                                                                                                                    \
  static void finish_##suffix(const dcs_problem *problem, const dcs_design *design, const dcs_sums *sums,              \
                              dcs_estimate *estimates)                                                                 \
  {                                                                                                                    \
    (void)design;                                                                                                      \
    finish(problem, is_factor, sums, estimates);                                                                       \
  }                                                                                                                    \
  static double flops_##suffix(const dcs_problem *problem, const dcs_design *design)                                   \
  {                                                                                                                    \
    return block_flops(problem, design, is_factor);                                                                    \
  }

DEFINE(joint, false)
DEFINE(factor, true)

const dcs_estimator dcs_estimator_ratio = {
    .name = "ratio",
    .help = "backward paths weighted by the density ratio of every step; any target, any dimension",
    .source = SOURCE,
    .count = DCS_RATIO_QUANTITIES,
    .quantity = QUANTITY_NAMES,
    .check = check,
    .plan = plan_joint,
    .work_create = work_create_joint,
    .work_destroy = work_destroy,
    .block = block_joint,
    .finish = finish_joint,
    .flops = flops_joint,
};

const dcs_estimator dcs_estimator_ratio_factor = {
    .name = "ratio-factor",
    .help = "ratio estimator on one factor of a product law; divergences add over independent factors",
    .source = SOURCE,
    .count = DCS_RATIO_QUANTITIES,
    .quantity = QUANTITY_NAMES,
    .check = check_factor,
    .plan = plan_factor,
    .work_create = work_create_factor,
    .work_destroy = work_destroy,
    .block = block_factor,
    .finish = finish_factor,
    .flops = flops_factor,
};
