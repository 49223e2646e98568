/** The relaxed smoothness constant: norms against dense eigenvalues, quantiles against quadrature. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <gsl/gsl_eigen.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "metric/lanczos.h"
#include "metric/smoothness.h"
#include "support.h"

static double square(double x) { return x * x; }
static double seconds(void) { return (double)clock() / CLOCKS_PER_SEC; }

/** |C/sigma^2 - I|_op of one lane by GSL's dense eigenvalues. */
static double dense_norm(dcs_posterior *post, int d, double sigma, int lane)
{
  double *v = aligned_alloc(64, (size_t)d * DCS_LANES * sizeof *v), worst = 0;
  double *out = aligned_alloc(64, (size_t)d * DCS_LANES * sizeof *out);
  gsl_matrix *a = gsl_matrix_alloc((size_t)d, (size_t)d);
  gsl_vector *eigenvalues = gsl_vector_alloc((size_t)d);
  gsl_eigen_symm_workspace *work = gsl_eigen_symm_alloc((size_t)d);
  for (int j = 0; j < d; j++) {
    for (int i = 0; i < d * DCS_LANES; i++) v[i] = i / DCS_LANES == j;
    dcs_posterior_apply(post, v, out);
    for (int i = 0; i < d; i++)
      gsl_matrix_set(a, (size_t)i, (size_t)j, out[i * DCS_LANES + lane] / square(sigma) - (i == j));
  }
  gsl_eigen_symm(a, eigenvalues, work);
  for (size_t i = 0; i < (size_t)d; i++) worst = fmax(worst, fabs(gsl_vector_get(eigenvalues, i)));
  gsl_eigen_symm_free(work);
  gsl_vector_free(eigenvalues);
  gsl_matrix_free(a);
  free(v);
  free(out);
  return worst;
}

/** Every law of the conformance list and a wide random mixture, from noise that drowns the law to noise far below its
 *  features: all within twice the tolerance, once for the last growth and once for the bisection. */
static void norms(void **state)
{
  (void)state;
  enum { LEVELS = 6, TILES = 4 };
  static const double d64 = 64, k80 = 80, spread = 0.3, levels[LEVELS] = {50, 20, 3, 1, 0.5, 0.1};
  const char *name = NULL;
  double worst = 0;
  for (int t = 0; name == NULL || strcmp(name, "last") != 0; t++) {
    dcs_posterior *post = NULL;
    dcs_lanczos *lanczos = NULL;
    dcs_target *target = sample_target(t, &name);
    if (target == NULL) {
      name = "last";
      target = make_target("mixture",
                           (setting[]){{"d", 1, 1, &d64}, {"components", 1, 1, &k80}, {"stddev", 1, 1, &spread}, {0}});
    }
    int d = dcs_target_dimension(target);
    double *x = aligned_alloc(64, (size_t)d * DCS_LANES * sizeof *x), *z = aligned_alloc(64, (size_t)d * DCS_LANES * 8);
    must(dcs_posterior_create(target, &post), NULL);
    must(dcs_lanczos_create(target, &lanczos), NULL);
    for (int n = 0; n < LEVELS * TILES; n++) {
      _Alignas(64) double norm[DCS_LANES];
      int s = n / TILES;
      dcs_lane_ids ids = lane_ids((uint64_t)n * DCS_LANES);
      dcs_sampler_draw(target, levels[s], dcs_stream_create(1, DCS_PURPOSE_DRAW, (uint64_t)t), &ids, x, z);
      dcs_posterior_at(post, levels[s], x);
      must(dcs_lanczos_norm(lanczos, post, levels[s], norm), NULL);
      for (int lane = 0; lane < DCS_LANES; lane += 5) {
        double exact = dense_norm(post, d, levels[s], lane), error = fabs(norm[lane] - exact);
        if (error > 2 * DCS_LANCZOS_TOLERANCE * exact)
          fail_msg("%s, sigma %g: %.12g, dense %.12g", name, levels[s], norm[lane], exact);
        worst = fmax(worst, error / exact);
      }
    }
    free(x);
    free(z);
    dcs_lanczos_destroy(&lanczos);
    dcs_posterior_destroy(&post);
    dcs_target_destroy(&target);
  }
  printf("    worst relative error of a norm %.1e\n", worst);
}

static int ascending(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/** Selection against sorting, ties included; the error bar and the bias of the quantile of exponential numbers. */
static void quantiles(void **state)
{
  (void)state;
  enum { N = 1000, SAMPLES = 2000 };
  static const double q[] = {0.5, 0.9, 0.99, 0.001};
  double x[N], sorted[N];
  dcs_stream stream = dcs_stream_create(4, DCS_PURPOSE_DRAW, 0);
  for (int c = 0; c < 4; c++) {
    dcs_sums sums = {0};
    for (uint64_t s = 0; s < SAMPLES; s++) {
      for (uint32_t i = 0; i < N; i++) {
        double u[2];
        dcs_stream_uniform2_ref(stream, s, 0, (uint32_t)c, i, u);
        x[i] = sorted[i] = s % 100 == 99 ? floor(10 * u[0]) : -log(u[0]);
      }
      dcs_quantile e = dcs_quantile_of(N, x, q[c]);
      if (s % 100 == 99) {
        qsort(sorted, N, sizeof *sorted, ascending);
        double position = (N + 1.0 / 3) * q[c] + 1.0 / 3 - 1;
        int k = (int)fmax(position, 0);
        double share = fmax(position, 0) - k;
        assert_near(e.value, sorted[k] + share * (sorted[k + 1] - sorted[k]), 0);
      } else {
        dcs_sums_add(&sums, 3, (double[]){e.value, e.bias, e.error});
      }
    }
    double exact = -log1p(-q[c]), variance = sums.m2[0] / (double)(sums.n - 1), bias = sums.mean[0] - exact;
    dcs_estimate value = dcs_sums_estimate(&sums, 0);
    printf("    q = %g: bias %+.1e +- %.1e, estimated %+.1e; variance %.2e, estimated %.2e\n", q[c], bias,
           value.std_error, sums.mean[1], variance, square(sums.mean[2]));
    if (q[c] > 0.01) {
      /* type 8 has a bias of order 1/n^2 at best: what is left is within the errors and what was estimated */
      assert_near(bias, 0, 4 * value.std_error + fabs(sums.mean[1]));
      /* the sample variance of 2000 is good to 3%, the difference of two order statistics is noisier and, with 10 points
       * beyond, some 10% off in its square */
      assert_near(square(sums.mean[2]) / variance, 1, 0.25);
    }
  }
}

typedef struct {
  double norm, mass;
} cell;

static int by_norm(const void *a, const void *b) { return ascending(a, b); }

/** Quantile of |C/sigma^2 - 1| for the law (delta_-1 + delta_1)/2, C = 1 - tanh^2(x/sigma^2), from the masses of a fine
 *  grid. */
static double two_point_quantile(double sigma, double q)
{
  enum { CELLS = 100000 };
  static cell cells[CELLS];
  double lo = -1 - 10 * sigma, h = 2 * (1 + 10 * sigma) / CELLS, below = 0;
  for (int i = 0; i < CELLS; i++) {
    double x = lo + (i + 0.5) * h, t = tanh(x / square(sigma));
    double density = exp(-0.5 * square((x - 1) / sigma)) + exp(-0.5 * square((x + 1) / sigma));
    cells[i] = (cell){fabs((1 - t * t) / square(sigma) - 1), 0.5 * h * density / (sigma * sqrt(2 * acos(-1)))};
  }
  qsort(cells, CELLS, sizeof *cells, by_norm);
  for (int i = 0; i < CELLS; i++) {
    below += cells[i].mass;
    if (below >= q) return cells[i].norm;
  }
  return INFINITY;
}

static const double points2[] = {-1, 1};

static dcs_target *two_point(double copies)
{
  return make_target("mixture", (setting[]){{"means", 2, 1, points2}, {"copies", 1, 1, &copies}, {0}});
}

static dcs_target *two_point_cubed(void)
{
  static const double cube[] = {-1, -1, -1, -1, -1, 1, -1, 1, -1, -1, 1, 1, 1, -1, -1, 1, -1, 1, 1, 1, -1, 1, 1, 1};
  return make_target("mixture", (setting[]){{"means", 8, 3, cube}, {0}});
}

/** 3.5 standard errors: chance 5e-4 for each of the comparisons, seeds fixed, never retried. */
static int compare(const char *what, dcs_estimate e, double exact)
{
  double z = (e.value - exact) / e.std_error;
  printf("    %-24s %.6e +- %.1e, bias <= %.1e, exact %.6e, z %+.2f\n", what, e.value, e.std_error, e.bias_bound, exact,
         z);
  return fabs(e.value - exact) <= 3.5 * e.std_error + e.bias_bound ? 0 : 1;
}

/** Against quadrature, level by level: one coordinate, four as a product, and three as a mixture of corners, where
 *  Lanczos has to find the largest of three. */
static void two_points(void **state)
{
  (void)state;
  enum { STEPS = 12 };
  static const int coordinates[] = {1, 4, 3};
  int bad = 0;
  for (int c = 0; c < 3; c++) {
    char name[64];
    double top = 0;
    dcs_estimate e[DCS_SUMS_MAX], levels[STEPS + 1];
    dcs_design last;
    dcs_target *target = c == 2 ? two_point_cubed() : two_point(coordinates[c]);
    dcs_problem problem =
        make_problem(target, (setup){.sampler = "ddim", .sigma_max = 5, .delta = 0.09, .steps = STEPS, .seed = 6});
    dcs_next end = run_profile(dcs_estimator_find("smoothness"), &problem, (dcs_stop){0.01, 1e7}, e, &last, 0, levels);
    assert_int_equal(end, DCS_NEXT_DONE);
    assert_true(e[0].std_error <= 0.01 * e[0].value);
    for (int k = 0; k <= STEPS; k++) {
      double exact = two_point_quantile(problem.schedule->sigma[k], pow(DCS_QUANTILE_DEFAULT, 1.0 / coordinates[c]));
      snprintf(name, sizeof name, "d = %d, sigma %.3g", coordinates[c], problem.schedule->sigma[k]);
      bad += compare(name, levels[k], exact);
      top = fmax(top, exact);
    }
    bad += compare("maximum", e[0], top);
    dcs_problem_destroy(&problem);
  }
  assert_int_equal(bad, 0);
}

/** Normal laws: C does not depend on X and the norm is sigma^2/(lambda + sigma^2) for the smallest lambda. */
static void normal_laws(void **state)
{
  (void)state;
  enum { STEPS = 10 };
  static const double spectrum[] = {0.25, 0.5, 4, 1, 2, 0.1, 2, 0.5}, zero[8] = {0};
  dcs_estimate e[DCS_SUMS_MAX], levels[STEPS + 1];
  dcs_problem problem =
      make_problem(make_target("gaussian", (setting[]){{"variance", 8, 1, spectrum}, {"mean", 8, 1, zero}, {0}}),
                   (setup){.sampler = "heun", .sigma_max = 20, .delta = 0.01, .steps = STEPS});
  run_profile(dcs_estimator_find("smoothness"), &problem, (dcs_stop){0.01, 1e7}, e, NULL, 0, levels);
  for (int k = 0; k <= STEPS; k++) {
    double v = square(problem.schedule->sigma[k]), exact = v / (0.1 + v);
    assert_near(levels[k].value, exact, 2 * DCS_LANCZOS_TOLERANCE * exact);
    assert_near(levels[k].value, exact, levels[k].bias_bound + 4e-16);
    assert_true(levels[k].std_error <= 1e-15);
  }
  assert_near(e[0].value, levels[0].value, 0);
  dcs_problem_destroy(&problem);
}

/** The variance of z over independent seeds: at most 1 within four standard deviations of chi2_99/99, and not much
 *  below it, since the larger of two error bars is taken. */
static void error_bars(void **state)
{
  (void)state;
  enum { SEEDS = 100, STEPS = 2 };
  dcs_sums z = {0};
  double exact = 0;
  for (uint64_t seed = 0; seed < SEEDS; seed++) {
    dcs_estimate e[DCS_SUMS_MAX], levels[STEPS + 1];
    dcs_problem problem = make_problem(
        two_point(1), (setup){.sampler = "ddim", .sigma_max = 2, .delta = 0.25, .steps = STEPS, .seed = seed});
    if (seed == 0) exact = two_point_quantile(0.5, DCS_QUANTILE_DEFAULT);
    run_profile(dcs_estimator_find("smoothness"), &problem, (dcs_stop){1, 1e6}, e, NULL, 0, levels);
    dcs_sums_add(&z, 1, &(double){(levels[STEPS].value - exact) / levels[STEPS].std_error});
    dcs_problem_destroy(&problem);
  }
  double variance = z.m2[0] / (SEEDS - 1);
  printf("    mean of z %+.3f, variance %.3f\n", z.mean[0], variance);
  assert_true(variance > 0.4 && variance < 1.57);
}

/** A thousand levels, of which every eighth or so is measured: those between are as right as their error bars say, also
 *  around the kink at sigma = 0.76 where the largest eigenvalue overtakes the smallest. */
static void many_levels(void **state)
{
  (void)state;
  enum { STEPS = 1000 };
  int bad = 0;
  double top = 0, widest = 0;
  dcs_estimate e[DCS_SUMS_MAX], *levels = calloc(STEPS + 1, sizeof *levels);
  dcs_problem problem =
      make_problem(two_point(1), (setup){.sampler = "ddim", .sigma_max = 200, .delta = 0.2, .steps = STEPS, .seed = 1});
  run_profile(dcs_estimator_find("smoothness"), &problem, (dcs_stop){0.005, 1e7}, e, NULL, 0, levels);
  for (int k = 0; k <= STEPS; k++) {
    double sigma = problem.schedule->sigma[k];
    if (k % 25 != 0 && (sigma > 0.8 || sigma < 0.7)) continue;
    double exact = two_point_quantile(sigma, DCS_QUANTILE_DEFAULT);
    if (fabs(levels[k].value - exact) > 3.5 * levels[k].std_error + levels[k].bias_bound) {
      print_error("level %d: %g +- %g, bias <= %g, exact %g\n", k, levels[k].value, levels[k].std_error,
                  levels[k].bias_bound, exact);
      bad++;
    }
    widest = fmax(widest, (3.5 * levels[k].std_error + levels[k].bias_bound) / exact);
    top = fmax(top, exact);
  }
  bad += compare("maximum", e[0], top);
  printf("    widest interval %.1f%%\n", 100 * widest);
  assert_true(widest < 0.1); /* the bars say something */
  assert_int_equal(bad, 0);
  free(levels);
  dcs_problem_destroy(&problem);
}

/** Fewer than five paths beyond the quantile: the bias is unknown and said to be. */
static void few_paths(void **state)
{
  (void)state;
  enum { STEPS = 1000 };
  dcs_estimate e[DCS_SUMS_MAX], *levels = calloc(STEPS + 1, sizeof *levels);
  dcs_design last;
  dcs_problem problem =
      make_problem(two_point(1), (setup){.sampler = "ddim", .sigma_max = 5, .delta = 0.09, .steps = STEPS, .seed = 1});
  dcs_next end = run_profile(dcs_estimator_find("smoothness"), &problem, (dcs_stop){1e-3, 1e5}, e, &last, 0, levels);
  assert_int_equal(end, DCS_NEXT_STOPPED);
  assert_true((double)(last.outer * last.blocks) + last.spent <= 1e5);
  assert_true(isinf(e[0].bias_bound) && isinf(levels[STEPS].bias_bound) && isinf(levels[1].bias_bound));
  free(levels);
  dcs_problem_destroy(&problem);
}

static void speed(void **state)
{
  (void)state;
  static const double dims[] = {1, 16, 64}, k = 64, spread = 0.3;
  for (int i = 0; i < 3; i++) {
    dcs_error err = {""};
    dcs_sums sums;
    dcs_block_work *work = NULL;
    dcs_target *target =
        i == 0
            ? two_point(1)
            : make_target("mixture",
                          (setting[]){{"d", 1, 1, &dims[i]}, {"components", 1, 1, &k}, {"stddev", 1, 1, &spread}, {0}});
    dcs_problem problem =
        make_problem(target, (setup){.sampler = "ddim", .sigma_max = 20, .delta = 0.01, .steps = 15, .seed = 6});
    const dcs_estimator *estimator = dcs_estimator_find("smoothness");
    dcs_design design = {.outer = 1008, .inner = 1, .blocks = 16, .is_final = true};
    must(estimator->work_create(&problem, &work), NULL);
    double start = seconds();
    for (int64_t b = 0; b < 16; b++) must(estimator->block(&problem, &design, b, work, &sums, &err), &err);
    double spent = seconds() - start;
    printf("    d = %g: %.3g norms a second, %.2g flops predicted\n", dims[i], 16 * 1008 / spent,
           estimator->flops(&problem, &design) * 16 / spent);
    estimator->work_destroy(&work);
    dcs_problem_destroy(&problem);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(norms),      cmocka_unit_test(quantiles),
                                     cmocka_unit_test(two_points), cmocka_unit_test(normal_laws),
                                     cmocka_unit_test(error_bars), cmocka_unit_test(many_levels),
                                     cmocka_unit_test(few_paths),  cmocka_unit_test(speed)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
