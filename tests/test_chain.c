/** The estimators `chain` and `coupling` against one-dimensional quadrature (tests/reference/mixture1d.csv) and closed
 *  forms for normal laws. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

typedef struct {
  const char *name;
  int k;
  double mean[3], weight[3], stddev;
} line;

static const line lines[] = {{"two-point", 2, {-1, 1}, {0.5, 0.5}, 0},
                             {"asymmetric", 2, {-1, 1}, {0.4, 0.6}, 0.2},
                             {"three", 3, {-2, 0, 1.5}, {0.2, 0.5, 0.3}, 0.3}};

static dcs_target *make_line(const line *law)
{
  return make_target("mixture", (setting[]){{"means", law->k, 1, law->mean},
                                            {"weights", law->k, 1, law->weight},
                                            {"stddev", 1, 1, &law->stddev},
                                            {0}});
}

enum { COLUMN_W2 = 10, COLUMN_CHAIN = 12 };

/** A column of the row of mixture1d.csv with sigma 20 to 0.1; NAN when it is empty. */
static double reference(const char *target, const char *sampler, int steps, int column)
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
    if (n <= column || strcmp(field[0], target) != 0 || strcmp(field[4], sampler) != 0 || atoi(field[7]) != steps)
      continue;
    fclose(f);
    return field[column][0] == '\0' || field[column][0] == '\n' ? NAN : strtod(field[column], NULL);
  }
  fclose(f);
  fail_msg("no row %s %s %d", target, sampler, steps);
  return NAN;
}

/** Run to the relative error asked for; the result is the metric's own quantity. */
static dcs_estimate measure(const char *name, dcs_target *target, setup s, double rel_error)
{
  const dcs_estimator *estimator = dcs_estimator_find(name);
  dcs_estimate e[DCS_SUMS_MAX];
  dcs_problem problem = make_problem(target, s);
  dcs_next end = run_estimator(estimator, &problem, (dcs_stop){rel_error, 1e8}, e, NULL);
  assert_int_equal(end, DCS_NEXT_DONE);
  assert_true(e[0].std_error <= rel_error * e[0].value);
  dcs_problem_destroy(&problem);
  return e[0];
}

/** 3.5 standard errors: chance 5e-4 for each of the comparisons, seeds fixed, never retried. */
static int compare(const char *what, dcs_estimate e, double exact)
{
  double z = (e.value - exact) / e.std_error;
  printf("  %-34s %.5e +- %.1e, bias <= %.1e, exact %.5e, z %+.2f\n", what, e.value, e.std_error, e.bias_bound, exact,
         z);
  return fabs(e.value - exact) <= 3.5 * e.std_error + e.bias_bound && e.bias_bound < e.std_error ? 0 : 1;
}

static void chain_against_quadrature(void **state)
{
  (void)state;
  static const char *const samplers[] = {"ddpm-posterior", "ddpm-beta", "jain-zhang"};
  int bad = 0;
  for (size_t t = 0; t < sizeof lines / sizeof *lines; t++)
    for (size_t s = 0; s < sizeof samplers / sizeof *samplers; s++)
      for (int steps = 32; steps <= 128; steps *= 4) {
        char what[64];
        dcs_estimate e =
            measure("chain", make_line(&lines[t]),
                    (setup){.sampler = samplers[s], .sigma_max = 20, .delta = 0.01, .steps = steps, .seed = 5}, 0.03);
        snprintf(what, sizeof what, "%s %s %d", lines[t].name, samplers[s], steps);
        bad += compare(what, e, reference(lines[t].name, samplers[s], steps, COLUMN_CHAIN));
      }
  assert_int_equal(bad, 0);
}

/** The two-point law cubed, as a mixture of eight atoms in d = 3: the divergences of independent coordinates add. */
static void chain_of_a_product(void **state)
{
  (void)state;
  static const double cube[] = {-1, -1, -1, -1, -1, 1, -1, 1, -1, -1, 1, 1, 1, -1, -1, 1, -1, 1, 1, 1, -1, 1, 1, 1};
  int bad = 0;
  for (int steps = 32; steps <= 128; steps *= 4) {
    dcs_estimate e =
        measure("chain", make_target("mixture", (setting[]){{"means", 8, 3, cube}, {0}}),
                (setup){.sampler = "jain-zhang", .sigma_max = 20, .delta = 0.01, .steps = steps, .seed = 6}, 0.01);
    bad += compare("two-point cubed", e, 3 * reference("two-point", "jain-zhang", steps, COLUMN_CHAIN));
  }
  assert_int_equal(bad, 0);
}

static const double spectrum[] = {4, 1, 0.5, 0.25, 0.1, 0.03, 0.01, 0.001};
static const double means[] = {0.5, -1, 0, 2, 0.3, 0, -0.2, 1};

static dcs_target *normal(int d)
{
  return make_target("gaussian", (setting[]){{"variance", d, 1, spectrum}, {"mean", d, 1, means}, {0}});
}

/** phi and g: Phi_k and F_k of a step scale x - mu by these, for one eigenvalue. */
static void factors(const dcs_step *s, double lambda, double *phi, double *g)
{
  double q = lambda + s->sigma * s->sigma;
  *phi = sqrt((lambda + s->u2) / q);
  *g = 1 - s->b * s->sigma * s->sigma / q;
}

/** sum (phi - g)^2 (lambda + sigma^2)/(2 c^2) and the divergence of the initial law. */
static double chain_of_normal(int d, setup at)
{
  dcs_problem p = make_problem(normal(d), at);
  double total = 0, phi, g, s2 = p.steps->step[0].sigma * p.steps->step[0].sigma;
  for (int i = 0; i < d; i++) {
    for (int k = 0; k < p.steps->count; k++) {
      const dcs_step *s = &p.steps->step[k];
      factors(s, spectrum[i], &phi, &g);
      total += (phi - g) * (phi - g) * (spectrum[i] + s->sigma * s->sigma) / (2 * s->c2);
    }
    double q = spectrum[i] + s2, v = at.init == DCS_INIT_PRIOR ? 1 + s2 : s2;
    double shift = at.init == DCS_INIT_PRIOR ? means[i] * means[i] / v : 0;
    if (at.init != DCS_INIT_EXACT) total += 0.5 * (q / v - 1 - log(q / v) + shift);
  }
  dcs_problem_destroy(&p);
  return total;
}

static void chain_of_normal_laws(void **state)
{
  (void)state;
  static const char *const samplers[] = {"ddpm-posterior", "ddpm-beta", "jain-zhang", "churn"};
  int bad = 0;
  for (int d = 1; d <= 8; d += 7)
    for (size_t s = 0; s < sizeof samplers / sizeof *samplers; s++)
      for (int init = DCS_INIT_EXACT; init <= DCS_INIT_MEAN; init++) {
        char what[64];
        /* a low sigma_max, so that the initial law matters */
        setup at = {.sampler = samplers[s],
                    .lambda = 0.5,
                    .sigma_max = 5,
                    .delta = 0.01,
                    .steps = 48,
                    .seed = 7,
                    .init = (dcs_init)init};
        snprintf(what, sizeof what, "normal, d = %d, %s, init %d", d, samplers[s], init);
        bad += compare(what, measure("chain", normal(d), at, 0.005), chain_of_normal(d, at));
      }
  assert_int_equal(bad, 0);
}

/** E(Y - X)^2 of one eigenvalue with D = Y - X: the noise cancels in D' = g D + (g - phi)(X - mu), and in its
 *  covariance with X' - mu = phi (X - mu) + c z. For init exact D_0 = 0; init mean: Y_0 - mu has lost the variance
 *  lambda of the data. The mean of D, which init prior brings, adds its square. */
static double coupling_of_normal(int d, setup at)
{
  dcs_problem p = make_problem(normal(d), at);
  double total = 0, phi, g, sigma0 = p.steps->step[0].sigma;
  for (int i = 0; i < d; i++) {
    double lambda = spectrum[i], dd = 0, dx = 0, shift = 0, gain = 0;
    if (at.init != DCS_INIT_EXACT) { /* X_0 - mu = a + sigma z, D = gain z - a */
      gain = at.init == DCS_INIT_PRIOR ? sqrt(1 + sigma0 * sigma0) - sigma0 : 0;
      shift = at.init == DCS_INIT_PRIOR ? -means[i] : 0;
      dd = gain * gain + lambda;
      dx = gain * sigma0 - lambda;
    }
    for (int k = 0; k < p.steps->count; k++) {
      const dcs_step *s = &p.steps->step[k];
      factors(s, lambda, &phi, &g);
      double xx = lambda + s->sigma * s->sigma;
      dd = g * g * dd + 2 * g * (g - phi) * dx + (g - phi) * (g - phi) * xx;
      dx = phi * (g * dx + (g - phi) * xx);
      shift *= g;
    }
    total += dd + shift * shift;
  }
  dcs_problem_destroy(&p);
  return sqrt(total);
}

static void coupling_of_normal_laws(void **state)
{
  (void)state;
  static const char *const samplers[] = {"ddpm-posterior", "jain-zhang", "ddim"};
  int bad = 0;
  for (int d = 1; d <= 8; d += 7)
    for (size_t s = 0; s < sizeof samplers / sizeof *samplers; s++)
      for (int init = DCS_INIT_EXACT; init <= DCS_INIT_MEAN; init++) {
        char what[64];
        setup at = {
            .sampler = samplers[s], .sigma_max = 5, .delta = 0.01, .steps = 48, .seed = 8, .init = (dcs_init)init};
        snprintf(what, sizeof what, "normal, d = %d, %s, init %d", d, samplers[s], init);
        bad += compare(what, measure("coupling", normal(d), at, 0.005), coupling_of_normal(d, at));
      }
  assert_int_equal(bad, 0);
}

/** An upper bound of W2, to 3.5 standard errors. */
static void coupling_bounds_the_distance(void **state)
{
  (void)state;
  static const char *const samplers[] = {"ddpm-posterior", "ddpm-beta", "jain-zhang", "ddim", "ei-ode"};
  int bad = 0;
  for (size_t t = 0; t < sizeof lines / sizeof *lines; t++)
    for (size_t s = 0; s < sizeof samplers / sizeof *samplers; s++) {
      double w2 = reference(lines[t].name, samplers[s], 128, COLUMN_W2);
      if (isnan(w2)) continue;
      dcs_estimate e =
          measure("coupling", make_line(&lines[t]),
                  (setup){.sampler = samplers[s], .sigma_max = 20, .delta = 0.01, .steps = 128, .seed = 9}, 0.05);
      printf("  %s %s: %.4e +- %.1e, bias <= %.1e; W2 %.4e, ratio %.2f\n", lines[t].name, samplers[s], e.value,
             e.std_error, e.bias_bound, w2, e.value / w2);
      if (!(e.value >= w2 - 3.5 * e.std_error - e.bias_bound) || !(e.bias_bound < e.std_error)) bad++;
    }
  assert_int_equal(bad, 0);
}

/** Jain and Zhang's quantity falls like N^-2: from N = 64 to 256 the reference rows have a slope of -1.96, and the
 *  estimates theirs, to 3.5 standard errors. */
static void second_order(void **state)
{
  (void)state;
  for (size_t t = 0; t < sizeof lines / sizeof *lines; t++) {
    setup s = {.sampler = "jain-zhang", .sigma_max = 20, .delta = 0.01, .steps = 64, .seed = 10};
    dcs_estimate coarse = measure("chain", make_line(&lines[t]), s, 0.01);
    s.steps = 256;
    dcs_estimate fine = measure("chain", make_line(&lines[t]), s, 0.01);
    double slope = log2(fine.value / coarse.value) / 2;
    double exact = log2(reference(lines[t].name, "jain-zhang", 256, COLUMN_CHAIN) /
                        reference(lines[t].name, "jain-zhang", 64, COLUMN_CHAIN)) /
                   2;
    double error = hypot(fine.std_error / fine.value, coarse.std_error / coarse.value) / (2 * log(2));
    printf("  %s: slope %.3f +- %.3f, exact %.3f\n", lines[t].name, slope, error, exact);
    assert_near(exact, -2, 0.05);
    assert_near(slope, exact, 3.5 * error);
  }
}

/** Over 200 seeds z = (estimate - exact)/error has mean 0 to 4/sqrt(200), chance 6e-5, and a variance in [0.6, 1.4],
 *  four standard deviations of chi-square/199. */
static void error_bars(void **state)
{
  (void)state;
  enum { SEEDS = 200 };
  static const char *const names[] = {"chain", "coupling"};
  for (int i = 0; i < 2; i++) {
    double exact = 0, sum = 0, sum2 = 0;
    for (int n = 0; n < SEEDS; n++) {
      setup at = {.sampler = "ddpm-posterior",
                  .sigma_max = 5,
                  .delta = 0.01,
                  .steps = 24,
                  .seed = 100 + (uint64_t)n,
                  .init = DCS_INIT_MEAN};
      if (n == 0) exact = i == 0 ? chain_of_normal(8, at) : coupling_of_normal(8, at);
      dcs_estimate e[DCS_SUMS_MAX];
      dcs_problem problem = make_problem(normal(8), at);
      run_estimator(dcs_estimator_find(names[i]), &problem, (dcs_stop){1, i == 0 ? 256 : 1024}, e, NULL);
      dcs_problem_destroy(&problem);
      double z = (e[0].value - exact) / e[0].std_error;
      sum += z;
      sum2 += z * z;
    }
    double mean = sum / SEEDS, variance = (sum2 - SEEDS * mean * mean) / (SEEDS - 1);
    printf("  %s: z has mean %+.3f, variance %.2f\n", names[i], mean, variance);
    assert_near(mean, 0, 4 / sqrt(SEEDS));
    assert_near(variance, 1, 0.4);
  }
}

/** One step and two: the choice of levels and the flow over a long interval. */
static void few_steps(void **state)
{
  (void)state;
  int bad = 0;
  for (int steps = 1; steps <= 2; steps++) {
    setup at = {.sampler = "ddpm-posterior", .sigma_max = 5, .delta = 0.01, .steps = steps, .seed = 12};
    bad += compare("chain", measure("chain", normal(8), at, 0.005), chain_of_normal(8, at));
    bad += compare("coupling", measure("coupling", normal(8), at, 0.005), coupling_of_normal(8, at));
  }
  assert_int_equal(bad, 0);
}

/** The sums of a block are the same whatever was computed before, and with a work space of its own. */
static void blocks_repeat(void **state)
{
  (void)state;
  static const char *const names[] = {"chain", "coupling"};
  for (int i = 0; i < 2; i++) {
    const dcs_estimator *estimator = dcs_estimator_find(names[i]);
    dcs_error err = {""};
    dcs_design design = {.inner = 1, .outer = 32, .blocks = 3, .is_final = true};
    dcs_block_work *work = NULL, *fresh = NULL;
    dcs_sums first, other, again, alone;
    setup at = {.sampler = "ddpm-beta", .sigma_max = 20, .delta = 0.01, .steps = 24, .init = DCS_INIT_PRIOR, .seed = 3};
    dcs_problem problem = make_problem(make_line(&lines[2]), at);
    must(estimator->work_create(&problem, &work), NULL);
    must(estimator->work_create(&problem, &fresh), NULL);
    must(estimator->block(&problem, &design, 1, work, &first, &err), &err);
    must(estimator->block(&problem, &design, 2, work, &other, &err), &err);
    must(estimator->block(&problem, &design, 1, work, &again, &err), &err);
    must(estimator->block(&problem, &design, 1, fresh, &alone, &err), &err);
    assert_memory_equal(&first, &again, sizeof first);
    assert_memory_equal(&first, &alone, sizeof first);
    assert_memory_not_equal(&first, &other, sizeof first);
    assert_int_equal(first.n, 32);
    estimator->work_destroy(&work);
    estimator->work_destroy(&fresh);
    dcs_problem_destroy(&problem);
  }
}

static void refused(const char *estimator, const char *sampler, int steps, const char *why)
{
  dcs_error err = {""};
  dcs_problem problem =
      make_problem(make_line(&lines[1]), (setup){.sampler = sampler, .sigma_max = 20, .delta = 0.01, .steps = steps});
  dcs_status st = dcs_estimator_find(estimator)->check(&problem, &err);
  printf("  %s\n", err.text);
  assert_int_equal(st, DCS_EREFUSED);
  assert_non_null(strstr(err.text, why));
  dcs_problem_destroy(&problem);
}

static void refusals(void **state)
{
  (void)state;
  refused("chain", "ddim", 64, "infinite");
  refused("chain", "churn", 64, "infinite"); /* lambda = 0 is ddim */
  refused("chain", "heun", 64, "infinite");
  refused("chain", "moment-2", 64, "depends on the state");
  refused("chain", "ddpm-big", 8, "step 1 of 8 is too coarse");
  refused("coupling", "moment-2", 64, "depends on the state");
  refused("coupling", "ddpm-big", 8, "step 1 of 8 is too coarse");
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(chain_against_quadrature),
                                     cmocka_unit_test(chain_of_a_product),
                                     cmocka_unit_test(chain_of_normal_laws),
                                     cmocka_unit_test(coupling_of_normal_laws),
                                     cmocka_unit_test(coupling_bounds_the_distance),
                                     cmocka_unit_test(second_order),
                                     cmocka_unit_test(error_bars),
                                     cmocka_unit_test(few_steps),
                                     cmocka_unit_test(blocks_repeat),
                                     cmocka_unit_test(refusals)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
