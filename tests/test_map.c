/* Modules numerics/lu and sampler/map: LU with pivoting against GSL, the Jacobian of every sampler's map, with an exact
 *  score and a wrong one, against finite differences of the map. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* needs the headers above */

#include <float.h>
#include <gsl/gsl_linalg.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "conformance.h"
#include "numerics/lu.h"
#include "sampler/map.h"
#include "sampler/score_error.h"
#include "support.h"

typedef dcs_vec row[DCS_VECS];

/** log |det| and its sign by GSL; *condition is the product of the Frobenius norms of the matrix and its inverse. */
static double dense_log_det(int d, const double *matrix, int *sign, double *condition)
{
  size_t n = (size_t)d;
  int swaps = 0;
  double size2 = 0, inverse2 = 0;
  gsl_matrix *lu = gsl_matrix_alloc(n, n), *inverse = gsl_matrix_alloc(n, n);
  gsl_permutation *order = gsl_permutation_alloc(n);
  memcpy(lu->data, matrix, n * n * sizeof *matrix);
  gsl_linalg_LU_decomp(lu, order, &swaps);
  double log_det = gsl_linalg_LU_lndet(lu);
  *sign = gsl_linalg_LU_sgndet(lu, swaps);
  gsl_linalg_LU_invert(lu, order, inverse);
  for (size_t i = 0; i < n * n; i++) {
    size2 += matrix[i] * matrix[i];
    inverse2 += inverse->data[i] * inverse->data[i];
  }
  *condition = sqrt(size2 * inverse2);
  gsl_permutation_free(order);
  gsl_matrix_free(inverse);
  gsl_matrix_free(lu);
  return log_det;
}

/** Matrices of random numbers need a pivot in almost every column, in other rows from lane to lane; about half of the
 *  determinants are negative. Order 33 is no multiple of anything. Backward error n growth eps, growth below 8 for random
 *  matrices of these orders. */
static void test_lu_against_gsl(void **state)
{
  (void)state;
  static const int orders[] = {1, 2, 3, 4, 5, 16, 33};
  int negative = 0, matrices = 0;
  for (size_t o = 0; o < sizeof orders / sizeof *orders; o++) {
    int n = orders[o], pivot[33][DCS_LANES];
    _Alignas(DCS_ALIGN) row kept[33 * 33], a[33 * 33], v[33], x[33], log_det;
    double matrix[33 * 33], condition = 0;
    for (int i = 0; i < n; i += 11) {
      dcs_lane_ids ids = lane_ids(100 * (uint64_t)i);
      int rows = n - i < 11 ? n - i : 11;
      dcs_stream_normal((dcs_stream){{3, 4}}, &ids, (uint32_t)n, rows * n, (double *)kept[i * n]);
    }
    dcs_lane_ids ids = lane_ids(7);
    dcs_stream_normal((dcs_stream){{3, 5}}, &ids, (uint32_t)n, n, (double *)v);
    memcpy(a, kept, sizeof a);
    memcpy(x, v, sizeof x);
    dcs_lu_factor(n, a, pivot, log_det);
    dcs_lu_solve(n, (const row *)a, (const int(*)[DCS_LANES])pivot, x);
    for (int l = 0; l < DCS_LANES; l++) {
      int sign = 0;
      double size = 0;
      for (int i = 0; i < n * n; i++) matrix[i] = ((double *)kept[i])[l];
      double exact = dense_log_det(n, matrix, &sign, &condition), got = ((double *)log_det)[l];
      if (sign < 0)
        assert_true(isnan(got));
      else
        assert_near(got, exact, 16 * n * DBL_EPSILON * condition);
      negative += sign < 0;
      matrices++;
      for (int j = 0; j < n; j++) size = fmax(size, fabs(((double *)x[j])[l]));
      for (int i = 0; i < n; i++) {
        double product = 0;
        for (int j = 0; j < n; j++) product += matrix[i * n + j] * ((double *)x[j])[l];
        assert_near(product, ((double *)v[i])[l], 64 * n * DBL_EPSILON * size);
      }
    }
  }
  assert_in_range(negative, matrices / 4, 3 * matrices / 4);
}

/** A determinant that is zero, or no number, is NAN in its lane and leaves the others alone. */
static void test_lu_says_what_is_singular(void **state)
{
  (void)state;
  _Alignas(DCS_ALIGN) row a[4], log_det;
  int pivot[2][DCS_LANES];
  const double entries[] = {2, 1, 1, 3};
  for (int i = 0; i < 4; i++)
    for (int p = 0; p < DCS_VECS; p++) a[i][p] = dcs_vec_set(entries[i]);
  ((double *)a[1])[3] = 6; /* rows (2, 6) and (1, 3) */
  ((double *)a[2])[9] = INFINITY;
  ((double *)a[0])[12] = NAN;
  dcs_lu_factor(2, a, pivot, log_det);
  for (int l = 0; l < DCS_LANES; l++) {
    if (l == 3 || l == 9 || l == 12)
      assert_true(isnan(((double *)log_det)[l]));
    else
      assert_near(((double *)log_det)[l], log(5), 4 * DBL_EPSILON);
  }
}

/** Worst deviations in units of the tolerance. */
typedef struct {
  double log_det, solve;
} outcome;

/** DF of step k by central differences in all lanes at once: jacobian [d][d] tile rows. Extrapolated once, so that the
 *  error is h^4 F^(5) and rounding is eps |x|/h. */
static void differences(dcs_map *map, int k, int d, const double *x, double h, double *jacobian)
{
  _Alignas(DCS_ALIGN) double moved[CONFORMANCE_ROWS];
  int n = d * DCS_LANES;
  memset(jacobian, 0, (size_t)n * (size_t)d * sizeof *jacobian);
  static const double at[] = {-2, -1, 1, 2}, weight[] = {1. / 12, -8. / 12, 8. / 12, -1. / 12};
  for (int c = 0; c < d; c++)
    for (int q = 0; q < 4; q++) {
      memcpy(moved, x, (size_t)n * sizeof *x);
      for (int l = 0; l < DCS_LANES; l++) moved[c * DCS_LANES + l] += at[q] * h;
      dcs_map_at(map, k, moved);
      const double *f = dcs_map_value(map);
      for (int r = 0; r < d; r++)
        for (int l = 0; l < DCS_LANES; l++)
          jacobian[(r * d + c) * DCS_LANES + l] += weight[q] * f[r * DCS_LANES + l] / h;
    }
}

static void try_map(const dcs_target *target, const dcs_steps *steps, int k, outcome *out)
{
  enum { LARGE = CONFORMANCE_D_MAX * CONFORMANCE_D_MAX };
  _Alignas(DCS_ALIGN) double x[CONFORMANCE_ROWS], z[CONFORMANCE_ROWS], y[CONFORMANCE_ROWS], log_det[DCS_LANES];
  double *jacobian = NULL, matrix[LARGE];
  int d = dcs_target_dimension(target);
  const dcs_step *s = &steps->step[k];
  double h = 2e-3 * fmin(s->sigma_next, 1);
  dcs_map *map = NULL;
  dcs_lane_ids ids = lane_ids((uint64_t)k * DCS_LANES);
  must(dcs_alloc((size_t)(d * d) * DCS_LANES, sizeof *jacobian, &jacobian), NULL);
  must(dcs_map_create(target, steps, &map), NULL);
  dcs_sampler_draw(target, s->sigma, dcs_stream_create(22, DCS_PURPOSE_DRAW, 1), &ids, x, z);
  differences(map, k, d, x, h, jacobian);
  dcs_map_at(map, k, x);
  dcs_map_factor(map, log_det);
  dcs_map_solve(map, z, y);
  for (int l = 0; l < DCS_LANES; l++) {
    int sign = 0;
    double condition = 0, size = 0, far = 0;
    for (int i = 0; i < d * d; i++) matrix[i] = jacobian[i * DCS_LANES + l];
    double exact = dense_log_det(d, matrix, &sign, &condition);
    assert_int_equal(sign, 1);
    for (int i = 0; i < d; i++) {
      size = fmax(size, fabs(y[i * DCS_LANES + l]));
      far = fmax(far, fabs(x[i * DCS_LANES + l]));
    }
    /* m varies over sigma: (h/sigma)^4 times a fifth derivative of up to 100 between two modes; and rounding */
    double error = 100 * pow(h / s->sigma_next, 4) + 8 * DBL_EPSILON * (1 + far) / h;
    conformance_note(&out->log_det, log_det[l] - exact, d * condition * error);
    for (int i = 0; i < d; i++) {
      double product = 0;
      for (int j = 0; j < d; j++) product += matrix[i * d + j] * y[j * DCS_LANES + l];
      conformance_note(&out->solve, product - z[i * DCS_LANES + l], d * condition * error * (1 + size));
    }
  }
  dcs_map_destroy(&map);
  dcs_free(&jacobian);
}

/** All targets up to d = 5, all samplers, exact score and wrong one. */
static void test_jacobians_against_differences(void **state)
{
  (void)state;
  const char *name = NULL;
  int failures = 0;
  for (int i = 0; dcs_sampler_at(i) != NULL; i++) {
    dcs_target *target = NULL;
    for (int t = 0; (target = sample_target(t, &name)) != NULL; t++)
      for (int wrong = 0; wrong < 2; wrong++) {
        if (wrong) target = sample_target(t, &name);
        if (dcs_target_dimension(target) > 5) {
          dcs_target_destroy(&target);
          break;
        }
        setup s = {.sampler = dcs_sampler_at(i)->name, .lambda = 0.5, .sigma_max = 5, .delta = 0.04, .steps = 12};
        dcs_problem problem = make_problem(target, s);
        outcome out = {0, 0};
        if (wrong)
          must(dcs_score_error_create(target, 0.05, 3, s.steps + 1, problem.schedule->sigma, &problem.steps->error),
               NULL);
        for (int k = 1; k < s.steps; k += 5) try_map(target, problem.steps, k, &out);
        if (!(out.log_det <= 1 && out.solve <= 1)) {
          print_error("%s, %s, error %d: log det off by %.3g tolerances, solution by %.3g\n", name, s.sampler, wrong,
                      out.log_det, out.solve);
          failures++;
        }
        dcs_problem_destroy(&problem);
      }
  }
  assert_int_equal(failures, 0);
}

/** A step across the valley between two narrow modes: Heun's map folds there, and says so. */
static void test_folding_is_seen(void **state)
{
  (void)state;
  const double means[] = {-1, 1}, narrow = 0.01;
  _Alignas(DCS_ALIGN) double x[DCS_LANES], log_det[DCS_LANES];
  dcs_target *target = make_target("mixture", (setting[]){{"means", 2, 1, means}, {"stddev", 1, 1, &narrow}, {0}});
  dcs_step step = dcs_sampler_find("heun")->step(1, 0.2, 0.04, 0);
  dcs_steps steps = {.sampler = dcs_sampler_find("heun"), .count = 1, .step = &step};
  dcs_map *map = NULL;
  must(dcs_map_create(target, &steps, &map), NULL);
  for (int l = 0; l < DCS_LANES; l++) x[l] = 0.1 * l; /* F rises, and falls again about x = 0.4 */
  dcs_map_at(map, 0, x);
  dcs_map_factor(map, log_det);
  int folded = 0;
  for (int l = 0; l + 1 < DCS_LANES; l++) {
    bool falls = dcs_map_value(map)[l + 1] < dcs_map_value(map)[l];
    folded += falls;
    if (falls) assert_true(isnan(log_det[l]) || isnan(log_det[l + 1]));
  }
  assert_true(folded > 0);
  dcs_map_destroy(&map);
  dcs_target_destroy(&target);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_lu_against_gsl),
      cmocka_unit_test(test_lu_says_what_is_singular),
      cmocka_unit_test(test_jacobians_against_differences),
      cmocka_unit_test(test_folding_is_seen),
  };
  return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}
