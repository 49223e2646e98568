/** The ratio estimator against one-dimensional quadrature, where a joint law in d dimensions is a product in disguise:
 *  given as a mixture of all combinations, its divergences are d times those of mixture1d.csv. */
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

#include "metric/jackknife.h"
#include "support.h"

static const double cube[] = {-1, -1, -1, -1, -1, 1, -1, 1, -1, -1, 1, 1, 1, -1, -1, 1, -1, 1, 1, 1, -1, 1, 1, 1};
static const double square[] = {-1, -1, -1, 1, 1, -1, 1, 1}, square_weights[] = {0.16, 0.24, 0.24, 0.36};
static const double line2[] = {-1, 1}, line2_weights[] = {0.4, 0.6}, stddev = 0.2;

static dcs_target *two_point_cubed(void) { return make_target("mixture", (setting[]){{"means", 8, 3, cube}, {0}}); }
static dcs_target *asymmetric_squared(void)
{
  return make_target(
      "mixture",
      (setting[]){{"means", 4, 2, square}, {"weights", 4, 1, square_weights}, {"stddev", 1, 1, &stddev}, {0}});
}
static dcs_target *asymmetric(double copies)
{
  return make_target("mixture", (setting[]){{"means", 2, 1, line2},
                                            {"weights", 2, 1, line2_weights},
                                            {"stddev", 1, 1, &stddev},
                                            {"copies", 1, 1, &copies},
                                            {0}});
}

/** kl_q_p and kl_p_q (NAN when empty) of a row of mixture1d.csv with sigma 20 to 0.1. */
static void reference(const char *target, const char *sampler, int steps, double *kl, double *rev)
{
  char path[4096], text[512];
  snprintf(path, sizeof path, "%s/tests/reference/mixture1d.csv", getenv("DCS_SOURCE"));
  FILE *f = fopen(path, "r");
  assert_non_null(f);
  while (fgets(text, sizeof text, f) != NULL) {
    char *field[16] = {0}, *c = text;
    int n = 0;
    for (bool quoted = false; *c != '\0' && n < 15; n++) { /* split at commas outside quotes */
      for (field[n] = c; *c != '\0' && (quoted || *c != ','); c++) quoted ^= *c == '"';
      if (*c != '\0') *c++ = '\0';
    }
    if (n < 10 || strcmp(field[0], target) != 0 || strcmp(field[4], sampler) != 0 || atoi(field[7]) != steps ||
        atof(field[5]) != 20 || atof(field[6]) != 0.1)
      continue;
    *kl = strtod(field[8], NULL);
    *rev = field[9][0] == '\0' ? NAN : strtod(field[9], NULL);
    fclose(f);
    return;
  }
  fclose(f);
  fail_msg("no row %s %s %d", target, sampler, steps);
}

/** 3.5 standard errors: chance 5e-4 for each of the comparisons, seeds fixed, never retried. */
static int compare(const char *what, dcs_estimate e, double exact, double errors)
{
  double z = (e.value - exact) / e.std_error;
  printf("    %-10s %.5e +- %.1e, bias <= %.1e, exact %.5e, z %+.2f\n", what, e.value, e.std_error, e.bias_bound, exact,
         z);
  return fabs(e.value - exact) <= errors * e.std_error + e.bias_bound ? 0 : 1;
}

static int agrees(const char *estimator_name, dcs_target *target, double copies, const char *law, const char *sampler,
                  int steps, double rel_error)
{
  double kl, rev;
  const dcs_estimator *estimator = dcs_estimator_find(estimator_name);
  dcs_estimate e[DCS_SUMS_MAX];
  dcs_design design;
  reference(law, sampler, steps, &kl, &rev);
  dcs_problem problem =
      make_problem(target, (setup){.sampler = sampler, .sigma_max = 20, .delta = 0.01, .steps = steps, .seed = 11});
  clock_t start = clock();
  dcs_next end = run_estimator(estimator, &problem, (dcs_stop){rel_error, 1e8}, e, &design);
  dcs_problem_destroy(&problem);
  dcs_estimate q = e[quantity_of(estimator, "kl")];
  printf("  %s^%g %s N = %d: %d inner, %lld outer, %.1f s\n", law, copies, sampler, steps, design.inner,
         (long long)(design.outer * design.blocks), (double)(clock() - start) / CLOCKS_PER_SEC);
  int bad = compare("kl", q, copies * kl, 3.5);
  if (!isnan(rev)) bad += compare("kl_rev", e[quantity_of(estimator, "kl_rev")], copies * rev, 3.5);
  bad += compare("mean_ratio", e[quantity_of(estimator, "mean_ratio")], 1, 4);
  if (end != DCS_NEXT_DONE || q.std_error > rel_error * q.value || q.bias_bound > 3 * q.std_error) {
    printf("    not measured to the error asked for\n");
    bad++;
  }
  return bad;
}

static const char *const samplers[] = {"ddpm-posterior", "ddpm-beta", "jain-zhang", "ddim", "ei-ode"};

static void two_point(void **state)
{
  (void)state;
  int bad = 0;
  for (size_t s = 0; s < sizeof samplers / sizeof *samplers; s++)
    for (int steps = 64; steps <= 128; steps *= 2)
      bad += agrees("ratio", two_point_cubed(), 3, "two-point", samplers[s], steps, 0.03);
  assert_int_equal(bad, 0);
}

static void asymmetric_pair(void **state)
{
  (void)state;
  int bad = 0;
  for (size_t s = 0; s < sizeof samplers / sizeof *samplers; s++)
    for (int steps = 64; steps <= 128; steps *= 2)
      bad += agrees("ratio", asymmetric_squared(), 2, "asymmetric", samplers[s], steps, 0.03);
  assert_int_equal(bad, 0);
}

/** The factor estimator, and the joint one forced on a product target: one law, three ways of giving it. */
static void factors(void **state)
{
  (void)state;
  int bad = agrees("ratio-factor", asymmetric(16), 16, "asymmetric", "jain-zhang", 64, 0.03);
  bad += agrees("ratio", asymmetric(2), 2, "asymmetric", "jain-zhang", 64, 0.03);
  assert_int_equal(bad, 0);
}

/** Every sampler that both take, from every initial law, on a normal target, where the closed form is exact. sigma_max is
 *  small enough for the initial law to matter. */
static void normal_target(void **state)
{
  (void)state;
  const double variance[] = {4, 1}, mean[] = {1, -2};
  const dcs_estimator *ratio = dcs_estimator_find("ratio"), *closed = dcs_estimator_find("gaussian");
  int bad = 0, tried = 0;
  for (int i = 0; dcs_sampler_at(i) != NULL; i++)
    for (dcs_init init = DCS_INIT_EXACT; init <= DCS_INIT_MEAN; init++) {
      dcs_estimate e[DCS_SUMS_MAX], exact[DCS_SUMS_MAX];
      dcs_error err = {""};
      dcs_target *target =
          make_target("gaussian", (setting[]){{"variance", 2, 1, variance}, {"mean", 2, 1, mean}, {0}});
      dcs_problem problem = make_problem(target, (setup){.sampler = dcs_sampler_at(i)->name,
                                                         .sigma_max = 3,
                                                         .delta = 0.04,
                                                         .steps = 32,
                                                         .lambda = 0.5,
                                                         .init = init,
                                                         .seed = 3});
      if (closed->check(&problem, &err) != DCS_OK || ratio->check(&problem, &err) != DCS_OK) {
        dcs_problem_destroy(&problem);
        continue;
      }
      tried++;
      run_estimator(closed, &problem, (dcs_stop){1, 1}, exact, NULL);
      run_estimator(ratio, &problem, (dcs_stop){0.05, 1e7}, e, NULL);
      printf("  %s, init %d\n", dcs_sampler_at(i)->name, (int)init);
      bad += compare("kl", e[0], exact[quantity_of(closed, "kl")].value, 3.5);
      bad += compare("kl_rev", e[1], exact[quantity_of(closed, "kl_rev")].value, 3.5);
      bad += compare("chi2", e[2], exact[quantity_of(closed, "chi2")].value, 3.5);
      bad += compare("mean_ratio", e[3], 1, 4);
      dcs_problem_destroy(&problem);
    }
  assert_true(tried >= 3 * 8); /* the one-score samplers at least */
  assert_int_equal(bad, 0);
}

/** The error bar itself: over 200 seeds the variance of z must lie in [0.6, 1.4] (four standard deviations of a
 *  chi-square with 199 degrees of freedom over 199), its mean in +-4/sqrt(200). */
static void error_bars(const char *sampler, int steps)
{
  enum { SEEDS = 200 };
  const dcs_estimator *estimator = dcs_estimator_find("ratio");
  double kl, rev, mean = 0, m2 = 0;
  reference("asymmetric", sampler, steps, &kl, &rev);
  for (int seed = 0; seed < SEEDS; seed++) {
    dcs_estimate e[DCS_SUMS_MAX];
    dcs_problem problem = make_problem(
        asymmetric(1),
        (setup){.sampler = sampler, .sigma_max = 20, .delta = 0.01, .steps = steps, .seed = 1000 + (uint64_t)seed});
    run_estimator(estimator, &problem, (dcs_stop){0.1, 1e7}, e, NULL);
    dcs_problem_destroy(&problem);
    double z = (e[0].value - kl) / e[0].std_error, delta = z - mean;
    mean += delta / (seed + 1);
    m2 += delta * (z - mean);
  }
  printf("  %s: z has mean %+.3f, variance %.3f\n", sampler, mean, m2 / (SEEDS - 1));
  assert_in_range((int)(1000 * m2 / (SEEDS - 1)), 600, 1400);
  assert_true(fabs(mean) < 4 / sqrt(SEEDS));
}

static void error_bars_noisy(void **state)
{
  (void)state;
  error_bars("ddpm-beta", 64);
}
static void error_bars_deterministic(void **state)
{
  (void)state;
  error_bars("ddim", 64);
}

/** The jackknife alone, on weights with known mean: log-normal with E w = 1 + A. */
static void jackknife_is_unbiased(void **state)
{
  (void)state;
  enum { N = 40000, M = 32 };
  const double signal[] = {0.02, 0.3, -0.4}, noise = 0.5;
  for (size_t c = 0; c < sizeof signal / sizeof *signal; c++) {
    dcs_sums sums = {0};
    dcs_stream stream = dcs_stream_create(5, DCS_PURPOSE_DRAW, c);
    for (uint64_t i = 0; i < N; i++) {
      double a[M], u[2];
      for (uint32_t j = 0; j < M; j++) {
        dcs_stream_uniform2_ref(stream, i, j, 0, 0, u);
        double z = sqrt(-2 * log(u[0])) * cos(2 * acos(-1) * u[1]);
        a[j] = (1 + signal[c]) * exp(noise * z - noise * noise / 2) - 1;
      }
      dcs_divergences e;
      dcs_jackknife(M, a, &e);
      dcs_sums_add(&sums, 4, (double[]){e.kl, e.kl_rev, e.chi2, e.kl_bias});
    }
    double r = 1 + signal[c];
    dcs_estimate kl = dcs_sums_estimate(&sums, 0), bias = dcs_sums_estimate(&sums, 3);
    kl.bias_bound = fabs(bias.value) + 3 * bias.std_error;
    assert_int_equal(compare("kl", kl, r - 1 - log(r), 4), 0);
    assert_int_equal(compare("kl_rev", dcs_sums_estimate(&sums, 1), r * log(r) - r + 1, 4), 0);
    assert_int_equal(compare("chi2", dcs_sums_estimate(&sums, 2), signal[c] * signal[c], 4), 0);
    /* a plug-in log of the mean would be off by Var(w)/2M r^2 = 0.0044, more than five of these errors */
    assert_true(kl.std_error < 0.0008);
  }
}

/** Far too few steps: the weights that carry the mass are never seen, E r = 1 fails, and no error is claimed to be
 *  known. */
static void missing_mass_is_admitted(void **state)
{
  (void)state;
  dcs_estimate e[DCS_SUMS_MAX];
  const double means[] = {-1, -1, 1, 0.5, 0.5, -1, 1, 0, 1};
  const dcs_estimator *ratio = dcs_estimator_find("ratio");
  dcs_target *target = make_target("mixture", (setting[]){{"means", 3, 3, means}, {"stddev", 1, 1, &stddev}, {0}});
  dcs_problem problem =
      make_problem(target, (setup){.sampler = "ddpm-big", .sigma_max = 20, .delta = 0.01, .steps = 16, .seed = 1});
  run_estimator(ratio, &problem, (dcs_stop){0.05, 4e5}, e, NULL);
  printf("  kl %.3g +- %.2g, mean_ratio %.3g +- %.2g\n", e[0].value, e[0].std_error,
         e[quantity_of(ratio, "mean_ratio")].value, e[quantity_of(ratio, "mean_ratio")].std_error);
  assert_true(isinf(e[quantity_of(ratio, "kl")].bias_bound));
  assert_true(isinf(e[quantity_of(ratio, "kl_rev")].bias_bound));
  assert_true(isinf(e[quantity_of(ratio, "chi2")].bias_bound));
  dcs_problem_destroy(&problem);
}

/** A step whose noise is as large as its level is refused in words. */
static void coarse_steps_are_refused(void **state)
{
  (void)state;
  dcs_error err = {""};
  dcs_problem problem =
      make_problem(asymmetric(1), (setup){.sampler = "ddpm-big", .sigma_max = 20, .delta = 0.01, .steps = 8});
  assert_int_equal(dcs_estimator_find("ratio")->check(&problem, &err), DCS_EREFUSED);
  assert_non_null(strstr(err.text, "too coarse"));
  assert_non_null(strstr(err.text, "use more steps"));
  dcs_problem_destroy(&problem);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(two_point),
                                     cmocka_unit_test(asymmetric_pair),
                                     cmocka_unit_test(factors),
                                     cmocka_unit_test(normal_target),
                                     cmocka_unit_test(error_bars_noisy),
                                     cmocka_unit_test(error_bars_deterministic),
                                     cmocka_unit_test(jackknife_is_unbiased),
                                     cmocka_unit_test(missing_mass_is_admitted),
                                     cmocka_unit_test(coarse_steps_are_refused)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
