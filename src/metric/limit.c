#include "metric/limit.h"

#include <math.h>

dcs_step dcs_limit_step(const dcs_steps *steps, double sigma, double length)
{
  return steps->sampler->step(sigma, sigma * exp(-length), sigma * exp(-2 * length), steps->lambda);
}

long double dcs_limit_extrapolate(int n, const long double *f)
{
  long double t[DCS_LIMIT_LENGTHS];
  for (int i = 0; i < n; i++) t[i] = f[i];
  for (int order = 1; order < n; order++)
    for (int i = 0; i < n - order; i++) t[i] = t[i + 1] + (t[i + 1] - t[i]) / (long double)((1 << order) - 1);
  return t[0];
}

double dcs_limit_noise(const dcs_steps *steps, double sigma)
{
  long double f[DCS_LIMIT_LENGTHS];
  for (int i = 0; i < DCS_LIMIT_LENGTHS; i++) {
    double length = ldexp(DCS_LIMIT_LENGTH, -i);
    f[i] = dcs_limit_step(steps, sigma, length).c2 / (2 * length * (long double)sigma * sigma);
  }
  double kappa = (double)dcs_limit_extrapolate(DCS_LIMIT_LENGTHS, f), whole = round(kappa);
  return fabs(kappa - whole) < 1e-7 ? whole : kappa;
}

dcs_status dcs_limit_check(const dcs_problem *problem, const char *estimator, dcs_error *err)
{
  const dcs_steps *steps = problem->steps;
  const char *sampler = steps->sampler->name;
  if (steps->sampler->kind != DCS_MAP_ONE_SCORE)
    return dcs_fail(err, DCS_EREFUSED,
                    "%s: the KL of %s falls faster than steps^-2, the constant is 0; take a one-score sampler",
                    estimator, sampler);
  if (steps->error != NULL)
    return dcs_fail(err, DCS_EREFUSED, "%s: with a wrong score the KL does not vanish; take an exact score", estimator);
  if (steps->init != DCS_INIT_EXACT)
    return dcs_fail(err, DCS_EREFUSED, "%s: with this initial law the KL does not vanish; use init: exact", estimator);
  double first = dcs_limit_noise(steps, steps->step[0].sigma);
  double last = dcs_limit_noise(steps, steps->step[steps->count - 1].sigma_next);
  if (!(fabs(first - last) < 1e-6))
    return dcs_fail(err, DCS_EREFUSED, "%s: the noise of %s is not a fixed multiple of 2 h sigma^2", estimator,
                    sampler);
  return DCS_OK;
}
