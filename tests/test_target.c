/* Module target: the conformance suite on every sample target, one-dimensional laws against brute-force quadrature. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* needs the headers above */

#include <float.h>
#include <math.h>

#include "base/memory.h"
#include "conformance.h"
#include "support.h"

/** All checks of one kind on all sample targets at all these levels. */
static void run_checks(bool draws, int n_levels, const double *levels)
{
  const char *name = NULL;
  int failures = 0;
  dcs_target *target = NULL;
  for (int t = 0; (target = sample_target(t, &name)) != NULL; t++) {
    for (int c = 0; conformance_at(c) != NULL; c++) {
      const conformance_check *check = conformance_at(c);
      for (int s = 0; s < n_levels && check->draws == draws; s++) {
        double worst = check->worst(target, levels[s]);
        if (worst <= 1) continue;
        print_error("%s, sigma = %g: %s is %.3g times its tolerance off\n", name, levels[s], check->name, worst);
        failures++;
      }
    }
    dcs_target_destroy(&target);
  }
  assert_int_equal(failures, 0);
}

static void test_conformance_to_rounding(void **state)
{
  (void)state;
  static const double levels[] = {20, 5, 1, 0.3, 0.1, 0.01};
  run_checks(false, 6, levels);
}

static void test_conformance_of_draws(void **state)
{
  (void)state;
  static const double levels[] = {2, 0.3};
  run_checks(true, 2, levels);
}

/** The 1-D mixture means [-1, 1], weights [0.4, 0.6], stddev 0.2 (index 1 of the sample targets). */
static double density(double x)
{
  double a = (x + 1) / 0.2, b = (x - 1) / 0.2;
  return (0.4 * exp(-0.5 * a * a) + 0.6 * exp(-0.5 * b * b)) / (0.2 * sqrt(2 * acos(-1)));
}

/** log q, m and C from their definitions. The integrand is a sum of Gaussians in x_0 of standard deviation
 *  w >= 0.2 sigma/sqrt(0.04 + sigma^2) >= 0.044, for which the trapezoidal rule with spacing g is exact up to
 *  2 exp(-2 pi^2 w^2/g^2) < 1e-100; what is cut off beyond 10 standard deviations is below 1e-22. */
static void quadrature(double sigma, double x, double *log_q, double *m, double *c)
{
  const double g = 1.0 / 512;
  double q = 0, first = 0, second = 0;
  for (int pass = 0; pass < 2; pass++) /* the variance about the mean: no difference of large numbers */
    for (double y = -3; y <= 3; y += g) {
      double e = (x - y) / sigma, p = density(y) * exp(-0.5 * e * e);
      if (pass == 0) {
        q += p;
        first += p * y;
      } else {
        second += p * (y - first / q) * (y - first / q);
      }
    }
  *log_q = log(q * g / (sigma * sqrt(2 * acos(-1))));
  *m = first / q;
  *c = second / q;
}

static void test_one_dimension_by_quadrature(void **state)
{
  (void)state;
  const char *name = NULL;
  static const double levels[] = {5, 1, 0.3, 0.1, 0.045};
  _Alignas(DCS_ALIGN) double x[DCS_LANES], c[DCS_LANES];
  dcs_target *target = sample_target(1, &name);
  dcs_posterior *post = NULL;
  must(dcs_posterior_create(target, &post), NULL);
  for (int s = 0; s < 5; s++) {
    double reach = 1.2 + 3 * levels[s];
    for (int l = 0; l < DCS_LANES; l++) x[l] = reach * (2.0 * l / (DCS_LANES - 1) - 1);
    dcs_posterior_at(post, levels[s], x);
    dcs_posterior_trace(post, c);
    for (int l = 0; l < DCS_LANES; l++) {
      double log_q, m, variance;
      quadrature(levels[s], x[l], &log_q, &m, &variance);
      /* rounding of 3000 terms and of exponents up to 1e3 */
      assert_near(dcs_posterior_log_q(post)[l], log_q, 1e-11 * fmax(1, fabs(log_q)));
      assert_near(dcs_posterior_mean(post)[l], m, 1e-11);
      assert_near(c[l], variance, 1e-11 * fmax(1, variance));
    }
  }
  dcs_posterior_destroy(&post);
  dcs_target_destroy(&target);
}

/** Trapezoidal rule with spacing sigma/16: exact up to exp(-2 pi^2 16^2); rounding of at most 1e5 terms remains. */
static void test_densities_integrate_to_one(void **state)
{
  (void)state;
  const char *name = NULL;
  static const double levels[] = {5, 1, 0.3, 0.1};
  _Alignas(DCS_ALIGN) double x[DCS_LANES];
  dcs_target *target = NULL;
  for (int t = 0; (target = sample_target(t, &name)) != NULL; t++) {
    dcs_posterior *post = NULL;
    must(dcs_posterior_create(target, &post), NULL);
    for (int s = 0; s < 4 && dcs_target_dimension(target) == 1; s++) {
      double reach = 12 * (sqrt(dcs_target_variance(target)) + levels[s]), g = levels[s] / 16, total = 0;
      int n = (int)ceil(2 * reach / g / DCS_LANES);
      for (int i = 0; i < n; i++) {
        for (int l = 0; l < DCS_LANES; l++) x[l] = -reach + g * (i * DCS_LANES + l);
        dcs_posterior_at(post, levels[s], x);
        for (int l = 0; l < DCS_LANES; l++) total += g * exp(dcs_posterior_log_q(post)[l]);
      }
      assert_near(total, 1, 1e-12);
    }
    dcs_posterior_destroy(&post);
    dcs_target_destroy(&target);
  }
}

/** Mean and total variance by hand, to rounding. */
static void test_moments_by_hand(void **state)
{
  (void)state;
  const char *name = NULL;
  static const double mean[3] = {1, -2, 0.5};
  dcs_target *target = sample_target(0, &name);
  for (int i = 0; i < 3; i++) assert_near(dcs_target_mean(target)[i], mean[i], 0);
  assert_near(dcs_target_variance(target), 0.25 + 1 + 4, 8 * DBL_EPSILON);
  assert_near(dcs_target_gaussian(target, NULL)[2], 4, 0);
  dcs_target_destroy(&target);

  target = sample_target(1, &name);
  assert_near(dcs_target_mean(target)[0], 0.6 - 0.4, 4 * DBL_EPSILON);
  assert_near(dcs_target_variance(target), 0.04 + 1 - 0.04, 8 * DBL_EPSILON);
  assert_null(dcs_target_gaussian(target, NULL));
  dcs_target_destroy(&target);

  int copies = 0;
  target = sample_target(7, &name);
  assert_int_equal(dcs_target_dimension(target), 5);
  assert_int_equal(dcs_target_dimension(dcs_target_factor(target, &copies)), 1);
  assert_int_equal(copies, 5);
  for (int i = 0; i < 5; i++) assert_near(dcs_target_mean(target)[i], 0.2, 4 * DBL_EPSILON);
  assert_near(dcs_target_variance(target), 5, 64 * DBL_EPSILON);
  dcs_target_destroy(&target);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_conformance_to_rounding),
      cmocka_unit_test(test_conformance_of_draws),
      cmocka_unit_test(test_one_dimension_by_quadrature),
      cmocka_unit_test(test_densities_integrate_to_one),
      cmocka_unit_test(test_moments_by_hand),
  };
  return cmocka_run_group_tests_name("target", tests, NULL, NULL);
}
