/** The closed form for Gaussian targets against independent values, limits and the ratio estimator's own world. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

enum { KL, KL_REV, CHI2, W2, QUANTITIES };

static const dcs_stop no_stop = {0.05, 1e6};

static void measure(dcs_problem *problem, dcs_estimate *e)
{
  run_estimator(dcs_estimator_find("gaussian"), problem, no_stop, e, NULL);
  dcs_problem_destroy(problem);
}

static dcs_target *normal(int d, const double *variance, const double *mean)
{
  return make_target("gaussian", (setting[]){{"variance", d, 1, variance}, {"mean", d, 1, mean}, {0}});
}

static FILE *open_reference(const char *name)
{
  char path[4096];
  snprintf(path, sizeof path, "%s/tests/reference/%s", getenv("DCS_SOURCE"), name);
  FILE *f = fopen(path, "r");
  assert_non_null(f);
  return f;
}

/** Every row of a file of KL and W2, to a relative tolerance plus `rounding` times the recursion's own error, which is
 *  about 4 N DBL_EPSILON in V/Q - 1 = e when it is done in double precision: KL = e^2/4 carries e/2 of it, W2 ~ e
 *  sqrt(Q)/2 half. */
static void compare_file(const char *name, double tolerance, double rounding)
{
  char line[512];
  int rows = 0;
  double worst = 0;
  FILE *f = open_reference(name);
  assert_non_null(fgets(line, sizeof line, f));
  while (fgets(line, sizeof line, f) != NULL) {
    char sampler[32], init[16];
    double variance, sigma_max, sigma_min, kl, w2;
    int steps;
    assert_int_equal(sscanf(line, "%31[^,],%15[^,],%lf,%lf,%lf,%d,%lf,%lf", sampler, init, &variance, &sigma_max,
                            &sigma_min, &steps, &kl, &w2),
                     8);
    dcs_estimate e[QUANTITIES];
    dcs_problem problem = make_problem(normal(1, &variance, &(double){0}),
                                       (setup){.sampler = sampler,
                                               .sigma_max = sigma_max,
                                               .delta = sigma_min * sigma_min,
                                               .steps = steps,
                                               .init = strcmp(init, "prior") == 0 ? DCS_INIT_PRIOR : DCS_INIT_EXACT});
    measure(&problem, e);
    double absolute = rounding * 4 * steps * DBL_EPSILON, root = sqrt(variance + sigma_min * sigma_min);
    double kl_error = fabs(e[KL].value - kl), w2_error = fabs(e[W2].value - w2);
    /* the zeros (fixed points of a sampler) are zero up to the rounding of levels and coefficients */
    if (kl_error > tolerance * kl + absolute * (sqrt(kl) + absolute) + 1e-29 ||
        w2_error > tolerance * w2 + absolute * root + 1e-15)
      fail_msg("%s: kl %.17g, expected %.17g; w2 %.17g, expected %.17g", line, e[KL].value, kl, e[W2].value, w2);
    if (kl > 1e-20) worst = fmax(worst, kl_error / kl);
    rows++;
  }
  fclose(f);
  printf("%s: %d rows, worst relative deviation of KL %.1e\n", name, rows, worst);
  assert_int_equal(rows, 420);
}

static void equals_the_exact_values(void **state)
{
  (void)state;
  compare_file("gaussian_exact.csv", 1e-9, 0);
}

static void equals_the_double_precision_values(void **state)
{
  (void)state;
  compare_file("gaussian.csv", 1e-9, 1);
}

/** Independent coordinates add: KL and W2^2 of a spectrum are the sums over its eigenvalues. */
static void coordinates_add(void **state)
{
  (void)state;
  static const double spectrum[] = {0.25, 0.25, 4, 1, 0}, zero[] = {0, 0, 0, 0, 0};
  double kl = 0, w2 = 0;
  setup s = {.sampler = "ddpm-beta", .sigma_max = 20, .delta = 0.01, .steps = 64};
  dcs_estimate e[QUANTITIES], all[QUANTITIES];
  dcs_problem whole = make_problem(normal(5, spectrum, zero), s);
  measure(&whole, all);
  for (int i = 0; i < 5; i++) {
    dcs_problem one = make_problem(normal(1, &spectrum[i], zero), s);
    measure(&one, e);
    kl += e[KL].value;
    w2 += e[W2].value * e[W2].value;
  }
  assert_true(fabs(all[KL].value / kl - 1) < 1e-14);
  assert_true(fabs(all[W2].value / sqrt(w2) - 1) < 1e-14);
  double copies = 7;
  dcs_problem product = make_problem(
      make_target("gaussian",
                  (setting[]){{"variance", 5, 1, spectrum}, {"mean", 5, 1, zero}, {"copies", 1, 1, &copies}, {0}}),
      s);
  measure(&product, e);
  assert_true(fabs(e[KL].value / (7 * all[KL].value) - 1) < 1e-14);
  assert_true(fabs(log1p(e[CHI2].value) / (7 * log1p(all[CHI2].value)) - 1) < 1e-13);
}

/** A shifted mean under init prior, against the formulas for two normal laws with the recursion written out here. */
static void mean_is_tracked(void **state)
{
  (void)state;
  double lambda = 0.5, mean = 3, shift = -mean, v = 1 + 400, q = 0;
  dcs_problem problem =
      make_problem(normal(1, &lambda, &mean),
                   (setup){.sampler = "ddim", .sigma_max = 20, .delta = 0.01, .steps = 8, .init = DCS_INIT_PRIOR});
  for (int k = 0; k < 8; k++) {
    double s = problem.schedule->sigma[k], t = problem.schedule->sigma[k + 1];
    double g = 1 - (1 - t / s) * s * s / (lambda + s * s); /* ddim is linear on a normal law */
    v *= g * g;
    shift *= g;
    q = lambda + t * t;
  }
  dcs_estimate e[QUANTITIES];
  measure(&problem, e);
  double kl = 0.5 * (q / v - 1 - log(q / v) + shift * shift / v);
  double rev = 0.5 * (v / q - 1 - log(v / q) + shift * shift / q);
  double chi2 = q / sqrt(v * (2 * q - v)) * exp(shift * shift / (2 * q - v)) - 1;
  double w2 = sqrt(pow(sqrt(v) - sqrt(q), 2) + shift * shift);
  /* a few rounding errors of terms of order one */
  assert_true(fabs(e[KL].value - kl) < 1e-13);
  assert_true(fabs(e[KL_REV].value - rev) < 1e-13);
  assert_true(fabs(e[CHI2].value - chi2) < 1e-12);
  assert_true(fabs(e[W2].value - w2) < 1e-13);
}

/** On Jain and Zhang's own grid consecutive OU steps are almost equal, and with equal ones jain-zhang is ddpm-beta: their
 *  divergences differ by a relative O(1/N), about 0.7% at N = 256. */
static void jain_zhang_on_its_own_grid_is_almost_ddpm_beta(void **state)
{
  (void)state;
  const double variances[] = {0.25, 4};
  for (int i = 0; i < 2; i++) {
    dcs_estimate a[QUANTITIES], b[QUANTITIES];
    setup s = {.sampler = "jain-zhang", .levels = "jain-zhang", .sigma_max = 20, .delta = 0.01, .steps = 256};
    dcs_problem first = make_problem(normal(1, &variances[i], &(double){0}), s);
    measure(&first, a);
    s.sampler = "ddpm-beta";
    dcs_problem second = make_problem(normal(1, &variances[i], &(double){0}), s);
    measure(&second, b);
    assert_near(a[KL].value, b[KL].value, 0.01 * b[KL].value);
    assert_true(a[KL].value != b[KL].value);
  }
}

/** lim N^2 KL exists for every first-order sampler: halving the step divides KL by 4 up to O(1/N). */
static void second_order_in_the_step(void **state)
{
  (void)state;
  double lambda = 0.25, zero = 0;
  for (int i = 0; dcs_sampler_at(i) != NULL; i++) {
    dcs_estimate coarse[QUANTITIES], fine[QUANTITIES];
    setup s = {.sampler = dcs_sampler_at(i)->name, .sigma_max = 20, .delta = 0.01, .steps = 4096, .lambda = 0.5};
    dcs_problem a = make_problem(normal(1, &lambda, &zero), s);
    measure(&a, coarse);
    s.steps = 8192;
    dcs_problem b = make_problem(normal(1, &lambda, &zero), s);
    measure(&b, fine);
    double slope = log2(fine[KL].value / coarse[KL].value);
    if (fabs(slope + 2) > 0.01) fail_msg("%s: slope %.4f", s.sampler, slope); /* the O(1/N) term is about 20/4096 */
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(equals_the_exact_values),
                                     cmocka_unit_test(equals_the_double_precision_values),
                                     cmocka_unit_test(coordinates_add),
                                     cmocka_unit_test(mean_is_tracked),
                                     cmocka_unit_test(jain_zhang_on_its_own_grid_is_almost_ddpm_beta),
                                     cmocka_unit_test(second_order_in_the_step)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
