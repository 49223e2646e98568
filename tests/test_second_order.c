/** Orders of convergence: Heun's KL falls as N^-4, a score error's grows as eps^2. The ratio estimator for both in more
 *  than one dimension, and against the sampler's own runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "metric/ratio.h"
#include "sampler/score_error.h"
#include "support.h"

static const double pair[] = {-1, 1}, uneven[] = {0.4, 0.6}, stddev = 0.2;

static dcs_target *asymmetric(void)
{
  return make_target("mixture",
                     (setting[]){{"means", 2, 1, pair}, {"weights", 2, 1, uneven}, {"stddev", 1, 1, &stddev}, {0}});
}
static dcs_target *two_point(void) { return make_target("mixture", (setting[]){{"means", 2, 1, pair}, {0}}); }

static dcs_problem problem_of(dcs_target *target, const char *sampler, int steps)
{
  return make_problem(target, (setup){.sampler = sampler, .sigma_max = 20, .delta = 0.01, .steps = steps, .seed = 4});
}

/** KL of a deterministic sampler in one dimension: the trapezoid rule for q (r - 1 - log r) on [-4, 4], spacing h =
 *  0.01. q consists of normal laws of standard deviation s >= 0.1, whose rule has the relative error exp(-2 (pi s/h)^2)
 *  times what r - 1 makes of it: spectral. */
static double line_kl(dcs_target *target, const char *sampler, int steps)
{
  enum { POINTS = 800 };
  const double h = 8.0 / POINTS;
  dcs_problem problem = problem_of(target, sampler, steps);
  dcs_inverter inverter;
  dcs_posterior *post = NULL;
  dcs_error err = {""};
  _Alignas(DCS_ALIGN) double x[DCS_LANES], log_w[DCS_LANES];
  dcs_lane_ids ids = lane_ids(0);
  double kl = 0;
  must(dcs_inverter_create(target, problem.steps, &inverter), NULL);
  must(dcs_posterior_create(target, &post), NULL);
  for (int i = 0; i < POINTS; i += DCS_LANES) {
    for (int l = 0; l < DCS_LANES; l++) x[l] = -4 + h * (i + l);
    dcs_posterior_at(post, problem.schedule->sigma[steps], x);
    must(dcs_ratio_weights(target, problem.steps, &inverter, (dcs_stream){{0, 0}}, &ids, x, log_w, &err), &err);
    for (int l = 0; l < DCS_LANES; l++) kl += h * exp(dcs_posterior_log_q(post)[l]) * (expm1(log_w[l]) - log_w[l]);
  }
  dcs_posterior_destroy(&post);
  dcs_inverter_destroy(&inverter);
  dcs_problem_destroy(&problem);
  return kl;
}

/** Rows of tests/reference/mixture1d.csv, good to 1e-10: the grid is the instrument for Heun, whose rows it lacks. Each
 *  step's inversion moves the path by 1e-8 of its noise at most, a relative change of r - 1 of about as much. */
static void grid_agrees_with_the_reference(void **state)
{
  (void)state;
  assert_near(line_kl(asymmetric(), "ddim", 64), 1.701434466e-03, 2 * 64 * DCS_INVERT_TOLERANCE * 1.7e-3);
  assert_near(line_kl(two_point(), "ei-ode", 128), 3.473291144e-03, 2 * 128 * DCS_INVERT_TOLERANCE * 3.5e-3);
}

/** Least squares slope of log y over log x. */
static double slope(int n, const double *x, const double *y)
{
  double mx = 0, my = 0, xx = 0, xy = 0;
  for (int i = 0; i < n; i++) {
    mx += log(x[i]) / n;
    my += log(y[i]) / n;
  }
  for (int i = 0; i < n; i++) {
    xx += (log(x[i]) - mx) * (log(x[i]) - mx);
    xy += (log(x[i]) - mx) * (log(y[i]) - my);
  }
  return xy / xx;
}

/** The error of the map is h^3 a step, of the density h^2, and KL is quadratic in it: slope -4, approached from above or
 *  below as the next order says; between the last two N it must be near. */
static void heun_is_of_second_order(void **state)
{
  (void)state;
  double steps[5], kl[5];
  for (int i = 0; i < 5; i++) {
    steps[i] = 64 << i;
    kl[i] = line_kl(asymmetric(), "heun", 64 << i);
    printf("  heun N = %g: kl %.6e, local slope %.3f\n", steps[i], kl[i], i == 0 ? NAN : log2(kl[i] / kl[i - 1]));
  }
  assert_true(slope(5, steps, kl) < -3.5);
  assert_near(log2(kl[4] / kl[3]), -4, 0.1);
}

/** A product given as a joint mixture: 3 times the value of one coordinate. 3.5 standard errors, chance 5e-4 each, the
 *  seed fixed. */
static void heun_in_three_dimensions(void **state)
{
  (void)state;
  static const double cube[] = {-1, -1, -1, -1, -1, 1, -1, 1, -1, -1, 1, 1, 1, -1, -1, 1, -1, 1, 1, 1, -1, 1, 1, 1};
  const dcs_estimator *ratio = dcs_estimator_find("ratio");
  for (int steps = 64; steps <= 128; steps *= 2) {
    dcs_estimate e[DCS_SUMS_MAX];
    dcs_error err = {""};
    double exact = 3 * line_kl(two_point(), "heun", steps);
    dcs_problem problem = problem_of(make_target("mixture", (setting[]){{"means", 8, 3, cube}, {0}}), "heun", steps);
    must(ratio->check(&problem, &err), &err);
    dcs_next end = run_estimator(ratio, &problem, (dcs_stop){0.03, 1e8}, e, NULL);
    dcs_estimate kl = e[quantity_of(ratio, "kl")], mean = e[quantity_of(ratio, "mean_ratio")];
    printf("  heun^3 N = %d: %.5e +- %.1e, bias <= %.1e, exact %.5e, z %+.2f, E r = 1 %+.1e\n", steps, kl.value,
           kl.std_error, kl.bias_bound, exact, (kl.value - exact) / kl.std_error, mean.value - 1);
    assert_int_equal(end, DCS_NEXT_DONE);
    assert_true(kl.std_error <= 0.03 * kl.value && kl.bias_bound < kl.std_error);
    assert_near(kl.value, exact, 3.5 * kl.std_error + kl.bias_bound);
    assert_near(mean.value, 1, 4 * mean.std_error + mean.bias_bound);
    dcs_problem_destroy(&problem);
  }
}

/** A wrong score on a mixture in the plane, from a level where it is still within a factor of the data's width. */
static dcs_problem wrong_problem(const char *sampler, int steps, double eps)
{
  static const double plane[] = {-1, 0.5, 1, 1, 0, -1.5}, weights[] = {0.2, 0.3, 0.5}, spread = 0.5;
  dcs_target *target = make_target(
      "mixture", (setting[]){{"means", 3, 2, plane}, {"weights", 3, 1, weights}, {"stddev", 1, 1, &spread}, {0}});
  dcs_problem problem = make_problem(
      target, (setup){.sampler = sampler, .lambda = 0.5, .sigma_max = 2, .delta = 0.04, .steps = steps, .seed = 5});
  if (eps > 0)
    must(dcs_score_error_create(target, eps, 1, steps + 1, problem.schedule->sigma, &problem.steps->error), NULL);
  return problem;
}

/** log r = eps L(x) + O(eps^2) with E L = 0: KL = eps^2 E L^2/2 + O(eps^3). The fit is known to 0.02, the rest of the
 *  band is for the bend of O(eps); without the error KL is 6% of that of the smallest eps, or less. */
static void score_error_grows_quadratically(void **state)
{
  (void)state;
  static const char *const samplers[] = {"ddim", "ddpm-posterior", "heun"};
  static const double eps[] = {0, 0.05, 0.1, 0.2, 0.4};
  const dcs_estimator *ratio = dcs_estimator_find("ratio");
  for (int s = 0; s < 3; s++) {
    double kl[5];
    for (int i = 0; i < 5; i++) {
      dcs_estimate e[DCS_SUMS_MAX];
      dcs_error err = {""};
      dcs_problem problem = wrong_problem(samplers[s], 128, eps[i]);
      must(ratio->check(&problem, &err), &err);
      run_estimator(ratio, &problem, (dcs_stop){0.03, 3e6}, e, NULL);
      dcs_estimate mean = e[quantity_of(ratio, "mean_ratio")];
      kl[i] = e[quantity_of(ratio, "kl")].value;
      printf("  %s eps %g: kl %.4e +- %.1e, bias <= %.1e, E r = 1 %+.1e +- %.1e\n", samplers[s], eps[i], kl[i],
             e[0].std_error, e[0].bias_bound, mean.value - 1, mean.std_error);
      assert_true(e[0].std_error <= 0.03 * kl[i] && e[0].bias_bound <= e[0].std_error);
      dcs_problem_destroy(&problem);
    }
    double fitted = slope(4, eps + 1, kl + 1);
    printf("  %s: slope %.3f\n", samplers[s], fitted);
    assert_near(fitted, 2, 0.1);
    assert_true(kl[0] < 0.06 * kl[1]);
  }
}

/** What a law is known by: means of bounded functions. */
enum { FUNCTIONS = 4 };
static void functions(double x, double y, double *f)
{
  f[0] = tanh(x);
  f[1] = tanh(y);
  f[2] = cos(x + 2 * y);
  f[3] = exp(-x * x);
}

/** E_p f over the sampler's own runs equals E_q[w f] over backward paths: two programs that share the score only. The
 *  steps are coarse and the score is wrong, so that p is far from q: E_p f - E_q f is 10 times the error or more for some
 *  f. P(|z| > 4.5) = 7e-6 for each of 76 numbers. */
static void backward_weights_are_those_of_forward_runs(void **state)
{
  (void)state;
  enum { TILES = 4000, STEPS = 12 };
  const dcs_estimator *ratio = dcs_estimator_find("ratio");
  int tried = 0;
  for (int i = 0; dcs_sampler_at(i) != NULL; i++)
    for (int wrong = 0; wrong < 2; wrong++) {
      dcs_problem problem = wrong_problem(dcs_sampler_at(i)->name, STEPS, wrong ? 0.4 : 0);
      dcs_error err = {""};
      if (ratio->check(&problem, &err) != DCS_OK) {
        dcs_problem_destroy(&problem);
        continue;
      }
      _Alignas(DCS_ALIGN) double x[2 * DCS_LANES], z[2 * DCS_LANES], log_w[DCS_LANES];
      dcs_inverter inverter;
      dcs_posterior *post = NULL;
      dcs_sums forward = {0}, backward = {0}, exact = {0};
      dcs_stream draw = dcs_stream_create(6, DCS_PURPOSE_DRAW, 1), noise = dcs_stream_create(6, DCS_PURPOSE_STEP, 1);
      dcs_stream other = dcs_stream_fork(draw, 1), bridge = dcs_stream_create(6, DCS_PURPOSE_BRIDGE, 1);
      must(dcs_inverter_create(problem.target, problem.steps, &inverter), NULL);
      must(dcs_posterior_create(problem.target, &post), NULL);
      for (uint64_t n = 0; n < TILES; n++) {
        dcs_lane_ids ids = lane_ids(n * DCS_LANES);
        double f[FUNCTIONS];
        dcs_sampler_run(problem.target, problem.steps, post, draw, noise, &ids, x, z);
        for (int l = 0; l < DCS_LANES; l++) {
          functions(x[l], x[DCS_LANES + l], f);
          dcs_sums_add(&forward, FUNCTIONS, f);
        }
        dcs_sampler_draw(problem.target, problem.schedule->sigma[STEPS], other, &ids, x, z);
        must(dcs_ratio_weights(problem.target, problem.steps, &inverter, bridge, &ids, x, log_w, &err), &err);
        for (int l = 0; l < DCS_LANES; l++) {
          functions(x[l], x[DCS_LANES + l], f);
          dcs_sums_add(&exact, FUNCTIONS, f);
          for (int q = 0; q < FUNCTIONS; q++) f[q] *= exp(log_w[l]);
          dcs_sums_add(&backward, FUNCTIONS, f);
        }
      }
      double far = 0;
      for (int q = 0; q < FUNCTIONS; q++) {
        dcs_estimate a = dcs_sums_estimate(&forward, q), b = dcs_sums_estimate(&backward, q);
        double error = hypot(a.std_error, b.std_error);
        printf("  %-15s wrong %d f%d: forward %+.4f, backward %+.4f, z %+.2f\n", dcs_sampler_at(i)->name, wrong, q,
               a.value, b.value, (a.value - b.value) / error);
        assert_near(a.value, b.value, 4.5 * error);
        far = fmax(far, fabs(a.value - dcs_sums_estimate(&exact, q).value) / error);
      }
      if (wrong) assert_true(far > 10);
      tried++;
      dcs_posterior_destroy(&post);
      dcs_inverter_destroy(&inverter);
      dcs_problem_destroy(&problem);
    }
  assert_true(tried >= 14);
}

/** A field over all coordinates couples the factors: the joint law is measured, not one factor. */
static void score_error_is_joint(void **state)
{
  (void)state;
  const double copies = 2;
  dcs_error err = {""};
  dcs_problem problem = problem_of(
      make_target("mixture",
                  (setting[]){{"means", 2, 1, pair}, {"stddev", 1, 1, &stddev}, {"copies", 1, 1, &copies}, {0}}),
      "ddim", 64);
  const dcs_estimator *factor = dcs_estimator_find("ratio-factor"), *joint = dcs_estimator_find("ratio");
  assert_int_equal(factor->check(&problem, &err), DCS_OK);
  must(dcs_score_error_create(problem.target, 0.1, 1, 65, problem.schedule->sigma, &problem.steps->error), NULL);
  assert_int_equal(factor->check(&problem, &err), DCS_EARG);
  assert_int_equal(joint->check(&problem, &err), DCS_OK);
  dcs_problem_destroy(&problem);
}

/** Heun across the valley of two atoms in far too few steps: no number, but the reason. */
static void folding_steps_are_refused(void **state)
{
  (void)state;
  dcs_error err = {""};
  dcs_design design;
  dcs_sums sums;
  dcs_block_work *work = NULL;
  const dcs_estimator *ratio = dcs_estimator_find("ratio");
  dcs_problem problem = problem_of(two_point(), "heun", 4);
  must(ratio->check(&problem, &err), &err);
  must(ratio->work_create(&problem, &work), NULL);
  ratio->plan(&problem, &(dcs_stop){0.05, 1e6}, NULL, NULL, &design);
  assert_int_equal(ratio->block(&problem, &design, 0, work, &sums, &err), DCS_ENUMERIC);
  printf("  %s\n", err.text);
  assert_non_null(strstr(err.text, "use more steps"));
  ratio->work_destroy(&work);
  dcs_problem_destroy(&problem);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(grid_agrees_with_the_reference),
      cmocka_unit_test(heun_is_of_second_order),
      cmocka_unit_test(heun_in_three_dimensions),
      cmocka_unit_test(score_error_grows_quadratically),
      cmocka_unit_test(backward_weights_are_those_of_forward_runs),
      cmocka_unit_test(score_error_is_joint),
      cmocka_unit_test(folding_steps_are_refused),
  };
  return cmocka_run_group_tests_name("second_order", tests, NULL, NULL);
}
