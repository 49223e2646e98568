#include "metric/radial_chain.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "numerics/bessel.h"

enum { NODES = DCS_PANEL_NODES, PROBES = 4 };

#define LOG_TWO_PI 1.8378770664093454835606594728112
#define REACH 10.5       /**< normal tails beyond this many standard deviations are below e^-55 */
#define NEGLIGIBLE 1e-28 /**< mass of a panel that is left out */

/** One level: nodes that carry mass, ascending. */
typedef struct {
  dcs_panels panels;
  double *p; /**< [panels.count][NODES] density of r */
  size_t capacity;
} level;

/** Sources of one step: what is left of a level's nodes. */
typedef struct {
  int count;
  double *image, *log_image, *log_mass, *centre; /**< [count] f = |F|, log f, log(p dr), where |F + c z| lies */
  size_t capacity;
} sources;

static double square(double x) { return x * x; }

dcs_radial_point dcs_radial_at(const dcs_radial_law *law, double sigma, double r)
{
  double top = -INFINITY, sum = 0, a = 0, inverse = 0, product = 0;
  for (int pass = 0; pass < 2; pass++)
    for (int j = 0; j < law->components; j++) {
      double s2 = square(law->stddev[j]), v = s2 + square(sigma);
      double l = log(law->weight[j]) - 0.5 * (law->d * (LOG_TWO_PI + log(v)) + square(r) / v);
      if (pass == 0) {
        top = fmax(top, l);
        continue;
      }
      double e = exp(l - top);
      sum += e;
      a += e * s2 / v;
      inverse += e / v;
      product += e * s2 / (v * v);
    }
  a /= sum;
  inverse /= sum;
  product /= sum;
  return (dcs_radial_point){top + log(sum), a * r, a - square(r) * (product - a * inverse)};
}

/** Length of F_k and its derivative by r. */
static void map(const dcs_radial_law *law, const dcs_steps *steps, int k, double r, double *f, double *df)
{
  const dcs_step *s = &steps->step[k];
  dcs_radial_point here = dcs_radial_at(law, s->sigma, r);
  double euler = s->one_minus_b * r + s->b * here.m, d_euler = s->one_minus_b + s->b * here.dm;
  *f = euler;
  *df = d_euler;
  if (steps->sampler->kind != DCS_MAP_HEUN) return;
  dcs_radial_point there = dcs_radial_at(law, s->sigma_next, euler);
  double half = 0.5 * (s->sigma_next - s->sigma);
  *f = r + half * ((r - here.m) / s->sigma + (euler - there.m) / s->sigma_next);
  *df = 1 + half * ((1 - here.dm) / s->sigma + d_euler * (1 - there.dm) / s->sigma_next);
}

/** log of the area of the unit sphere times r^{d-1}: from a density on R^d to one of r. */
static double log_shell(int d, double r)
{
  return log(2) + 0.5 * d * log(acos(-1)) - lgamma(0.5 * d) + (d > 1 ? (d - 1) * log(r) : 0);
}

static double density_of_target(const dcs_radial_law *law, double sigma, double r)
{
  return exp(dcs_radial_at(law, sigma, r).log_q + log_shell(law->d, r));
}

/** log of the density of r that the sampler starts from. */
static double log_start(const dcs_radial_law *law, const dcs_steps *steps, double r)
{
  double s2 = square(steps->step[0].sigma), v = steps->init == DCS_INIT_PRIOR ? 1 + s2 : s2;
  double log_p = -0.5 * (law->d * (LOG_TWO_PI + log(v)) + square(r) / v);
  if (steps->init == DCS_INIT_EXACT) log_p = dcs_radial_at(law, steps->step[0].sigma, r).log_q;
  return log_p + log_shell(law->d, r);
}

/** Where a chi law of variance parameter v has its mass; added to [lo, hi]. Its standard deviation is below sqrt(v). */
static void add_range(int d, double v, double *lo, double *hi)
{
  *lo = fmin(*lo, sqrt(v) * fmax(sqrt(d) - REACH, 0));
  *hi = fmax(*hi, sqrt(v) * (sqrt(d) + REACH));
}

static void range_of_target(const dcs_radial_law *law, double sigma, double *lo, double *hi)
{
  for (int j = 0; j < law->components; j++) add_range(law->d, square(law->stddev[j]) + square(sigma), lo, hi);
}

/** Panels over [lo, hi] for level k: narrow against `feature` and against the noise of step k seen through its map. */
static dcs_status lay(const dcs_radial_law *law, const dcs_steps *steps, int k, double feature, double fineness,
                      double lo, double hi, dcs_panels *panels)
{
  dcs_status st = dcs_panels_begin(panels, lo);
  for (double x = lo; st == DCS_OK && x < hi; x = panels->edge[panels->count]) {
    double width = fineness * feature, f, df;
    if (k < steps->count && steps->step[k].c2 > 0) {
      double slope = 1, c = sqrt(steps->step[k].c2);
      width = fmin(width, fineness * c);
      for (int i = 0; i <= PROBES; i++) {
        map(law, steps, k, x + width * i / PROBES, &f, &df);
        slope = fmax(slope, df);
      }
      width = fmin(width, fineness * c / slope);
    }
    st = dcs_panels_add(panels, fmin(x + width, hi));
  }
  return st;
}

/** What the nodes of a level send through step k. */
static dcs_status collect(const dcs_radial_law *law, const dcs_steps *steps, int k, const level *from, sources *to)
{
  dcs_status st = DCS_OK;
  size_t most = (size_t)from->panels.count * NODES;
  double c2 = steps->step[k].c2;
  if (to->capacity < most) {
    dcs_free(&to->image);
    dcs_free(&to->log_image);
    dcs_free(&to->log_mass);
    dcs_free(&to->centre);
    to->capacity = 2 * most;
    DCS_TRY(dcs_alloc(to->capacity, sizeof(double), &to->image));
    DCS_TRY(dcs_alloc(to->capacity, sizeof(double), &to->log_image));
    DCS_TRY(dcs_alloc(to->capacity, sizeof(double), &to->log_mass));
    DCS_TRY(dcs_alloc(to->capacity, sizeof(double), &to->centre));
  }
  to->count = 0;
  for (size_t i = 0; i < most; i++) {
    double width = from->panels.weight[i], mass = width * from->p[i], f, df;
    double wanted = width * density_of_target(law, steps->step[k].sigma, from->panels.x[i]);
    if (!(fmax(mass, wanted) > NEGLIGIBLE && mass > 0)) continue; /* q's tails need p there, however small it is */
    map(law, steps, k, from->panels.x[i], &f, &df);
    to->image[to->count] = f;
    to->log_image[to->count] = log(f);
    to->log_mass[to->count] = log(mass);
    to->centre[to->count++] = sqrt(f * f + c2 * (law->d - 1));
  }
done:
  return st;
}

static int first_at_least(const sources *s, double value)
{
  int lo = 0, hi = s->count;
  while (lo < hi) {
    int middle = (lo + hi) / 2;
    if (s->centre[middle] < value)
      lo = middle + 1;
    else
      hi = middle;
  }
  return lo;
}

/** p at the nodes of one panel: sum over the sources within reach. */
static void receive(const dcs_bessel *bessel, double c2, const sources *s, int first, int last, const double *x,
                    double *p)
{
  for (int v = 0; v < NODES; v += DCS_VEC) {
    dcs_vec r, sum = {};
    memcpy(&r, x + v, sizeof r);
    dcs_vec log_r = dcs_vec_log(r), front = log_r - log(c2);
    for (int i = first; i < last; i++) {
      dcs_vec away = r - s->image[i];
      dcs_vec log_kernel = front + bessel->nu * (log_r - s->log_image[i]) - away * away / (2 * c2) +
                           dcs_bessel_log_i(bessel, r * (s->image[i] / c2));
      sum += dcs_vec_exp(log_kernel + s->log_mass[i]);
    }
    memcpy(p + v, &sum, sizeof sum);
  }
}

static dcs_status reserve(level *at)
{
  return dcs_reserve(&at->p, &at->capacity, (size_t)at->panels.count * NODES, sizeof *at->p);
}

/** Step k: from level k to level k + 1, whose panels suit step k + 1. */
static dcs_status advance(const dcs_radial_law *law, const dcs_steps *steps, int k, double fineness,
                          const dcs_bessel *bessel, const level *from, sources *s, level *to)
{
  dcs_status st = DCS_OK;
  double c2 = steps->step[k].c2, c = sqrt(c2), lo = INFINITY, hi = 0;
  DCS_TRY(collect(law, steps, k, from, s));
  if (s->count == 0) return DCS_ENUMERIC;
  lo = fmax(s->centre[0] - REACH * c, 0);
  hi = s->centre[s->count - 1] + REACH * c;
  range_of_target(law, steps->step[k].sigma_next, &lo, &hi);
  DCS_TRY(lay(law, steps, k + 1, c / sqrt(2), fineness, lo, hi, &to->panels));
  DCS_TRY(reserve(to));
  for (int j = 0; j < to->panels.count; j++)
    receive(bessel, c2, s, first_at_least(s, to->panels.edge[j] - REACH * c),
            first_at_least(s, to->panels.edge[j + 1] + REACH * c), to->panels.x + j * NODES, to->p + j * NODES);
done:
  return st;
}

static void level_destroy(level *at)
{
  dcs_panels_destroy(&at->panels);
  dcs_free(&at->p);
}

/** Noise: the density of r, level by level. */
static dcs_status propagate(const dcs_radial_law *law, const dcs_steps *steps, double fineness,
                            dcs_radial_result *result)
{
  dcs_status st = DCS_OK;
  level here = {0}, next = {0};
  sources s = {0};
  dcs_bessel bessel;
  double lo = INFINITY, hi = 0, sigma = steps->step[0].sigma;
  dcs_bessel_create(0.5 * law->d - 1, &bessel);
  range_of_target(law, sigma, &lo, &hi);
  add_range(law->d, square(sigma) + (steps->init == DCS_INIT_PRIOR), &lo, &hi);
  DCS_TRY(lay(law, steps, 0, sigma / sqrt(2), fineness, lo, hi, &here.panels));
  DCS_TRY(reserve(&here));
  for (int i = 0; i < here.panels.count * NODES; i++) here.p[i] = exp(log_start(law, steps, here.panels.x[i]));
  for (int k = 0; k < steps->count; k++) {
    DCS_TRY(advance(law, steps, k, fineness, &bessel, &here, &s, &next));
    level kept = here;
    here = next;
    next = kept;
  }
  result->panels = here.panels;
  result->p = here.p;
  here = (level){0};
done:
  level_destroy(&here);
  level_destroy(&next);
  dcs_free(&s.image);
  dcs_free(&s.log_image);
  dcs_free(&s.log_mass);
  dcs_free(&s.centre);
  return st;
}

/** r with |F_k(r)| = target: Newton's method from the length itself; |F| rises with r. */
static dcs_status invert(const dcs_radial_law *law, const dcs_steps *steps, int k, double target, double *r, double *df)
{
  enum { MOST = 100 };
  double lo = 0, hi = INFINITY, x = target, f;
  for (int n = 0; n < MOST; n++) {
    map(law, steps, k, x, &f, df);
    if (!(*df > 0)) return DCS_ENUMERIC;
    if (f < target)
      lo = x;
    else
      hi = x;
    double next = x + (target - f) / *df;
    if (!(next > lo && next < hi)) next = isinf(hi) ? 2 * x : 0.5 * (lo + hi);
    bool done = fabs(next - x) <= 4e-16 * x;
    x = next;
    if (done) break;
  }
  map(law, steps, k, x, &f, df);
  *r = x;
  return fabs(f - target) <= 1e-12 * target ? DCS_OK : DCS_ENUMERIC;
}

/** No noise: log p/q at r, followed upwards. log det J = log |F|' + (d-1) log |F|/r. */
static dcs_status follow(const dcs_radial_law *law, const dcs_steps *steps, double r, double *log_ratio)
{
  double sum = 0, df, below = dcs_radial_at(law, steps->step[steps->count - 1].sigma_next, r).log_q;
  for (int k = steps->count - 1; k >= 0; k--) {
    double above;
    dcs_status st = invert(law, steps, k, r, &above, &df);
    if (st != DCS_OK) return st;
    double log_q = dcs_radial_at(law, steps->step[k].sigma, above).log_q;
    sum += (log_q - below) - log(df) - (law->d - 1) * log(r / above);
    below = log_q;
    r = above;
  }
  *log_ratio = sum + log_start(law, steps, r) - log_shell(law->d, r) - below;
  return DCS_OK;
}

static dcs_status allocate(dcs_radial_result *result)
{
  dcs_status st = DCS_OK;
  size_t n = (size_t)result->panels.count * NODES;
  if (result->p == NULL) DCS_TRY(dcs_alloc(n, sizeof(double), &result->p));
  DCS_TRY(dcs_alloc(n, sizeof(double), &result->q));
  DCS_TRY(dcs_alloc(n, sizeof(double), &result->log_ratio));
done:
  return st;
}

static dcs_status compare(const dcs_radial_law *law, const dcs_steps *steps, dcs_radial_result *result)
{
  double sigma = steps->step[steps->count - 1].sigma_next;
  bool deterministic = steps->sampler->deterministic;
  for (int i = 0; i < result->panels.count * NODES; i++) {
    double r = result->panels.x[i];
    result->q[i] = density_of_target(law, sigma, r);
    if (deterministic) {
      dcs_status st = follow(law, steps, r, &result->log_ratio[i]);
      if (st != DCS_OK) return st;
      result->p[i] = result->q[i] * exp(result->log_ratio[i]);
    } else {
      double change = (result->p[i] - result->q[i]) / result->q[i];
      result->log_ratio[i] = change < -0.5 ? log(result->p[i] / result->q[i]) : log1p(change);
    }
  }
  return DCS_OK;
}

dcs_status dcs_radial_run(const dcs_radial_law *law, const dcs_steps *steps, double fineness, dcs_radial_result *result,
                          dcs_error *err)
{
  dcs_status st = DCS_OK;
  *result = (dcs_radial_result){0};
  if (steps->sampler->deterministic) {
    double lo = INFINITY, hi = 0, sigma = steps->step[steps->count - 1].sigma_next, least = INFINITY;
    range_of_target(law, sigma, &lo, &hi);
    for (int j = 0; j < law->components; j++) least = fmin(least, law->stddev[j]);
    DCS_TRY(lay(law, steps, steps->count, hypot(least, sigma) / sqrt(2), 0.5 * fineness, lo, hi, &result->panels));
  } else {
    DCS_TRY(propagate(law, steps, fineness, result));
  }
  DCS_TRY(allocate(result));
  DCS_TRY(compare(law, steps, result));
done:
  if (st == DCS_ENUMERIC)
    dcs_fail(err, st,
             "radial: the chain of lengths left the range of numbers, or a map is not one-to-one; use more "
             "steps");
  if (st != DCS_OK) dcs_radial_result_destroy(result);
  return st;
}

void dcs_radial_result_destroy(dcs_radial_result *result)
{
  dcs_panels_destroy(&result->panels);
  dcs_free(&result->p);
  dcs_free(&result->q);
  dcs_free(&result->log_ratio);
}
