#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "metric/line_density.h"
#include "numerics/vmath.h"
#include "sampler/map.h"

enum { MAX_NODES = 1 << 22, MAX_TRIES = 8 };

/** A grid spacing larger than asked for by this factor is taken as it is: between levels little changes. */
#define SLACK 1.1

/** Below this exponent an error of everything is beyond the last digit of the whole. */
#define LAST_DIGIT 39.0

/** The kernels of one step: term j adds amplitude exp(-(x' - mean)^2 scale), scale = 1/(2 variance). */
typedef struct {
  int64_t n;
  double *mean, *scale, *amplitude; /**< [n] */
  double *reach;                    /**< [n] half-width within which the term is above the floor; 0: nowhere */
  size_t capacity[4];
  double largest;   /**< of the amplitudes */
  double roughness; /**< as a function of where it comes from, a kernel is at least 1/roughness wide */
} terms;

typedef struct {
  dcs_line line;
  dcs_map *map;
  const dcs_steps *steps;
  double depth;
  dcs_grid grid;
  double *p; /**< [grid.n] rounded up to whole vectors */
  size_t n_p;
  terms term[2];
} push;

static void push_destroy(push *w)
{
  dcs_line_destroy(&w->line);
  dcs_map_destroy(&w->map);
  dcs_free(&w->p);
  for (int i = 0; i < 2; i++) {
    dcs_free(&w->term[i].mean);
    dcs_free(&w->term[i].scale);
    dcs_free(&w->term[i].amplitude);
    dcs_free(&w->term[i].reach);
  }
}

/** Terms below e^-depth of the largest are left out. Few steps are coarse steps, whose output law may be much narrower
 *  than the target: then its far tails count, and they are cheap. */
static double depth_of(const dcs_steps *steps) { return steps->count <= 1024 ? 300 : DCS_LINE_DEPTH; }

static dcs_status push_create(const dcs_target *target, const dcs_steps *steps, push *w)
{
  dcs_status st = DCS_OK;
  *w = (push){.steps = steps, .depth = depth_of(steps)};
  DCS_TRY(dcs_line_create(target, &w->line));
  DCS_TRY(dcs_map_create(target, steps, &w->map));
done:
  return st;
}

static dcs_status place(push *w, double lo, double hi, double h)
{
  if (!((hi - lo) / h < MAX_NODES)) return DCS_ENUMERIC;
  w->grid = dcs_grid_over(lo, hi, h);
  return dcs_reserve(&w->p, &w->n_p, (size_t)w->grid.n + DCS_LANES, sizeof(double));
}

/** p <- the initial law. */
static void start(push *w)
{
  _Alignas(DCS_ALIGN) double x[DCS_LANES], log_p[DCS_LANES];
  for (int64_t i = 0; i < w->grid.n; i += DCS_LANES) {
    dcs_grid_tile(&w->grid, i, x);
    dcs_line_start(&w->line, w->steps, x, log_p);
    for (int l = 0; l < dcs_grid_lanes(&w->grid, i); l++) w->p[i + l] = exp(log_p[l]);
  }
}

/** Ends of what the terms cover. */
static void cover(const terms *t, double *lo, double *hi)
{
  double a = INFINITY, b = -INFINITY;
  for (int64_t j = 0; j < t->n; j++) {
    if (t->reach[j] == 0) continue;
    a = t->mean[j] - t->reach[j] < a ? t->mean[j] - t->reach[j] : a;
    b = t->mean[j] + t->reach[j] > b ? t->mean[j] + t->reach[j] : b;
  }
  *lo = a;
  *hi = b;
}

/** p <- sum of the terms at the nodes. */
static void spread(push *w, const terms *t)
{
  const dcs_vec lane = {0, 1, 2, 3, 4, 5, 6, 7};
  const double h = w->grid.h, per_h = 1 / h;
  const int64_t last = w->grid.n - 1;
  memset(w->p, 0, ((size_t)w->grid.n + DCS_LANES) * sizeof *w->p);
  for (int64_t j = 0; j < t->n; j++) {
    if (t->reach[j] == 0) continue;
    double from = (t->mean[j] - t->reach[j] - w->grid.first) * per_h, to = from + 2 * t->reach[j] * per_h;
    int64_t begin = from > 0 ? (int64_t)from / DCS_VEC * DCS_VEC : 0, end = to < (double)last ? (int64_t)to : last;
    double minus = -t->scale[j], amplitude = t->amplitude[j];
    dcs_vec x = (w->grid.first - t->mean[j]) + h * ((double)begin + lane);
    for (int64_t i = begin; i <= end; i += DCS_VEC, x += DCS_VEC * h)
      *(dcs_vec *)(w->p + i) += amplitude * dcs_vec_exp(minus * x * x);
  }
}

/** Two points of mean 0, variance C and third moment third: xi_+ xi_- = -C, xi_+ + xi_- = third/C. The one of larger size
 *  has no cancellation and gives the other. */
static void two_points(double c, double third, double *xi, double *probability)
{
  xi[0] = xi[1] = 0;
  probability[0] = 1;
  probability[1] = 0;
  if (c == 0) return;
  double skew = third / c, large = 0.5 * (fabs(skew) + sqrt(skew * skew + 4 * c)), small = c / large;
  xi[0] = skew > 0 ? large : small;
  xi[1] = skew > 0 ? -small : -large;
  probability[0] = -xi[1] / (xi[0] - xi[1]);
  probability[1] = xi[0] / (xi[0] - xi[1]);
}

/** The terms of one node with density p. */
static void add_node(const push *w, const dcs_step *s, terms *t, int64_t j, double p, double f, double c, double third)
{
  double variance = s->c2, xi[2] = {0, 0}, share[2] = {1, 0};
  int branches = 1;
  if (w->steps->sampler->kind == DCS_MAP_MOMENT_2) variance += s->b * s->b * c;
  if (w->steps->sampler->kind == DCS_MAP_MOMENT_3) {
    two_points(c, third, xi, share);
    branches = 2;
  }
  for (int b = 0; b < branches; b++, j += w->grid.n) {
    t->mean[j] = f + s->b * xi[b];
    t->scale[j] = 0.5 / variance;
    t->amplitude[j] = w->grid.h * p * share[b] / sqrt(2 * acos(-1) * variance);
  }
}

/** reach of all terms, and
 *      roughness^2 = max (|d mean/dy|/stddev + |d log variance/dy|/2)^2 + 1/sigma^2
 *  over neighbouring nodes, less where p is too small for all of its digits to count; 1/sigma is for p itself. */
static void measure(const push *w, double sigma, terms *t)
{
  double roughness = 0, before = -INFINITY;
  for (int64_t j = 0; j < t->n; j++) {
    double size = t->amplitude[j] > 0 ? log(t->amplitude[j] / t->largest) : -INFINITY;
    double digits = 1 + (size < before ? size : before) / LAST_DIGIT;
    t->reach[j] = size > -w->depth ? sqrt((size + w->depth) / t->scale[j]) : 0;
    if (digits > 0 && j % w->grid.n != 0) {
      double slope = fabs(t->mean[j] - t->mean[j - 1]) * sqrt(2 * t->scale[j]) +
                     0.5 * fabs(t->scale[j] - t->scale[j - 1]) / t->scale[j];
      double here = slope * slope * digits;
      roughness = here > roughness ? here : roughness;
    }
    before = size;
  }
  t->roughness = sqrt(roughness / (w->grid.h * w->grid.h) + 1 / (sigma * sigma));
}

/** The terms of step k from p on the grid. */
static dcs_status collect(push *w, int k, terms *t)
{
  dcs_status st = DCS_OK;
  _Alignas(DCS_ALIGN) double x[DCS_LANES], c[DCS_LANES], third[DCS_LANES] = {0};
  const dcs_step *s = &w->steps->step[k];
  const int branches = w->steps->sampler->kind == DCS_MAP_MOMENT_3 ? 2 : 1;
  t->n = branches * w->grid.n;
  DCS_TRY(dcs_reserve(&t->mean, &t->capacity[0], (size_t)t->n, sizeof(double)));
  DCS_TRY(dcs_reserve(&t->scale, &t->capacity[1], (size_t)t->n, sizeof(double)));
  DCS_TRY(dcs_reserve(&t->amplitude, &t->capacity[2], (size_t)t->n, sizeof(double)));
  DCS_TRY(dcs_reserve(&t->reach, &t->capacity[3], (size_t)t->n, sizeof(double)));
  memset(t->amplitude, 0, (size_t)t->n * sizeof *t->amplitude);
  double top = 0;
  for (int64_t i = 0; i < w->grid.n; i++) top = w->p[i] > top ? w->p[i] : top;
  for (int64_t i = 0; i < w->grid.n; i += DCS_LANES) {
    int lanes = dcs_grid_lanes(&w->grid, i);
    double most = 0;
    for (int l = 0; l < lanes; l++) most = w->p[i + l] > most ? w->p[i + l] : most;
    if (most < top * exp(-w->depth)) continue;
    dcs_grid_tile(&w->grid, i, x);
    dcs_map_at(w->map, k, x);
    dcs_posterior_trace(dcs_map_posterior(w->map), c);
    if (branches == 2) dcs_posterior_third(dcs_map_posterior(w->map), third);
    for (int l = 0; l < lanes; l++) add_node(w, s, t, i + l, w->p[i + l], dcs_map_value(w->map)[l], c[l], third[l]);
  }
  t->largest = 0;
  for (int64_t j = 0; j < t->n; j++) t->largest = t->amplitude[j] > t->largest ? t->amplitude[j] : t->largest;
  if (!isfinite(t->largest) || t->largest == 0) return DCS_ENUMERIC;
  measure(w, s->sigma, t);
done:
  return st;
}

/** p at level k on a grid fine enough for step k, and the terms of that step. `h` is a guess of the spacing. */
static dcs_status level(push *w, int k, double resolution, double h)
{
  dcs_status st = DCS_OK;
  const terms *before = &w->term[(k + 1) % 2];
  terms *t = &w->term[k % 2];
  double lo, hi;
  if (k == 0)
    dcs_line_start_range(&w->line, w->steps, w->depth, &lo, &hi);
  else
    cover(before, &lo, &hi);
  for (int n = 0; n < MAX_TRIES; n++, h = 1 / (resolution * t->roughness)) {
    DCS_TRY(place(w, lo, hi, h));
    if (k == 0)
      start(w);
    else
      spread(w, before);
    DCS_TRY(collect(w, k, t));
    if (w->grid.h * resolution * t->roughness <= SLACK) goto done;
  }
  st = DCS_ENUMERIC;
done:
  return st;
}

/** p and q at the last level: whatever kernel made p, its law is close to one that is smooth over sigma_N. */
static dcs_status last_level(push *w, double resolution, dcs_line_density *out)
{
  dcs_status st = DCS_OK;
  int n = w->steps->count;
  const terms *t = &w->term[(n + 1) % 2];
  double sigma = w->steps->step[n - 1].sigma_next, lo, hi, a, b;
  cover(t, &lo, &hi);
  dcs_line_range(&w->line, sigma, DCS_LINE_DEPTH, &a, &b);
  DCS_TRY(place(w, fmin(lo, a), fmax(hi, b), sigma / (4 * resolution)));
  spread(w, t);
  DCS_TRY(dcs_line_density_create(&w->grid, out));
  for (int64_t i = 0; i < w->grid.n; i++) out->log_p[i] = log(w->p[i]);
  dcs_line_fill_q(&w->line, sigma, out);
done:
  return st;
}

dcs_status dcs_line_push(const dcs_target *target, const dcs_steps *steps, double resolution, dcs_line_density *out,
                         dcs_error *err)
{
  dcs_status st = DCS_OK;
  push w;
  *out = (dcs_line_density){0};
  DCS_TRY(push_create(target, steps, &w));
  double h = steps->step[0].sigma / resolution;
  for (int k = 0; k < steps->count; k++) {
    DCS_TRY(level(&w, k, resolution, h));
    double next = k + 1 < steps->count ? sqrt(steps->step[k + 1].c2 / steps->step[k].c2) : 1;
    h = next / (resolution * w.term[k % 2].roughness);
  }
  DCS_TRY(last_level(&w, resolution, out));
done:
  if (st == DCS_ENUMERIC) dcs_fail(err, st, "quadrature: a density is not finite or varies too fast for a grid");
  push_destroy(&w);
  return st;
}

double dcs_line_push_flops(const dcs_target *target, const dcs_steps *steps, double resolution)
{
  const double per_kernel = 20, depth = sqrt(2 * depth_of(steps)), wide = 6 * sqrt(dcs_target_variance(target));
  double flops = 0, branches = steps->sampler->kind == DCS_MAP_MOMENT_3 ? 2 : 1;
  for (int k = 0; k < steps->count; k++) {
    const dcs_step *s = &steps->step[k];
    double h = 1 / (resolution * hypot(1 / sqrt(s->c2), 1 / s->sigma)), nodes = (2 * depth * s->sigma + wide) / h;
    if (!(nodes < MAX_NODES)) return INFINITY;
    double kernels = branches * nodes * 2 * depth * resolution;
    flops += per_kernel * kernels + nodes * (dcs_target_flops(target, false) + 100);
  }
  return flops;
}
