#include "metric/expansion.h"

#include <math.h>
#include <string.h>

/** U_k, k = 1..m, of n values (a - shift)/kappa; the values of group `skip` are left out. u[0] = 1. */
static void u_statistics(int count, const double *a, int skip, double shift, double kappa, int m, double *u)
{
  int size = count / DCS_EXPANSION_GROUPS, n = 0;
  memset(u, 0, (size_t)(m + 1) * sizeof *u);
  u[0] = 1;
  for (int i = 0; i < count; i++) {
    if (i / size == skip) continue;
    double b = (a[i] - shift) / kappa;
    n++;
    /* averages over all k-subsets instead of sums: U_k <- U_k + (k/n) (b U_{k-1} - U_k); no large binomials */
    for (int k = n < m ? n : m; k >= 1; k--) u[k] += (double)k / n * (b * u[k - 1] - u[k]);
  }
}

static void mean_variance(int count, const double *a, double *mean, double *variance)
{
  double m2 = 0;
  *mean = 0;
  for (int i = 0; i < count; i++) {
    double delta = a[i] - *mean;
    *mean += delta / (i + 1);
    m2 += delta * (a[i] - *mean);
  }
  *variance = m2 / (count - 1);
}

static int order_for(double noise, int available)
{
  int m = noise < 0.3 ? DCS_EXPANSION_ORDER : noise < 0.6 ? 4 : 2;
  return m < available ? m : available; /* available is a multiple of six, so m stays even */
}

void dcs_expand(int count, const double *a, dcs_expansion *out)
{
  int size = count / DCS_EXPANSION_GROUPS;
  double mean, first, second, variance1, variance2;
  *out = (dcs_expansion){0};
  for (int g = 0; g < DCS_EXPANSION_GROUPS; g++) {
    double u[DCS_EXPANSION_ORDER + 1], group, error2, sign = 1;
    mean_variance(size, a + g * size, &group, &error2);
    error2 /= size;
    double square = group * group, shift = square > 0 ? group * square / (square + error2) : 0;
    double kappa = 1 + shift, log_kappa = log1p(shift);
    int m = order_for(sqrt(error2) / kappa, count - size);
    u_statistics(count, a, g, shift, kappa, m, u);
    double kl = shift - log_kappa + shift * u[1];
    double rev = kappa * log_kappa - shift + kappa * log_kappa * u[1];
    for (int k = 2; k <= m; k++, sign = -sign) {
      kl += sign * u[k] / k;
      rev += kappa * sign * u[k] / (k * (k - 1));
    }
    out->kl += kl / DCS_EXPANSION_GROUPS;
    out->kl_rev += rev / DCS_EXPANSION_GROUPS;
    out->kl_remainder += u[m] / (m + 1) / DCS_EXPANSION_GROUPS;
    out->kl_rev_remainder += kappa * u[m] / (m * (m + 1)) / DCS_EXPANSION_GROUPS;
  }
  mean_variance(count, a, &mean, &out->variance);
  mean_variance(count / 2, a, &first, &variance1);
  mean_variance(count / 2, a + count / 2, &second, &variance2);
  out->variance2 = variance1 * variance2;
  out->signal_noise = (first * first - variance1 / (count / 2)) * variance2;
  out->chi2 = mean * mean - out->variance / count;
  out->mean_ratio = 1 + mean;
}

void dcs_expand_exact(double log_w, dcs_expansion *out)
{
  double a = expm1(log_w);
  *out = (dcs_expansion){.kl = a - log_w, .kl_rev = (1 + a) * log_w - a, .chi2 = a * a, .mean_ratio = 1 + a};
  if (fabs(log_w) < 1e-3) { /* a - log w = l^2/2 + l^3/6 + ... : the difference would lose digits */
    double l = log_w;
    out->kl = l * l * (1.0 / 2 + l * (1.0 / 6 + l * (1.0 / 24 + l / 120)));
    out->kl_rev = l * l * (1.0 / 2 + l * (1.0 / 3 + l * (1.0 / 8 + l / 30)));
  }
}
