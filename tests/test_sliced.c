/** Sliced Wasserstein-2 distance of normal laws. There the mean over clouds of n is known exactly: with m_i the means of
 *  the order statistics of n normal numbers and s_n = (1/n) sum m_i^2, clouds of N(0, V) and N(0, Q) give
 *      E (1/n) sum (a_(i) - b_(i))^2 = V + Q - 2 sqrt(V Q) s_n,     s_n -> 1,
 *  on the line, and on every direction of an isotropic law. */
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
#include "metric/cloud.h"
#include "numerics/sort.h"
#include "support.h"

enum { DISTANCE, FLOOR, QUANTITIES };

static int ascending(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void sorts_like_the_library(void **state)
{
  (void)state;
  static const size_t sizes[] = {0, 1, 2, 3, 255, 256, 257, 10007};
  double *x = NULL, *y = NULL;
  uint64_t *keys = NULL;
  must(dcs_alloc(10007, sizeof *x, &x), NULL);
  must(dcs_alloc(10007, sizeof *y, &y), NULL);
  must(dcs_alloc(2 * 10007, sizeof *keys, &keys), NULL);
  for (int kind = 0; kind < 4; kind++)
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
      for (size_t i = 0; i < sizes[s]; i++) {
        double u[2], sign = i % 3 == 0 ? -1 : 1;
        dcs_stream_uniform2_ref((dcs_stream){{1, 2}}, i, 0, 0, 0, u);
        x[i] = kind == 0   ? u[0] - 0.5
               : kind == 1 ? sign * exp(1400 * (u[0] - 0.5)) /* over all exponents, subnormal ones among them */
               : kind == 2 ? floor(5 * u[0])
                           : sign * (u[0] < 0.1 ? INFINITY : -(double)i);
      }
      memcpy(y, x, sizes[s] * sizeof *x);
      dcs_sort(sizes[s], x, keys);
      qsort(y, sizes[s], sizeof *y, ascending);
      if (sizes[s] > 0) assert_memory_equal(x, y, sizes[s] * sizeof *x);
    }
  dcs_free(&x);
  dcs_free(&y);
  dcs_free(&keys);
}

/** s_n: m_i = int x b(x) dx, b the density of the i-th order statistic, by the trapezoid rule, which is exact to rounding
 *  for smooth functions that vanish at the ends. */
static double order_statistics(int n)
{
  enum { POINTS = 4000 };
  double sum = 0, h = 16.0 / POINTS;
  for (int i = 1; i <= n; i++) {
    double m = 0, constant = lgamma(n + 1.0) - lgamma(i) - lgamma(n - i + 1.0) - 0.5 * log(2 * acos(-1));
    for (int k = 1; k < POINTS; k++) {
      double x = -8 + k * h, below = 0.5 * erfc(-x / sqrt(2)), above = 0.5 * erfc(x / sqrt(2));
      m += h * x * exp(constant + (i - 1) * log(below) + (n - i) * log(above) - 0.5 * x * x);
    }
    sum += m * m / n;
  }
  return sum;
}

static dcs_problem gaussian(int d, double variance, const char *sampler, int steps, int samples)
{
  double dimension = d, yes = 1;
  dcs_target *target = make_target(
      "gaussian", (setting[]){{"variance", 1, 1, &variance}, {"d", 1, 1, &dimension}, {"product", 1, 1, &yes}, {0}});
  dcs_problem problem =
      make_problem(target, (setup){.sampler = sampler, .sigma_max = 20, .delta = 0.01, .steps = steps, .seed = 9});
  problem.samples = samples;
  return problem;
}

/** Variance of the sampler's law for a centred normal target, as in metric/gaussian.c. */
static double output_variance(const dcs_problem *problem, double lambda)
{
  double s0 = problem->steps->step[0].sigma, v = lambda + s0 * s0;
  for (int k = 0; k < problem->steps->count; k++) {
    const dcs_step *s = &problem->steps->step[k];
    double g = 1 - s->b * s->sigma * s->sigma / (lambda + s->sigma * s->sigma);
    v = g * g * v + s->c2;
  }
  return v;
}

static double spent(const dcs_design *design) { return (double)design->outer * (double)design->blocks; }

/** Distance and floor against their exact means, four standard errors: chance 6e-5 each, seeds fixed. `bias_bound` of
 *  the floor is that of the root; of the distance it also has to cover the way to SW2 itself. */
static void compare(int d, double variance, const char *sampler, int steps, int samples, double rel_error)
{
  dcs_estimate e[DCS_SUMS_MAX], exact[DCS_SUMS_MAX];
  dcs_design design;
  const dcs_estimator *sliced = dcs_estimator_find("sliced"), *closed = dcs_estimator_find("gaussian");
  dcs_problem problem = gaussian(d, variance, sampler, steps, samples);
  double v = output_variance(&problem, variance), q = variance + 0.01, s = order_statistics(samples);
  double distance = sqrt(v + q - 2 * sqrt(v * q) * s), floor_value = sqrt(2 * q * (1 - s));
  dcs_next end = run_estimator(sliced, &problem, (dcs_stop){rel_error, 1e7}, e, &design);
  run_estimator(closed, &problem, (dcs_stop){rel_error, 1e7}, exact, NULL);
  double sw2 = exact[quantity_of(closed, "w2")].value / sqrt(d);
  printf("d = %d, n = %d, %.0f particles: %.6f +- %.1e, expected %.6f, SW2 %.6f, bias <= %.4f; floor %.6f +- %.1e, "
         "expected %.6f\n",
         d, samples, spent(&design), e[DISTANCE].value, e[DISTANCE].std_error, distance, sw2, e[DISTANCE].bias_bound,
         e[FLOOR].value, e[FLOOR].std_error, floor_value);
  assert_int_equal(end, DCS_NEXT_DONE);
  assert_true(e[DISTANCE].std_error <= rel_error * e[DISTANCE].value);
  assert_int_equal(e[DISTANCE].n, design.blocks);
  assert_near(e[FLOOR].value, floor_value, 4 * e[FLOOR].std_error + e[FLOOR].bias_bound);
  assert_near(e[DISTANCE].value, distance,
              4 * e[DISTANCE].std_error + e[DISTANCE].bias_bound - e[FLOOR].value); /* the root's bias */
  assert_near(e[DISTANCE].value, sw2, e[DISTANCE].bias_bound + 4 * e[DISTANCE].std_error);
  dcs_problem_destroy(&problem);
}

static void line(void **state)
{
  (void)state;
  compare(1, 0.25, "ddpm-big", 8, 2, 0.02);
  compare(1, 0.25, "ddpm-big", 8, 37, 0.02);
  compare(1, 0.25, "ddpm-big", 8, 1000, 0.005);
  compare(1, 4, "ddim", 4, 500, 0.02);
}

static void isotropic(void **state)
{
  (void)state;
  compare(2, 0.25, "ddpm-big", 8, 100, 0.01);
  compare(3, 0.25, "ddpm-big", 8, 500, 0.01);
  compare(17, 4, "ddim", 4, 250, 0.01);
}

/** Equal laws (N(0, I) is a fixed point of ddpm-beta): the distance is distributed as the floor. Its square falls like
 *  1/n (with a factor log log n that is not seen here): 4 to a few percent from n to 4 n; the values are exact above. */
static void equal_laws_give_the_floor(void **state)
{
  (void)state;
  double square[2];
  for (int k = 0; k < 2; k++) {
    dcs_estimate e[DCS_SUMS_MAX];
    dcs_problem problem = gaussian(8, 1, "ddpm-beta", 4, k == 0 ? 500 : 2000);
    run_estimator(dcs_estimator_find("sliced"), &problem, (dcs_stop){0.015, 1e6}, e, NULL);
    assert_near(e[DISTANCE].value, e[FLOOR].value, 4 * hypot(e[DISTANCE].std_error, e[FLOOR].std_error));
    square[k] = e[FLOOR].value * e[FLOOR].value;
    dcs_problem_destroy(&problem);
  }
  assert_near(square[0] / square[1], 4, 0.4);
}

/** An anisotropic law: the formula above in every direction t, with t.V t and t.Q t, and its mean over directions, here
 *  by quadrature in the plane. The 128 directions of one block leave 6% of error in it, which the error bar has to
 *  contain: four standard errors are 3%, so directions that were the same in all blocks would be seen. */
static void directions_are_uniform(void **state)
{
  (void)state;
  enum { ANGLES = 256, SAMPLES = 400 };
  static const double variance[] = {0.04, 4}, mean[] = {0, 0};
  double exact = 0, v[2], s_n = order_statistics(SAMPLES);
  dcs_estimate e[DCS_SUMS_MAX];
  dcs_problem problem =
      make_problem(make_target("gaussian", (setting[]){{"variance", 2, 1, variance}, {"mean", 2, 1, mean}, {0}}),
                   (setup){.sampler = "ddim", .sigma_max = 20, .delta = 0.01, .steps = 4, .seed = 9});
  problem.samples = SAMPLES;
  for (int i = 0; i < 2; i++) v[i] = output_variance(&problem, variance[i]);
  for (int k = 0; k < ANGLES; k++) {
    double c = pow(cos(acos(-1) * k / ANGLES), 2), s = 1 - c, out = c * v[0] + s * v[1];
    double in = c * (variance[0] + 0.01) + s * (variance[1] + 0.01);
    exact += (out + in - 2 * sqrt(out * in) * s_n) / ANGLES;
  }
  run_estimator(dcs_estimator_find("sliced"), &problem, (dcs_stop){0.004, 1e7}, e, NULL);
  printf("anisotropic: %.6f +- %.6f, expected %.6f\n", e[DISTANCE].value, e[DISTANCE].std_error, sqrt(exact));
  assert_near(e[DISTANCE].value, sqrt(exact), 4 * e[DISTANCE].std_error + e[DISTANCE].bias_bound - e[FLOOR].value);
  dcs_problem_destroy(&problem);
}

static double correlation(size_t n, const double *a, const double *b)
{
  double aa = 0, ab = 0, bb = 0;
  for (size_t i = 0; i < n; i++) {
    aa += a[i] * a[i];
    ab += a[i] * b[i];
    bb += b[i] * b[i];
  }
  return ab / sqrt(aa * bb);
}

/** Centred normal clouds of one block and of the next, which a stream used twice would tie together: ddim keeps what it
 *  starts from. Four standard errors, 1/sqrt(n) each. */
static void clouds_are_independent(void **state)
{
  (void)state;
  enum { SAMPLES = 20001 };
  dcs_error err = {""};
  dcs_cloud one, two;
  dcs_problem problem = gaussian(1, 0.25, "ddim", 4, SAMPLES);
  must(dcs_cloud_create(&problem, SAMPLES, &one), NULL);
  must(dcs_cloud_create(&problem, SAMPLES, &two), NULL);
  must(dcs_cloud_draw(&problem, 0, &one, &err), &err);
  must(dcs_cloud_draw(&problem, 1, &two, &err), &err);
  const double *const cloud[] = {one.output, one.exact, one.again, two.output, two.exact, two.again};
  for (int i = 0; i < 6; i++)
    for (int j = 0; j < i; j++) assert_near(correlation(SAMPLES, cloud[i], cloud[j]), 0, 4 / sqrt(SAMPLES));
  dcs_cloud_destroy(&one);
  dcs_cloud_destroy(&two);
  dcs_problem_destroy(&problem);
}

/** Particles 5 to 41 by themselves are those of blocks of 16: 0, 1 and 2. */
static void particles_have_numbers(void **state)
{
  (void)state;
  enum { SAMPLES = 16, FIRST = 5, COUNT = 37, D = 3 };
  dcs_error err = {""};
  dcs_cloud cloud;
  double alone[COUNT][D];
  dcs_problem problem = gaussian(D, 0.25, "jain-zhang", 4, SAMPLES);
  must(dcs_cloud_create(&problem, SAMPLES, &cloud), NULL);
  must(dcs_cloud_output(&problem, FIRST, COUNT, &cloud, alone[0], &err), &err);
  for (int p = 0; p < COUNT; p++) {
    must(dcs_cloud_draw(&problem, (FIRST + p) / SAMPLES, &cloud, &err), &err);
    assert_memory_equal(alone[p], cloud.output + (FIRST + p) % SAMPLES * D, sizeof alone[p]);
  }
  dcs_cloud_destroy(&cloud);
  dcs_problem_destroy(&problem);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(sorts_like_the_library),
                                     cmocka_unit_test(line),
                                     cmocka_unit_test(isotropic),
                                     cmocka_unit_test(equal_laws_give_the_floor),
                                     cmocka_unit_test(directions_are_uniform),
                                     cmocka_unit_test(clouds_are_independent),
                                     cmocka_unit_test(particles_have_numbers)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
