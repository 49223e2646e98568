#include "metric/line.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "numerics/vmath.h"

typedef dcs_vec row[DCS_VECS];

enum { MAX_NODES = 1 << 20 };

dcs_status dcs_line_create(const dcs_target *target, dcs_line *line)
{
  *line = (dcs_line){.target = target};
  return dcs_posterior_create(target, &line->post);
}

void dcs_line_destroy(dcs_line *line) { dcs_posterior_destroy(&line->post); }

/** First of the points from + i stride with log q > floor, or `most` when there is none among them. */
static int64_t first_above(dcs_line *line, double sigma, double floor, double from, double stride, int64_t most)
{
  _Alignas(DCS_ALIGN) double x[DCS_LANES];
  for (int64_t i = 0; i < most; i += DCS_LANES) {
    for (int l = 0; l < DCS_LANES; l++) x[l] = from + (double)(i + l) * stride;
    dcs_posterior_at(line->post, sigma, x);
    for (int l = 0; l < DCS_LANES && i + l < most; l++)
      if (dcs_posterior_log_q(line->post)[l] > floor) return i + l;
  }
  return most;
}

/** Move the end `from` of a range inward by steps of 8 sigma, then sigma/2, while log q stays below the floor. */
static double move_end(dcs_line *line, double sigma, double floor, double from, double to)
{
  double sign = to > from ? 1 : -1, coarse = 8 * sigma, fine = sigma / 2;
  int64_t i = first_above(line, sigma, floor, from, sign * coarse, (int64_t)(fabs(to - from) / coarse) + 2);
  double start = i > 0 ? from + sign * coarse * (double)(i - 1) : from;
  int64_t j = first_above(line, sigma, floor, start, sign * fine, DCS_LANES);
  return start + sign * fine * (double)(j - 1);
}

static void shrink(dcs_line *line, double sigma, double depth, double *lo, double *hi)
{
  double spread = sqrt(dcs_target_variance(line->target) + sigma * sigma), a = *lo, b = *hi;
  double floor = -depth - log(spread * sqrt(2 * acos(-1)));
  *lo = move_end(line, sigma, floor, a, b);
  *hi = move_end(line, sigma, floor, b, a);
}

void dcs_line_range(dcs_line *line, double sigma, double depth, double *lo, double *hi)
{
  double mean = dcs_target_mean(line->target)[0], wide = sqrt(dcs_target_variance(line->target));
  double far = 1000 * sqrt(wide * wide + sigma * sigma);
  *lo = mean - far;
  *hi = mean + far;
  if (sigma < wide) shrink(line, wide, depth, lo, hi); /* otherwise the steps of 8 sigma would be many */
  shrink(line, sigma, depth, lo, hi);
}

dcs_grid dcs_grid_over(double lo, double hi, double h)
{
  double cells = ceil((hi - lo) / h);
  return (dcs_grid){.first = lo, .h = (hi - lo) / cells, .n = (int64_t)cells + 1};
}

dcs_grid dcs_grid_coarse(const dcs_grid *grid)
{
  return (dcs_grid){.first = grid->first, .h = 2 * grid->h, .n = (grid->n + 1) / 2};
}

void dcs_grid_tile(const dcs_grid *grid, int64_t i, double *x)
{
  for (int l = 0; l < DCS_LANES; l++) x[l] = dcs_grid_node(grid, i + l < grid->n ? i + l : grid->n - 1);
}

int dcs_grid_lanes(const dcs_grid *grid, int64_t i) { return grid->n - i < DCS_LANES ? (int)(grid->n - i) : DCS_LANES; }

double dcs_line_mmse(dcs_line *line, double sigma, const dcs_grid *grid)
{
  _Alignas(DCS_ALIGN) double x[DCS_LANES], c[DCS_LANES];
  row sum = {};
  double total = 0;
  for (int64_t i = 0; i < grid->n; i += DCS_LANES) {
    dcs_grid_tile(grid, i, x);
    dcs_posterior_at(line->post, sigma, x);
    dcs_posterior_trace(line->post, c);
    for (int l = dcs_grid_lanes(grid, i); l < DCS_LANES; l++) c[l] = 0;
    const row *log_q = (const row *)dcs_posterior_log_q(line->post), *variance = (const row *)c;
    for (int v = 0; v < DCS_VECS; v++) sum[v] += dcs_vec_exp((*log_q)[v]) * (*variance)[v];
  }
  for (int l = 0; l < DCS_LANES; l++) total += ((const double *)sum)[l];
  return grid->h * total;
}

dcs_status dcs_line_resolve(dcs_line *line, double sigma, dcs_grid *grid, double mmse[2])
{
  const double negligible = 1e-30 * (dcs_target_variance(line->target));
  double lo, hi, fine = 0, coarse;
  dcs_line_range(line, sigma, DCS_LINE_DEPTH, &lo, &hi);
  *grid = dcs_grid_over(lo, hi, sigma);
  fine = dcs_line_mmse(line, sigma, grid);
  do {
    grid->h /= 2;
    grid->n = 2 * grid->n - 1;
    if (grid->n > MAX_NODES) return DCS_ENUMERIC;
    coarse = fine;
    fine = dcs_line_mmse(line, sigma, grid);
  } while (!(fabs(fine - coarse) <= 1e-9 * fine + negligible));
  if (mmse != NULL) {
    mmse[0] = fine;
    mmse[1] = coarse;
  }
  return DCS_OK;
}
