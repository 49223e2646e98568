/** A law of intrinsic dimension k in R^D: the divergence is that of the law plus D - k times that of a point at 0. With
 *  the posterior variance the point is a fixed point, so D does not matter; the other variances pay for every dimension.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "metric/estimators.h"
#include "support.h"

static const dcs_stop any = {.rel_error = 0.05, .max_paths = 1e6};

static dcs_target *embedded(const char *law, double dimension, const setting *own)
{
  setting all[8] = {{0}};
  int n = 0;
  for (; own[n].key != NULL; n++) all[n] = own[n];
  if (dimension > 0) all[n] = (setting){"embed", 1, 1, &dimension};
  return make_target(law, all);
}

/** Divergence with its error by the instrument that the metric kl chooses; its name must be the one expected. */
static dcs_estimate measure(const char *expected, dcs_target *target, const char *sampler, dcs_stop stop)
{
  dcs_problem problem = make_problem(
      target,
      (setup){.sampler = sampler, .sigma_max = 20, .delta = 0.04, .steps = 64, .init = DCS_INIT_EXACT, .seed = 4});
  dcs_estimate e[DCS_SUMS_MAX];
  const dcs_estimator *estimator = NULL;
  dcs_error err = {""};
  int quantity = 0;
  must(dcs_metric_choose(dcs_metric_find("kl"), &problem, &estimator, &quantity, &err), &err);
  assert_string_equal(estimator->name, expected);
  run_estimator(estimator, &problem, stop, e, NULL);
  dcs_problem_destroy(&problem);
  return e[quantity];
}

static double of_a_point(const char *sampler)
{
  double zero = 0;
  return measure("gaussian", make_target("gaussian", (setting[]){{"variance", 1, 1, &zero}, {0}}), sampler, any).value;
}

static const char *const samplers[] = {"ddpm-posterior", "ddpm-beta", "ddpm-big"};

/** Closed form and quadrature: to their own bounds. */
static void exact_laws(void **state)
{
  (void)state;
  static const double spectrum[] = {2, 0.5, 0.1}, means[] = {-1, 1}, weights[] = {0.4, 0.6}, one = 1, three = 3;
  const double stddev = 0.2;
  const setting normal[] = {{"variance", 3, 1, spectrum}, {0}};
  const setting product[] = {{"means", 2, 1, means},  {"weights", 2, 1, weights}, {"stddev", 1, 1, &stddev},
                             {"product", 1, 1, &one}, {"d", 1, 1, &three},        {0}};
  for (int law = 0; law < 2; law++)
    for (int s = 0; s < 3; s++) {
      const char *name = law == 0 ? "gaussian" : "mixture", *instrument = law == 0 ? "gaussian" : "quadrature";
      const setting *own = law == 0 ? normal : product;
      dcs_estimate base = measure(instrument, embedded(name, 0, own), samplers[s], any);
      for (double d = 8; d <= 512; d *= 8) {
        dcs_estimate e = measure(instrument, embedded(name, d, own), samplers[s], any);
        double expected = base.value + (d - 3) * of_a_point(samplers[s]);
        assert_near(e.value, expected, e.bias_bound + base.bias_bound + 1e-12 * expected);
        if (s == 0) assert_near(e.value, base.value, 1e-10 * base.value); /* D does not matter, to rounding */
        if (s > 0) assert_true(e.value > base.value * (1 + 0.1 * d / 8));
      }
    }
}

/** A joint mixture: the same by the ratio estimator in R^D. */
static void by_ratios(void **state)
{
  (void)state;
  static const double means[3][2] = {{-1, 0}, {1, 0.3}, {0.2, 1}};
  const double stddev = 0.3;
  const setting own[] = {{"means", 3, 2, means[0]}, {"stddev", 1, 1, &stddev}, {0}};
  for (int s = 0; s < 2; s++) {
    dcs_estimate base = measure("ratio", embedded("mixture", 0, own), samplers[s], (dcs_stop){0.02, 1e7});
    for (double d = 6; d <= 24; d *= 4) {
      dcs_estimate e = measure("ratio", embedded("mixture", d, own), samplers[s], (dcs_stop){0.02, 1e7});
      double expected = base.value + (d - 2) * of_a_point(samplers[s]);
      print_message("%s, D = %g: %.5g +- %.2g, expected %.5g +- %.2g\n", samplers[s], d, e.value, e.std_error, expected,
                    base.std_error);
      /* four comparisons: P(one beyond 3.5 errors) = 0.2% if all is right; the seed is fixed */
      assert_near(e.value, expected, 3.5 * hypot(e.std_error, base.std_error) + e.bias_bound + base.bias_bound);
    }
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(exact_laws), cmocka_unit_test(by_ratios)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
