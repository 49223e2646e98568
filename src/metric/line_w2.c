#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "metric/line_compare.h"

enum { POINTS = 6, GAUSS = 4 };

static const double gauss_node[GAUSS] = {0.069431844202973712, 0.33000947820757187, 0.66999052179242813,
                                         0.93056815579702629};
static const double gauss_weight[GAUSS] = {0.17392742256872693, 0.32607257743127307, 0.32607257743127307,
                                           0.17392742256872693};

/** A distribution function from the left end, in units of the grid: node i is at place i. */
typedef struct {
  int64_t n;
  double h;
  const double *log_f; /**< [n] */
  double *below;       /**< [n] mass below the node; owned */
} distribution;

/** log f at i + t, 0 <= t <= 1, by Lagrange's formula through the six nodes around; linear where one of them is missing.
 */
static double log_at(const distribution *d, int64_t i, double t)
{
  const double *y = d->log_f;
  if (i < 2 || i + 3 >= d->n) return (1 - t) * y[i] + t * y[i + 1];
  for (int m = -2; m <= 3; m++)
    if (!isfinite(y[i + m])) return (1 - t) * y[i] + t * y[i + 1];
  double a = t + 2, b = t + 1, c = t, e = t - 1, f = t - 2, g = t - 3;
  return (-y[i - 2] * b * c * e * f * g + 5 * y[i - 1] * a * c * e * f * g - 10 * y[i] * a * b * e * f * g +
          10 * y[i + 1] * a * b * c * f * g - 5 * y[i + 2] * a * b * c * e * g + y[i + 3] * a * b * c * e * f) /
         120;
}

/** Mass between node i and i + t; 0 in a cell at one end of which there is none. */
static double mass(const distribution *d, int64_t i, double t)
{
  double sum = 0;
  if (!isfinite(d->log_f[i]) || !isfinite(d->log_f[i + 1])) return 0;
  for (int g = 0; g < GAUSS; g++) sum += gauss_weight[g] * exp(log_at(d, i, t * gauss_node[g]));
  return d->h * t * sum;
}

static dcs_status distribution_create(int64_t n, double h, const double *log_f, distribution *d)
{
  *d = (distribution){.n = n, .h = h, .log_f = log_f};
  dcs_status st = dcs_alloc((size_t)n, sizeof(double), &d->below);
  for (int64_t i = 0; st == DCS_OK && i + 1 < n; i++) d->below[i + 1] = d->below[i] + mass(d, i, 1);
  return st;
}

/** Place in cell i at which the mass below is u, by Newton's method within a bracket. */
static double quantile(const distribution *d, int64_t i, double u)
{
  double lo = 0, hi = 1, cell = d->below[i + 1] - d->below[i], goal = u - d->below[i], t = goal / cell;
  for (int n = 0; n < 60; n++) {
    double miss = mass(d, i, t) - goal;
    if (miss > 0)
      hi = t;
    else
      lo = t;
    double step = miss / (d->h * exp(log_at(d, i, t))), next = t - step;
    if (!(next > lo && next < hi)) next = 0.5 * (lo + hi);
    if (fabs(next - t) <= 1e-14) return (double)i + next;
    t = next;
  }
  return (double)i + t;
}

/** The part of the integral with u < 1/2. */
static dcs_status lower_half(int64_t n, double h, const double *log_p, const double *log_q, double *out)
{
  dcs_status st = DCS_OK;
  distribution p = {0}, q = {0};
  double from = 0, sum = 0;
  DCS_TRY(distribution_create(n, h, log_p, &p));
  DCS_TRY(distribution_create(n, h, log_q, &q));
  if (!(p.below[n - 1] > 0.5) || !(q.below[n - 1] > 0.5)) {
    st = DCS_ENUMERIC;
    goto done;
  }
  for (int64_t i = 0, j = 0; from < 0.5;) {
    while (p.below[i + 1] <= from) i++;
    while (q.below[j + 1] <= from) j++;
    double to = fmin(fmin(p.below[i + 1], q.below[j + 1]), 0.5);
    for (int g = 0; g < GAUSS; g++) {
      double u = from + (to - from) * gauss_node[g], apart = h * (quantile(&p, i, u) - quantile(&q, j, u));
      sum += (to - from) * gauss_weight[g] * apart * apart;
    }
    from = to;
  }
  *out = sum;
done:
  dcs_free(&p.below);
  dcs_free(&q.below);
  return st;
}

dcs_status dcs_line_w2_squared(const dcs_line_density *density, double *out)
{
  dcs_status st = DCS_OK;
  int64_t n = density->grid.n;
  double *log_p = NULL, *log_q = NULL, lower, upper;
  DCS_TRY(lower_half(n, density->grid.h, density->log_p, density->log_q, &lower));
  DCS_TRY(dcs_alloc((size_t)n, sizeof(double), &log_p));
  DCS_TRY(dcs_alloc((size_t)n, sizeof(double), &log_q));
  for (int64_t i = 0; i < n; i++) {
    log_p[i] = density->log_p[n - 1 - i];
    log_q[i] = density->log_q[n - 1 - i];
  }
  DCS_TRY(lower_half(n, density->grid.h, log_p, log_q, &upper));
  *out = lower + upper;
done:
  dcs_free(&log_p);
  dcs_free(&log_q);
  return st;
}
