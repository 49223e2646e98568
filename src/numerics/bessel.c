#include "numerics/bessel.h"

#include <string.h>

enum { TERMS = (DCS_BESSEL_COEFFICIENTS - 1) / 3, LEAST_ORDER = 30, HALF = 16 };

#define LOG_TWO_PI 1.8378770664093454835606594728112

/** sum_k U_k(p)/nu^k; U_{k+1} = p^2 (1 - p^2) U_k'/2 + 1/8 int_0^p (1 - 5 t^2) U_k dt (Abramowitz and Stegun 9.3.10). */
static void expand(double nu, double *sum)
{
  long double u[DCS_BESSEL_COEFFICIENTS + 3] = {1}, next[DCS_BESSEL_COEFFICIENTS + 3], scale = 1;
  memset(sum, 0, DCS_BESSEL_COEFFICIENTS * sizeof *sum);
  sum[0] = 1;
  for (int k = 0; k < TERMS; k++) {
    memset(next, 0, sizeof next);
    for (int j = k; j <= 3 * k; j++) {
      next[j + 1] += u[j] * (0.5L * j + 0.125L / (j + 1));
      next[j + 3] -= u[j] * (0.5L * j + 0.625L / (j + 3));
    }
    memcpy(u, next, sizeof u);
    scale /= nu;
    for (int j = 0; j < DCS_BESSEL_COEFFICIENTS; j++) sum[j] += (double)(u[j] * scale);
  }
}

void dcs_bessel_create(double nu, dcs_bessel *bessel)
{
  int down = nu < LEAST_ORDER ? (int)ceil(LEAST_ORDER - nu) : 0;
  *bessel = (dcs_bessel){.nu = nu, .down = down, .top = nu + down};
  expand(bessel->top, bessel->here);
  expand(bessel->top + 1, bessel->above);
}

/** log(e^-a I_nu(a)) = nu (y/(1 + w) - asinh y) + 1/2 log(p/(2 pi nu)) + log sum, y = nu/a, w = sqrt(1 + y^2), p = y/w. */
static dcs_vec debye(double nu, const double *coefficient, dcs_vec a)
{
  dcs_vec y = nu / a, w = dcs_vec_sqrt(1.0 + y * y), p = y / w, sum = dcs_vec_set(0);
  for (int j = DCS_BESSEL_COEFFICIENTS; j-- > 0;) sum = sum * p + coefficient[j];
  dcs_vec asinh_y = dcs_vec_log1p(y + y * y / (1.0 + w));
  return nu * (y / (1.0 + w) - asinh_y) + 0.5 * (dcs_vec_log(p / nu) - LOG_TWO_PI) + dcs_vec_log(sum);
}

dcs_vec dcs_bessel_log_i(const dcs_bessel *bessel, dcs_vec a)
{
  dcs_vec log_top = debye(bessel->top, bessel->here, a);
  if (bessel->down == 0) return log_top;
  dcs_vec above = dcs_vec_exp(debye(bessel->top + 1, bessel->above, a) - log_top), here = dcs_vec_set(1);
  dcs_vec two_over_a = 2.0 / a;
  for (int j = 0; j < bessel->down; j++) {
    if (j == HALF) { /* small a: values grow as (2 mu/a)^j */
      log_top += dcs_vec_log(here);
      above /= here;
      here = dcs_vec_set(1);
    }
    dcs_vec below = above + (bessel->top - j) * two_over_a * here;
    above = here;
    here = below;
  }
  return log_top + dcs_vec_log(here);
}
