/* Module numerics: elementary functions on lanes against long double, batched Cholesky against GSL. */
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
#include "numerics/cholesky.h"
#include "numerics/vmath.h"
#include "random/stream.h"
#include "support.h"

/** |value - exact| in units of the last place of `exact`. */
static double ulps(double value, long double exact)
{
  int exponent = 0;
  frexpl(exact, &exponent);
  return (double)(fabsl(value - exact) / ldexpl(1, exponent - DBL_MANT_DIG));
}

/** A reproducible number in (0, 1). */
static double uniform(uint64_t i)
{
  double u[2];
  dcs_stream_uniform2_ref((dcs_stream){{1, 2}}, i, 0, 0, 0, u);
  return u[0];
}

/** Bounds as SLEEF promises them; 0.01 for the rounding of the reference itself. */
static void test_functions_against_long_double(void **state)
{
  (void)state;
  double worst[7] = {0};
  for (uint64_t i = 0; i < 200000; i += DCS_VEC) {
    dcs_vec x, positive, above, wide, angle, s, c;
    for (uint64_t l = 0; l < DCS_VEC; l++) {
      double u = uniform(i + l);
      x[l] = 80 * (u - 0.5) * (i % 3 == 0 ? 1 : i % 3 == 1 ? 0.02 : 1e-9);
      wide[l] = 1400 * (u - 0.5);
      positive[l] = i % 2 == 0 ? exp(600 * (u - 0.5)) : 0.9 + 0.2 * u;
      above[l] = x[l] > -0.999 ? x[l] : -u;
      angle[l] = 6.283185307179586 * u;
    }
    dcs_vec exp_wide = dcs_vec_exp(wide), log_x = dcs_vec_log(positive), fast = dcs_vec_log_fast(positive);
    dcs_vec log1p_x = dcs_vec_log1p(above), expm1_x = dcs_vec_expm1(x);
    dcs_vec_sincos(angle, &s, &c);
    for (int l = 0; l < DCS_VEC; l++) {
      worst[0] = fmax(worst[0], ulps(exp_wide[l], expl(wide[l])));
      worst[1] = fmax(worst[1], ulps(log_x[l], logl(positive[l])));
      worst[2] = fmax(worst[2], ulps(log1p_x[l], log1pl(above[l])));
      worst[3] = fmax(worst[3], ulps(expm1_x[l], expm1l(x[l])));
      worst[4] = fmax(worst[4], ulps(fast[l], logl(positive[l])));
      worst[5] = fmax(worst[5], ulps(s[l], sinl(angle[l])));
      worst[6] = fmax(worst[6], ulps(c[l], cosl(angle[l])));
    }
  }
  static const double bound[7] = {1.0, 1.0, 1.0, 1.0, 3.5, 3.5, 3.5};
  for (int f = 0; f < 7; f++) assert_near(worst[f], 0, bound[f] + 0.01);
}

/** Values the mixtures rely on. */
static void test_functions_at_the_ends(void **state)
{
  (void)state;
  dcs_vec x = {0, -INFINITY, -800, INFINITY, 1, -1, NAN, -40};
  dcs_vec e = dcs_vec_exp(x);
  assert_true(e[0] == 1 && e[1] == 0 && e[2] == 0 && e[3] == INFINITY && isnan(e[6]));
  dcs_vec l = dcs_vec_log(x);
  assert_true(l[0] == -INFINITY && isnan(l[1]) && l[3] == INFINITY && l[4] == 0 && isnan(l[5]) && isnan(l[6]));
  dcs_vec r = dcs_vec_sqrt((dcs_vec){0, 1, 4, 2, 0x1p-1000, INFINITY, -1, NAN});
  assert_true(r[0] == 0 && r[1] == 1 && r[2] == 2 && r[3] == sqrt(2) && r[4] == 0x1p-500 && r[5] == INFINITY);
  assert_true(isnan(r[6]) && isnan(r[7]));
}

static void test_lane_helpers(void **state)
{
  (void)state;
  dcs_vec a = {1, -2, 3, -0.0, NAN, 6, 7, 8}, b = dcs_vec_set(2);
  dcs_vec abs = dcs_vec_abs(a), max = dcs_vec_max(a, b), chosen = dcs_vec_select(a > b, a, b);
  for (int l = 0; l < DCS_VEC; l++) {
    assert_true(isnan(a[l]) ? isnan(abs[l]) : abs[l] == fabs(a[l]) && !signbit(abs[l]));
    assert_true(max[l] == (a[l] > 2 ? a[l] : 2));
    assert_true(chosen[l] == max[l]);
    dcs_mask one = {0};
    assert_false(dcs_mask_any(one));
    one[l] = -1;
    assert_true(dcs_mask_any(one));
  }
}

enum { N_MAX = 70, ORDER_MAX = 72, STRIDE = ORDER_MAX + 3 };

/** A different random matrix B B^T + n I in each lane of vector p: condition number below 10. The upper half and what
 *  lies beyond the padding hold NAN: nobody may use them. */
static void fill(int n, int p, gsl_matrix *dense[DCS_VEC], dcs_vec *a)
{
  int order = dcs_chol_order(n);
  for (int i = 0; i < ORDER_MAX * STRIDE; i++) a[i] = dcs_vec_set(NAN);
  for (int l = 0; l < DCS_VEC; l++) {
    double b[N_MAX][N_MAX];
    for (int i = 0; i < n; i++)
      for (int j = 0; j < n; j++) b[i][j] = uniform((uint64_t)(((p * DCS_VEC + l) * N_MAX + i) * N_MAX + j)) - 0.5;
    dense[l] = gsl_matrix_alloc((size_t)n, (size_t)n);
    for (int i = 0; i < n; i++)
      for (int j = 0; j <= i; j++) {
        double sum = i == j ? n : 0;
        for (int k = 0; k < n; k++) sum += b[i][k] * b[j][k];
        gsl_matrix_set(dense[l], (size_t)i, (size_t)j, sum);
        gsl_matrix_set(dense[l], (size_t)j, (size_t)i, sum);
        a[i * STRIDE + j][l] = sum;
      }
  }
  for (int i = n; i < order; i++)
    for (int j = 0; j <= i; j++) a[i * STRIDE + j] = dcs_vec_set(i == j);
}

/** One lane's factor, log determinant and solution of A x = (1, 2, ..., n) against GSL. */
static void compare_lane(int n, int l, gsl_matrix *dense, const dcs_vec *a, double log_det, dcs_vec (*v)[DCS_VECS],
                         int p)
{
  gsl_vector *x = gsl_vector_alloc((size_t)n);
  double expected = 0;
  gsl_linalg_cholesky_decomp1(dense);
  for (int i = 0; i < n; i++) {
    for (int j = 0; j <= i; j++) { /* the diagonal of ours is inverted; entries are at most sqrt(2n) */
      double ours = i == j ? 1 / a[i * STRIDE + j][l] : a[i * STRIDE + j][l];
      assert_near(ours, gsl_matrix_get(dense, (size_t)i, (size_t)j), 16 * DBL_EPSILON * sqrt(n));
    }
    expected += 2 * log(gsl_matrix_get(dense, (size_t)i, (size_t)i));
    gsl_vector_set(x, (size_t)i, i + 1);
  }
  assert_near(log_det, expected, 16 * DBL_EPSILON * (1 + n + fabs(expected)));
  gsl_linalg_cholesky_svx(dense, x);
  for (int i = 0; i < n; i++) /* condition number * rounding * size of the solution, at most 2n/n */
    assert_near(v[i][p][l], gsl_vector_get(x, (size_t)i), 10 * 16 * DBL_EPSILON * 2);
  gsl_vector_free(x);
}

static void test_cholesky_against_gsl(void **state)
{
  (void)state;
  dcs_vec *a[DCS_VECS] = {NULL}, (*v)[DCS_VECS] = NULL, log_det[DCS_VECS];
  for (int p = 0; p < DCS_VECS; p++) must(dcs_alloc(ORDER_MAX * STRIDE, sizeof *a[p], &a[p]), NULL);
  must(dcs_alloc(ORDER_MAX, sizeof *v, &v), NULL);
  for (int n = 1; n <= N_MAX; n++) {
    gsl_matrix *dense[DCS_VECS][DCS_VEC] = {{NULL}};
    int order = dcs_chol_order(n);
    for (int p = 0; p < DCS_VECS; p++) fill(n, p, dense[p], a[p]);
    dcs_chol_factor(order, STRIDE, a, log_det);
    for (int i = 0; i < order; i++)
      for (int p = 0; p < DCS_VECS; p++) v[i][p] = dcs_vec_set(i < n ? i + 1 : 0);
    dcs_chol_solve(order, STRIDE, a, v);
    for (int p = 0; p < DCS_VECS; p++)
      for (int l = 0; l < DCS_VEC; l++) {
        compare_lane(n, l, dense[p][l], a[p], log_det[p][l], v, p);
        for (int i = n; i < order; i++) assert_near(v[i][p][l], 0, 0);
        gsl_matrix_free(dense[p][l]);
      }
  }
  for (int p = 0; p < DCS_VECS; p++) dcs_free(&a[p]);
  dcs_free(&v);
}

/** An indefinite matrix in one lane gives NAN there and leaves the others alone. */
static void test_cholesky_of_an_indefinite_matrix(void **state)
{
  (void)state;
  static const int sizes[] = {1, 2, 3, 4, 9, 16, 35};
  for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
    int n = sizes[s], order = dcs_chol_order(n);
    dcs_vec store[DCS_VECS][36 * 36], *a[DCS_VECS], log_det[DCS_VECS];
    for (int p = 0; p < DCS_VECS; p++) {
      a[p] = store[p];
      for (int i = 0; i < order; i++)
        for (int j = 0; j <= i; j++) a[p][i * order + j] = dcs_vec_set(i == j ? 2 : 0);
      for (int i = n; i < order; i++) a[p][i * order + i] = dcs_vec_set(1);
    }
    a[1][(n - 1) * order + n - 1][5] = -1;
    dcs_chol_factor(order, order, a, log_det);
    for (int p = 0; p < DCS_VECS; p++)
      for (int l = 0; l < DCS_VEC; l++) {
        if (p == 1 && l == 5)
          assert_true(isnan(log_det[p][l]));
        else
          assert_near(log_det[p][l], n * log(2), 4 * DBL_EPSILON * n);
      }
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_functions_against_long_double),
      cmocka_unit_test(test_functions_at_the_ends),
      cmocka_unit_test(test_lane_helpers),
      cmocka_unit_test(test_cholesky_against_gsl),
      cmocka_unit_test(test_cholesky_of_an_indefinite_matrix),
  };
  return cmocka_run_group_tests_name("numerics", tests, NULL, NULL);
}
