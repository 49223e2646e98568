/** dcs verify: results that say what cannot be are found, and those that say it only within their errors are not. The
 *  results are exact ones of a Gaussian target whose metrics are renamed and changed in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "run/assemble.h"
#include "run/worker.h"

static const char study_text[] = "study: verify\n"
                                 "target: {law: gaussian, d: 3, variance: 0.5}\n"
                                 "schedule: {levels: geometric, sigma_max: 10}\n"
                                 "sampler: ddim\n"
                                 "delta: 0.01\n"
                                 "grid: {steps: [8, 16]}\n"
                                 "metrics: [kl, chi2, w2]\n";

static int parse_study(void **state)
{
  dcs_study *study = NULL;
  dcs_error err = {""};
  dcs_status st = dcs_study_parse("t.yaml", study_text, sizeof study_text - 1, 0, NULL, &study, &err);
  *state = study;
  return st != DCS_OK;
}

static int destroy_study(void **state)
{
  dcs_study *study = *state;
  dcs_study_destroy(&study);
  return 0;
}

/** The straight result. */
static dcs_result *make_result(const dcs_study *study)
{
  dcs_tasks *tasks = NULL;
  dcs_problems *problems = NULL;
  dcs_result *result = NULL;
  dcs_error err = {""};
  const dcs_records none = {0};
  assert_int_equal(dcs_tasks_create(study, &none, &tasks, &err), DCS_OK);
  assert_int_equal(dcs_problems_create(study, &problems), DCS_OK);
  while (tasks->n_open > 0) {
    dcs_order order;
    dcs_record record;
    const dcs_problem *problem = NULL;
    dcs_block_work *work = NULL;
    double predicted = 0;
    assert_int_equal(dcs_tasks_next(tasks, 1, 1, &order, &predicted), 1);
    const dcs_estimator *estimator = dcs_estimator_at(order.estimator);
    dcs_task_record(study, &order, &record);
    assert_int_equal(dcs_problems_get(problems, order.point, estimator, &problem, &work, &err), DCS_OK);
    assert_int_equal(estimator->block(problem, &order.design, order.block, work, &record.sums, &err), DCS_OK);
    assert_int_equal(dcs_tasks_take(tasks, &record, &err), DCS_OK);
  }
  if (dcs_assemble(tasks, &result, &err) != DCS_OK) fail_msg("%s", err.text);
  dcs_problems_destroy(&problems);
  dcs_tasks_destroy(&tasks);
  return result;
}

/** Write, verify; the exit code is `code` and the report has the line `line`. */
static void expect(const dcs_result *result, int code, const char *line)
{
  dcs_error err = {""};
  char command[1024], report[4096] = "";
  const char *dcs = getenv("DCS");
  assert_non_null(dcs);
  if (dcs_result_write("verify.h5", result, &err) != DCS_OK) fail_msg("%s", err.text);
  snprintf(command, sizeof command, "'%s' verify verify.h5 > verify.txt", dcs);
  int status = system(command);
  FILE *file = fopen("verify.txt", "r");
  assert_non_null(file);
  size_t n = fread(report, 1, sizeof report - 1, file);
  fclose(file);
  report[n] = '\0';
  if (status / 256 != code || strstr(report, line) == NULL)
    fail_msg("expected exit code %d and '%s', got %d and\n%s", code, line, status / 256, report);
}

static dcs_estimate *rename_metric(dcs_result *result, const char *from, const char *to)
{
  int m = dcs_result_metric_find(result, from);
  assert_true(m >= 0);
  dcs_free(&result->metric[m].name);
  assert_int_equal(dcs_strdup(to, &result->metric[m].name), DCS_OK);
  return result->metric[m].estimate;
}

static void test_straight(void **state)
{
  dcs_result *result = make_result(*state);
  expect(result, 0, "bounds    -       nothing to check");
  dcs_result_destroy(&result);
}

/** Change `from` into `upper`, an upper bound of `lower`: above, exactly there, below, below within the errors. */
static void check_bound(const dcs_study *study, const char *lower, const char *from, const char *upper)
{
  dcs_result *result = make_result(study);
  const dcs_estimate *a = result->metric[dcs_result_metric_find(result, lower)].estimate;
  dcs_estimate *b = rename_metric(result, from, upper);
  for (int p = 0; p < 2; p++) b[p].value = 1.1 * a[p].value;
  expect(result, 0, "bounds    ok      2 comparisons");
  b[1].value = a[1].value;
  expect(result, 0, "bounds    ok      2 comparisons");
  b[1].value = 0.9 * a[1].value;
  expect(result, 1, "bounds    FAILED  1 of 2 comparisons, first at point 1");
  b[1].bias_bound = 0.06 * a[1].value;
  expect(result, 1, "bounds    FAILED");
  b[1].std_error = 0.015 * a[1].value; /* 0.06 + 4 x 0.015 covers 0.1 */
  expect(result, 0, "bounds    ok      2 comparisons");
  b[1].std_error = 0;
  b[1].bias_bound = INFINITY; /* says nothing */
  expect(result, 0, "bounds    ok      1 comparisons");
  dcs_result_destroy(&result);
}

static void test_upper_bounds(void **state)
{
  check_bound(*state, "kl", "chi2", "kl_path");
  check_bound(*state, "kl", "chi2", "kl_chain");
  check_bound(*state, "w2", "chi2", "w2_coupling");
}

static void test_information(void **state)
{
  dcs_result *result = make_result(*state);
  dcs_estimate *e = rename_metric(result, "chi2", "information");
  expect(result, 0, "bounds    ok      2 comparisons");
  e[0].value = -0.01;
  expect(result, 1, "bounds    FAILED  1 of 2 comparisons, first at point 0");
  e[0].std_error = 0.003;
  expect(result, 0, "bounds    ok      2 comparisons");
  dcs_result_destroy(&result);
}

/** Errors are checked at the points and at every level. */
static void test_errors(void **state)
{
  dcs_result *result = make_result(*state);
  dcs_result_metric *m = &result->metric[0];
  size_t n_levels = (size_t)result->level_first[2];
  assert_int_equal(n_levels, 9 + 17);
  assert_int_equal(dcs_alloc(n_levels, sizeof *m->profile, &m->profile), DCS_OK);
  m->profile[3] = (dcs_estimate){NAN, NAN, NAN, 0};
  expect(result, 0, "errors    ok      31 values"); /* 3 x 2 and 25 levels */
  m->profile[20].std_error = -1;
  expect(result, 1, "errors    FAILED  1 of 31 values, first at point 1");
  dcs_result_destroy(&result);
}

int main(void)
{
  char directory[] = "/tmp/dcs_test_verify_XXXXXX";
  if (mkdtemp(directory) == NULL || chdir(directory) != 0) return 1;
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_straight), cmocka_unit_test(test_upper_bounds),
                                     cmocka_unit_test(test_information), cmocka_unit_test(test_errors)};
  int failed = cmocka_run_group_tests(tests, parse_study, destroy_study);
  unlink("verify.h5");
  unlink("verify.txt");
  if (chdir("/") != 0 || rmdir(directory) != 0) perror(directory);
  return failed;
}
