/** Steps that a metric needs to come down to eps^2, on curves whose answer is known. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "rate_fixture.h"

enum { EPS_MOST = 8 };

static char ddim[] = "ddim", steps[] = "steps";

/** The one curve of the fixture. */
static dcs_status invert(const fixture *f, int n_eps, const double *eps, dcs_crossing *crossing, dcs_rate *rate,
                         dcs_error *err)
{
  dcs_curve *curve = NULL;
  int n = 0;
  assert_int_equal(dcs_curves_create(&f->result, "steps", 0, NULL, 0, NULL, &n, &curve, NULL), DCS_OK);
  assert_int_equal(n, 1);
  dcs_status st = dcs_rate_steps_to(&f->result, &curve[0], "kl", "steps", n_eps, eps, crossing, rate, err);
  dcs_curves_destroy(n, &curve);
  return st;
}

static dcs_claim claim_on_steps(int n_eps, double *eps, double lo, double hi)
{
  dcs_claim claim = claim_create(DCS_CLAIM_STEPS_TO, steps, lo, hi);
  claim.n_eps = n_eps;
  claim.eps = eps;
  return claim;
}

/** metric = C N^-p: N(eps) = (C / eps^2)^(1/p), of exponent 2/p. */
static void power_laws_are_inverted(void **state)
{
  (void)state;
  double eps[] = {0.3, 0.2, 0.14, 0.25}; /* in any order */
  for (int p = 1; p <= 2; p++) {
    fixture f;
    fixture_create(&f, 1);
    for (int n = 2; n <= 512; n *= 2) add_exact(&f, ddim, 1, n, 1.7 * pow(n, -p));
    dcs_crossing crossing[EPS_MOST];
    dcs_rate rate;
    dcs_error err = {""};
    if (invert(&f, 4, eps, crossing, &rate, &err) != DCS_OK) fail_msg("%s", err.text);
    /* rounding: logs below 10, sums of four, divided by a spread of 0.3 */
    assert_true(fabs(rate.slope - 2.0 / p) < 1e-12);
    assert_true(fabs(rate.prefactor / pow(1.7, 1.0 / p) - 1) < 1e-12);
    assert_true(rate.exact && rate.lo == rate.slope && rate.hi == rate.slope && isnan(rate.chi2_per_dof));
    assert_true(rate.n == 4 && rate.x_lo == 1 / 0.3 && rate.x_hi == 1 / 0.14);
    for (int e = 0; e < 4; e++) {
      assert_true(crossing[e].place == DCS_CROSSING_INSIDE && crossing[e].eps == eps[e]);
      assert_true(fabs(crossing[e].steps / pow(1.7 / (eps[e] * eps[e]), 1.0 / p) - 1) < 1e-12);
      assert_true(crossing[e].lo == crossing[e].steps && crossing[e].hi == crossing[e].steps);
    }
    double at[2] = {2.0 / p, 3.0 - 2.0 / p}; /* the band around the truth, and around the other curve's */
    for (int k = 0; k < 2; k++) {
      dcs_claim claim = claim_on_steps(4, eps, at[k] - 0.01, at[k] + 0.01);
      dcs_check_row row;
      assert_int_equal(verdict(&f, &claim, &row), k == 0 ? DCS_VERDICT_PASS : DCS_VERDICT_FAIL);
      assert_true(row.exact && fabs(row.value - 2.0 / p) < 1e-12 && row.n_crossings == 4);
      assert_string_equal(row.note, k == 0   ? ""
                                    : p == 1 ? "the exponent lies above the band"
                                             : "the exponent lies below the band");
    }
    fixture_destroy(&f);
  }
}

/** Straight in the logarithms, and down for good: what happens before the last descent does not count. */
static void curves_are_straight_between_points(void **state)
{
  (void)state;
  fixture f;
  fixture_create(&f, 1);
  const double value[] = {1, 0.01, 0.81, 0.09, 0.05}; /* at 8, 16, .. 128 */
  for (int i = 0; i < 5; i++) add_exact(&f, ddim, 1, 8 << i, value[i]);
  double eps[] = {0.899999, 0.52, 0.25};
  double expected[] = {32, 32 * pow(2, log(0.9 / 0.52) / log(3)), 64 * pow(2, log(0.09 / 0.0625) / log(1.8))};
  dcs_crossing crossing[EPS_MOST];
  dcs_rate rate;
  assert_int_equal(invert(&f, 3, eps, crossing, &rate, NULL), DCS_OK);
  for (int e = 0; e < 3; e++) /* the first eps is 1e-6 off the point */
    assert_true(fabs(crossing[e].steps / expected[e] - 1) < (e == 0 ? 2e-6 : 1e-12));
  fixture_destroy(&f);
}

/** metric = 1/N with a bias of up to 10%: N(eps) may be 10% off either way. */
static void bias_bounds_move_the_steps(void **state)
{
  (void)state;
  fixture f;
  fixture_create(&f, 1);
  for (int n = 8; n <= 512; n *= 2) {
    int64_t i = add_exact(&f, ddim, 1, n, 1.0 / n);
    f.estimate[0][i].bias_bound = 0.1 / n;
  }
  double eps[] = {0.2, 0.1, 0.05};
  dcs_crossing crossing[EPS_MOST];
  dcs_rate rate;
  assert_int_equal(invert(&f, 3, eps, crossing, &rate, NULL), DCS_OK);
  for (int e = 0; e < 3; e++) { /* rounding */
    assert_true(fabs(crossing[e].lo / crossing[e].steps - 0.9) < 1e-12);
    assert_true(fabs(crossing[e].hi / crossing[e].steps - 1.1) < 1e-12);
  }
  /* pulls of the ends: -+ 1 / (2 log 2), of the middle 0 */
  double shift = -log1p(-0.1) / log(2);
  assert_true(fabs(rate.hi - rate.slope - shift) < 1e-12 && fabs(rate.slope - rate.lo - shift) < 1e-12);

  double low[] = {0.2, 0.1, 0.044}; /* eps^2 = 0.001936 < 1.1/512: with its bias the curve does not get there */
  assert_int_equal(invert(&f, 3, low, crossing, &rate, NULL), DCS_EARG);
  assert_int_equal(crossing[2].place, DCS_CROSSING_BEYOND);
  double high[] = {0.345, 0.1, 0.05}; /* eps^2 = 0.119 > 0.9/8: nor does it begin above */
  assert_int_equal(invert(&f, 3, high, crossing, &rate, NULL), DCS_EARG);
  assert_int_equal(crossing[0].place, DCS_CROSSING_BEFORE);
  f.estimate[0][6].bias_bound = INFINITY;
  assert_int_equal(invert(&f, 3, eps, crossing, &rate, NULL), DCS_EARG);
  dcs_claim claim = claim_on_steps(3, eps, 1.9, 2.1);
  dcs_check_row row;
  assert_int_equal(verdict(&f, &claim, &row), DCS_VERDICT_MISSING);
  assert_non_null(strstr(row.note, "bias of kl is unknown"));
  fixture_destroy(&f);
}

/** Coverage and width of the intervals over 300 seeds: 7 points of C N^-p with relative error 4%. */
static void check_interval(int p, int blocks)
{
  enum { SEEDS = 300 };
  double eps[2][4] = {{0.3, 0.2, 0.1, 0.06}, {0.1, 0.03, 0.01, 0.004}};
  int covered = 0, covered_steps = 0;
  double width = 0, mean = 0, square = 0, width_steps = 0, square_steps = 0;
  for (uint64_t seed = 0; seed < SEEDS; seed++) {
    fixture f;
    fixture_create(&f, seed);
    for (int n = 8; n <= 512; n *= 2) add_measured(&f, ddim, 1, n, pow(n, -p), 0.04, blocks);
    dcs_crossing crossing[EPS_MOST];
    dcs_rate rate;
    dcs_error err = {""};
    if (invert(&f, 4, eps[p - 1], crossing, &rate, &err) != DCS_OK) fail_msg("%s", err.text);
    covered += rate.lo <= 2.0 / p && 2.0 / p <= rate.hi;
    width += (rate.hi - rate.lo) / SEEDS;
    mean += (rate.slope - 2.0 / p) / SEEDS;
    square += pow(rate.slope - 2.0 / p, 2) / SEEDS;
    double truth = pow(eps[p - 1][1], -2.0 / p);
    covered_steps += crossing[1].lo <= truth && truth <= crossing[1].hi;
    width_steps += log(crossing[1].hi / crossing[1].lo) / SEEDS;
    square_steps += pow(log(crossing[1].steps / truth), 2) / SEEDS;
    fixture_destroy(&f);
  }
  /* Binomial(300, 0.95) has mean 285 and standard deviation 3.8; 4 of them down. Upwards the width decides. */
  assert_in_range(covered, 270, SEEDS);
  assert_in_range(covered_steps, 270, SEEDS);
  /* The width against the spread over the seeds, which 300 of them give to 1/sqrt(600) = 4%; 4.5 of them. */
  double sd = sqrt(square), sd_steps = sqrt(square_steps);
  if (fabs(width / (2 * 1.960 * sd) - 1) > 0.18) fail_msg("width %g, expected %g", width, 2 * 1.960 * sd);
  if (fabs(width_steps / (2 * 1.960 * sd_steps) - 1) > 0.18)
    fail_msg("width of N(eps) %g, expected %g", width_steps, 2 * 1.960 * sd_steps);
  /* The mean is off by its own error, and by the curvature of the logarithms, sd^2 at most. */
  assert_true(fabs(mean) < 4.5 * sd / sqrt(SEEDS) + sd * sd);
}

static void intervals_cover_the_truth_of_slow_curves(void **state)
{
  (void)state;
  check_interval(1, 40);
}
static void intervals_cover_the_truth_of_fast_curves(void **state)
{
  (void)state;
  check_interval(2, 3);
}

static void repeated_inversion_gives_the_same_bits(void **state)
{
  (void)state;
  fixture f;
  fixture_create(&f, 5);
  for (int n = 8; n <= 512; n *= 2) add_measured(&f, ddim, 1, n, 1.0 / n, 0.05, 12);
  double eps[] = {0.2, 0.1, 0.06};
  dcs_crossing c[2][EPS_MOST];
  dcs_rate a, b;
  assert_int_equal(invert(&f, 3, eps, c[0], &a, NULL), DCS_OK);
  assert_int_equal(invert(&f, 3, eps, c[1], &b, NULL), DCS_OK);
  assert_true(a.lo == b.lo && a.hi == b.hi && a.slope == b.slope && c[0][1].lo == c[1][1].lo);
  f.result.seed = 6;
  assert_int_equal(invert(&f, 3, eps, c[1], &b, NULL), DCS_OK);
  assert_true(a.slope == b.slope && a.lo != b.lo);
  fixture_destroy(&f);
}

/** Nothing is extrapolated: 1/N from 8 to 64 reaches eps from 0.125 to 0.354. */
static void eps_off_the_curve_are_left_out(void **state)
{
  (void)state;
  fixture f;
  fixture_create(&f, 1);
  for (int n = 8; n <= 64; n *= 2) add_exact(&f, ddim, 1, n, 1.0 / n);
  dcs_check_row row;
  double five[] = {0.5, 0.3, 0.2, 0.15, 0.1};
  dcs_claim claim = claim_on_steps(5, five, 1.9, 2.1);
  assert_int_equal(verdict(&f, &claim, &row), DCS_VERDICT_PASS);
  assert_true(fabs(row.value - 2) < 1e-12); /* rounding */
  assert_string_equal(
      row.note, "eps left out: 0.5 (reached at steps = 8 already); eps left out: 0.1 (not reached at steps = 64)");
  claim.lo = 2.05;
  assert_int_equal(verdict(&f, &claim, &row), DCS_VERDICT_FAIL);
  assert_non_null(strstr(row.note, "below the band; eps left out: 0.5"));

  double both[] = {0.5, 0.3, 0.2, 0.1};
  claim = claim_on_steps(4, both, 1.9, 2.1);
  assert_int_equal(verdict(&f, &claim, &row), DCS_VERDICT_MISSING);
  assert_true(isnan(row.value) && isnan(row.lo) && isnan(row.hi) && row.n_crossings == 4);
  assert_string_equal(row.note,
                      "2 of 4 eps lie on the curve, 3 are needed: add steps below 8 and above 64, or take eps "
                      "from 0.13 to 0.35");
  double small[] = {0.1, 0.15, 0.05};
  claim.n_eps = 3;
  claim.eps = small;
  assert_int_equal(verdict(&f, &claim, &row), DCS_VERDICT_MISSING);
  assert_string_equal(row.note,
                      "1 of 3 eps lie on the curve, 3 are needed: add steps above 64, or take eps from 0.13 to 0.35");
  double large[] = {0.6, 0.4, 0.5};
  claim.eps = large;
  assert_int_equal(verdict(&f, &claim, &row), DCS_VERDICT_MISSING);
  assert_string_equal(row.note,
                      "0 of 3 eps lie on the curve, 3 are needed: add steps below 8, or take eps from 0.13 to 0.35");
  for (int64_t i = 0; i < 4; i++) f.estimate[0][i].value = 0.01 * (double)(i + 1); /* rising: no eps would do */
  assert_int_equal(verdict(&f, &claim, &row), DCS_VERDICT_MISSING);
  assert_string_equal(row.note, "0 of 3 eps lie on the curve, 3 are needed: add steps below 8");
  fixture_destroy(&f);
}

/** Within its errors the curve may end above eps^2, or begin below. */
static void eps_too_near_the_ends_are_left_out(void **state)
{
  (void)state;
  fixture f;
  fixture_create(&f, 2);
  for (int n = 8; n <= 512; n *= 2) {
    int64_t i = add_measured(&f, ddim, 1, n, 1.0 / n, 0.02, 20);
    f.estimate[0][i].value = 1.0 / n;
  }
  /* eps^2 0.01 or 0.1 above 1/512, below 1/8: half of a standard error, and five of them */
  double eps[] = {sqrt(0.99 / 8), sqrt(0.9 / 8), 0.1, sqrt(1.1 / 512), sqrt(1.01 / 512)};
  dcs_crossing_place place[] = {DCS_CROSSING_BEFORE, DCS_CROSSING_INSIDE, DCS_CROSSING_INSIDE, DCS_CROSSING_INSIDE,
                                DCS_CROSSING_BEYOND};
  dcs_crossing crossing[EPS_MOST];
  dcs_rate rate;
  assert_int_equal(invert(&f, 5, eps, crossing, &rate, NULL), DCS_OK);
  for (int e = 0; e < 5; e++) assert_int_equal(crossing[e].place, place[e]);
  assert_int_equal(rate.n, 3);
  fixture_destroy(&f);
}

static void what_has_no_inverse_is_missing(void **state)
{
  (void)state;
  fixture f;
  fixture_create(&f, 1);
  for (int n = 8; n <= 64; n *= 2) add_exact(&f, ddim, 1, n, 1.0 / n);
  double eps[] = {0.3, 0.2, 0.15};
  dcs_claim claim = claim_on_steps(3, eps, 1.9, 2.1);
  dcs_check_row row;
  f.status[1] = DCS_POINT_INCOMPLETE;
  assert_int_equal(verdict(&f, &claim, &row), DCS_VERDICT_MISSING);
  assert_non_null(strstr(row.note, "1 of 4 points"));
  f.status[1] = DCS_POINT_OK;
  f.estimate[0][3].value = -1e-3;
  assert_int_equal(verdict(&f, &claim, &row), DCS_VERDICT_MISSING);
  assert_non_null(strstr(row.note, "needs positive values"));
  f.estimate[0][3].value = 1.0 / 64;
  f.number[STEPS][2] = 16; /* twice the same steps */
  assert_int_equal(verdict(&f, &claim, &row), DCS_VERDICT_MISSING);
  assert_string_equal(row.note, "points 1 and 2 have the same steps: 'per' has to tell them apart");
  f.number[STEPS][2] = 32;
  assert_int_equal(verdict(&f, &claim, &row), DCS_VERDICT_PASS);
  f.result.n_points = 1;
  assert_int_equal(verdict(&f, &claim, &row), DCS_VERDICT_MISSING);
  assert_string_equal(row.note, "two usable points with different steps are needed, there is 1");
  fixture_destroy(&f);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(power_laws_are_inverted),
      cmocka_unit_test(curves_are_straight_between_points),
      cmocka_unit_test(bias_bounds_move_the_steps),
      cmocka_unit_test(intervals_cover_the_truth_of_slow_curves),
      cmocka_unit_test(intervals_cover_the_truth_of_fast_curves),
      cmocka_unit_test(repeated_inversion_gives_the_same_bits),
      cmocka_unit_test(eps_off_the_curve_are_left_out),
      cmocka_unit_test(eps_too_near_the_ends_are_left_out),
      cmocka_unit_test(what_has_no_inverse_is_missing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
