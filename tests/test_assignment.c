/** Optimal assignment: against all permutations, sorting and its own proof of optimality; then the estimator. */
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
#include "numerics/assignment.h"
#include "numerics/heap.h"
#include "support.h"

enum { DISTANCE, FLOOR, QUANTITIES };

/** x [n][d] <- numbers of N(0, 1). */
static void normal(int n, int d, uint64_t seed, double *x)
{
  double *z = NULL;
  dcs_stream stream = dcs_stream_create(seed, DCS_PURPOSE_DRAW, 0);
  must(dcs_alloc((size_t)d * DCS_LANES, sizeof *z, &z), NULL);
  for (int first = 0; first < n; first += DCS_LANES) {
    dcs_lane_ids ids = lane_ids((uint64_t)first);
    dcs_stream_normal(stream, &ids, 0, d, z);
    for (int l = 0; l < DCS_LANES && first + l < n; l++)
      for (int i = 0; i < d; i++) x[(first + l) * d + i] = z[i * DCS_LANES + l];
  }
  dcs_free(&z);
}

static double cost_of(int d, const double *x, const double *y)
{
  double sum = 0;
  for (int k = 0; k < d; k++) sum += (x[k] - y[k]) * (x[k] - y[k]);
  return sum;
}

/** Least total cost of rows i, i + 1, ... on the columns not yet used. */
static double cheapest(int n, int d, const double *x, const double *y, int i, unsigned used)
{
  double best = i == n ? 0 : INFINITY;
  for (int j = 0; j < n && i < n; j++)
    if ((used & 1u << j) == 0)
      best = fmin(best, cost_of(d, x + i * d, y + j * d) + cheapest(n, d, x, y, i + 1, used | 1u << j));
  return best;
}

/** Solve, and prove by the prices that no permutation is cheaper: with c_ij >= u_i + v_j every permutation costs at
 *  least sum u + sum v, which is what this one costs. A distance in the search is a sum of a few costs for each of at
 *  most n rows on a path; what is seen is a handful of roundings, and 64 are allowed. */
static double solve_and_prove(dcs_assignment *a, int n, int d, const double *x, const double *y)
{
  double value = dcs_assignment_solve(a, x, y), total = 0, dual = 0, largest = 0, slack = 0;
  const double *u = dcs_assignment_row_prices(a), *v = dcs_assignment_column_prices(a);
  const int *match = dcs_assignment_match(a);
  int *taken = NULL;
  must(dcs_alloc((size_t)n, sizeof *taken, &taken), NULL);
  for (int i = 0; i < n; i++) {
    assert_in_range(match[i], 0, n - 1);
    assert_int_equal(taken[match[i]]++, 0);
    total += cost_of(d, x + i * d, y + match[i] * d);
    dual += u[i] + v[i];
    for (int j = 0; j < n; j++) {
      double c = cost_of(d, x + i * d, y + j * d);
      largest = fmax(largest, c);
      slack = fmin(slack, c - u[i] - v[j]);
    }
  }
  double rounding = 64 * DBL_EPSILON * largest;
  assert_near(slack, 0, rounding);
  assert_near(total / n, dual / n, rounding);
  assert_near(value, total / n, n * DBL_EPSILON * largest);
  dcs_free(&taken);
  return value;
}

static void no_permutation_is_cheaper(void **state)
{
  (void)state;
  double x[7 * 3], y[7 * 3];
  for (int n = 1; n <= 7; n++)
    for (int d = 1; d <= 3; d++) {
      dcs_assignment *a = NULL;
      must(dcs_assignment_create(n, d, &a), NULL);
      for (uint64_t seed = 0; seed < 20; seed++) {
        normal(n, d, 2 * seed, x);
        normal(n, d, 2 * seed + 1, y);
        double value = solve_and_prove(a, n, d, x, y);
        assert_near(value, cheapest(n, d, x, y, 0, 0) / n, 16 * DBL_EPSILON * value);
      }
      dcs_assignment_destroy(&a);
    }
}

static int ascending(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void sorting_solves_the_line(void **state)
{
  (void)state;
  enum { N = 700 };
  double x[N], y[N], sorted = 0;
  dcs_assignment *a = NULL;
  must(dcs_assignment_create(N, 1, &a), NULL);
  normal(N, 1, 1, x);
  normal(N, 1, 2, y);
  for (int i = 0; i < N; i++) y[i] = 1.3 * y[i] + 0.5;
  double value = solve_and_prove(a, N, 1, x, y);
  qsort(x, N, sizeof *x, ascending);
  qsort(y, N, sizeof *y, ascending);
  for (int i = 0; i < N; i++) sorted += (x[i] - y[i]) * (x[i] - y[i]) / N;
  assert_near(value, sorted, N * DBL_EPSILON * sorted);
  dcs_assignment_destroy(&a);
}

/** Sizes around those of the short list and of a group of columns; clouds alike, apart, wide and narrow. */
static void prices_prove_it(void **state)
{
  (void)state;
  static const int sizes[] = {31, 32, 33, 63, 64, 65, 200, 350}, dimensions[] = {1, 2, 5, 16};
  double *x = NULL, *y = NULL;
  must(dcs_alloc(350 * 16, sizeof *x, &x), NULL);
  must(dcs_alloc(350 * 16, sizeof *y, &y), NULL);
  for (int s = 0; s < 8; s++)
    for (int k = 0; k < 4; k++) {
      int n = sizes[s], d = dimensions[k];
      dcs_assignment *a = NULL;
      must(dcs_assignment_create(n, d, &a), NULL);
      normal(n, d, 1, x);
      normal(n, d, 2, y);
      double once = solve_and_prove(a, n, d, x, y);
      for (int i = 0; i < n * d; i++) y[i] = 3 * y[i] + 10;
      solve_and_prove(a, n, d, x, y);
      for (int i = 0; i < n * d; i++) y[i] = 1e-6 * y[i] + (i / d < n / 3 ? 1 : -1); /* two narrow modes */
      for (int i = 0; i < n * d; i++) x[i] = 1e-6 * x[i] + (i / d < n / 2 ? 1 : -1); /* of other weights */
      double unbalanced = solve_and_prove(a, n, d, x, y);
      assert_near(unbalanced, 4.0 * d * (n / 2 - n / 3) / n, 1e-3);
      normal(n, d, 1, x);
      normal(n, d, 2, y);
      assert_near(dcs_assignment_solve(a, x, y), once, 0); /* nothing is left of the problems between */
      dcs_assignment_destroy(&a);
    }
  dcs_free(&x);
  dcs_free(&y);
}

/** Half of the rows compete for the few columns that lie among them until others are as cheap, which their short lists
 *  did not foresee. */
static void short_lists_do_not_mislead(void **state)
{
  (void)state;
  enum { N = 300, D = 2 };
  double x[N * D], y[N * D];
  dcs_assignment *a = NULL;
  must(dcs_assignment_create(N, D, &a), NULL);
  for (int few = 2; few <= 64; few *= 2) {
    for (double width = 0.01; width < 2; width *= 3) {
      normal(N, D, 1, x);
      normal(N, D, 2, y);
      for (int i = 0; i < N * D; i++) {
        x[i] *= i / D < N / 2 ? width : 3;
        y[i] *= i / D < few ? width : 3;
      }
      solve_and_prove(a, N, D, x, y);
    }
  }
  dcs_assignment_destroy(&a);
}

/** Where costs are equal there is nothing to lower and nothing to prefer; the method has to end all the same. */
static void equal_costs_end(void **state)
{
  (void)state;
  enum { N = 300 };
  double x[2 * N] = {0}, y[2 * N] = {0};
  dcs_assignment *a = NULL;
  must(dcs_assignment_create(N, 2, &a), NULL);
  assert_near(solve_and_prove(a, N, 2, x, y), 0, 0); /* all in one place */
  for (int i = 0; i < N; i++) y[2 * i] = 2;
  assert_near(solve_and_prove(a, N, 2, x, y), 4, 0); /* all in two places */
  for (int i = 0; i < N; i++) x[2 * i] = y[2 * (N - 1 - i)] = i;
  assert_near(solve_and_prove(a, N, 2, x, y), 0, 0); /* on a line, each point once */
  for (int i = 0; i < N; i++) {
    x[2 * i] = i / 50;
    y[2 * i] = 5 - i % 6;
  }
  assert_near(solve_and_prove(a, N, 2, x, y), 0, 0); /* on a line, each point fifty times */
  for (int i = 0; i < N; i++) y[2 * i] = i / 75;
  assert_near(solve_and_prove(a, N, 2, x, y), 450.0 / N, 1e-13); /* i/50 against i/75, both in order already */
  for (int i = 0; i < 2 * N; i++) x[i] = i * 7 % 5, y[i] = i * 11 % 5;
  solve_and_prove(a, N, 2, x, y); /* a square grid */
  dcs_assignment_destroy(&a);
}

/** Nodes leave in the order of their last keys. */
static void the_heap_sorts(void **state)
{
  (void)state;
  enum { N = 500 };
  double key[N], last = -INFINITY;
  dcs_heap heap;
  must(dcs_heap_create(N, &heap), NULL);
  normal(N, 1, 3, key);
  for (int i = 0; i < N; i++) dcs_heap_put(&heap, i, key[i]);
  for (int i = 0; i < N; i += 3) dcs_heap_put(&heap, i, key[i] -= fabs(key[(i + 1) % N]));
  for (int i = 0; i < N; i++) {
    int node = dcs_heap_pop(&heap);
    assert_true(node >= 0 && key[node] >= last);
    last = key[node];
    key[node] = -INFINITY; /* once only */
  }
  assert_int_equal(dcs_heap_pop(&heap), -1);
  dcs_heap_put(&heap, 7, 1);
  dcs_heap_clear(&heap);
  assert_int_equal(dcs_heap_pop(&heap), -1);
  dcs_heap_put(&heap, 7, 2);
  assert_int_equal(dcs_heap_pop(&heap), 7);
  dcs_heap_destroy(&heap);
}

static dcs_problem gaussian(int d, double variance, const char *sampler, int steps, int samples)
{
  double dimension = d, yes = 1;
  dcs_target *target = make_target(
      "gaussian", (setting[]){{"variance", 1, 1, &variance}, {"d", 1, 1, &dimension}, {"product", 1, 1, &yes}, {0}});
  dcs_problem problem =
      make_problem(target, (setup){.sampler = sampler, .sigma_max = 20, .delta = 1e-4, .steps = steps, .seed = 4});
  problem.samples = samples;
  return problem;
}

static void measure(const char *name, dcs_problem *problem, dcs_stop stop, dcs_estimate *e, dcs_design *design)
{
  run_estimator(dcs_estimator_find(name), problem, stop, e, design);
}

/** The bounds of metric/assignment.c: W2 <= estimate <= W2 + two floors; four standard errors on either side. */
static void lies_between_its_bounds(void **state)
{
  (void)state;
  static const int dimensions[] = {1, 2, 4};
  for (int k = 0; k < 3; k++) {
    int d = dimensions[k];
    dcs_estimate e[DCS_SUMS_MAX], exact[DCS_SUMS_MAX];
    dcs_design design;
    dcs_problem problem = gaussian(d, 0.25, "ddpm-big", 8, 1001);
    measure("assignment", &problem, (dcs_stop){0.03, 1e5}, e, &design);
    measure("gaussian", &problem, (dcs_stop){0.03, 1e5}, exact, NULL);
    double w2 = exact[quantity_of(dcs_estimator_find("gaussian"), "w2")].value;
    printf("d = %d: %.4f +- %.4f, bias <= %.4f, floor %.4f, exact %.4f\n", d, e[DISTANCE].value, e[DISTANCE].std_error,
           e[DISTANCE].bias_bound, e[FLOOR].value, w2);
    assert_true(e[DISTANCE].value >= w2 - 4 * e[DISTANCE].std_error);
    assert_true(e[DISTANCE].value <= w2 + e[DISTANCE].bias_bound + 4 * e[DISTANCE].std_error);
    assert_true(e[DISTANCE].bias_bound >= 2 * e[FLOOR].value);
    assert_true(e[DISTANCE].std_error <= 0.03 * e[DISTANCE].value);
    assert_int_equal(e[DISTANCE].n, design.blocks);
    dcs_problem_destroy(&problem);
  }
}

/** N(0, I) is a fixed point of ddpm-beta: distance and floor are the same random variable. Two clouds of 4000 in d = 16
 *  have W2^2 = 8.5 to two digits (design notes, made with another program). */
static void equal_laws_give_the_floor(void **state)
{
  (void)state;
  dcs_estimate e[DCS_SUMS_MAX];
  dcs_problem problem = gaussian(16, 1, "ddpm-beta", 4, 4000);
  measure("assignment", &problem, (dcs_stop){0.05, 1e4}, e, NULL);
  double error = hypot(e[DISTANCE].std_error, e[FLOOR].std_error);
  assert_near(e[DISTANCE].value, e[FLOOR].value, 4 * error);
  assert_near(e[FLOOR].value * e[FLOOR].value, 8.5, 0.05 + 8 * e[FLOOR].value * e[FLOOR].std_error);
  dcs_problem_destroy(&problem);
}

static void too_many_are_refused(void **state)
{
  (void)state;
  dcs_error err = {""};
  dcs_problem problem = gaussian(2, 1, "ddpm-beta", 4, 8001);
  assert_int_equal(dcs_estimator_find("assignment")->check(&problem, &err), DCS_EREFUSED);
  assert_non_null(strstr(err.text, "samples"));
  dcs_problem_destroy(&problem);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(no_permutation_is_cheaper), cmocka_unit_test(sorting_solves_the_line),
      cmocka_unit_test(prices_prove_it),           cmocka_unit_test(short_lists_do_not_mislead),
      cmocka_unit_test(equal_costs_end),           cmocka_unit_test(the_heap_sorts),
      cmocka_unit_test(lies_between_its_bounds),   cmocka_unit_test(equal_laws_give_the_floor),
      cmocka_unit_test(too_many_are_refused)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
