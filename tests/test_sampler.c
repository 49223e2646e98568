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
#include "sampler/score_error.h"
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
  if (strcmp(name, "ddpm-posterior") == 0 || strcmp(name, "moment-2") == 0 || strcmp(name, "moment-3") == 0)
    return (coefficients){ancestral, t * t * (s * s - t * t) / (s * s)};
  if (strcmp(name, "ddpm-beta") == 0) return (coefficients){ancestral, -expm1l(-2 * h) * (1 + t * t)};
  if (strcmp(name, "ddpm-big") == 0) return (coefficients){ancestral, s * s - t * t};
  if (strcmp(name, "jain-zhang") == 0)
    return (coefficients){-expm1l(-(h + h_next)) / tau, -expm1l(-2 * h_next) * (1 + t * t)};
  if (strcmp(name, "ei-sde") == 0) return (coefficients){-2 * expm1l(-h) / tau, s * s - t * t};
  if (strcmp(name, "ei-ode") == 0) return (coefficients){-expm1l(-h) / tau, 0};
  if (strcmp(name, "ddim") == 0 || strcmp(name, "heun") == 0) return (coefficients){1 - t / s, 0};
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

/** Factor that step k multiplies the distance from the mean by, and the variance it adds, on N(mean, lambda I). Heun in
 *  the form of Karras et al.: dx/dsigma = e(sigma) x. */
static void linear_step(const dcs_steps *steps, int k, double lambda, double *g, double *added)
{
  const dcs_step *s = &steps->step[k];
  double s2 = s->sigma * s->sigma, t2 = s->sigma_next * s->sigma_next, h = s->sigma_next - s->sigma;
  double first = s->sigma / (lambda + s2), second = s->sigma_next / (lambda + t2);
  *g = 1 - s->b * s2 / (lambda + s2);
  *added = s->c2;
  if (steps->sampler->kind == DCS_MAP_HEUN) *g = 1 + 0.5 * h * (first + second * (1 + h * first));
  if (steps->sampler->kind == DCS_MAP_MOMENT_2 || steps->sampler->kind == DCS_MAP_MOMENT_3)
    *added += s->b * s->b * lambda * s2 / (lambda + s2);
}

/** Mean and variance of 32768 outputs per coordinate of N(mean, diag lambda) against the recursion
 *      V <- g^2 V + added,   M - mean <- g (M - mean).
 *  P(|z| > 4.5) = 7e-6 for each of 198 numbers; the output law is normal, so the errors are known (moment-3 ends near
 *  enough to one: its kurtosis is that of 12 sums of unequal coins). */
static void test_run_follows_the_recursion(void **state)
{
  (void)state;
  static const double lambda[D] = {0.25, 1, 4}, mean[D] = {1, -2, 0.5};
  _Alignas(DCS_ALIGN) double x[D * DCS_LANES], z[D * DCS_LANES];
  for (int i = 0; dcs_sampler_at(i) != NULL; i++)
    for (dcs_init init = DCS_INIT_EXACT; init <= DCS_INIT_MEAN; init++) {
      const dcs_sampler *sampler = dcs_sampler_at(i);
      int d = sampler->kind == DCS_MAP_MOMENT_3 ? 1 : D;
      dcs_target *target =
          make_target("gaussian", (setting[]){{"variance", d, 1, lambda}, {"mean", d, 1, mean}, {NULL, 0, 0, NULL}});
      dcs_problem problem = make_problem(
          target,
          (setup){.sampler = sampler->name, .lambda = 0.5, .sigma_max = 5, .delta = 0.01, .steps = 12, .init = init});
      const dcs_steps *steps = problem.steps;
      double m[D], v[D], sum[D] = {0}, square[D] = {0}, g, added;
      for (int c = 0; c < d; c++) {
        m[c] = init == DCS_INIT_PRIOR ? -mean[c] : 0;
        v[c] = 25 + (init == DCS_INIT_EXACT ? lambda[c] : init == DCS_INIT_PRIOR ? 1 : 0);
        for (int k = 0; k < steps->count; k++) {
          linear_step(steps, k, lambda[c], &g, &added);
          m[c] *= g;
          v[c] = g * g * v[c] + added;
        }
        /* mean and covariance of every reverse step are exact, and so is the output (level 0.1): rounding of 12 steps */
        if (sampler->kind == DCS_MAP_MOMENT_2 && init == DCS_INIT_EXACT) assert_near(v[c], lambda[c] + 0.01, 1e-13);
      }
      dcs_posterior *post = NULL;
      must(dcs_posterior_create(target, &post), NULL);
      dcs_stream draw = dcs_stream_create(7, DCS_PURPOSE_DRAW, (uint64_t)i);
      dcs_stream noise = dcs_stream_create(7, DCS_PURPOSE_STEP, (uint64_t)i);
      for (uint64_t n = 0; n < DRAWS; n += DCS_LANES) {
        dcs_lane_ids ids = lane_ids(n);
        dcs_sampler_run(target, steps, post, draw, noise, &ids, x, z);
        for (int c = 0; c < d; c++)
          for (int l = 0; l < DCS_LANES; l++) {
            double e = x[c * DCS_LANES + l] - mean[c] - m[c];
            sum[c] += e;
            square[c] += e * e / v[c] - 1;
          }
      }
      for (int c = 0; c < d; c++) {
        assert_near(sum[c] / sqrt(DRAWS * v[c]), 0, 4.5);
        assert_near(square[c] / sqrt(2.0 * DRAWS), 0, 4.5);
      }
      dcs_posterior_destroy(&post);
      dcs_problem_destroy(&problem);
    }
}

/** x <- x + B (m^ - x), m^ at level k. */
static void euler(const dcs_steps *steps, int k, double sigma, dcs_posterior *post, int n, double b, double *x)
{
  _Alignas(DCS_ALIGN) double m[2 * DCS_LANES];
  dcs_posterior_at(post, sigma, x);
  memcpy(m, dcs_posterior_mean(post), (size_t)n * sizeof *m);
  if (steps->error != NULL) dcs_score_error_shift(steps->error, k, x, m);
  for (int j = 0; j < n; j++) x[j] += b * (m[j] - x[j]);
}

/** One step of every kind, written out. */
static void formula(const dcs_problem *problem, int k, dcs_posterior *post, dcs_stream noise, const dcs_lane_ids *ids,
                    int d, double *y)
{
  _Alignas(DCS_ALIGN) double z[2 * DCS_LANES], before[2 * DCS_LANES], slope[2 * DCS_LANES], third[DCS_LANES];
  _Alignas(DCS_ALIGN) double variance[DCS_LANES], coin[DCS_LANES], unused[DCS_LANES];
  const dcs_steps *steps = problem->steps;
  const dcs_step *step = &steps->step[k];
  double s = problem->schedule->sigma[k], t = problem->schedule->sigma[k + 1];
  int n = d * DCS_LANES;
  memcpy(before, y, (size_t)n * sizeof *y);
  euler(steps, k, s, post, n, step->b, y);
  switch (steps->sampler->kind) {
  case DCS_MAP_HEUN: /* Karras et al., Algorithm 1 */
    for (int j = 0; j < n; j++) slope[j] = (y[j] - before[j]) / (t - s);
    memcpy(z, y, (size_t)n * sizeof *y);
    euler(steps, k + 1, t, post, n, 1, y); /* B = 1: m^ itself */
    for (int j = 0; j < n; j++) y[j] = before[j] + 0.5 * (t - s) * (slope[j] + (z[j] - y[j]) / t);
    return;
  case DCS_MAP_MOMENT_2:
    dcs_posterior_noise(post, dcs_stream_fork(noise, 0), ids, (uint32_t)k, z);
    for (int j = 0; j < n; j++) y[j] += step->b * z[j];
    break;
  case DCS_MAP_MOMENT_3:
    dcs_posterior_trace(post, variance);
    dcs_posterior_third(post, third);
    dcs_stream_uniform2(dcs_stream_fork(noise, 0), ids, (uint32_t)k, 0, coin, unused);
    for (int l = 0; l < DCS_LANES; l++) {
      double skew = third[l] / variance[l], root = sqrt(skew * skew + 4 * variance[l]);
      double up = (skew + root) / 2, down = (skew - root) / 2;
      y[l] += step->b * (coin[l] < -down / (up - down) ? up : down);
    }
    break;
  case DCS_MAP_ONE_SCORE:
    break;
  }
  dcs_stream_normal(noise, ids, (uint32_t)k, d, z);
  for (int j = 0; j < n; j++) y[j] += sqrt(step->c2) * z[j];
}

/** The noise of step k is that of the stream at step k, no step of a deterministic sampler draws any, and a score error
 *  is that of the level where the score is used. */
static void test_run_is_the_formula_step_by_step(void **state)
{
  (void)state;
  const char *name = NULL;
  _Alignas(DCS_ALIGN) double x[2 * DCS_LANES], y[2 * DCS_LANES], z[2 * DCS_LANES];
  dcs_stream draw = dcs_stream_create(8, DCS_PURPOSE_DRAW, 1), noise = dcs_stream_create(8, DCS_PURPOSE_STEP, 1);
  dcs_lane_ids ids = lane_ids(1000);
  for (int i = 0; dcs_sampler_at(i) != NULL; i++)
    for (int wrong = 0; wrong < 2; wrong++) {
      const dcs_sampler *sampler = dcs_sampler_at(i);
      int index = sampler->kind == DCS_MAP_MOMENT_3 ? 1 : 2;
      setup s = {.sampler = sampler->name, .lambda = 1, .sigma_max = 5, .delta = 0.01, .steps = 20};
      dcs_problem problem = make_problem(sample_target(index, &name), s);
      int d = dcs_target_dimension(problem.target);
      if (wrong)
        must(dcs_score_error_create(problem.target, 0.3, 5, 21, problem.schedule->sigma, &problem.steps->error), NULL);
      dcs_posterior *post = NULL;
      must(dcs_posterior_create(problem.target, &post), NULL);
      dcs_sampler_run(problem.target, problem.steps, post, draw, noise, &ids, x, z);
      dcs_sampler_draw(problem.target, problem.schedule->sigma[0], draw, &ids, y, z);
      for (int k = 0; k < problem.steps->count; k++) {
        assert_near(problem.steps->step[k].sigma, problem.schedule->sigma[k], 0);
        assert_near(problem.steps->step[k].sigma_next, problem.schedule->sigma[k + 1], 0);
        formula(&problem, k, post, noise, &ids, d, y);
      }
      /* the compiler may contract multiply-adds differently here: rounding of 20 steps, amplified between modes */
      for (int j = 0; j < d * DCS_LANES; j++) assert_near(x[j], y[j], 1e-11);
      dcs_posterior_destroy(&post);
      dcs_problem_destroy(&problem);
    }
}

/** moment-2 and moment-3 match what their names say: the deviations of x' from x + B (m - x) have mean 0, variance
 *  B^2 C(x) + c^2 and third moment 0 or B^3 times the posterior's third cumulant, on average over starts between two
 *  unequal modes. Errors from the sample itself, 4.5 of them. */
static void test_moments_of_one_step(void **state)
{
  (void)state;
  static const char *const names[] = {"moment-2", "moment-3"};
  static const double levels[] = {1, 0.6};
  enum { TILES = 8192 };
  for (int i = 0; i < 2; i++) {
    const char *name = NULL;
    _Alignas(DCS_ALIGN) double x[DCS_LANES], z[DCS_LANES], variance[DCS_LANES], third[DCS_LANES];
    dcs_target *target = sample_target(1, &name);
    dcs_sampler sampler = *dcs_sampler_find(names[i]);
    dcs_step step = sampler.step(levels[0], levels[1], 0.4, 0);
    dcs_steps steps = {.sampler = &sampler, .init = DCS_INIT_MEAN, .count = 1, .step = &step};
    dcs_posterior *post = NULL;
    must(dcs_posterior_create(target, &post), NULL);
    dcs_stream draw = dcs_stream_create(9, DCS_PURPOSE_DRAW, 1), noise = dcs_stream_create(9, DCS_PURPOSE_STEP, 1);
    double sum[3] = {0}, square[3] = {0};
    for (uint64_t n = 0; n < TILES; n++) {
      dcs_lane_ids ids = lane_ids(n * DCS_LANES);
      dcs_sampler_run(target, &steps, post, draw, noise, &ids, x, z);
      dcs_posterior_trace(post, variance);
      dcs_posterior_third(post, third);
      for (int l = 0; l < DCS_LANES; l++) {
        double start = dcs_posterior_x(post)[l], m = dcs_posterior_mean(post)[l];
        double v = step.b * step.b * variance[l] + step.c2, e = x[l] - start - step.b * (m - start);
        double k3 = i == 0 ? 0 : pow(step.b, 3) * third[l];
        double off[] = {e, e * e - v, e * e * e - k3};
        for (int q = 0; q < 3; q++) {
          sum[q] += off[q];
          square[q] += off[q] * off[q];
        }
      }
    }
    for (int q = 0; q < 3; q++) assert_near(sum[q] / sqrt(square[q]), 0, 4.5);
    dcs_posterior_destroy(&post);
    dcs_target_destroy(&target);
  }
}

/** A third cumulant is matched in one dimension only; everything else runs anywhere. */
static void test_check_refuses_moment_3_in_the_plane(void **state)
{
  (void)state;
  for (int i = 0; dcs_sampler_at(i) != NULL; i++)
    for (int index = 1; index <= 2; index++) {
      const char *name = NULL;
      dcs_error err = {""};
      setup s = {.sampler = dcs_sampler_at(i)->name, .lambda = 1, .sigma_max = 5, .delta = 0.01, .steps = 20};
      dcs_problem problem = make_problem(sample_target(index, &name), s);
      bool refused = index == 2 && dcs_sampler_at(i)->kind == DCS_MAP_MOMENT_3;
      assert_int_equal(dcs_sampler_check(problem.target, problem.steps, &err), refused ? DCS_EREFUSED : DCS_OK);
      if (refused) assert_non_null(strstr(err.text, "d = 2"));
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
      cmocka_unit_test(test_moments_of_one_step),
      cmocka_unit_test(test_check_refuses_moment_3_in_the_plane),
  };
  return cmocka_run_group_tests_name("sampler", tests, NULL, NULL);
}
