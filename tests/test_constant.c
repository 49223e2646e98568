/** The limit of steps^2 KL from short steps at random levels, against kl_constant.csv (densities propagated on a grid
 *  for up to 2048 steps and extrapolated) and against the closed form for Gaussian targets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "support.h"

static const double line2[] = {-1, 1}, line3[] = {-2, 0, 1.5}, weights2[] = {0.4, 0.6}, weights3[] = {0.2, 0.5, 0.3};
static const double narrow = 0.2, broad = 0.3;

/** A law of kl_constant.csv. */
static dcs_target *law(const char *name, double copies)
{
  if (strcmp(name, "two-point") == 0)
    return make_target("mixture", (setting[]){{"means", 2, 1, line2}, {"copies", 1, 1, &copies}, {0}});
  if (strcmp(name, "asymmetric") == 0)
    return make_target("mixture", (setting[]){{"means", 2, 1, line2},
                                              {"weights", 2, 1, weights2},
                                              {"stddev", 1, 1, &narrow},
                                              {"copies", 1, 1, &copies},
                                              {0}});
  return make_target("mixture", (setting[]){{"means", 3, 1, line3},
                                            {"weights", 3, 1, weights3},
                                            {"stddev", 1, 1, &broad},
                                            {"copies", 1, 1, &copies},
                                            {0}});
}

typedef struct {
  char law[16], sampler[32];
  double limit, error;
} row;

/** Rows of kl_constant.csv, sigma 20 to 0.1. */
static int read_rows(int capacity, row *rows)
{
  char path[4096], line[512];
  snprintf(path, sizeof path, "%s/tests/reference/kl_constant.csv", getenv("DCS_SOURCE"));
  FILE *f = fopen(path, "r");
  assert_non_null(f);
  assert_non_null(fgets(line, sizeof line, f));
  int n = 0;
  for (; n < capacity && fgets(line, sizeof line, f) != NULL; n++)
    assert_int_equal(sscanf(line, "%15[^,],%31[^,],20,0.1,%*f,%*f,%*f,%*f,%lf,%lf", rows[n].law, rows[n].sampler,
                            &rows[n].limit, &rows[n].error),
                     4);
  fclose(f);
  return n;
}

static double reference(const char *law_name, const char *sampler)
{
  row rows[16];
  for (int n = read_rows(16, rows), i = 0; i < n; i++)
    if (strcmp(rows[i].law, law_name) == 0 && strcmp(rows[i].sampler, sampler) == 0) return rows[i].limit;
  fail_msg("no row %s %s", law_name, sampler);
  return NAN;
}

/** One measurement; takes ownership of the target. Prints it beside `exact`; 1 when it is off by more than `errors`
 *  standard errors and the bias bound, or not as good as was asked for. */
static int agrees(const char *what, dcs_target *target, setup s, double rel_error, double exact, double errors,
                  dcs_estimate *result)
{
  const dcs_estimator *estimator = dcs_estimator_find("constant");
  dcs_estimate e[DCS_SUMS_MAX];
  dcs_design design;
  dcs_problem problem = make_problem(target, s);
  clock_t start = clock();
  dcs_next end = run_estimator(estimator, &problem, (dcs_stop){rel_error, 1e9}, e, &design);
  dcs_problem_destroy(&problem);
  double z = (e->value - exact) / e->std_error;
  printf("  %-28s %-14s %.5g +- %.2g, bias <= %.1e, exact %.5g, z %+.2f; %d inner, %lld outer, %.2f s\n", what,
         s.sampler, e->value, e->std_error, e->bias_bound, exact, z, design.inner,
         (long long)(design.outer * design.blocks), (double)(clock() - start) / CLOCKS_PER_SEC);
  if (result != NULL) *result = *e;
  return end == DCS_NEXT_DONE && fabs(e->value - exact) <= errors * e->std_error + e->bias_bound &&
                 e->std_error <= rel_error * e->value && e->bias_bound <= e->std_error
             ? 0
             : 1;
}

static setup usual(const char *sampler)
{
  return (setup){.sampler = sampler, .sigma_max = 20, .delta = 0.01, .steps = 64, .seed = 5};
}

/** 3.5 standard errors: chance 5e-4 for each of the comparisons, seeds fixed, never retried. The reference's own error
 *  is below 1e-4 of the value. */
static void one_dimension(void **state)
{
  (void)state;
  row rows[16];
  int n = read_rows(16, rows), bad = 0;
  assert_int_equal(n, 9);
  for (int i = 0; i < n; i++)
    bad += agrees(rows[i].law, law(rows[i].law, 1), usual(rows[i].sampler), 0.03, rows[i].limit, 3.5, NULL);
  assert_int_equal(bad, 0);
}

static double closed_form(dcs_target *target, setup s)
{
  dcs_estimate e[DCS_SUMS_MAX];
  dcs_problem problem = make_problem(target, s);
  run_estimator(dcs_estimator_find("gaussian-constant"), &problem, (dcs_stop){1, 1}, e, NULL);
  dcs_problem_destroy(&problem);
  return e->value;
}

static dcs_target *spectrum(int d)
{
  double *variance = calloc((size_t)d, sizeof *variance);
  for (int i = 0; i < d; i++) variance[i] = 4 * pow(0.25, (double)i / d);
  dcs_target *target = make_target("gaussian", (setting[]){{"variance", d, 1, variance}, {0}});
  free(variance);
  return target;
}

static void gaussian_targets(void **state)
{
  (void)state;
  static const int d[] = {1, 64, 1024};
  static const char *const samplers[] = {"ddpm-posterior", "jain-zhang", "ei-sde"};
  int bad = 0;
  for (int i = 0; i < 3; i++)
    for (int j = 0; j < (i == 2 ? 1 : 3); j++) {
      char what[32];
      snprintf(what, sizeof what, "gaussian, d = %d", d[i]);
      setup s = usual(samplers[j]);
      s.levels = j == 1 ? "jain-zhang" : NULL;
      dcs_estimate e;
      bad += agrees(what, spectrum(d[i]), s, 0.05, closed_form(spectrum(d[i]), s), 3.5, &e);
      assert_true(e.bias_bound < 5e-4 * e.value); /* O(h^2), h = 0.004; without extrapolation it would be O(h) */
    }
  assert_int_equal(bad, 0);
}

/** A joint law that is a product in disguise, and the same as a product: constants add. */
static void dimensions_add(void **state)
{
  (void)state;
  static const double cube[] = {-1, -1, -1, -1, -1, 1, -1, 1, -1, -1, 1, 1, 1, -1, -1, 1, -1, 1, 1, 1, -1, 1, 1, 1};
  int bad = 0;
  double one = reference("two-point", "ddpm-beta"), other = reference("asymmetric", "ddpm-posterior");
  bad += agrees("two-point^3, joint", make_target("mixture", (setting[]){{"means", 8, 3, cube}, {0}}),
                usual("ddpm-beta"), 0.03, 3 * one, 3.5, NULL);
  bad += agrees("asymmetric^40, product", law("asymmetric", 40), usual("ddpm-posterior"), 0.03, 40 * other, 3.5, NULL);
  assert_int_equal(bad, 0);
}

/** A mixture of four normal laws that is the asymmetric one in two coordinates and normal in the others: the constant
 *  is known. */
static void high_dimension(void **state)
{
  (void)state;
  enum { D = 1024 };
  static const double spread = 0.2, sign[] = {-1, 1};
  double *means = calloc(4 * D, sizeof *means), weights[4];
  for (int k = 0; k < 4; k++) {
    weights[k] = weights2[k / 2] * weights2[k % 2];
    for (int i = 0; i < D; i++) means[k * D + i] = i == 0 ? sign[k / 2] : i == 1 ? sign[k % 2] : 0;
  }
  setup s = usual("ddpm-beta");
  double variance = spread * spread;
  double rest = closed_form(make_target("gaussian", (setting[]){{"variance", 1, 1, &variance}, {0}}), s);
  dcs_target *target = make_target(
      "mixture", (setting[]){{"means", 4, D, means}, {"weights", 4, 1, weights}, {"stddev", 1, 1, &spread}, {0}});
  free(means);
  double exact = 2 * reference("asymmetric", "ddpm-beta") + (D - 2) * rest;
  assert_int_equal(agrees("mixture, d = 1024", target, s, 0.05, exact, 3.5, NULL), 0);
}

/** The cost and the value do not depend on the number of steps, along a rule that keeps its shape. */
static void steps_do_not_matter(void **state)
{
  (void)state;
  int bad = 0;
  setup s = usual("ddpm-big");
  s.steps = 8;
  double exact = closed_form(spectrum(4), s);
  bad += agrees("gaussian, N = 8", spectrum(4), s, 0.03, exact, 3.5, NULL);
  s.steps = 100000;
  bad += agrees("gaussian, N = 100000", spectrum(4), s, 0.03, exact, 3.5, NULL);
  assert_int_equal(bad, 0);
}

/** The error bar itself: over 200 seeds the variance of z must lie in [0.6, 1.4] (four standard deviations of a
 *  chi-square with 199 degrees of freedom over 199), its mean in +-4/sqrt(200). */
static void error_bars(void **state)
{
  (void)state;
  enum { SEEDS = 200 };
  const dcs_estimator *estimator = dcs_estimator_find("constant");
  double exact = reference("three", "ddpm-beta"), mean = 0, m2 = 0;
  for (int seed = 0; seed < SEEDS; seed++) {
    dcs_estimate e[DCS_SUMS_MAX];
    setup s = usual("ddpm-beta");
    s.seed = 1000 + (uint64_t)seed;
    dcs_problem problem = make_problem(law("three", 1), s);
    run_estimator(estimator, &problem, (dcs_stop){0.06, 1e8}, e, NULL);
    dcs_problem_destroy(&problem);
    double z = (e->value - exact) / e->std_error, delta = z - mean;
    mean += delta / (seed + 1);
    m2 += delta * (z - mean);
  }
  printf("  z has mean %+.3f, variance %.3f\n", mean, m2 / (SEEDS - 1));
  assert_in_range((int)(1000 * m2 / (SEEDS - 1)), 600, 1400);
  assert_true(fabs(mean) < 4 / sqrt(SEEDS));
}

/** A budget is kept, whatever the error is then. */
static void max_paths_is_kept(void **state)
{
  (void)state;
  dcs_estimate e[DCS_SUMS_MAX];
  dcs_design design;
  dcs_problem problem = make_problem(law("two-point", 1), usual("ddpm-posterior"));
  dcs_next end = run_estimator(dcs_estimator_find("constant"), &problem, (dcs_stop){0.001, 2e6}, e, &design);
  dcs_problem_destroy(&problem);
  assert_int_equal(end, DCS_NEXT_STOPPED);
  double paths = design.spent + (double)(design.outer * design.blocks) * design.inner;
  printf("  %.3g +- %.2g after %.3g draws\n", e->value, e->std_error, paths);
  assert_true(paths <= 2e6 && paths > 1e6);
  assert_true(e->std_error > 0.001 * e->value);
}

static void refused(setup s, const char *text)
{
  dcs_error err = {""};
  s.sigma_max = 20;
  s.delta = 0.01;
  s.steps = 64;
  dcs_problem problem = make_problem(law("asymmetric", 1), s);
  assert_int_equal(dcs_estimator_find("constant")->check(&problem, &err), DCS_EREFUSED);
  if (strstr(err.text, text) == NULL) fail_msg("%s", err.text);
  dcs_problem_destroy(&problem);
}

static void refusals(void **state)
{
  (void)state;
  refused((setup){.sampler = "ddim"}, "reverse SDE");
  refused((setup){.sampler = "ei-ode"}, "reverse SDE");
  refused((setup){.sampler = "churn", .lambda = 0.5}, "reverse SDE");
  refused((setup){.sampler = "heun"}, "faster than steps^-2");
  refused((setup){.sampler = "moment-2"}, "faster than steps^-2");
  refused((setup){.sampler = "ddpm-beta", .init = DCS_INIT_MEAN}, "init: exact");
}

/** churn with lambda = 1 is ddpm-posterior. */
static void churn_1_is_ddpm_posterior(void **state)
{
  (void)state;
  double exact = reference("three", "ddpm-posterior");
  setup s = usual("churn");
  s.lambda = 1;
  assert_int_equal(agrees("three, lambda = 1", law("three", 1), s, 0.05, exact, 3.5, NULL), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(one_dimension),
                                     cmocka_unit_test(gaussian_targets),
                                     cmocka_unit_test(dimensions_add),
                                     cmocka_unit_test(high_dimension),
                                     cmocka_unit_test(steps_do_not_matter),
                                     cmocka_unit_test(churn_1_is_ddpm_posterior),
                                     cmocka_unit_test(error_bars),
                                     cmocka_unit_test(max_paths_is_kept),
                                     cmocka_unit_test(refusals)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
