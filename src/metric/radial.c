/** Exact divergences and W2 for rotation-invariant targets, in any dimension: metric/radial_chain.h gives the densities
 *  of |X_N|, and both laws are uniform on spheres, so a divergence is the one of the lengths, and W2 too (the optimal map
 *  moves along rays). Computed at two resolutions; the difference bounds the error. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "metric/estimators.h"
#include "metric/exact.h"
#include "metric/jackknife.h"
#include "metric/radial_chain.h"

enum { KL, KL_REV, CHI2, W2, RESULTS, KL_ERROR = RESULTS, KL_REV_ERROR, CHI2_ERROR, W2_ERROR, QUANTITIES };

#define COARSE 5.0 /**< panel width in lengths of the integrand; 16 nodes give about 1e-11 there */
#define FINE 3.5   /**< and rounding here */
#define NEGLIGIBLE 1e-24
#define FAINT 1e-18

static bool law_of(const dcs_target *target, dcs_radial_law *law)
{
  law->d = dcs_target_dimension(target);
  law->components = dcs_target_radial(target, &law->weight, &law->stddev);
  return law->components > 0;
}

static dcs_status check(const dcs_problem *problem, dcs_error *err)
{
  dcs_radial_law law;
  const dcs_steps *steps = problem->steps;
  if (!law_of(problem->target, &law)) return dcs_fail(err, DCS_EARG, "the target is not rotation-invariant");
  if (steps->error != NULL) return dcs_fail(err, DCS_EARG, "the score error is not rotation-invariant");
  if (steps->sampler->kind != DCS_MAP_ONE_SCORE && steps->sampler->kind != DCS_MAP_HEUN)
    return dcs_fail(err, DCS_EARG, "the sampler's noise depends on the direction");
  for (int k = 0; k < steps->count; k++)
    if (!(steps->step[k].one_minus_b > 0))
      return dcs_fail(err, DCS_EREFUSED, "radial: step %d of %d is too coarse: B = %.3g is not below 1; use more steps",
                      k + 1, steps->count, steps->step[k].b);
  return DCS_OK;
}

/** Integrals over the lengths. A node whose mass is below 1e-24 under both laws is beyond the range of the panels. What
 *  nodes of faint p add to chi2 may be missing from it where the range ends. */
static dcs_status measure(const dcs_radial_law *law, const dcs_steps *steps, double fineness, double value[RESULTS],
                          double *faint, dcs_error *err)
{
  dcs_radial_result r;
  dcs_status st = dcs_radial_run(law, steps, fineness, &r, err);
  if (st != DCS_OK) return st;
  memset(value, 0, RESULTS * sizeof *value);
  *faint = 0;
  for (int i = 0; i < r.panels.count * DCS_PANEL_NODES; i++) {
    double dr = r.panels.weight[i];
    dcs_divergences e;
    if (dr * r.q[i] < NEGLIGIBLE && dr * r.p[i] < NEGLIGIBLE) continue;
    dcs_divergences_exact(r.log_ratio[i], &e);
    value[KL] += dr * r.q[i] * e.kl;
    value[KL_REV] += dr * r.q[i] * e.kl_rev;
    value[CHI2] += dr * r.q[i] * e.chi2;
    if (dr * r.p[i] < FAINT && r.p[i] > r.q[i]) *faint += dr * r.q[i] * e.chi2;
  }
  st = dcs_panels_w2_squared(&r.panels, r.p, r.q, &value[W2]);
  value[W2] = sqrt(value[W2]);
  if (st == DCS_ENUMERIC) dcs_fail(err, st, "radial: the densities of the length do not integrate to 1");
  dcs_radial_result_destroy(&r);
  return st;
}

static dcs_status block(const dcs_problem *problem, const dcs_design *design, int64_t number, dcs_block_work *work,
                        dcs_sums *sums, dcs_error *err)
{
  (void)design, (void)number, (void)work;
  double coarse[RESULTS], fine[RESULTS], faint = 0;
  dcs_radial_law law;
  law_of(problem->target, &law);
  dcs_status st = measure(&law, problem->steps, COARSE, coarse, &faint, err);
  if (st == DCS_OK) st = measure(&law, problem->steps, FINE, fine, &faint, err);
  if (st != DCS_OK) return st;
  memset(sums, 0, sizeof *sums);
  for (int q = 0; q < RESULTS; q++) {
    sums->mean[q] = fine[q];
    sums->mean[RESULTS + q] = fabs(fine[q] - coarse[q]) + (q == CHI2 ? faint : 0);
  }
  if (!isfinite(sums->mean[KL])) return dcs_fail(err, DCS_ENUMERIC, "radial: the divergence is not finite");
  return DCS_OK;
}

/** Rounding: each step leaves log p wrong by about the size of the exponents, d, times DBL_EPSILON, at random. */
static void finish(const dcs_problem *problem, const dcs_design *design, const dcs_sums *sums, dcs_estimate *estimates)
{
  (void)design;
  double d = dcs_target_dimension(problem->target), steps = problem->steps->count;
  double rounding = 4 * DBL_EPSILON * (d + 16) * sqrt(steps);
  for (int q = 0; q < RESULTS; q++) {
    double v = sums->mean[q], moved = q == W2 ? v + 1 : sqrt(2 * fabs(v)) + rounding;
    estimates[q] = (dcs_estimate){.value = v, .bias_bound = sums->mean[RESULTS + q] + rounding * moved};
    estimates[RESULTS + q] = (dcs_estimate){.value = sums->mean[RESULTS + q]};
  }
}

/** Steps times nodes times nodes within reach, each a kernel of some 150 operations. */
static double flops(const dcs_problem *problem, const dcs_design *design)
{
  (void)design;
  const double per_kernel = 150, reach = 2 * 10.5 * DCS_PANEL_NODES / FINE;
  const dcs_steps *steps = problem->steps;
  dcs_radial_law law;
  double sum = 0, widest = 0, narrowest = INFINITY;
  law_of(problem->target, &law);
  for (int j = 0; j < law.components; j++) {
    widest = fmax(widest, law.stddev[j]);
    narrowest = fmin(narrowest, law.stddev[j]);
  }
  for (int k = 0; k < steps->count; k++) {
    double sigma = steps->step[k].sigma, c = sqrt(steps->step[k].c2), root = sqrt(law.d);
    double range = root * (hypot(widest, sigma) - hypot(narrowest, sigma)) + 20 * hypot(widest, sigma);
    sum += c > 0 ? range / (FINE * c) * DCS_PANEL_NODES * reach * per_kernel : 2e4 * law.components;
  }
  return 2 * sum;
}

const dcs_estimator dcs_estimator_radial = {
    .name = "radial",
    .help = "rotation-invariant targets in any dimension, through the chain of lengths |x|",
    .source = "noncentral chi transition kernel; densities on Gauss-Legendre panels",
    .exact = true,
    .count = QUANTITIES,
    .quantity = {[KL] = "kl",
                 [KL_REV] = "kl_rev",
                 [CHI2] = "chi2",
                 [W2] = "w2",
                 [KL_ERROR] = "kl_error",
                 [KL_REV_ERROR] = "kl_rev_error",
                 [CHI2_ERROR] = "chi2_error",
                 [W2_ERROR] = "w2_error"},
    .check = check,
    .plan = dcs_exact_plan,
    .work_create = dcs_exact_work_create,
    .work_destroy = dcs_exact_work_destroy,
    .block = block,
    .finish = finish,
    .flops = flops,
};
