#include "metric/line_compare.h"

#include <math.h>

enum { COUNT = DCS_LINE_W2_SQUARED };

/** The integrands at a node. From the logarithms: r itself overflows where p has a tail and q has none. */
static void at_node(double log_p, double log_q, double *f)
{
  double p = exp(log_p), q = exp(log_q), delta = log_p - log_q;
  if (fabs(delta) < 1) {
    double a = expm1(delta);
    f[DCS_LINE_KL] = q * (a - delta);
    f[DCS_LINE_KL_REV] = q * ((1 + a) * delta - a);
    f[DCS_LINE_CHI2] = q * a * a;
  } else {
    f[DCS_LINE_KL] = p - q - (q > 0 ? q * delta : 0);
    f[DCS_LINE_KL_REV] = p * delta - p + q;
    f[DCS_LINE_CHI2] = exp(log_p + delta) - 2 * p + q;
  }
}

void dcs_line_divergence(const dcs_line_density *density, dcs_line_divergences *out)
{
  const dcs_grid *grid = &density->grid;
  double length = (double)grid->n * grid->h;
  *out = (dcs_line_divergences){0};
  for (int64_t i = 0; i < grid->n; i++) {
    double f[COUNT], log_p = density->log_p[i], log_q = density->log_q[i];
    out->mass_error += grid->h * (exp(log_p) - exp(log_q));
    if (log_p == -INFINITY) {
      out->missed += grid->h * exp(log_q);
      continue;
    }
    at_node(log_p, log_q, f);
    for (int v = 0; v < COUNT; v++) {
      out->value[v] += grid->h * f[v];
      if (i == 0 || i == grid->n - 1) out->edge[v] = fmax(out->edge[v], length * fabs(f[v]));
    }
  }
}
