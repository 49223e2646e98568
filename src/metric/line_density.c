#include "metric/line_density.h"

#include <math.h>

#include "base/memory.h"

void dcs_line_density_destroy(dcs_line_density *density)
{
  dcs_free(&density->log_p);
  dcs_free(&density->log_q);
}

dcs_status dcs_line_density_create(const dcs_grid *grid, dcs_line_density *density)
{
  dcs_status st = DCS_OK;
  *density = (dcs_line_density){.grid = *grid};
  DCS_TRY(dcs_alloc((size_t)grid->n, sizeof(double), &density->log_p));
  DCS_TRY(dcs_alloc((size_t)grid->n, sizeof(double), &density->log_q));
done:
  if (st != DCS_OK) dcs_line_density_destroy(density);
  return st;
}

void dcs_line_fill_q(dcs_line *line, double sigma, dcs_line_density *density)
{
  _Alignas(DCS_ALIGN) double x[DCS_LANES];
  for (int64_t i = 0; i < density->grid.n; i += DCS_LANES) {
    dcs_grid_tile(&density->grid, i, x);
    dcs_posterior_at(line->post, sigma, x);
    for (int l = 0; l < dcs_grid_lanes(&density->grid, i); l++)
      density->log_q[i + l] = dcs_posterior_log_q(line->post)[l];
  }
}

/** Mean and variance of an initial law that is normal. */
static void normal_start(const dcs_line *line, const dcs_steps *steps, double *mean, double *variance)
{
  double s2 = steps->step[0].sigma * steps->step[0].sigma;
  *mean = steps->init == DCS_INIT_MEAN ? dcs_target_mean(line->target)[0] : 0;
  *variance = steps->init == DCS_INIT_PRIOR ? 1 + s2 : s2;
}

void dcs_line_start(dcs_line *line, const dcs_steps *steps, const double *x, double *log_p)
{
  double mean, variance;
  if (steps->init == DCS_INIT_EXACT) {
    dcs_posterior_at(line->post, steps->step[0].sigma, x);
    for (int l = 0; l < DCS_LANES; l++) log_p[l] = dcs_posterior_log_q(line->post)[l];
    return;
  }
  normal_start(line, steps, &mean, &variance);
  double constant = -0.5 * log(2 * acos(-1) * variance);
  for (int l = 0; l < DCS_LANES; l++) log_p[l] = constant - 0.5 * (x[l] - mean) * (x[l] - mean) / variance;
}

void dcs_line_start_range(dcs_line *line, const dcs_steps *steps, double depth, double *lo, double *hi)
{
  double mean, variance;
  if (steps->init == DCS_INIT_EXACT) {
    dcs_line_range(line, steps->step[0].sigma, depth, lo, hi);
    return;
  }
  normal_start(line, steps, &mean, &variance);
  *lo = mean - sqrt(2 * depth * variance);
  *hi = mean + sqrt(2 * depth * variance);
}
