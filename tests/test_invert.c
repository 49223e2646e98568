/* metric/invert: on every sample target and sampler, coarse steps included, the place found is mapped back, and the log
 *  ratio is that of its definition with a dense Jacobian. */
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
#include "metric/invert.h"
#include "support.h"

typedef struct {
  double inversion, ratio; /**< worst, in units of the tolerance */
  int steps;               /**< tried */
} outcome;

/** A step by itself, without noise (c = 0: the particle at u is the image itself). */
typedef struct {
  dcs_sampler sampler;
  dcs_step step;
  dcs_steps steps;
} single;

/** `one` must stay where it is: its steps point into it. */
static void make_single(single *one, dcs_map_kind kind, dcs_step step)
{
  one->sampler = (dcs_sampler){.name = "single", .kind = kind};
  one->step = step;
  one->step.sigma_next = sqrt(step.u2);
  one->step.c2 = 0;
  one->steps = (dcs_steps){.sampler = &one->sampler, .count = 1, .step = &one->step};
}

/** C <- C A, all [d][d]. */
static void multiply(int d, const double *c, double *a)
{
  double column[CONFORMANCE_D_MAX];
  for (int j = 0; j < d; j++) {
    for (int i = 0; i < d; i++) {
      column[i] = 0;
      for (int k = 0; k < d; k++) column[i] += c[i * d + k] * a[k * d + j];
    }
    for (int i = 0; i < d; i++) a[i * d + j] = column[i];
  }
}

/** log |det| of a general matrix by GSL's LU; *condition is the product of its Frobenius norm and that of its inverse.
 */
static double general_log_det(int d, const double *matrix, double *condition)
{
  size_t n = (size_t)d;
  int sign = 0;
  double size2 = 0, inverse2 = 0;
  gsl_matrix *lu = gsl_matrix_alloc(n, n), *inverse = gsl_matrix_alloc(n, n);
  gsl_permutation *order = gsl_permutation_alloc(n);
  memcpy(lu->data, matrix, n * n * sizeof *matrix);
  gsl_linalg_LU_decomp(lu, order, &sign);
  double log_det = gsl_linalg_LU_lndet(lu);
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

/** F at the place of at_x as Karras et al., Algorithm 1, have it; at_e goes to Euler's place. */
static void heun_value(int d, const dcs_step *s, const dcs_posterior *at_x, dcs_posterior *at_e, double *f)
{
  _Alignas(DCS_ALIGN) double euler[CONFORMANCE_ROWS];
  const double *x = dcs_posterior_x(at_x), *m = dcs_posterior_mean(at_x), h = s->sigma_next - s->sigma;
  for (int i = 0; i < d * DCS_LANES; i++) euler[i] = x[i] + h * (x[i] - m[i]) / s->sigma;
  dcs_posterior_at(at_e, s->sigma_next, euler);
  for (int i = 0; i < d * DCS_LANES; i++)
    f[i] = x[i] + 0.5 * h * ((x[i] - m[i]) / s->sigma + (euler[i] - dcs_posterior_mean(at_e)[i]) / s->sigma_next);
}

/** I + h/2 [(I - C/sigma^2)/sigma + (I - C'/sigma'^2)/sigma' (I + h (I - C/sigma^2)/sigma)], its derivative. */
static void heun_jacobian(int d, int lane, const dcs_step *s, dcs_posterior *at_x, dcs_posterior *at_e, double *out)
{
  double first[CONFORMANCE_D_MAX * CONFORMANCE_D_MAX], second[CONFORMANCE_D_MAX * CONFORMANCE_D_MAX];
  double h = s->sigma_next - s->sigma;
  conformance_dense(at_x, d, lane, 1 / s->sigma, -pow(s->sigma, -3), first);
  conformance_dense(at_e, d, lane, 1 / s->sigma_next, -pow(s->sigma_next, -3), second);
  for (int i = 0; i < d * d; i++) out[i] = h * first[i] + (i % (d + 1) == 0);
  multiply(d, second, out);
  for (int i = 0; i < d * d; i++) out[i] = 0.5 * h * (first[i] + out[i]) + (i % (d + 1) == 0);
}

/** Invert one step from exact draws of X_u. */
static void try_step(const dcs_target *target, dcs_map_kind kind, dcs_step tried, uint64_t number, outcome *out)
{
  _Alignas(DCS_ALIGN) double y[CONFORMANCE_ROWS], f[CONFORMANCE_ROWS], z[CONFORMANCE_ROWS], log_w[DCS_LANES] = {0};
  static const double start = 0.25;                              /* log_w is added to */
  int d = dcs_target_dimension(target), stride = d > 10 ? 5 : 1; /* a few lanes where the dense way is slow */
  single one;
  make_single(&one, kind, tried);
  dcs_step step = one.step;
  double u = step.sigma_next, slope = step.b / (step.sigma * step.sigma);
  dcs_lane_ids ids = lane_ids(number * DCS_LANES);
  dcs_stream stream = dcs_stream_create(21, DCS_PURPOSE_DRAW, 1);
  dcs_inverter inverter;
  dcs_error err = {""};
  dcs_posterior *at_x = NULL, *at_e = NULL, *at_f = NULL;
  must(dcs_inverter_create(target, &one.steps, &inverter), NULL);
  must(dcs_posterior_create(target, &at_x), NULL);
  must(dcs_posterior_create(target, &at_e), NULL);
  must(dcs_posterior_create(target, &at_f), NULL);
  for (int l = 0; l < DCS_LANES; l++) log_w[l] = start;
  dcs_sampler_draw(target, u, stream, &ids, y, z);
  dcs_inverter_place(&inverter, u, y);
  must(dcs_invert_step(&inverter, 0, stream, &ids, log_w, &err), &err);

  const double *x = dcs_posterior_x(dcs_inverter_posterior(&inverter));
  dcs_posterior_at(at_x, step.sigma, x);
  if (kind == DCS_MAP_HEUN)
    heun_value(d, &step, at_x, at_e, f);
  else
    for (int i = 0; i < d * DCS_LANES; i++) f[i] = step.one_minus_b * x[i] + step.b * dcs_posterior_mean(at_x)[i];
  dcs_posterior_at(at_f, u, f);
  for (int l = 0; l < DCS_LANES; l += stride) {
    double matrix[CONFORMANCE_D_MAX * CONFORMANCE_D_MAX], smallest, largest, condition, log_det, off2 = 0, size2 = 0;
    for (int i = l; i < d * DCS_LANES; i += DCS_LANES) {
      off2 += (f[i] - y[i]) * (f[i] - y[i]);
      size2 += x[i] * x[i];
    }
    /* what the iteration stops at, and the rounding of F(x) */
    conformance_note(&out->inversion, sqrt(off2), DCS_INVERT_TOLERANCE * u + 8 * DBL_EPSILON * sqrt(size2));
    if (kind == DCS_MAP_HEUN) {
      heun_jacobian(d, l, &step, at_x, at_e, matrix);
      log_det = general_log_det(d, matrix, &condition);
    } else {
      conformance_dense(at_x, d, l, step.one_minus_b, slope, matrix);
      log_det = conformance_log_det(d, matrix, &smallest, &largest);
      condition = largest / smallest;
    }
    double log_x = dcs_posterior_log_q(at_x)[l], log_f = dcs_posterior_log_q(at_f)[l];
    /* the first-order correction leaves the square of the tolerance times the curvature of log q_u (d/u^2, C/u^4
       between modes); otherwise rounding: of log q with terms of size |x|^2/u^2, of the dense determinant by its
       condition */
    double rounding = 4 * DBL_EPSILON * (fabs(log_x) + fabs(log_f) + d * condition + 4 * size2 / step.u2);
    conformance_note(&out->ratio, log_w[l] - start - (log_x - log_det - log_f), rounding + 1e-13);
  }
  out->steps++;
  dcs_posterior_destroy(&at_f);
  dcs_posterior_destroy(&at_e);
  dcs_posterior_destroy(&at_x);
  dcs_inverter_destroy(&inverter);
}

/** All targets and samplers; of the steps, every `stride`-th that the estimator would accept (B < 1, u^2 > 0). */
static void try_all(int count, int stride)
{
  const char *name = NULL;
  int failures = 0, tried = 0;
  for (int i = 0; dcs_sampler_at(i) != NULL; i++) {
    dcs_target *target = NULL;
    for (int t = 0; (target = sample_target(t, &name)) != NULL; t++) {
      setup s = {.sampler = dcs_sampler_at(i)->name, .lambda = 0.5, .sigma_max = 20, .delta = 0.01, .steps = count};
      dcs_problem problem = make_problem(target, s);
      outcome out = {0, 0, 0};
      /* Heun's dense matrices are slow in high dimension; moment-3 has the map of moment-2 */
      dcs_map_kind kind = dcs_sampler_at(i)->kind;
      int stretch = kind == DCS_MAP_MOMENT_3                                    ? count
                    : kind == DCS_MAP_HEUN && dcs_target_dimension(target) > 10 ? 3
                                                                                : 1;
      for (int k = stride / 2; k < count; k += stride * stretch) {
        dcs_step step = problem.steps->step[k];
        if (step.one_minus_b > 0 && step.u2 > 0) try_step(target, kind, step, (uint64_t)k, &out);
      }
      if (out.inversion > 1 || out.ratio > 1) {
        print_error("%s, %s, %d steps: F(x) is %.3g times its tolerance off, log rho %.3g times\n", name, s.sampler,
                    count, out.inversion, out.ratio);
        failures++;
      }
      tried += out.steps;
      dcs_problem_destroy(&problem);
    }
  }
  assert_int_equal(failures, 0);
  assert_true(tried > 5 * 8 * count / stride); /* not everything was skipped */
}

static void test_coarse_steps(void **state)
{
  (void)state;
  try_all(8, 1);
}

static void test_fine_steps(void **state)
{
  (void)state;
  try_all(64, 9);
}

/** Two thirds of the way from 20 to 0.1 in a single step: Newton's method must be damped. */
static void test_one_huge_step(void **state)
{
  (void)state;
  const char *name = NULL;
  dcs_target *target = NULL;
  outcome out = {0, 0, 0};
  for (int t = 0; (target = sample_target(t, &name)) != NULL; t++) {
    for (double sigma = 0.5; sigma < 30; sigma *= 3)
      try_step(target, DCS_MAP_ONE_SCORE, dcs_sampler_find("ddim")->step(sigma, sigma / 30, sigma / 900, 0),
               (uint64_t)sigma, &out);
    dcs_target_destroy(&target);
  }
  assert_near(out.inversion, 0, 1);
  assert_near(out.ratio, 0, 1);
}

/** What is not a number is an error, not a weight. */
static void test_bad_place_is_an_error(void **state)
{
  (void)state;
  const char *name = NULL;
  _Alignas(DCS_ALIGN) double x[DCS_LANES] = {0}, log_w[DCS_LANES] = {0};
  dcs_target *target = sample_target(1, &name);
  dcs_inverter inverter;
  dcs_error err = {""};
  single one;
  make_single(&one, DCS_MAP_ONE_SCORE, dcs_sampler_find("ddim")->step(1, 0.9, 0.8, 0));
  dcs_lane_ids ids = lane_ids(0);
  must(dcs_inverter_create(target, &one.steps, &inverter), NULL);
  x[3] = NAN;
  dcs_inverter_place(&inverter, 0.9, x);
  assert_int_equal(dcs_invert_step(&inverter, 0, (dcs_stream){{0, 0}}, &ids, log_w, &err), DCS_ENUMERIC);
  assert_non_null(strstr(err.text, "step 1"));
  dcs_inverter_destroy(&inverter);
  dcs_target_destroy(&target);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_coarse_steps),
      cmocka_unit_test(test_fine_steps),
      cmocka_unit_test(test_one_huge_step),
      cmocka_unit_test(test_bad_place_is_an_error),
  };
  return cmocka_run_group_tests_name("invert", tests, NULL, NULL);
}
