/* Module sampler: every row of the step table against its formula in long double, fixed points, the run against the
 *  exact recursion on a normal law. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* needs the headers above */

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "support.h"

typedef struct {
  long double b, c2;
} coefficients;

/** OU length 1/2 log((1 + s^2)/(1 + t^2)), with log1p because s and t may be nearly equal. */
static long double ou_length(long double s, long double t) { return 0.5L * log1pl((s * s - t * t) / (1 + t * t)); }

/** B and c^2 of one step s -> t, `after` being the level that follows: the definitions, not the library's
 *  rearrangements. tau = s^2/(1 + s^2). */
static coefficients definition(const char *name, long double s, long double t, long double after, long double lambda)
{
  long double h = ou_length(s, t), h_next = ou_length(t, after);
  long double tau = s * s / (1 + s * s), ancestral = 1 - t * t / (s * s);
  if (strcmp(name, "ddpm-posterior") == 0) return (coefficients){ancestral, t * t * (s * s - t * t) / (s * s)};
  if (strcmp(name, "ddpm-beta") == 0) return (coefficients){ancestral, -expm1l(-2 * h) * (1 + t * t)};
  if (strcmp(name, "ddpm-big") == 0) return (coefficients){ancestral, s * s - t * t};
  if (strcmp(name, "jain-zhang") == 0)
    return (coefficients){-expm1l(-(h + h_next)) / tau, -expm1l(-2 * h_next) * (1 + t * t)};
  if (strcmp(name, "ei-sde") == 0) return (coefficients){-2 * expm1l(-h) / tau, s * s - t * t};
  if (strcmp(name, "ei-ode") == 0) return (coefficients){-expm1l(-h) / tau, 0};
  if (strcmp(name, "ddim") == 0) return (coefficients){1 - t / s, 0};
  if (strcmp(name, "churn") == 0) {
    long double u = t * powl(t / s, lambda);
    return (coefficients){1 - u / s, t * t - u * u};
  }
  fail_msg("no definition of %s", name);
  return (coefficients){0, 0};
}

/** Steps of 1e-4 to 0.7 in log sigma from 1e3 to 1e-3, uneven ones. */
static void test_table_against_definitions(void **state)
{
  (void)state;
  static const double falls[] = {0.9999, 0.99, 0.9, 0.5};
  static const double lambdas[] = {0, 0.3, 1, 2.5};
  for (int i = 0; dcs_sampler_at(i) != NULL; i++) {
    const dcs_sampler *sampler = dcs_sampler_at(i);
    assert_ptr_equal(dcs_sampler_find(sampler->name), sampler);
    for (double s = 1e3; s > 1e-3; s *= 0.7)
      for (int f = 0; f < 4; f++)
        for (int l = 0; l < (sampler->takes_lambda ? 4 : 1); l++) {
          double t = s * falls[f], after = t * falls[(f + 1) % 4];
          dcs_step step = sampler->step(s, t, after, lambdas[l]);
          coefficients exact = definition(sampler->name, s, t, after, lambdas[l]);
          /* a few roundings; s^2 - t^2 in the reference loses LDBL_EPSILON s^2 */
          double tolerance = 16 * DBL_EPSILON, floor = 1e-18;
          assert_near(step.sigma, s, 0);
          assert_near(step.sigma_next, t, 0);
          assert_near(step.b, (double)exact.b, tolerance * step.b + floor);
          assert_near(step.one_minus_b, (double)(1 - exact.b), tolerance * fmax(fabs(step.one_minus_b), step.b));
          assert_near(step.c2, (double)exact.c2, tolerance * step.c2 + floor * s * s);
          assert_near(step.u2, (double)((long double)t * t - exact.c2), tolerance * t * t);
          assert_true(sampler->deterministic == (step.c2 == 0) || (sampler->takes_lambda && lambdas[l] == 0));
          assert_true(step.b > 0 && step.c2 >= 0);
        }
  }
  assert_null(dcs_sampler_find("ddpm"));
  assert_null(dcs_sampler_at(-1));
}

static void assert_same_step(dcs_step a, dcs_step b, double tolerance)
{
  assert_near(a.b, b.b, tolerance);
  assert_near(a.one_minus_b, b.one_minus_b, tolerance);
  assert_near(a.c2, b.c2, tolerance * a.sigma_next * a.sigma_next);
  assert_near(a.u2, b.u2, tolerance * a.sigma_next * a.sigma_next);
}

/** u = sigma' gives ddim, u = sigma'^2/sigma gives ddpm-posterior; to a few roundings. */
static void test_churn_joins_ddim_and_ddpm(void **state)
{
  (void)state;
  const dcs_sampler *churn = dcs_sampler_find("churn");
  for (double s = 100; s > 1e-2; s *= 0.8) {
    assert_same_step(churn->step(s, 0.8 * s, 0.7 * s, 0), dcs_sampler_find("ddim")->step(s, 0.8 * s, 0.7 * s, 0),
                     16 * DBL_EPSILON);
    assert_same_step(churn->step(s, 0.8 * s, 0.7 * s, 1),
                     dcs_sampler_find("ddpm-posterior")->step(s, 0.8 * s, 0.7 * s, 0), 16 * DBL_EPSILON);
  }
}

/** With equal OU steps h' = h, jain-zhang is ddpm-beta: (1 - e^{-2h})/tau = 1 - sigma'^2/sigma^2. */
static void test_jain_zhang_on_equal_steps_is_ddpm_beta(void **state)
{
  (void)state;
  const double h = 0.05;
  for (double t = 3; t > 2.5 * h; t -= h) {
    double s = sqrt(expm1(2 * t)), next = sqrt(expm1(2 * (t - h))), after = sqrt(expm1(2 * (t - 2 * h)));
    /* rounding of the levels, over sigma^2 - sigma'^2 = 0.1 (1 + sigma'^2) */
    assert_same_step(dcs_sampler_find("jain-zhang")->step(s, next, after, 0),
                     dcs_sampler_find("ddpm-beta")->step(s, next, after, 0), 1e-13 * fmax(1, 1 / (next * next)));
  }
}

/** KL of the output law on N(0.5, variance I), exact. */
static double gaussian_kl(const char *sampler, double lambda, double variance, dcs_init init)
{
  static const double mean = 0.5;
  const dcs_estimator *estimator = dcs_estimator_find("gaussian");
  dcs_problem problem = make_problem(
      make_target("gaussian", (setting[]){{"variance", 1, 1, &variance}, {"mean", 1, 1, &mean}, {NULL, 0, 0, NULL}}),
      (setup){.sampler = sampler, .lambda = lambda, .sigma_max = 20, .delta = 1e-2, .steps = 48, .init = init});
  dcs_estimate all[DCS_SUMS_MAX];
  run_estimator(estimator, &problem, (dcs_stop){0.05, 1e6}, all, NULL);
  dcs_problem_destroy(&problem);
  return all[quantity_of(estimator, "kl")].value;
}

/** A fixed point keeps the variance to rounding e ~ 1e-15 at every step, and KL = e^2/4; away from it KL ~ 1/N^2. */
static void test_fixed_points(void **state)
{
  (void)state;
  static const char *const keep_variance_one[] = {"jain-zhang", "ddpm-beta", "ei-ode"};
  static const char *const keep_a_point[] = {"ddpm-posterior", "ddim", "churn"};
  for (int i = 0; i < 3; i++) {
    assert_near(gaussian_kl(keep_variance_one[i], 0, 1, DCS_INIT_EXACT), 0, 1e-25);
    for (double lambda = 0; lambda < 2; lambda += 0.5)
      assert_near(gaussian_kl(keep_a_point[i], lambda, 0, DCS_INIT_EXACT), 0, 1e-25);
    assert_near(gaussian_kl(keep_a_point[i], 0.5, 0, DCS_INIT_MEAN), 0, 1e-25);
    for (double variance = 0.3; variance < 4; variance += 0.2) {
      if (fabs(variance - 1) < 0.05) continue;
      assert_true(gaussian_kl(keep_variance_one[i], 0, variance, DCS_INIT_EXACT) > 1e-6);
      assert_true(gaussian_kl(keep_a_point[i], 0.5, variance, DCS_INIT_EXACT) > 1e-6);
    }
    assert_true(gaussian_kl(keep_variance_one[i], 0, 0, DCS_INIT_EXACT) > 1e-6);
    assert_true(gaussian_kl(keep_a_point[i], 0.5, 1, DCS_INIT_EXACT) > 1e-6);
  }
}

enum { D = 3, DRAWS = 2048 * DCS_LANES };

/** Mean and variance of 32768 outputs per coordinate of N(mean, diag lambda) against the recursion
 *      V <- g^2 V + c^2,   M - mean <- g (M - mean),   g = 1 - B sigma^2/(lambda + sigma^2).
 *  P(|z| > 4.5) = 7e-6 for each of 144 numbers; the output law is normal, so the errors are known. */
static void test_run_follows_the_recursion(void **state)
{
  (void)state;
  static const double lambda[D] = {0.25, 1, 4}, mean[D] = {1, -2, 0.5};
  const char *name = NULL;
  _Alignas(DCS_ALIGN) double x[D * DCS_LANES], z[D * DCS_LANES];
  for (int i = 0; dcs_sampler_at(i) != NULL; i++)
    for (dcs_init init = DCS_INIT_EXACT; init <= DCS_INIT_MEAN; init++) {
      setup s = {
          .sampler = dcs_sampler_at(i)->name, .lambda = 0.5, .sigma_max = 5, .delta = 0.01, .steps = 12, .init = init};
      dcs_problem problem = make_problem(sample_target(0, &name), s);
      const dcs_steps *steps = problem.steps;
      double m[D], v[D], sum[D] = {0}, square[D] = {0};
      for (int c = 0; c < D; c++) {
        m[c] = init == DCS_INIT_PRIOR ? -mean[c] : 0;
        v[c] = 25 + (init == DCS_INIT_EXACT ? lambda[c] : init == DCS_INIT_PRIOR ? 1 : 0);
        for (int k = 0; k < steps->count; k++) {
          double sigma2 = steps->step[k].sigma * steps->step[k].sigma;
          double g = 1 - steps->step[k].b * sigma2 / (lambda[c] + sigma2);
          m[c] *= g;
          v[c] = g * g * v[c] + steps->step[k].c2;
        }
      }
      dcs_posterior *post = NULL;
      must(dcs_posterior_create(problem.target, &post), NULL);
      dcs_stream draw = dcs_stream_create(7, DCS_PURPOSE_DRAW, (uint64_t)i);
      dcs_stream noise = dcs_stream_create(7, DCS_PURPOSE_STEP, (uint64_t)i);
      for (uint64_t n = 0; n < DRAWS; n += DCS_LANES) {
        dcs_lane_ids ids = lane_ids(n);
        dcs_sampler_run(problem.target, steps, post, draw, noise, &ids, x, z);
        for (int c = 0; c < D; c++)
          for (int l = 0; l < DCS_LANES; l++) {
            double e = x[c * DCS_LANES + l] - mean[c] - m[c];
            sum[c] += e;
            square[c] += e * e / v[c] - 1;
          }
      }
      for (int c = 0; c < D; c++) {
        assert_near(sum[c] / sqrt(DRAWS * v[c]), 0, 4.5);
        assert_near(square[c] / sqrt(2.0 * DRAWS), 0, 4.5);
      }
      dcs_posterior_destroy(&post);
      dcs_problem_destroy(&problem);
    }
}

/** The noise of step k is that of the stream at step k, and no step of a deterministic sampler draws any. */
static void test_run_is_the_formula_step_by_step(void **state)
{
  (void)state;
  const char *name = NULL;
  _Alignas(DCS_ALIGN) double x[2 * DCS_LANES], y[2 * DCS_LANES], z[2 * DCS_LANES];
  dcs_stream draw = dcs_stream_create(8, DCS_PURPOSE_DRAW, 1), noise = dcs_stream_create(8, DCS_PURPOSE_STEP, 1);
  dcs_lane_ids ids = lane_ids(1000);
  for (int i = 0; dcs_sampler_at(i) != NULL; i++) {
    setup s = {.sampler = dcs_sampler_at(i)->name, .lambda = 1, .sigma_max = 5, .delta = 0.01, .steps = 20};
    dcs_problem problem = make_problem(sample_target(2, &name), s);
    dcs_posterior *post = NULL;
    must(dcs_posterior_create(problem.target, &post), NULL);
    dcs_sampler_run(problem.target, problem.steps, post, draw, noise, &ids, x, z);
    dcs_sampler_draw(problem.target, problem.schedule->sigma[0], draw, &ids, y, z);
    for (int k = 0; k < problem.steps->count; k++) {
      const dcs_step *step = &problem.steps->step[k];
      assert_near(step->sigma, problem.schedule->sigma[k], 0);
      assert_near(step->sigma_next, problem.schedule->sigma[k + 1], 0);
      dcs_posterior_at(post, problem.schedule->sigma[k], y);
      dcs_stream_normal(noise, &ids, (uint32_t)k, 2, z);
      for (int j = 0; j < 2 * DCS_LANES; j++)
        y[j] += step->b * (dcs_posterior_mean(post)[j] - y[j]) + sqrt(step->c2) * z[j];
    }
    /* the compiler may contract multiply-adds differently here: rounding of 20 steps, amplified between modes */
    for (int j = 0; j < 2 * DCS_LANES; j++) assert_near(x[j], y[j], 1e-11);
    dcs_posterior_destroy(&post);
    dcs_problem_destroy(&problem);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_table_against_definitions),
      cmocka_unit_test(test_churn_joins_ddim_and_ddpm),
      cmocka_unit_test(test_jain_zhang_on_equal_steps_is_ddpm_beta),
      cmocka_unit_test(test_fixed_points),
      cmocka_unit_test(test_run_follows_the_recursion),
      cmocka_unit_test(test_run_is_the_formula_step_by_step),
  };
  return cmocka_run_group_tests_name("sampler", tests, NULL, NULL);
}
