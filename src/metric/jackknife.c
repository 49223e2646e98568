#include "metric/jackknife.h"

#include <math.h>

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

/** a - l and (1 + a) l - a with l = log(1 + a): by their series in l where the difference would lose digits. */
static void divergences_at(double a, double l, double *kl, double *rev)
{
  *kl = a - l;
  *rev = (1 + a) * l - a;
  if (fabs(l) >= 1e-3) return;
  *kl = l * l * (1.0 / 2 + l * (1.0 / 6 + l * (1.0 / 24 + l / 120)));
  *rev = l * l * (1.0 / 2 + l * (1.0 / 3 + l * (1.0 / 8 + l / 30)));
}

/** Add f at the mean of the groups that are left. */
static void visit(double sum, int left, double theta[2])
{
  double kl, rev, a = sum / left;
  divergences_at(a, log1p(a), &kl, &rev);
  theta[0] += kl;
  theta[1] += rev;
}

void dcs_jackknife(int count, const double *a, dcs_divergences *out)
{
  enum { N = DCS_JACKKNIFE_GROUPS };
  int size = count / N, half = count / 2;
  double group[N] = {0}, total = 0, theta[4][2] = {{0}}, mean, first, second, variance1, variance2;
  for (int i = 0; i < count; i++) group[i / size] += a[i] / size;
  for (int i = 0; i < N; i++) total += group[i];
  visit(total, N, theta[0]);
  for (int i = 0; i < N; i++) {
    double without_i = total - group[i];
    visit(without_i, N - 1, theta[1]);
    for (int j = 0; j < i; j++) {
      double without_ij = without_i - group[j];
      visit(without_ij, N - 2, theta[2]);
      for (int k = 0; k < j; k++) visit(without_ij - group[k], N - 3, theta[3]);
    }
  }
  const double subsets[4] = {1, N, N * (N - 1) / 2.0, N * (N - 1) * (N - 2) / 6.0};
  double j3[2] = {0}, j2[2] = {0};
  for (int q = 0; q < 2; q++) {
    const double binomial3[4] = {1, -3, 3, -1}, binomial2[3] = {1, -2, 1};
    for (int j = 0; j < 4; j++) j3[q] += binomial3[j] * pow(N - j, 3) / 6 * (theta[j][q] / subsets[j]);
    for (int j = 0; j < 3; j++) j2[q] += binomial2[j] * pow(N - j, 2) / 2 * (theta[j][q] / subsets[j]);
  }
  *out = (dcs_divergences){.kl = j3[0], .kl_rev = j3[1], .kl_bias = j3[0] - j2[0], .kl_rev_bias = j3[1] - j2[1]};
  mean_variance(count, a, &mean, &out->variance);
  mean_variance(half, a, &first, &variance1);
  mean_variance(half, a + half, &second, &variance2);
  out->variance2 = variance1 * variance2;
  out->signal_noise = (first * first - variance1 / half) * variance2;
  out->chi2 = mean * mean - out->variance / count;
  out->mean_ratio = 1 + mean;
}

void dcs_divergences_exact(double log_w, dcs_divergences *out)
{
  double a = expm1(log_w);
  *out = (dcs_divergences){.chi2 = a * a, .mean_ratio = 1 + a};
  divergences_at(a, log_w, &out->kl, &out->kl_rev);
}
