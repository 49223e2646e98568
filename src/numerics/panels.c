#include "numerics/panels.h"

#include <math.h>
#include <string.h>

#include <gsl/gsl_integration.h>

#include "base/memory.h"

enum { NODES = DCS_PANEL_NODES };

/** Nodes and weights on [-1, 1]; gsl keeps the tables of small orders, so this allocates a few bytes only. */
static dcs_status rule(double x[NODES], double weight[NODES])
{
  gsl_integration_glfixed_table *table = gsl_integration_glfixed_table_alloc(NODES);
  if (table == NULL) return DCS_ENOMEM;
  for (size_t i = 0; i < NODES; i++) gsl_integration_glfixed_point(-1, 1, i, &x[i], &weight[i], table);
  gsl_integration_glfixed_table_free(table);
  return DCS_OK;
}

dcs_status dcs_panels_begin(dcs_panels *panels, double start)
{
  panels->count = 0;
  if (panels->edge == NULL) {
    dcs_status st = dcs_alloc(1, sizeof *panels->edge, &panels->edge);
    if (st != DCS_OK) return st;
  }
  panels->edge[0] = start;
  return DCS_OK;
}

static dcs_status grow(dcs_panels *panels)
{
  dcs_status st = DCS_OK;
  size_t capacity = panels->capacity == 0 ? 64 : 2 * (size_t)panels->capacity;
  dcs_panels larger = {.count = panels->count, .capacity = (int)capacity};
  size_t count = (size_t)panels->count;
  DCS_TRY(dcs_alloc(capacity + 1, sizeof *larger.edge, &larger.edge));
  DCS_TRY(dcs_alloc(capacity * NODES, sizeof *larger.x, &larger.x));
  DCS_TRY(dcs_alloc(capacity * NODES, sizeof *larger.weight, &larger.weight));
  memcpy(larger.edge, panels->edge, (count + 1) * sizeof *larger.edge);
  if (count > 0) {
    memcpy(larger.x, panels->x, count * NODES * sizeof *larger.x);
    memcpy(larger.weight, panels->weight, count * NODES * sizeof *larger.weight);
  }
  dcs_panels_destroy(panels);
  *panels = larger;
  return DCS_OK;
done:
  dcs_panels_destroy(&larger);
  return st;
}

dcs_status dcs_panels_add(dcs_panels *panels, double end)
{
  dcs_status st = DCS_OK;
  double x[NODES], weight[NODES];
  if (panels->count == panels->capacity) DCS_TRY(grow(panels));
  DCS_TRY(rule(x, weight));
  double middle = 0.5 * (panels->edge[panels->count] + end), half = 0.5 * (end - panels->edge[panels->count]);
  for (int i = 0; i < NODES; i++) {
    panels->x[panels->count * NODES + i] = middle + half * x[i];
    panels->weight[panels->count * NODES + i] = half * weight[i];
  }
  panels->edge[++panels->count] = end;
done:
  return st;
}

void dcs_panels_destroy(dcs_panels *panels)
{
  dcs_free(&panels->edge);
  dcs_free(&panels->x);
  dcs_free(&panels->weight);
  *panels = (dcs_panels){0};
}

double dcs_panels_integral(const dcs_panels *panels, const double *f)
{
  double sum = 0;
  for (int i = 0; i < panels->count * NODES; i++) sum += panels->weight[i] * f[i];
  return sum;
}

/** P_0(t) ... P_NODES(t). */
static void legendre(double t, double value[NODES + 1])
{
  value[0] = 1;
  value[1] = t;
  for (int m = 1; m < NODES; m++) value[m + 1] = ((2 * m + 1) * t * value[m] - m * value[m - 1]) / (m + 1);
}

/** A density with its integrals from both ends up to every edge. */
typedef struct {
  const dcs_panels *panels;
  double *series;        /**< [count][NODES] Legendre coefficients in each panel */
  double *below, *above; /**< [count + 1] mass left and right of each edge */
} distribution;

static void distribution_destroy(distribution *f)
{
  dcs_free(&f->series);
  dcs_free(&f->below);
  dcs_free(&f->above);
}

static dcs_status distribution_create(const dcs_panels *panels, const double *density, distribution *f)
{
  dcs_status st = DCS_OK;
  double t[NODES], weight[NODES], value[NODES + 1];
  size_t n = (size_t)panels->count;
  *f = (distribution){.panels = panels};
  DCS_TRY(dcs_alloc(n * NODES, sizeof *f->series, &f->series));
  DCS_TRY(dcs_alloc(n + 1, sizeof *f->below, &f->below));
  DCS_TRY(dcs_alloc(n + 1, sizeof *f->above, &f->above));
  DCS_TRY(rule(t, weight));
  for (int i = 0; i < NODES; i++) {
    legendre(t[i], value);
    for (size_t k = 0; k < n; k++)
      for (int m = 0; m < NODES; m++)
        f->series[k * NODES + (size_t)m] += (m + 0.5) * weight[i] * value[m] * density[k * NODES + (size_t)i];
  }
  for (size_t k = 0; k < n; k++)
    f->below[k + 1] = f->below[k] + f->series[k * NODES] * (panels->edge[k + 1] - panels->edge[k]);
  for (size_t k = n; k-- > 0;)
    f->above[k] = f->above[k + 1] + f->series[k * NODES] * (panels->edge[k + 1] - panels->edge[k]);
  if (!(fabs(f->below[n] - 1) < 1e-6)) st = DCS_ENUMERIC;
done:
  return st;
}

/** Density at x in panel k, and the mass of the panel left of x. */
static double density_at(const distribution *f, int k, double x, double *mass)
{
  const double *c = f->series + k * NODES, *edge = f->panels->edge + k;
  double half = 0.5 * (edge[1] - edge[0]), t = (x - 0.5 * (edge[0] + edge[1])) / half;
  double value[NODES + 1], density = c[0], sum = c[0] * (t + 1);
  legendre(t, value);
  for (int m = 1; m < NODES; m++) {
    density += c[m] * value[m];
    sum += c[m] * (value[m + 1] - value[m - 1]) / (2 * m + 1);
  }
  *mass = half * sum;
  return density;
}

/** x in panel k with `mass` of the panel to its left: Newton's method kept within a shrinking bracket. */
static double inverse(const distribution *f, int k, double mass)
{
  enum { MOST = 80 };
  double lo = f->panels->edge[k], hi = f->panels->edge[k + 1], x = 0.5 * (lo + hi), tolerance = 1e-15 * (hi - lo);
  for (int n = 0; n < MOST && hi - lo > tolerance; n++) {
    double here, density = density_at(f, k, x, &here);
    if (here < mass)
      lo = x;
    else
      hi = x;
    double next = x - (here - mass) / density;
    if (!(next > lo && next < hi)) next = 0.5 * (lo + hi);
    if (fabs(next - x) <= tolerance) return next;
    x = next;
  }
  return x;
}

/** Mass of panel k of `f` left of the quantile that has mass `below`, `above` on its sides. */
static double local_mass(const distribution *f, int k, double below, double above)
{
  return below < above ? below - f->below[k] : f->below[k + 1] - f->below[k] - (above - f->above[k + 1]);
}

/** int q (T - x)^2 over [from, to] in panel k of Q, where T lies in panel j of P. */
static double piece(const distribution *p, const distribution *q, int k, int j, double from, double to, const double *t,
                    const double *weight)
{
  double middle = 0.5 * (from + to), half = 0.5 * (to - from), sum = 0;
  for (int i = 0; i < NODES; i++) {
    double mass, x = middle + half * t[i], density = density_at(q, k, x, &mass);
    double below = q->below[k] + mass, above = q->above[k] - mass;
    double shift = inverse(p, j, local_mass(p, j, below, above)) - x;
    sum += weight[i] * density * shift * shift;
  }
  return half * sum;
}

dcs_status dcs_panels_w2_squared(const dcs_panels *panels, const double *p_density, const double *q_density,
                                 double *out)
{
  dcs_status st = DCS_OK;
  distribution p = {0}, q = {0};
  double t[NODES], weight[NODES], sum = 0;
  DCS_TRY(rule(t, weight));
  DCS_TRY(distribution_create(panels, p_density, &p));
  DCS_TRY(distribution_create(panels, q_density, &q));
  for (int k = 0, j = 0; k < panels->count; k++) {
    double from = panels->edge[k], end = panels->edge[k + 1];
    while (from < end) {
      /* the edge of P that T reaches next, seen from whichever end is nearer */
      bool left = p.below[j + 1] < p.above[j + 1];
      bool inside = j + 1 < panels->count && (left ? p.below[j + 1] < q.below[k + 1] : p.above[j + 1] > q.above[k + 1]);
      double to = inside ? inverse(&q, k, local_mass(&q, k, p.below[j + 1], p.above[j + 1])) : end;
      if (to > from) sum += piece(&p, &q, k, j, from, to, t, weight);
      from = fmax(from, to);
      if (inside)
        j++;
      else
        break;
    }
  }
  *out = sum;
  if (!isfinite(sum)) st = DCS_ENUMERIC;
done:
  distribution_destroy(&p);
  distribution_destroy(&q);
  return st;
}
