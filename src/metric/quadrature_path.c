/** Path-space KL from the exact reverse chain, on targets whose independent parts are one-dimensional. For the step from
 *  gamma = 1/sigma^2 to gamma' = 1/sigma'^2, with t = gamma' - gamma, B* = 1 - sigma'^2/sigma^2, c*^2 = sigma'^2 (sigma^2
 *  - sigma'^2)/sigma^2, F* = x + B* (m - x) and rho = c*^2/c^2,
 *      KL_k = 1/2 int_gamma^gamma' [mmse(gamma) - mmse(.)] + 1/2 [rho - 1 - log rho]
 *             + B*^2/2 mmse(gamma) (1/c^2 - 1/c*^2) + E (F* - F)^2/(2 c^2),
 *  where every term is a square in effect: only the first is left for ddpm-posterior. moment-2 has the variance
 *  c*^2 + B*^2 C(x) instead of c^2, which makes it
 *      KL_k = 1/2 int [mmse(gamma) - mmse(.)] + 1/2 E[log(1 + t C) - t C] + E (F* - F)^2/(2 (c*^2 + B*^2 C)).
 *  And KL(q_{sigma_0} || p_init). */
#include <math.h>

#include "base/memory.h"
#include "metric/estimators.h"
#include "metric/exact.h"
#include "metric/quadrature.h"
#include "metric/quadrature_snr.h"
#include "sampler/map.h"

enum { VALUE, ERROR, QUANTITIES };

static dcs_status check(const dcs_problem *problem, dcs_error *err)
{
  const dcs_steps *steps = problem->steps;
  dcs_status st = dcs_quadrature_check(problem, "quadrature-path", err);
  if (st != DCS_OK) return st;
  if (steps->sampler->kind == DCS_MAP_MOMENT_3)
    return dcs_fail(err, DCS_EREFUSED, "quadrature-path: there is no formula for the two-point noise of %s; see kl",
                    steps->sampler->name);
  for (int k = 0; k < steps->count; k++)
    if (!(steps->step[k].c2 > 0))
      return dcs_fail(err, DCS_EREFUSED,
                      "quadrature-path: step %d of %d adds no noise: its path-space KL is infinite; see kl", k + 1,
                      steps->count);
  return DCS_OK;
}

/** The terms that are means of a function of x at the step's first level, on a grid. */
static double means(dcs_map *map, const dcs_steps *steps, int k, double t, const dcs_grid *grid)
{
  _Alignas(DCS_ALIGN) double x[DCS_LANES], c[DCS_LANES];
  const dcs_step *s = &steps->step[k];
  const bool matched = steps->sampler->kind == DCS_MAP_MOMENT_2;
  const double gap = (s->sigma - s->sigma_next) * (s->sigma + s->sigma_next), b = gap / (s->sigma * s->sigma);
  double sum = 0;
  for (int64_t i = 0; i < grid->n; i += DCS_LANES) {
    dcs_grid_tile(grid, i, x);
    dcs_map_at(map, k, x);
    dcs_posterior *post = dcs_map_posterior(map);
    dcs_posterior_trace(post, c);
    const double *m = dcs_posterior_mean(post), *log_q = dcs_posterior_log_q(post), *f = dcs_map_value(map);
    for (int l = 0; l < dcs_grid_lanes(grid, i); l++) {
      double miss = x[l] + b * (m[l] - x[l]) - f[l], variance = s->c2 + (matched ? b * b * c[l] : 0);
      double term = miss * miss / (2 * variance);
      if (matched) term += 0.5 * (log1p(t * c[l]) - t * c[l]);
      sum += exp(log_q[l]) * term;
    }
  }
  return grid->h * sum;
}

/** The terms of a wrong variance; that of ddpm-posterior is right to the last bit, then they are 0. */
static double wrong_variance(const dcs_step *s, double mmse)
{
  double gap = (s->sigma - s->sigma_next) * (s->sigma + s->sigma_next), b = gap / (s->sigma * s->sigma);
  double right = s->sigma_next * s->sigma_next * gap / (s->sigma * s->sigma), excess = (right - s->c2) / s->c2;
  return 0.5 * (excess - log1p(excess) + b * b * mmse * excess / right);
}

static dcs_status measure(const dcs_target *part, const dcs_problem *problem, int64_t block, dcs_bounded *out)
{
  (void)block;
  dcs_status st = DCS_OK;
  const dcs_steps *steps = problem->steps;
  dcs_snr snr = {0};
  dcs_map *map = NULL;
  dcs_bounded start;
  double sum[2] = {0};
  DCS_TRY(dcs_quadrature_start(part, steps, &start));
  DCS_TRY(dcs_snr_create(part, &snr));
  DCS_TRY(dcs_map_create(part, steps, &map));
  for (int k = 0; k < steps->count; k++) {
    const dcs_step *s = &steps->step[k];
    DCS_TRY(dcs_snr_interval(&snr, s->sigma, s->sigma_next));
    const dcs_grid grid[2] = {snr.grid, dcs_grid_coarse(&snr.grid)};
    for (int r = 0; r < 2; r++)
      sum[r] += 0.5 * snr.fall[r] + wrong_variance(s, snr.mmse[r]) + means(map, steps, k, snr.length, &grid[r]);
  }
  *out = dcs_quadrature_bounded(sum[0], sum[1]);
  out->value += start.value;
  out->error += start.error;
done:
  dcs_snr_destroy(&snr);
  dcs_map_destroy(&map);
  return st;
}

static dcs_status block(const dcs_problem *problem, const dcs_design *design, int64_t number, dcs_block_work *work,
                        dcs_sums *sums, dcs_error *err)
{
  (void)design, (void)work;
  return dcs_quadrature_add(problem, number, "quadrature-path", measure, sums, err);
}

static double flops(const dcs_problem *problem, const dcs_design *design)
{
  (void)design;
  double sum = 0;
  for (int k = 0; k < problem->steps->count; k++)
    sum += (DCS_SNR_EVALUATIONS + 1.5) * dcs_quadrature_flops(problem, problem->steps->step[k].sigma_next);
  return sum;
}

const dcs_estimator dcs_estimator_quadrature_path = {
    .name = "quadrature-path",
    .help = "path-space KL by trapezoid sums; targets whose independent parts are one-dimensional, samplers with noise",
    .source = "I-MMSE, Reeves and Pfister arXiv:2502.02305",
    .exact = true,
    .count = QUANTITIES,
    .quantity = {[VALUE] = "kl_path", [ERROR] = "kl_path_error"},
    .check = check,
    .plan = dcs_exact_plan,
    .work_create = dcs_exact_work_create,
    .work_destroy = dcs_exact_work_destroy,
    .block = block,
    .finish = dcs_quadrature_finish,
    .flops = flops,
};
