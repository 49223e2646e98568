/* Module sampler/score_error: the size of the error on draws of X_sigma at every level, and that it is the gradient of
 *  one function. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* needs the headers above */

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "conformance.h"
#include "sampler/sampler.h"
#include "sampler/score_error.h"
#include "support.h"

enum { LEVELS = 5 };
static const double sigma[LEVELS] = {20, 3, 1, 0.3, 0.05};
static const double eps = 0.2;

static dcs_score_error *create(const dcs_target *target, uint64_t seed)
{
  dcs_score_error *error = NULL;
  must(dcs_score_error_create(target, eps, seed, LEVELS, sigma, &error), NULL);
  return error;
}

/** grad phi at x. */
static void gradient(const dcs_score_error *error, int level, int d, const double *x, double *g)
{
  memset(g, 0, (size_t)d * DCS_LANES * sizeof *g);
  dcs_score_error_shift(error, level, x, g);
  for (int i = 0; i < d * DCS_LANES; i++) g[i] /= sigma[level] * sigma[level];
}

/** E|grad phi(X_sigma)|^2 = eps^2 over exact draws, every target, every level. |grad phi|^2 is bounded by 16 times its
 *  mean for equal features, so the error from the sample is sound: P(|z| > 4.5) = 7e-6 for each of 55 numbers. */
static void test_size(void **state)
{
  (void)state;
  enum { TILES = 1024 };
  const char *name = NULL;
  dcs_target *target = NULL;
  _Alignas(DCS_ALIGN) double x[CONFORMANCE_ROWS], z[CONFORMANCE_ROWS], g[CONFORMANCE_ROWS];
  int failures = 0;
  for (int t = 0; (target = sample_target(t, &name)) != NULL; t++) {
    int d = dcs_target_dimension(target);
    dcs_score_error *error = create(target, 1);
    assert_near(dcs_score_error_eps(error), eps, 0);
    for (int k = 0; k < LEVELS; k++) {
      double sum = 0, square = 0;
      dcs_stream draw = dcs_stream_create(31, DCS_PURPOSE_DRAW, (uint64_t)k);
      for (uint64_t n = 0; n < TILES; n++) {
        dcs_lane_ids ids = lane_ids(n * DCS_LANES);
        dcs_sampler_draw(target, sigma[k], draw, &ids, x, z);
        gradient(error, k, d, x, g);
        for (int l = 0; l < DCS_LANES; l++) {
          double e = -eps * eps;
          for (int i = 0; i < d; i++) e += g[i * DCS_LANES + l] * g[i * DCS_LANES + l];
          sum += e;
          square += e * e;
        }
      }
      double score = sum / sqrt(square), relative = sum / (TILES * DCS_LANES * eps * eps);
      if (!(fabs(score) <= 4.5) || !(fabs(relative) < 0.05)) {
        print_error("%s, sigma %g: E|grad phi|^2 off by %.2g of eps^2, %.2f errors\n", name, sigma[k], relative, score);
        failures++;
      }
    }
    dcs_score_error_destroy(&error);
    dcs_target_destroy(&target);
  }
  assert_int_equal(failures, 0);
}

/** The Hessian is the derivative of the shift, and symmetric: phi exists. Differences of third order in h = 1e-3 times
 *  the features' length; v and w are random. */
static void test_hessian(void **state)
{
  (void)state;
  const char *name = NULL;
  dcs_target *target = NULL;
  _Alignas(DCS_ALIGN) double x[CONFORMANCE_ROWS], v[CONFORMANCE_ROWS], w[CONFORMANCE_ROWS], hv[CONFORMANCE_ROWS];
  _Alignas(DCS_ALIGN) double hw[CONFORMANCE_ROWS], up[CONFORMANCE_ROWS], down[CONFORMANCE_ROWS];
  _Alignas(DCS_ALIGN) double curvature[DCS_SCORE_FEATURES * DCS_LANES];
  double worst = 0;
  for (int t = 0; (target = sample_target(t, &name)) != NULL; t++) {
    int d = dcs_target_dimension(target), n = d * DCS_LANES;
    dcs_score_error *error = create(target, 1);
    dcs_lane_ids ids = lane_ids(0);
    dcs_stream_normal((dcs_stream){{1, 2}}, &ids, 0, d, v);
    dcs_stream_normal((dcs_stream){{1, 2}}, &ids, 1, d, w);
    for (int k = 0; k < LEVELS; k++) {
      double spread = sqrt(dcs_target_variance(target) / d + sigma[k] * sigma[k]), h = 1e-3 * spread / d;
      dcs_sampler_draw(target, sigma[k], dcs_stream_create(32, DCS_PURPOSE_DRAW, 0), &ids, x, up);
      dcs_score_error_curvature(error, k, x, curvature);
      memset(hv, 0, sizeof hv);
      memset(hw, 0, sizeof hw);
      dcs_score_error_apply(error, curvature, v, hv);
      dcs_score_error_apply(error, curvature, w, hw);
      for (int i = 0; i < n; i++) x[i] += h * v[i];
      gradient(error, k, d, x, up);
      for (int i = 0; i < n; i++) x[i] -= 2 * h * v[i];
      gradient(error, k, d, x, down);
      for (int l = 0; l < DCS_LANES; l++) {
        double a = 0, b = 0, size = 0, s4 = pow(sigma[k], 4);
        for (int i = l; i < n; i += DCS_LANES) {
          a += w[i] * hv[i];
          b += v[i] * hw[i];
          size += w[i] * w[i] + v[i] * v[i];
        }
        /* grad phi is of size eps and varies over spread/sqrt(d) in every direction */
        conformance_note(&worst, a - b, 1e-13 * s4 * eps * sqrt(d) / spread * size);
        for (int i = l; i < n; i += DCS_LANES)
          conformance_note(&worst, hv[i] / s4 - (up[i] - down[i]) / (2 * h), 1e-5 * eps / spread * size);
      }
    }
    dcs_score_error_destroy(&error);
    dcs_target_destroy(&target);
  }
  assert_near(worst, 0, 1);
}

/** A function of the seed alone, other seeds are other functions; a shifted target has the shifted error. */
static void test_seed_and_shift(void **state)
{
  (void)state;
  static const double variance = 0.5, here = 0, there = 3;
  _Alignas(DCS_ALIGN) double x[DCS_LANES] = {0}, g[3][DCS_LANES], shifted[DCS_LANES];
  dcs_target *a = make_target("gaussian", (setting[]){{"variance", 1, 1, &variance}, {"mean", 1, 1, &here}, {0}});
  dcs_target *b = make_target("gaussian", (setting[]){{"variance", 1, 1, &variance}, {"mean", 1, 1, &there}, {0}});
  for (int l = 0; l < DCS_LANES; l++) x[l] = 0.2 * l - 1;
  for (uint64_t i = 0; i < 3; i++) {
    dcs_score_error *error = create(a, i < 2 ? 1 : 2);
    gradient(error, 1, 1, x, g[i]);
    dcs_score_error_destroy(&error);
  }
  dcs_score_error *error = create(b, 1);
  for (int l = 0; l < DCS_LANES; l++) x[l] += there - here;
  gradient(error, 1, 1, x, shifted);
  for (int l = 0; l < DCS_LANES; l++) {
    assert_near(g[1][l], g[0][l], 0);
    assert_true(fabs(g[2][l] - g[0][l]) > 1e-3 * eps);
    assert_near(shifted[l], g[0][l], 1e-13); /* rounding of phases of about 10 */
  }
  dcs_score_error_destroy(&error);
  dcs_target_destroy(&a);
  dcs_target_destroy(&b);
}

/** A point mass has no width of its own: its features get that of the unit. */
static void test_point_mass(void **state)
{
  (void)state;
  static const double zero = 0;
  _Alignas(DCS_ALIGN) double x[DCS_LANES] = {0}, g[DCS_LANES];
  dcs_target *target = make_target("gaussian", (setting[]){{"variance", 1, 1, &zero}, {0}});
  dcs_score_error *error = create(target, 1);
  gradient(error, LEVELS - 1, 1, x, g);
  for (int l = 0; l < DCS_LANES; l++) assert_true(isfinite(g[l]) && g[l] != 0);
  dcs_score_error_destroy(&error);
  dcs_target_destroy(&target);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_size),
      cmocka_unit_test(test_hessian),
      cmocka_unit_test(test_seed_and_shift),
      cmocka_unit_test(test_point_mass),
  };
  return cmocka_run_group_tests_name("score_error", tests, NULL, NULL);
}
