/** Path-space divergences in closed form for Gaussian targets, summed over eigenvalues lambda.
 *
 *  kl_path, from the exact reverse chain: with b = 1 - sigma'^2/sigma^2 and C = lambda sigma^2/Q, x' given x is normal
 *  with mean x + b (m - x) and variance v = b sigma'^2 + b^2 C; the sampler's has mean x + B (m - x) and variance c^2.
 *  With y = v/c^2 - 1 and E(m - x)^2 = sigma^4/Q one step adds
 *      (y - log(1 + y))/2 + (b - B)^2 sigma^4/(2 c^2 Q),
 *  and nothing for moment-2, whose step is the exact one.
 *  kl_chain, from the exact chain with the sampler's noise, X' = phi X + c z (gaussian_steps.h): (phi - g)^2 Q/(2 c^2).
 *  Both begin with KL(q_sigma_0 || p_init). */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "metric/estimators.h"
#include "metric/exact.h"
#include "metric/gaussian_steps.h"

typedef long double step_kl(dcs_map_kind kind, const dcs_step *step, double lambda);

static long double reverse_step(dcs_map_kind kind, const dcs_step *step, double lambda)
{
  if (kind == DCS_MAP_MOMENT_2) return 0;
  long double s2 = (long double)step->sigma * step->sigma, t2 = (long double)step->sigma_next * step->sigma_next;
  long double gap = ((long double)step->sigma - step->sigma_next) * ((long double)step->sigma + step->sigma_next);
  long double b = gap / s2, c2 = step->c2, q = lambda + s2;
  long double y = (b * t2 + b * b * lambda * s2 / q - c2) / c2, shift = b - step->b;
  return (y - log1pl(y) + shift * shift * s2 * s2 / (q * c2)) / 2;
}

static long double flow_step(dcs_map_kind kind, const dcs_step *step, double lambda)
{
  dcs_linear_step l = dcs_linear_step_at(kind, step, lambda);
  return l.miss * l.miss * l.q / (2 * l.noise2);
}

static dcs_status check_noise(const dcs_problem *problem, const char *name, dcs_error *err)
{
  dcs_status st = dcs_gaussian_check(problem, err);
  for (int k = 0; k < problem->steps->count && st == DCS_OK; k++)
    if (!(problem->steps->step[k].c2 > 0))
      st = dcs_fail(err, DCS_EREFUSED,
                    "%s: step %d of %d of %s adds no noise, so its path-space divergence is infinite; take a sampler "
                    "with noise",
                    name, k + 1, problem->steps->count, problem->steps->sampler->name);
  return st;
}

static dcs_status check_path(const dcs_problem *problem, dcs_error *err)
{
  return check_noise(problem, "gaussian-path", err);
}

static dcs_status check_chain(const dcs_problem *problem, dcs_error *err)
{
  const dcs_steps *steps = problem->steps;
  dcs_status st = check_noise(problem, "gaussian-chain", err);
  if (st == DCS_OK && steps->sampler->kind != DCS_MAP_ONE_SCORE)
    st =
        dcs_fail(err, DCS_EREFUSED, "gaussian-chain: %s adds noise that depends on the state; take a one-score sampler",
                 steps->sampler->name);
  for (int k = 0; k < steps->count && st == DCS_OK; k++)
    if (!(steps->step[k].u2 > 0))
      st = dcs_fail(
          err, DCS_EREFUSED,
          "gaussian-chain: step %d of %d is too coarse: its noise c^2 = %.3g is not below sigma'^2 = %.3g, and "
          "the probability flow has no level to go to; use more steps",
          k + 1, steps->count, steps->step[k].c2, steps->step[k].sigma_next * steps->step[k].sigma_next);
  return st;
}

static dcs_status block(const dcs_problem *problem, step_kl *kl, dcs_sums *sums, dcs_error *err)
{
  dcs_status st = DCS_OK;
  const dcs_steps *steps = problem->steps;
  dcs_gaussian_coordinate *c = NULL;
  int count = 0;
  long double total = 0;
  DCS_TRY(dcs_gaussian_coordinates(problem, &count, &c));
  for (int i = 0; i < count; i++) {
    long double sum = dcs_gaussian_start_kl(steps, &c[i]);
    for (int k = 0; k < steps->count; k++) sum += kl(steps->sampler->kind, &steps->step[k], c[i].lambda);
    total += c[i].weight * sum;
  }
  memset(sums, 0, sizeof *sums);
  sums->mean[0] = (double)total;
  if (!isfinite(sums->mean[0]))
    st = dcs_fail(err, DCS_ENUMERIC, "the closed form of the path divergence is not finite");
done:
  dcs_free(&c);
  return st;
}

static dcs_status block_path(const dcs_problem *problem, const dcs_design *design, int64_t number, dcs_block_work *work,
                             dcs_sums *sums, dcs_error *err)
{
  (void)design, (void)number, (void)work;
  return block(problem, reverse_step, sums, err);
}

static dcs_status block_chain(const dcs_problem *problem, const dcs_design *design, int64_t number,
                              dcs_block_work *work, dcs_sums *sums, dcs_error *err)
{
  (void)design, (void)number, (void)work;
  return block(problem, flow_step, sums, err);
}

/** The steps' coefficients are doubles. A relative error of DBL_EPSILON in c^2 moves y by as much, and KL = sum y^2/4
 *  over steps and coordinates by sqrt(N d KL) of it at most; one in B moves the drift by less. */
static void finish(const dcs_problem *problem, const dcs_design *design, const dcs_sums *sums, dcs_estimate *estimates)
{
  (void)design;
  double v = sums->mean[0], terms = (double)problem->steps->count * dcs_target_dimension(problem->target);
  *estimates = (dcs_estimate){.value = v, .bias_bound = 8 * DBL_EPSILON * (fabs(v) + sqrt(terms * fabs(v)))};
}

static double flops(const dcs_problem *problem, const dcs_design *design)
{
  (void)design;
  return dcs_gaussian_flops(problem, 200);
}

const dcs_estimator dcs_estimator_gaussian_path = {
    .name = "gaussian-path",
    .help = "closed form for Gaussian targets: path-space divergence from the exact reverse chain",
    .source = "conditional normal laws, per step and eigenvalue",
    .exact = true,
    .count = 1,
    .quantity = {"kl_path"},
    .check = check_path,
    .plan = dcs_exact_plan,
    .work_create = dcs_exact_work_create,
    .work_destroy = dcs_exact_work_destroy,
    .block = block_path,
    .finish = finish,
    .flops = flops,
};

const dcs_estimator dcs_estimator_gaussian_chain = {
    .name = "gaussian-chain",
    .help = "closed form for Gaussian targets: path-space divergence from the exact chain with the same noise",
    .source = "sum (phi_k - g_k)^2 Q_k/(2 c_k^2), phi the probability flow",
    .exact = true,
    .count = 1,
    .quantity = {"kl_chain"},
    .check = check_chain,
    .plan = dcs_exact_plan,
    .work_create = dcs_exact_work_create,
    .work_destroy = dcs_exact_work_destroy,
    .block = block_chain,
    .finish = finish,
    .flops = flops,
};
