/* Module schedule: number, order, ends and rule of the levels, recomputed in long double. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* needs the headers above */

#include <float.h>
#include <math.h>
#include <string.h>

#include "schedule/schedule.h"
#include "support.h"

static const int step_counts[] = {6, 9, 16, 100, 1000, 4096, 16384};
enum { STEP_COUNTS = (int)(sizeof step_counts / sizeof *step_counts) };

/** sigma_max and delta of the ranges every rule that takes them is tried on. */
static const double ranges[][2] = {{20, 1e-2}, {20, 1e-6}, {80, 1e-4}, {1, 0.25}, {0.5, 1e-3}};
enum { RANGES = (int)(sizeof ranges / sizeof *ranges) };

/** Levels of a rule with up to two of its parameters set (key NULL: default). */
static dcs_status create(const char *name, const char *key1, double value1, const char *key2, double value2, int steps,
                         double delta, dcs_schedule **out, dcs_error *err)
{
  dcs_params params = {0};
  const dcs_schedule_rule *rule = dcs_schedule_find(name);
  assert_non_null(rule);
  must(dcs_params_create(rule->params, &params), NULL);
  if (key1 != NULL) must(dcs_params_set(&params, key1, 1, 1, &value1), NULL);
  if (key2 != NULL) must(dcs_params_set(&params, key2, 1, 1, &value2), NULL);
  must(dcs_params_default(&params, NULL), NULL);
  dcs_status st = dcs_schedule_create(rule, &params, steps, delta, out, err);
  dcs_params_destroy(&params);
  return st;
}

static dcs_schedule *make(const char *name, double sigma_max, int steps, double delta)
{
  dcs_error err = {""};
  dcs_schedule *schedule = NULL;
  must(create(name, "sigma_max", sigma_max, NULL, 0, steps, delta, &schedule, &err), &err);
  return schedule;
}

static void assert_descending(const dcs_schedule *schedule, int steps)
{
  assert_int_equal(schedule->steps, steps);
  for (int k = 0; k <= steps; k++) assert_true(schedule->sigma[k] > schedule->sigma[k + 1]);
  assert_true(schedule->sigma[steps + 1] > 0);
}

static void test_ends_are_exact_and_levels_descend(void **state)
{
  (void)state;
  for (int i = 0; dcs_schedule_at(i) != NULL; i++) {
    const dcs_schedule_rule *rule = dcs_schedule_at(i);
    assert_ptr_equal(dcs_schedule_find(rule->name), rule);
    for (int r = 0; r < RANGES && rule->takes_delta; r++)
      for (int n = 0; n < STEP_COUNTS; n++) {
        dcs_schedule *schedule = make(rule->name, ranges[r][0], step_counts[n], ranges[r][1]);
        assert_descending(schedule, step_counts[n]);
        assert_near(schedule->sigma[0], ranges[r][0], 0);
        assert_near(schedule->sigma[step_counts[n]], sqrt(ranges[r][1]), 0);
        dcs_schedule_destroy(&schedule);
        assert_null(schedule);
      }
  }
  assert_null(dcs_schedule_find("geometri"));
  assert_null(dcs_schedule_at(-1));
}

/** sigma_k = sigma_max (sqrt(delta)/sigma_max)^(k/N), the continuation k = N + 1 included. */
static void test_geometric_has_one_ratio(void **state)
{
  (void)state;
  for (int r = 0; r < RANGES; r++)
    for (int n = 0; n <= STEP_COUNTS; n++) {
      int steps = n == STEP_COUNTS ? 1 : step_counts[n]; /* one step is a schedule, too */
      dcs_schedule *schedule = make("geometric", ranges[r][0], steps, ranges[r][1]);
      long double range = 0.5L * logl(ranges[r][1]) - logl(ranges[r][0]);
      for (int k = 0; k <= steps + 1; k++) {
        long double expected = ranges[r][0] * expl(range * k / steps);
        /* the exponent, at most 10, is rounded before exp */
        assert_near((double)(schedule->sigma[k] / expected), 1, 32 * DBL_EPSILON);
      }
      dcs_schedule_destroy(&schedule);
    }
}

/** gamma_k = gamma_0 + k (gamma_N - gamma_0)/N, gamma = 1/sigma^2, the continuation k = N + 1 included. */
static void test_snr_uniform_has_one_difference(void **state)
{
  (void)state;
  for (int r = 0; r < RANGES; r++)
    for (int n = 0; n < STEP_COUNTS; n++) {
      int steps = step_counts[n];
      dcs_schedule *schedule = make("snr-uniform", ranges[r][0], steps, ranges[r][1]);
      long double first = 1 / ((long double)ranges[r][0] * ranges[r][0]), last = 1 / (long double)ranges[r][1];
      for (int k = 0; k <= steps + 1; k++) {
        long double s = schedule->sigma[k];
        assert_near((double)(1 / (s * s) / (first + (last - first) * k / steps)), 1, 8 * DBL_EPSILON);
      }
      dcs_schedule_destroy(&schedule);
    }
}

/** h_k = c min(1, t_k) with one c, h and t from sigma^2 = e^{2t} - 1. */
static void test_jain_zhang_has_one_constant(void **state)
{
  (void)state;
  for (int r = 0; r < RANGES; r++)
    for (int n = 0; n < STEP_COUNTS; n++) {
      int steps = step_counts[n];
      dcs_schedule *schedule = make("jain-zhang", ranges[r][0], steps, ranges[r][1]);
      long double first = 0;
      for (int k = 0; k <= steps; k++) { /* k = N is the continuation */
        long double s = schedule->sigma[k], next = schedule->sigma[k + 1];
        long double t = 0.5L * log1pl(s * s), h = 0.5L * log1pl((s * s - next * next) / (1 + next * next));
        long double c = h / fminl(1, t);
        if (k == 0) first = c;
        /* levels are doubles: h = c t is known to DBL_EPSILON/c relative, c > 6e-5 here; the last step, which ends at
           sqrt(delta) exactly, also makes up for the rounding of all steps before it */
        double carried = k == steps - 1 ? steps * DBL_EPSILON / (double)first : 0;
        assert_near((double)(c / first), 1, 4e-11 + carried);
      }
      assert_true(first > 0 && first < 1);
      dcs_schedule_destroy(&schedule);
    }
}

/** beta_1 = N^-c0, beta_{t+1} = (c1 log N/N) min{beta_1 (1 + c1 log N/N)^t, 1}, sigma_t^2 = 1/prod (1 - beta_i) - 1. */
static void test_li_yan_recursion(void **state)
{
  (void)state;
  static const double constants[][2] = {{2, 4}, {1, 2}, {3, 6}};
  for (int i = 0; i < 3; i++)
    for (int n = 0; n < STEP_COUNTS; n++) {
      int steps = step_counts[n];
      long double size = steps, rate = constants[i][1] * logl(size) / size;
      dcs_error err = {""};
      dcs_schedule *schedule = NULL;
      dcs_status st = create("li-yan", "c0", constants[i][0], "c1", constants[i][1], steps, NAN, &schedule, &err);
      if (rate >= 1) { /* beta would reach 1 */
        assert_int_equal(st, DCS_EUSAGE);
        assert_non_null(strstr(err.text, "steps"));
        continue;
      }
      must(st, &err);
      assert_descending(schedule, steps);
      long double beta1 = powl(size, -constants[i][0]), log_alpha = 0;
      for (int t = 1; t <= steps + 1; t++) {
        long double beta = t == 1 ? beta1 : rate * fminl(beta1 * powl(1 + rate, t - 1), 1);
        log_alpha += log1pl(-beta);
        /* N products and sums in double; near noise one, sigma depends on log alpha with slope |log alpha| < 100 */
        assert_near((double)(schedule->sigma[steps + 1 - t] / sqrtl(expm1l(-log_alpha))), 1,
                    (16 + steps) * 4 * DBL_EPSILON);
      }
      const double *end = schedule->sigma + steps;
      assert_near(end[1] / end[0], end[0] / end[-1], 4 * DBL_EPSILON);
      dcs_schedule_destroy(&schedule);
    }
}

static void test_contradictions_are_refused(void **state)
{
  (void)state;
  static const struct {
    const char *rule;
    double sigma_max, delta;
    int steps;
    const char *word; /**< the message must name what to change */
  } bad[] = {
      {"geometric", 2, 4, 10, "delta"},       {"geometric", 2, 5, 10, "delta"},
      {"jain-zhang", 2, 4, 10, "delta"},      {"jain-zhang", 2, 4.5, 10, "delta"},
      {"jain-zhang", 20, 1e-2, 1, "steps"},   {"jain-zhang", 20, 1e-2, 2, "steps"},
      {"jain-zhang", 1000, 1e-2, 6, "steps"}, {"geometric", 1, 1 - 1e-15, 10000, "steps"},
  };
  for (int i = 0; i < (int)(sizeof bad / sizeof *bad); i++) {
    dcs_error err = {""};
    dcs_schedule *schedule = NULL;
    dcs_status st =
        create(bad[i].rule, "sigma_max", bad[i].sigma_max, NULL, 0, bad[i].steps, bad[i].delta, &schedule, &err);
    assert_int_equal(st, DCS_EUSAGE);
    assert_null(schedule);
    assert_non_null(strstr(err.text, bad[i].word));
  }
  dcs_schedule *schedule = make("jain-zhang", 20, 3, 1e-2); /* t = 3: three steps are just enough */
  assert_descending(schedule, 3);
  dcs_schedule_destroy(&schedule);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_ends_are_exact_and_levels_descend),
      cmocka_unit_test(test_geometric_has_one_ratio),
      cmocka_unit_test(test_snr_uniform_has_one_difference),
      cmocka_unit_test(test_jain_zhang_has_one_constant),
      cmocka_unit_test(test_li_yan_recursion),
      cmocka_unit_test(test_contradictions_are_refused),
  };
  return cmocka_run_group_tests_name("schedule", tests, NULL, NULL);
}
