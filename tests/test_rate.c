/** Rates and claims on results built in memory, whose true exponents are known. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "rate_fixture.h"

static char ddim[] = "ddim", jz[] = "jain-zhang";
static char sampler[] = "sampler", d[] = "d", steps[] = "steps", delta[] = "delta";

static dcs_rate fit_all(const fixture *f)
{
  dcs_curve *curve = NULL;
  int n = 0;
  dcs_rate rate;
  dcs_error err = {""};
  assert_int_equal(dcs_curves_create(&f->result, "steps", 0, NULL, 0, NULL, &n, &curve, &err), DCS_OK);
  assert_int_equal(n, 1);
  dcs_status st = dcs_rate_fit(&f->result, &curve[0], "kl", "steps", NULL, &rate, &err);
  if (st != DCS_OK) fail_msg("%s", err.text);
  dcs_curves_destroy(n, &curve);
  return rate;
}

/* -- fits ---------------------------------------------------------------------------------------------------------- */

static void exact_power_law_is_recovered(void **state)
{
  (void)state;
  fixture f;
  fixture_create(&f, 1);
  for (int n = 8; n <= 512; n *= 2) add_exact(&f, ddim, 1, n, 0.37 * pow(n, -2));
  dcs_rate rate = fit_all(&f);
  /* rounding: logs of size < 20 with error 2e-16 each, divided by a spread of log x above 1 */
  assert_true(fabs(rate.slope + 2) < 1e-12);
  assert_true(fabs(rate.prefactor - 0.37) < 1e-12);
  assert_true(rate.exact && rate.lo == rate.slope && rate.hi == rate.slope && rate.upper == rate.slope);
  assert_true(isnan(rate.chi2_per_dof));
  assert_int_equal(rate.n, 7);
  assert_true(rate.x_lo == 8 && rate.x_hi == 512);
  fixture_destroy(&f);
}

/** Two points: the slope moves by -log(1 - b)/log(x2/x1) for each biased end. */
static void bias_widens_the_interval(void **state)
{
  (void)state;
  fixture f;
  fixture_create(&f, 1);
  add_exact(&f, ddim, 1, 8, 1);
  f.estimate[0][add_exact(&f, ddim, 1, 16, 0.25)].bias_bound = 0.025;
  dcs_rate rate = fit_all(&f);
  double shift = -log1p(-0.1) / log(2);
  assert_true(fabs(rate.hi - rate.slope - shift) < 1e-12 && fabs(rate.slope - rate.lo - shift) < 1e-12); /* rounding */
  f.estimate[0][1].bias_bound = INFINITY;
  rate = fit_all(&f);
  assert_true(isinf(rate.hi) && isinf(rate.lo));
  fixture_destroy(&f);
}

/** Coverage and width of the interval over 300 seeds: 5 points, relative error 4%, weights equal. */
static void check_interval(int blocks)
{
  enum { SEEDS = 300 };
  const double rel_error = 0.04;
  int covered = 0;
  double width = 0, width_upper = 0, chi2 = 0, spread = 0;
  for (int i = 0; i < 5; i++) spread += pow(log(2) * (i - 2), 2);
  for (uint64_t seed = 0; seed < SEEDS; seed++) {
    fixture f;
    fixture_create(&f, seed);
    for (int i = 0; i < 5; i++) add_measured(&f, ddim, 1, pow(2, i + 3), 5 * pow(2, -2 * (i + 3)), rel_error, blocks);
    dcs_rate rate = fit_all(&f);
    covered += rate.lo <= -2 && -2 <= rate.hi;
    width += (rate.hi - rate.lo) / SEEDS;
    width_upper += (rate.upper - rate.slope) / SEEDS;
    chi2 += rate.chi2_per_dof / SEEDS;
    assert_false(rate.exact);
    fixture_destroy(&f);
  }
  /* Binomial(300, 0.95) has mean 285 and standard deviation 3.8; 4 of them down. Upwards the width decides. */
  assert_in_range(covered, 270, SEEDS);
  /* 2 * 1.96 sd of the slope. A standard error from 64 blocks samples is good to 1/sqrt(2 n), a percentile of 2000 to
   *  3%, both averaged over 300 seeds; what is left is the curvature of the log and the batches' finite number: 2%. */
  double sd = rel_error / sqrt(spread);
  if (fabs(width / (2 * 1.960 * sd) - 1) > 0.02) fail_msg("width %g, expected %g", width, 2 * 1.960 * sd);
  if (fabs(width_upper / (1.645 * sd) - 1) > 0.02) fail_msg("one-sided %g, expected %g", width_upper, 1.645 * sd);
  /* chi2 with 3 degrees of freedom: sd of the mean of 300 is sqrt(2/3/300) = 0.047; 4.5 of them */
  if (fabs(chi2 - 1) > 0.21) fail_msg("chi2/dof %g", chi2);
}

static void interval_is_right_with_many_blocks(void **state)
{
  (void)state;
  check_interval(70);
}
static void interval_is_right_with_ten_blocks(void **state)
{
  (void)state;
  check_interval(10);
}
static void interval_is_right_with_two_blocks(void **state)
{
  (void)state;
  check_interval(2);
}

static void repeated_fit_gives_the_same_bits(void **state)
{
  (void)state;
  fixture f;
  fixture_create(&f, 5);
  for (int n = 8; n <= 64; n *= 2) add_measured(&f, ddim, 1, n, pow(n, -2), 0.05, 12);
  dcs_rate a = fit_all(&f), b = fit_all(&f);
  assert_true(a.lo == b.lo && a.hi == b.hi && a.slope == b.slope && a.upper == b.upper);
  f.result.seed = 6;
  b = fit_all(&f);
  assert_true(a.slope == b.slope && a.lo != b.lo);
  fixture_destroy(&f);
}

static void noise_beyond_the_logarithm_is_refused(void **state)
{
  (void)state;
  fixture f;
  fixture_create(&f, 3);
  add_exact(&f, ddim, 1, 8, 1);
  int64_t noisy = add_measured(&f, ddim, 1, 16, 0.25, 0.5, 32); /* 2.3% of the replicates are negative */
  f.estimate[0][noisy].value = 0.25;
  f.estimate[0][noisy].std_error = 0.125;
  int64_t point[2] = {0, 1}, n = 0;
  dcs_curve curve = {.n = 2, .point = point};
  dcs_rate rate, local[2];
  dcs_error err = {""};
  assert_int_equal(dcs_rate_fit(&f.result, &curve, "kl", "steps", NULL, &rate, &err), DCS_EREFUSED);
  assert_non_null(strstr(err.text, "max_paths"));
  assert_int_equal(dcs_rate_local(&f.result, &curve, "kl", "steps", &n, local, &err), DCS_OK);
  assert_true(n == 1 && isinf(local[0].lo) && isinf(local[0].hi) && local[0].slope < 0);
  fixture_destroy(&f);
}

/** The best measured point and the exact ones share a weight: the line is not pinned to the exact points. */
static void exact_points_weigh_as_the_best_measured(void **state)
{
  (void)state;
  fixture f;
  fixture_create(&f, 3);
  add_exact(&f, ddim, 1, 1, 1);
  add_exact(&f, ddim, 1, 2, 0.5);
  int64_t last = add_measured(&f, ddim, 1, 4, 1, 0.01, 16);
  f.estimate[0][last].value = 1; /* log2 y = 0, -1, 0 at log2 x = 0, 1, 2: equal weights give slope 0 */
  dcs_rate rate = fit_all(&f);
  assert_true(fabs(rate.slope) < 1e-12); /* rounding */
  assert_false(rate.exact);
  fixture_destroy(&f);
}

static void local_slopes_skip_what_is_missing(void **state)
{
  (void)state;
  fixture f;
  fixture_create(&f, 1);
  for (int n = 8; n <= 64; n *= 2) add_exact(&f, ddim, 1, n, n <= 16 ? 1.0 / n : 16.0 / n / n);
  int64_t point[4] = {0, 1, 2, 3}, n = 0;
  dcs_curve curve = {.n = 4, .point = point};
  dcs_rate local[4];
  assert_int_equal(dcs_rate_local(&f.result, &curve, "kl", "steps", &n, local, NULL), DCS_OK);
  assert_int_equal(n, 3);
  assert_true(fabs(local[0].slope + 1) < 1e-12 && fabs(local[2].slope + 2) < 1e-12); /* rounding */
  f.status[1] = DCS_POINT_INCOMPLETE;
  assert_int_equal(dcs_rate_local(&f.result, &curve, "kl", "steps", &n, local, NULL), DCS_OK);
  assert_int_equal(n, 2);
  assert_true(local[0].x_lo == 8 && local[0].x_hi == 32 && fabs(local[0].slope + 1.5) < 1e-12);
  fixture_destroy(&f);
}

static void what_has_no_rate_is_an_error(void **state)
{
  (void)state;
  fixture f;
  fixture_create(&f, 1);
  add_exact(&f, ddim, 1, 8, 1);
  add_exact(&f, ddim, 1, 8, 2);
  add_exact(&f, ddim, 1, 16, 0);
  int64_t point[3] = {0, 1, 2};
  dcs_curve curve = {.n = 1, .point = point};
  dcs_rate rate;
  dcs_error err = {""};
  assert_int_equal(dcs_rate_fit(&f.result, &curve, "kl", "steps", NULL, &rate, &err), DCS_EARG);
  curve.n = 2; /* one abscissa */
  assert_int_equal(dcs_rate_fit(&f.result, &curve, "kl", "steps", NULL, &rate, &err), DCS_EARG);
  curve.n = 3; /* a zero */
  assert_int_equal(dcs_rate_fit(&f.result, &curve, "kl", "steps", NULL, &rate, &err), DCS_EARG);
  assert_non_null(strstr(err.text, "positive"));
  assert_int_equal(dcs_rate_fit(&f.result, &curve, "kl", "sampler", NULL, &rate, &err), DCS_EARG);
  assert_int_equal(dcs_rate_fit(&f.result, &curve, "w3", "steps", NULL, &rate, &err), DCS_EARG);
  fixture_destroy(&f);
}

/* -- curves -------------------------------------------------------------------------------------------------------- */

static void curves_split_by_what_varies(void **state)
{
  (void)state;
  fixture f;
  fixture_create(&f, 1);
  for (int n = 32; n >= 8; n /= 2) /* descending: curves sort */
    for (int dim = 1; dim <= 4; dim *= 4) {
      add_exact(&f, jz, dim, n, 1);
      add_exact(&f, ddim, dim, n, 1);
    }
  dcs_curve *curve = NULL;
  int n = 0;
  assert_int_equal(dcs_curves_create(&f.result, "steps", -1, NULL, 0, NULL, &n, &curve, NULL), DCS_OK);
  assert_int_equal(n, 4);
  assert_string_equal(curve[0].label, "sampler=jain-zhang d=1"); /* d tells copies */
  assert_string_equal(curve[3].label, "sampler=ddim d=4");
  assert_int_equal(curve[3].n, 3);
  assert_true(curve[3].point[0] == 11 && curve[3].point[1] == 7 && curve[3].point[2] == 3);
  dcs_curves_destroy(n, &curve);

  assert_int_equal(dcs_curves_create(&f.result, "d", -1, NULL, 0, NULL, &n, &curve, NULL), DCS_OK);
  assert_int_equal(n, 6); /* copies moves with d: it does not split */
  assert_string_equal(curve[0].label, "sampler=jain-zhang steps=32");
  dcs_curves_destroy(n, &curve);

  char *words[] = {ddim};
  double four = 4;
  dcs_filter where[] = {{.column = sampler, .count = 1, .text = words}, {.column = d, .count = 1, .number = &four}};
  assert_int_equal(dcs_curves_create(&f.result, "steps", -1, NULL, 2, where, &n, &curve, NULL), DCS_OK);
  assert_int_equal(n, 1);
  assert_string_equal(curve[0].label, "all");
  dcs_curves_destroy(n, &curve);

  char *per[] = {steps};
  assert_int_equal(dcs_curves_create(&f.result, "steps", 1, per, 0, NULL, &n, &curve, NULL), DCS_EARG);
  assert_int_equal(dcs_curves_create(&f.result, "sampler", -1, NULL, 0, NULL, &n, &curve, NULL), DCS_EARG);
  assert_null(curve);
  fixture_destroy(&f);
}

/* -- claims -------------------------------------------------------------------------------------------------------- */

static void exponent_claim(void **state)
{
  (void)state;
  dcs_claim claim = claim_create(DCS_CLAIM_EXPONENT, steps, -2.1, -1.9);
  dcs_check_row row;
  double exponent[] = {-2.0, -1.8, -2.2, -2.0, -2.09, -1.91};
  double error[] = {0.01, 0.01, 0.01, 0.2, 0.05, 0.05}; /* from the fourth on: the interval leaves the band */
  int expected[] = {DCS_VERDICT_PASS, DCS_VERDICT_FAIL, DCS_VERDICT_FAIL,
                    DCS_VERDICT_FAIL, DCS_VERDICT_FAIL, DCS_VERDICT_FAIL};
  for (int k = 0; k < 6; k++) {
    fixture f, g;
    fixture_create(&f, 9);
    fixture_create(&g, 9);
    for (int n = 8; n <= 64; n *= 2) {
      add_measured(&f, ddim, 1, n, pow(n, exponent[k]), error[k], 16);
      add_exact(&g, ddim, 1, n, pow(n, exponent[k]));
    }
    f.status[0] = DCS_POINT_MAX_PATHS; /* its error is wider; it counts */
    assert_int_equal(verdict(&f, &claim, &row), expected[k]);
    assert_int_equal(row.note[0] != '\0', expected[k] == DCS_VERDICT_FAIL);
    assert_int_equal(verdict(&g, &claim, &row), k >= 3 ? DCS_VERDICT_PASS : expected[k]);
    assert_true(row.exact && fabs(row.value - exponent[k]) < 1e-12); /* rounding */
    fixture_destroy(&f);
    fixture_destroy(&g);
  }
}

/** kl = 5 d / N^2: bounded after normalising by N^2 / d, growing without. */
static void bounded_claim(void **state)
{
  (void)state;
  fixture f;
  fixture_create(&f, 4);
  for (int dim = 1; dim <= 64; dim *= 4) add_measured(&f, ddim, dim, 10 * dim, 5.0 / (100 * dim), 0.01, 16);
  char *factor[] = {steps, d};
  double power[] = {2, -1};
  char *per[] = {sampler};
  dcs_claim claim = claim_create(DCS_CLAIM_BOUNDED, d, NAN, 0.05);
  dcs_product product = {2, factor, power};
  claim.product = &product;
  claim.n_products = 1;
  claim.per = per;
  claim.n_per = 1;
  dcs_check_row row;
  assert_int_equal(verdict(&f, &claim, &row), DCS_VERDICT_PASS);
  assert_true(fabs(row.constant - 5) < 5 * 4.5 * 0.01); /* largest of four, each with 1% error */
  assert_true(row.value < row.hi && isinf(row.lo));
  double between = (row.value + row.hi) / 2;
  product.count = 1; /* now it grows like d */
  assert_int_equal(verdict(&f, &claim, &row), DCS_VERDICT_FAIL);
  assert_true(fabs(row.value - 1) < 0.05); /* sd 0.01 / sqrt(sum of squares 9.6) */
  product.count = 0;                       /* now it falls like 1/d: bounded, one-sided */
  assert_int_equal(verdict(&f, &claim, &row), DCS_VERDICT_PASS);
  product.count = 2;
  claim.hi = between; /* the exponent is admissible, the end of its interval is not */
  assert_int_equal(verdict(&f, &claim, &row), DCS_VERDICT_FAIL);
  fixture_destroy(&f);
}

static void below_claim(void **state)
{
  (void)state;
  fixture f;
  fixture_create(&f, 4);
  for (int n = 8; n <= 64; n *= 2) add_exact(&f, ddim, 1, n, pow(n, -2));
  dcs_claim claim = claim_create(DCS_CLAIM_BELOW, NULL, NAN, NAN);
  dcs_check_row row;
  assert_int_equal(verdict(&f, &claim, &row), DCS_VERDICT_PASS); /* kl_path = 2 kl */
  f.estimate[1][2] = f.estimate[0][2];                           /* equal: still below */
  assert_int_equal(verdict(&f, &claim, &row), DCS_VERDICT_PASS);
  f.estimate[1][2].value *= 0.9;
  assert_int_equal(verdict(&f, &claim, &row), DCS_VERDICT_FAIL);
  assert_true(row.exact && row.value > 1 && row.note[0] != '\0');
  double gap = 0.1 * f.estimate[0][2].value;
  f.estimate[0][2].std_error = f.estimate[1][2].std_error = gap / 3 / sqrt(2) * 1.01; /* just within 3 errors */
  assert_int_equal(verdict(&f, &claim, &row), DCS_VERDICT_PASS);
  assert_true(fabs(row.value - 1 / 1.01) < 1e-9); /* rounding allowance */
  f.estimate[0][2].std_error = f.estimate[1][2].std_error = gap / 3 / sqrt(2) * 0.99;
  assert_int_equal(verdict(&f, &claim, &row), DCS_VERDICT_FAIL);
  f.estimate[1][2].bias_bound = gap;
  assert_int_equal(verdict(&f, &claim, &row), DCS_VERDICT_PASS);
  f.estimate[1][2].bias_bound = INFINITY; /* unknown bias is no licence */
  assert_int_equal(verdict(&f, &claim, &row), DCS_VERDICT_MISSING);
  fixture_destroy(&f);
}

/** kl = 5 d / N^2, kl_path = 2 kl: what is scaled to a constant lies between two numbers, with its whole interval. */
static void between_claim(void **state)
{
  (void)state;
  fixture f;
  fixture_create(&f, 4);
  for (int n = 8; n <= 64; n *= 2) add_exact(&f, ddim, n / 8, n, 5.0 * (n / 8) / (n * n));
  char path[] = "kl_path", *first[] = {steps, d}, *second[] = {path};
  double to_constant[] = {2, -1}, to_half[] = {-1};
  dcs_product product[2] = {{2, first, to_constant}, {1, second, to_half}};
  dcs_claim claim = claim_create(DCS_CLAIM_BETWEEN, NULL, 4.9, 5.1);
  dcs_check_row row;
  assert_int_equal(verdict(&f, &claim, &row), DCS_VERDICT_FAIL); /* kl itself is 0.01 to 0.08 */
  assert_true(fabs(row.value - 5.0 / 64) < 1e-15 && fabs(row.least - 40.0 / 4096) < 1e-15);
  assert_non_null(strstr(row.note, "smallest at d=8; largest at d=1"));
  claim.product = product;
  claim.n_products = 1;
  assert_int_equal(verdict(&f, &claim, &row), DCS_VERDICT_PASS);
  assert_true(row.exact && fabs(row.value - 5) < 1e-12 && fabs(row.least - 5) < 1e-12);
  claim.n_products = 2; /* the larger one of 5 and 1/2 */
  assert_int_equal(verdict(&f, &claim, &row), DCS_VERDICT_PASS);
  assert_true(fabs(row.value - 5) < 1e-12);
  claim.product = &product[1]; /* kl / kl_path */
  claim.n_products = 1;
  claim.lo = 0.49;
  claim.hi = 0.51;
  assert_int_equal(verdict(&f, &claim, &row), DCS_VERDICT_PASS);
  assert_true(fabs(row.value - 0.5) < 1e-12);

  /* 1% on kl and on kl_path: 0.5 (1 + 0.0196) / (1 - 0.0196) at most, by interval arithmetic */
  f.estimate[0][2].std_error = 0.01 * f.estimate[0][2].value;
  f.estimate[1][2].std_error = 0.01 * f.estimate[1][2].value;
  assert_int_equal(verdict(&f, &claim, &row), DCS_VERDICT_FAIL);
  assert_true(!row.exact && fabs(row.hi - 0.5 * 1.0196 / 0.9804) < 1e-9);
  assert_true(fabs(row.lo - 0.5 * 0.9804 / 1.0196) < 1e-9);
  claim.lo = 0.4;
  claim.hi = 0.6;
  assert_int_equal(verdict(&f, &claim, &row), DCS_VERDICT_PASS);
  f.estimate[1][2].std_error = f.estimate[1][2].value; /* may be zero */
  assert_int_equal(verdict(&f, &claim, &row), DCS_VERDICT_MISSING);
  assert_non_null(strstr(row.note, "kl_path is not clearly positive"));
  f.estimate[1][2].std_error = 0;
  f.estimate[1][2].bias_bound = INFINITY;
  assert_int_equal(verdict(&f, &claim, &row), DCS_VERDICT_MISSING);
  claim.product = product; /* does not ask for kl_path */
  claim.lo = 4;
  claim.hi = 6;
  assert_int_equal(verdict(&f, &claim, &row), DCS_VERDICT_PASS);
  f.status[1] = DCS_POINT_INCOMPLETE;
  assert_int_equal(verdict(&f, &claim, &row), DCS_VERDICT_MISSING);
  fixture_destroy(&f);
}

/** Rows name the worst point. */
static void below_claim_names_the_worst_point(void **state)
{
  (void)state;
  fixture f;
  fixture_create(&f, 4);
  for (int n = 8; n <= 64; n *= 2) add_exact(&f, ddim, 1, n, pow(n, -2));
  f.estimate[1][2].value = 0;
  dcs_claim claim = claim_create(DCS_CLAIM_BELOW, NULL, NAN, NAN);
  dcs_study study = {.n_claims = 1, .claim = &claim};
  dcs_check_row *rows = NULL;
  int n = 0;
  assert_int_equal(dcs_claims_check(&study, &f.result, &n, &rows, NULL), DCS_OK);
  assert_int_equal(n, 1);
  assert_string_equal(rows[0].where, "steps=32");
  dcs_claims_destroy(n, &rows);
  fixture_destroy(&f);
}

/** y = 3 log(1/delta)^a. */
static void powers_of_a_logarithm(void **state)
{
  (void)state;
  dcs_check_row row;
  for (int noisy = 0; noisy < 2; noisy++) {
    fixture f;
    fixture_create(&f, 9);
    for (int k = 1; k <= 6; k++) {
      double x = pow(10, -k), y = 3 * pow(-log(x), 2.5);
      int64_t i = noisy ? add_measured(&f, ddim, 1, 8, y, 0.01, 16) : add_exact(&f, ddim, 1, 8, y);
      f.number[DELTA][i] = x;
    }
    dcs_claim claim = claim_create(DCS_CLAIM_LOG_EXPONENT, delta, 2.4, 2.6);
    assert_int_equal(verdict(&f, &claim, &row), DCS_VERDICT_PASS);
    /* rounding; else 4.5 standard errors, 1% over the root of the spread of log log(1/delta), 2.19 */
    assert_true(fabs(row.value - 2.5) < (noisy ? 4.5 * 0.01 / sqrt(2.19) : 1e-12));
    assert_true(row.exact == !noisy && (noisy ? row.lo < 2.5 && 2.5 < row.hi : row.lo == row.hi));
    claim.lo = 2.7;
    claim.hi = 3.3;
    assert_int_equal(verdict(&f, &claim, &row), DCS_VERDICT_FAIL);
    assert_string_equal(row.note, "the exponent lies below the band");
    claim.kind = DCS_CLAIM_EXPONENT; /* log(1/delta) is no power of delta */
    assert_int_equal(verdict(&f, &claim, &row), DCS_VERDICT_FAIL);
    assert_true(row.value < 0);
    claim.kind = DCS_CLAIM_LOG_EXPONENT;
    f.number[DELTA][3] = 1;
    assert_int_equal(verdict(&f, &claim, &row), DCS_VERDICT_MISSING);
    assert_string_equal(row.note, "delta = 1 at point 3: powers of log(1/delta) need values below 1");
    fixture_destroy(&f);
  }
}

static void missing_claims(void **state)
{
  (void)state;
  dcs_check_row row;
  for (int kind = DCS_CLAIM_EXPONENT; kind <= DCS_CLAIM_BELOW; kind++) {
    dcs_claim claim = claim_create((dcs_claim_kind)kind, kind == DCS_CLAIM_BELOW ? NULL : steps, -3, -1);
    fixture f;
    fixture_create(&f, 1);
    for (int n = 8; n <= 64; n *= 2) add_exact(&f, ddim, 1, n, pow(n, -2));
    assert_int_equal(verdict(&f, &claim, &row), DCS_VERDICT_PASS); /* all there */

    int bad[] = {DCS_POINT_INCOMPLETE, DCS_POINT_REFUSED, DCS_POINT_FAILED};
    for (int k = 0; k < 3; k++) {
      dcs_estimate kept = f.estimate[0][1];
      f.status[1] = bad[k];
      if (bad[k] == DCS_POINT_REFUSED) f.estimate[0][1].value = NAN; /* refusal concerns the metric that is NAN */
      assert_int_equal(verdict(&f, &claim, &row), DCS_VERDICT_MISSING);
      assert_non_null(strstr(row.note, "1 of 4"));
      f.estimate[0][1] = kept;
      f.status[1] = DCS_POINT_OK;
    }

    char *words[] = {jz};
    dcs_filter where = {.column = sampler, .count = 1, .text = words};
    claim.where = &where;
    claim.n_where = 1;
    assert_int_equal(verdict(&f, &claim, &row), DCS_VERDICT_MISSING); /* matches nothing */
    assert_non_null(strstr(row.note, "filter"));
    claim.n_where = 0;

    f.result.n_metrics = kind == DCS_CLAIM_BELOW ? 1 : 0;
    assert_int_equal(verdict(&f, &claim, &row), DCS_VERDICT_MISSING);
    f.result.n_metrics = METRICS;

    dcs_point absent = {.hash = 7};
    dcs_study study = {.n_claims = 1, .claim = &claim, .n_points = 1, .point = &absent};
    dcs_check_row *rows = NULL;
    int n = 0;
    assert_int_equal(dcs_claims_check(&study, &f.result, &n, &rows, NULL), DCS_OK);
    assert_int_equal(rows[0].verdict, DCS_VERDICT_MISSING); /* the study asks for a point the result lacks */
    dcs_claims_destroy(n, &rows);
    absent.hash = f.hash[0];
    assert_int_equal(dcs_claims_check(&study, &f.result, &n, &rows, NULL), DCS_OK);
    assert_int_equal(rows[0].verdict, DCS_VERDICT_PASS);
    dcs_claims_destroy(n, &rows);

    f.result.n_points = 1; /* one point makes no rate */
    assert_int_equal(verdict(&f, &claim, &row), kind == DCS_CLAIM_BELOW ? DCS_VERDICT_PASS : DCS_VERDICT_MISSING);
    fixture_destroy(&f);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(exact_power_law_is_recovered),
      cmocka_unit_test(bias_widens_the_interval),
      cmocka_unit_test(interval_is_right_with_many_blocks),
      cmocka_unit_test(interval_is_right_with_ten_blocks),
      cmocka_unit_test(interval_is_right_with_two_blocks),
      cmocka_unit_test(repeated_fit_gives_the_same_bits),
      cmocka_unit_test(noise_beyond_the_logarithm_is_refused),
      cmocka_unit_test(exact_points_weigh_as_the_best_measured),
      cmocka_unit_test(local_slopes_skip_what_is_missing),
      cmocka_unit_test(what_has_no_rate_is_an_error),
      cmocka_unit_test(curves_split_by_what_varies),
      cmocka_unit_test(exponent_claim),
      cmocka_unit_test(bounded_claim),
      cmocka_unit_test(below_claim),
      cmocka_unit_test(between_claim),
      cmocka_unit_test(below_claim_names_the_worst_point),
      cmocka_unit_test(powers_of_a_logarithm),
      cmocka_unit_test(missing_claims),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
