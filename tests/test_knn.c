/** Nearest neighbours against looking at every pair in turn; their divergence against closed forms in d = 1 and 2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "metric/knn.h"
#include "numerics/neighbours.h"
#include "support.h"

enum { DISTANCE, FLOOR, QUANTITIES };

static int ascending(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/** x [n][d] <- reproducible numbers around `middle`. */
static void fill(int n, int d, uint64_t seed, double middle, double *x)
{
  for (int i = 0; i < n * d; i++) {
    double u[2];
    dcs_stream_uniform2_ref((dcs_stream){{3, 4}}, (uint64_t)i, 0, (uint32_t)seed, 0, u);
    x[i] = middle + u[0] + u[1];
  }
}

/** Sorted squared distances from x to all y but the one at `self`; returns how many. */
static int all_distances(int d, const double *x, int m, const double *y, int self, double *out)
{
  int count = 0;
  for (int j = 0; j < m; j++) {
    double sum = 0;
    for (int k = 0; k < d; k++) sum += (x[k] - y[j * d + k]) * (x[k] - y[j * d + k]);
    if (j != self) out[count++] = sum;
  }
  qsort(out, (size_t)count, sizeof *out, ascending);
  return count;
}

/** Sizes around those of a block; clouds far from the origin, where |y|^2 - 2 x.y would have lost its digits if it were
 *  not measured from the middle. Distances are sums of d differences: d + 2 roundings; order_error is what the candidates
 *  may come in the wrong order by. */
static void equals_every_pair(void **state)
{
  (void)state;
  static const struct {
    int n, m, d;
    double middle;
  } cases[] = {{6, 6, 1, 0},        {127, 511, 1, 0},    {128, 512, 2, 5}, {129, 513, 3, 0},
               {300, 1100, 8, 1e6}, {1100, 300, 1, 1e6}, {200, 4, 2, 0},   {150, 700, 64, 100}};
  double *x = NULL, *y = NULL, *nearest = NULL, *last = NULL, *all = NULL;
  must(dcs_alloc(1100 * 64, sizeof *x, &x), NULL);
  must(dcs_alloc(1100 * 64, sizeof *y, &y), NULL);
  must(dcs_alloc(1100, sizeof *nearest, &nearest), NULL);
  must(dcs_alloc(1100, sizeof *last, &last), NULL);
  must(dcs_alloc(1100, sizeof *all, &all), NULL);
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
    for (int same = 0; same < 2; same++) {
      int n = cases[c].n, m = same ? n : cases[c].m, d = cases[c].d;
      dcs_neighbours *w = NULL;
      must(dcs_neighbours_create(n > m ? n : m, d, &w), NULL);
      fill(n, d, 1, cases[c].middle, x);
      fill(m, d, 2, cases[c].middle, y);
      dcs_neighbours_find(w, n, x, m, same ? x : y, nearest, last);
      for (int i = 0; i < n; i++) {
        int count = all_distances(d, x + i * d, m, same ? x : y, same ? i : -1, all);
        double order_error = 8 * DBL_EPSILON * d, rounding = (d + 2) * DBL_EPSILON;
        assert_near(nearest[i], all[0], rounding * all[0] + order_error);
        if (count < DCS_NEIGHBOURS) {
          assert_true(isinf(last[i]));
        } else {
          double wanted = all[DCS_NEIGHBOURS - 1];
          assert_near(last[i], wanted, rounding * wanted + order_error);
        }
      }
      dcs_neighbours_destroy(&w);
    }
  dcs_free(&x);
  dcs_free(&y);
  dcs_free(&nearest);
  dcs_free(&last);
  dcs_free(&all);
}

/** Equal points have distance 0 exactly, wherever they lie. */
static void repeated_points_are_seen(void **state)
{
  (void)state;
  enum { N = 40 };
  double x[3 * N], nearest[N], last[N];
  dcs_neighbours *w = NULL;
  must(dcs_neighbours_create(N, 3, &w), NULL);
  fill(N, 3, 1, 1000.0 / 3, x);
  memcpy(x + 3 * 17, x + 3 * 5, 3 * sizeof *x);
  dcs_neighbours_find(w, N, x, N, x, nearest, last);
  for (int i = 0; i < N; i++) assert_int_equal(nearest[i] == 0, i == 5 || i == 17);
  for (int i = 0; i < 3 * N; i++) x[i] = x[i % 3];
  dcs_neighbours_find(w, N, x, N, x, nearest, last);
  for (int i = 0; i < N; i++) assert_true(nearest[i] == 0 && last[i] == 0);
  dcs_neighbours_destroy(&w);
}

static void formula(void **state)
{
  (void)state;
  const double rho2[] = {1, 4, 9}, nu2[] = {4, 4, 36};
  /* (3/3)(log 2 + log 1 + log 2) + log(7/2) */
  assert_near(dcs_knn_divergence(3, 7, 3, rho2, nu2), log(4) + log(3.5), 4 * DBL_EPSILON);
}

static dcs_problem gaussian(int d, double variance, const char *sampler, int steps, int samples)
{
  double dimension = d, yes = 1;
  dcs_target *target = make_target(
      "gaussian", (setting[]){{"variance", 1, 1, &variance}, {"d", 1, 1, &dimension}, {"product", 1, 1, &yes}, {0}});
  dcs_problem problem =
      make_problem(target, (setup){.sampler = sampler, .sigma_max = 20, .delta = 0.01, .steps = steps, .seed = 3});
  problem.samples = samples;
  return problem;
}

/** Within four standard errors plus the floor, as far as the floor can be told from 0; the estimate tells KL(q||p) from
 *  KL(p||q). */
static void compare(int d, int steps, int samples, double rel_error)
{
  dcs_estimate e[DCS_SUMS_MAX], exact[DCS_SUMS_MAX];
  const dcs_estimator *knn = dcs_estimator_find("knn"), *closed = dcs_estimator_find("gaussian");
  dcs_problem problem = gaussian(d, 0.25, "ddpm-big", steps, samples);
  dcs_next end = run_estimator(knn, &problem, (dcs_stop){rel_error, 1e7}, e, NULL);
  run_estimator(closed, &problem, (dcs_stop){0.1, 1}, exact, NULL);
  double kl = exact[quantity_of(closed, "kl")].value, rev = exact[quantity_of(closed, "kl_rev")].value;
  printf("d = %d: %.5f +- %.5f, floor %.5f +- %.5f, exact %.5f, reverse %.5f\n", d, e[DISTANCE].value,
         e[DISTANCE].std_error, e[FLOOR].value, e[FLOOR].std_error, kl, rev);
  assert_int_equal(end, DCS_NEXT_DONE);
  assert_true(isinf(e[DISTANCE].bias_bound) && e[FLOOR].bias_bound == 0);
  assert_near(e[DISTANCE].value, kl, fabs(e[FLOOR].value) + 4 * e[DISTANCE].std_error);
  assert_true(fabs(e[DISTANCE].value - rev) > fabs(e[FLOOR].value) + 4 * e[DISTANCE].std_error);
  /* two clouds of one law on a line or a plane: nothing but noise, up to a bias of order 1/n in the tails */
  assert_near(e[FLOOR].value, 0, 4 * e[FLOOR].std_error + 5.0 / samples);
  dcs_problem_destroy(&problem);
}

static void line(void **state)
{
  (void)state;
  compare(1, 8, 1003, 0.02);
}

static void plane(void **state)
{
  (void)state;
  compare(2, 8, 2000, 0.02);
}

static void equal_laws_give_the_floor(void **state)
{
  (void)state;
  dcs_estimate e[DCS_SUMS_MAX];
  dcs_problem problem = gaussian(3, 1, "ddpm-beta", 4, 800);
  dcs_next end = run_estimator(dcs_estimator_find("knn"), &problem, (dcs_stop){0.01, 6e4}, e, NULL);
  assert_int_equal(end, DCS_NEXT_STOPPED); /* one per cent of nothing is never reached */
  assert_near(e[DISTANCE].value, e[FLOOR].value, 4 * hypot(e[DISTANCE].std_error, e[FLOOR].std_error));
  dcs_problem_destroy(&problem);
}

static void what_it_cannot_do_is_said(void **state)
{
  (void)state;
  static const double means[] = {-1, 1};
  dcs_error err = {""};
  dcs_sums sums;
  dcs_block_work *work = NULL;
  const dcs_estimator *knn = dcs_estimator_find("knn");
  dcs_problem few = gaussian(1, 1, "ddpm-beta", 4, 5);
  assert_int_equal(knn->check(&few, &err), DCS_EREFUSED);
  assert_non_null(strstr(err.text, "samples"));
  dcs_problem_destroy(&few);
  /* noise of 1e-20 leaves nothing of itself on atoms at -1 and 1 */
  dcs_problem atoms =
      make_problem(make_target("mixture", (setting[]){{"means", 2, 1, means}, {0}}),
                   (setup){.sampler = "ddpm-beta", .sigma_max = 20, .delta = 1e-40, .steps = 64, .seed = 3});
  atoms.samples = 100;
  must(knn->work_create(&atoms, &work), NULL);
  dcs_design design = {.outer = 100, .inner = 1, .blocks = 1, .is_final = true};
  assert_int_equal(knn->block(&atoms, &design, 0, work, &sums, &err), DCS_ENUMERIC);
  assert_non_null(strstr(err.text, "coincide"));
  knn->work_destroy(&work);
  dcs_problem_destroy(&atoms);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(equals_every_pair),
                                     cmocka_unit_test(repeated_points_are_seen),
                                     cmocka_unit_test(formula),
                                     cmocka_unit_test(line),
                                     cmocka_unit_test(plane),
                                     cmocka_unit_test(equal_laws_give_the_floor),
                                     cmocka_unit_test(what_it_cannot_do_is_said)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
