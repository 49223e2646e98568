#include <float.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "metric/line_density.h"
#include "sampler/map.h"

enum { MAX_EVALUATIONS = 200, MAX_NODES = 1 << 20 };

/** F(x) = y is solved when x moves by at most this times sigma, or by a few roundings of the largest |x| around: that is
 *  how well a law knows where its modes are. */
#define TOLERANCE 1e-14

typedef double tile[DCS_LANES] __attribute__((aligned(DCS_ALIGN)));

typedef struct {
  dcs_line line;
  dcs_map *map;
  const dcs_steps *steps;
  double largest; /**< |x| at the last level */
} pull;

static void pull_destroy(pull *w)
{
  dcs_line_destroy(&w->line);
  dcs_map_destroy(&w->map);
}

static dcs_status pull_create(const dcs_target *target, const dcs_steps *steps, pull *w)
{
  dcs_status st = DCS_OK;
  *w = (pull){.steps = steps};
  DCS_TRY(dcs_line_create(target, &w->line));
  DCS_TRY(dcs_map_create(target, steps, &w->map));
done:
  return st;
}

/** x <- F_k^{-1}(y), log_det <- log F_k'(x); x comes with a guess. */
static dcs_status invert(pull *w, int k, const double *y, double *x, double *log_det)
{
  const double sigma = w->steps->step[k].sigma;
  tile lo, hi, residual, step, before;
  for (int l = 0; l < DCS_LANES; l++) {
    before[l] = INFINITY;
    lo[l] = -INFINITY;
    hi[l] = INFINITY;
  }
  for (int n = 0; n < MAX_EVALUATIONS; n++) {
    bool solved = true;
    dcs_map_at(w->map, k, x);
    dcs_map_factor(w->map, log_det);
    const double *f = dcs_map_value(w->map);
    for (int l = 0; l < DCS_LANES; l++) {
      residual[l] = y[l] - f[l];
      if (!isfinite(log_det[l])) return DCS_ENUMERIC;
      double in_x = TOLERANCE * sigma + 4 * DBL_EPSILON * fmax(fabs(x[l]), w->largest);
      double in_y = 4 * DBL_EPSILON * fmax(fabs(y[l]), w->largest);
      if (residual[l] > 0)
        lo[l] = fmax(lo[l], x[l]);
      else
        hi[l] = fmin(hi[l], x[l]);
      if (!(fabs(residual[l]) <= in_x * exp(log_det[l]) + in_y || hi[l] - lo[l] <= in_x)) solved = false;
    }
    if (solved) return DCS_OK;
    dcs_map_solve(w->map, residual, step);
    for (int l = 0; l < DCS_LANES; l++) {
      double next = x[l] + step[l], middle = 0.5 * (lo[l] + hi[l]);
      bool stuck = fabs(residual[l]) > 0.5 * before[l] && isfinite(middle);
      x[l] = stuck || !(next >= lo[l] && next <= hi[l]) ? middle : next;
      before[l] = fabs(residual[l]);
    }
  }
  return DCS_ENUMERIC;
}

/** log p at x [DCS_LANES]. */
static dcs_status log_density(pull *w, const double *x, double *log_p)
{
  dcs_status st = DCS_OK;
  const dcs_steps *steps = w->steps;
  tile here, guess, log_det;
  double sum[DCS_LANES] = {0};
  memcpy(here, x, sizeof here);
  dcs_posterior_at(w->line.post, steps->step[steps->count - 1].sigma_next, x);
  const double *m = dcs_posterior_mean(w->line.post);
  for (int k = steps->count - 1; k >= 0; k--) {
    const dcs_step *s = &steps->step[k];
    /* the map with m frozen at its value one level below; m there is at hand */
    for (int l = 0; l < DCS_LANES; l++) guess[l] = (here[l] - s->b * m[l]) / s->one_minus_b;
    DCS_TRY(invert(w, k, here, guess, log_det));
    memcpy(here, guess, sizeof here);
    for (int l = 0; l < DCS_LANES; l++) sum[l] += log_det[l];
    m = dcs_posterior_mean(dcs_map_posterior(w->map));
  }
  dcs_line_start(&w->line, steps, here, log_p);
  for (int l = 0; l < DCS_LANES; l++) log_p[l] -= sum[l];
done:
  return st;
}

/** Move an end of the range outward, tile by tile, until p is below the floor as well. */
static dcs_status extend(pull *w, double sign, double h, double *end)
{
  dcs_status st = DCS_OK;
  tile x, log_p;
  double sigma = w->steps->step[w->steps->count - 1].sigma_next;
  double floor = -DCS_LINE_DEPTH - 0.5 * log(2 * acos(-1) * (dcs_target_variance(w->line.target) + sigma * sigma));
  for (int n = 0; n < MAX_NODES / DCS_LANES; n++) {
    for (int l = 0; l < DCS_LANES; l++) x[l] = *end + sign * l * h;
    DCS_TRY(log_density(w, x, log_p));
    for (int l = 0; l < DCS_LANES; l++) {
      *end = x[l];
      if (log_p[l] < floor) goto done;
    }
  }
  st = DCS_ENUMERIC;
done:
  return st;
}

dcs_status dcs_line_pull(const dcs_target *target, const dcs_steps *steps, double resolution, dcs_line_density *out,
                         dcs_error *err)
{
  dcs_status st = DCS_OK;
  pull w;
  double sigma = steps->step[steps->count - 1].sigma_next, h = sigma / resolution, lo, hi;
  tile x, log_p;
  *out = (dcs_line_density){0};
  DCS_TRY(pull_create(target, steps, &w));
  dcs_line_range(&w.line, sigma, DCS_LINE_DEPTH, &lo, &hi);
  w.largest = fmax(fabs(lo), fabs(hi));
  DCS_TRY(extend(&w, -1, sigma / 2, &lo));
  DCS_TRY(extend(&w, 1, sigma / 2, &hi));
  if (!((hi - lo) / h < MAX_NODES)) {
    st = DCS_ENUMERIC;
    goto done;
  }
  dcs_grid grid = dcs_grid_over(lo, hi, h);
  DCS_TRY(dcs_line_density_create(&grid, out));
  for (int64_t i = 0; i < grid.n; i += DCS_LANES) {
    dcs_grid_tile(&grid, i, x);
    DCS_TRY(log_density(&w, x, log_p));
    for (int l = 0; l < dcs_grid_lanes(&grid, i); l++) out->log_p[i + l] = log_p[l];
  }
  dcs_line_fill_q(&w.line, sigma, out);
done:
  if (st == DCS_ENUMERIC)
    dcs_fail(err, st, "quadrature: the map of a step is not one-to-one or has no inverse; use more steps");
  pull_destroy(&w);
  return st;
}

double dcs_line_pull_flops(const dcs_target *target, const dcs_steps *steps, double resolution)
{
  double sigma = steps->step[steps->count - 1].sigma_next, scores = steps->sampler->kind == DCS_MAP_HEUN ? 2 : 1;
  double nodes = resolution * (2 * sqrt(2 * DCS_LINE_DEPTH) + 6 * sqrt(dcs_target_variance(target)) / sigma);
  double evaluation = scores * (dcs_target_flops(target, false) + dcs_target_flops(target, true) + 100);
  return nodes < MAX_NODES ? 3 * nodes * steps->count * evaluation : INFINITY;
}
