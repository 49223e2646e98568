#include <float.h>
#include <math.h>
#include <string.h>

#include "metric/line_compare.h"
#include "metric/quadrature.h"

dcs_bounded dcs_quadrature_bounded(double fine, double coarse)
{
  return (dcs_bounded){fine, fabs(fine - coarse) + 16 * DBL_EPSILON * fabs(fine)};
}

dcs_status dcs_quadrature_check(const dcs_problem *problem, const char *estimator, dcs_error *err)
{
  dcs_part part[DCS_PARTS_MAX];
  int kinds = dcs_target_parts(problem->target, part);
  for (int i = 0; i < kinds; i++)
    if (dcs_target_dimension(part[i].target) != 1)
      return dcs_fail(err, DCS_EARG, "%s: the target has a part in %d dimensions", estimator,
                      dcs_target_dimension(part[i].target));
  if (problem->steps->error != NULL && dcs_target_dimension(problem->target) > 1)
    return dcs_fail(err, DCS_EARG, "%s: the score error couples the coordinates", estimator);
  return DCS_OK;
}

dcs_status dcs_quadrature_start(const dcs_target *part, const dcs_steps *steps, dcs_bounded *kl)
{
  dcs_status st = DCS_OK;
  dcs_line line = {0};
  dcs_line_density density = {0};
  double x[DCS_LANES] __attribute__((aligned(64))), log_p[DCS_LANES], lo, hi, value[2], sigma = steps->step[0].sigma;
  *kl = (dcs_bounded){0};
  if (steps->init == DCS_INIT_EXACT) return DCS_OK;
  DCS_TRY(dcs_line_create(part, &line));
  dcs_line_range(&line, sigma, DCS_LINE_DEPTH, &lo, &hi);
  for (int r = 0; r < 2; r++) {
    dcs_grid grid = dcs_grid_over(lo, hi, sigma / (4 << r));
    dcs_line_divergences d;
    DCS_TRY(dcs_line_density_create(&grid, &density));
    dcs_line_fill_q(&line, sigma, &density);
    for (int64_t i = 0; i < grid.n; i += DCS_LANES) {
      dcs_grid_tile(&grid, i, x);
      dcs_line_start(&line, steps, x, log_p);
      memcpy(density.log_p + i, log_p, (size_t)dcs_grid_lanes(&grid, i) * sizeof *log_p);
    }
    dcs_line_divergence(&density, &d);
    value[r] = d.value[DCS_LINE_KL];
    dcs_line_density_destroy(&density);
  }
  *kl = dcs_quadrature_bounded(value[1], value[0]);
done:
  dcs_line_destroy(&line);
  return st;
}

dcs_status dcs_quadrature_add(const dcs_problem *problem, int64_t block, const char *estimator,
                              dcs_quadrature_measure measure, dcs_sums *sums, dcs_error *err)
{
  dcs_part part[DCS_PARTS_MAX];
  int kinds = dcs_target_parts(problem->target, part);
  memset(sums, 0, sizeof *sums);
  for (int i = 0; i < kinds; i++) {
    dcs_bounded one;
    dcs_status st = measure(part[i].target, problem, block, &one);
    if (st == DCS_ENUMERIC || (st == DCS_OK && !isfinite(one.value + one.error)))
      return dcs_fail(err, DCS_ENUMERIC, "%s: an integral is not finite or has not converged", estimator);
    if (st != DCS_OK) return st;
    sums->mean[0] += part[i].copies * one.value;
    sums->mean[1] += part[i].copies * one.error;
  }
  return DCS_OK;
}

void dcs_quadrature_finish(const dcs_problem *problem, const dcs_design *design, const dcs_sums *sums,
                           dcs_estimate *estimates)
{
  (void)problem, (void)design;
  estimates[0] = (dcs_estimate){.value = sums->mean[0], .bias_bound = sums->mean[1]};
  estimates[1] = (dcs_estimate){.value = sums->mean[1]};
}

double dcs_quadrature_flops(const dcs_problem *problem, double sigma)
{
  const double per_sigma = 8, per_node = 40; /* of a grid that resolves C; exp q and the sum */
  dcs_part part[DCS_PARTS_MAX];
  int kinds = dcs_target_parts(problem->target, part);
  double sum = 0;
  for (int i = 0; i < kinds; i++) {
    double width = 2 * sqrt(2 * DCS_LINE_DEPTH) + 6 * sqrt(dcs_target_variance(part[i].target)) / sigma;
    sum += per_sigma * width * (dcs_target_flops(part[i].target, false) + per_node);
  }
  return sum;
}
