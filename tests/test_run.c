/** The scheduler without MPI: whatever the order of arrival, the batches, or what an earlier run left, the same result.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "run/assemble.h"
#include "run/worker.h"

static const char study_text[] =
    "study: scheduler\n"
    "source: test\n"
    "seed: 3\n"
    "targets:\n"
    "  gaussian: {law: gaussian, d: 3, variance: 0.5}\n"
    "  gmm: {law: mixture, d: 2, components: 3, separation: 1.0, means_seed: 1, stddev: 0.3}\n"
    "schedule: {levels: geometric, sigma_max: 10}\n"
    "init: exact\n"
    "delta: 1.0e-2\n"
    "grid:\n"
    "  target: [gaussian, gmm]\n"
    "  sampler: [ddpm-posterior, ddim]\n"
    "  steps: [16, 32]\n"
    "metrics: [kl, chi2, w2]\n"
    "stop: {rel_error: 0.1, max_paths: 6.0e4}\n";

enum { N_POINTS = 8, GMM = 4 /* first point of the mixture; w2 has no instrument there */ };

static dcs_study *parse_with(int n_set, const char *const *set)
{
  dcs_study *study = NULL;
  dcs_error err = {{0}};
  if (dcs_study_parse("test.yaml", study_text, sizeof study_text - 1, n_set, set, &study, &err) != DCS_OK)
    fail_msg("%s", err.text);
  assert_int_equal(study->n_points, N_POINTS);
  return study;
}

static dcs_study *parse(void) { return parse_with(0, NULL); }

static dcs_tasks *tasks_of(const dcs_study *study, const dcs_records *old)
{
  dcs_tasks *tasks = NULL;
  dcs_error err = {{0}};
  if (dcs_tasks_create(study, old, &tasks, &err) != DCS_OK) fail_msg("%s", err.text);
  return tasks;
}

static void compute(dcs_problems *problems, const dcs_study *study, const dcs_order *order, dcs_record *record)
{
  const dcs_problem *problem = NULL;
  dcs_block_work *work = NULL;
  dcs_error err = {{0}};
  const dcs_estimator *estimator = dcs_estimator_at(order->estimator);
  dcs_task_record(study, order, record);
  if (dcs_problems_get(problems, order->point, estimator, &problem, &work, &err) != DCS_OK) fail_msg("%s", err.text);
  if (estimator->block(problem, &order->design, order->block, work, &record->sums, &err) != DCS_OK)
    fail_msg("%s", err.text);
  record->wall_s = 1e-3;
}

/** How a run behaves: batch size, and where finished blocks are taken from a pool of unfinished ones. */
typedef struct {
  int batch;
  unsigned random;   /* 0: in order; else the seed of a shuffle */
  int64_t fail_from; /* blocks from this one on fail in every final phase of point GMM; -1: none */
} behaviour;

/** Play all ranks until the study is done. Adds the number of blocks computed to `*computed` if it is not NULL. */
static void play(dcs_tasks *tasks, behaviour how, int64_t *computed)
{
  enum { POOL = 64 };
  dcs_order pool[POOL];
  int n_pool = 0;
  dcs_problems *problems = NULL;
  dcs_error err = {{0}};
  assert_int_equal(dcs_problems_create(tasks->study, &problems), DCS_OK);
  while (tasks->n_open > 0) {
    double predicted = 0;
    int room = POOL - n_pool < how.batch ? POOL - n_pool : how.batch;
    n_pool += dcs_tasks_next(tasks, 1e9, room, pool + n_pool, &predicted);
    if (n_pool == 0) fail_msg("tasks are open but no block is wanted");
    how.random = how.random * 1103515245u + 12345u * (how.random != 0);
    int pick = how.random == 0 ? 0 : (int)(how.random >> 8) % n_pool;
    dcs_record record;
    compute(problems, tasks->study, &pool[pick], &record);
    if (how.fail_from >= 0 && pool[pick].point == GMM && pool[pick].design.is_final && record.block >= how.fail_from) {
      record.status = DCS_ENUMERIC;
      record.sums = (dcs_sums){0};
      snprintf(record.reason, sizeof record.reason, "not finite in block %d", (int)record.block);
    }
    memmove(pool + pick, pool + pick + 1, (size_t)(--n_pool - pick) * sizeof *pool);
    if (dcs_tasks_take(tasks, &record, &err) != DCS_OK) fail_msg("%s", err.text);
    if (computed != NULL) ++*computed;
  }
  dcs_problems_destroy(&problems);
}

static dcs_result *result_of(dcs_tasks *tasks)
{
  dcs_result *result = NULL;
  dcs_error err = {{0}};
  if (dcs_assemble(tasks, &result, &err) != DCS_OK) fail_msg("%s", err.text);
  return result;
}

static const behaviour in_order = {.batch = 1, .fail_from = -1};

/** The straight run that all others must equal, and its records in canonical order. */
static uint64_t straight(const dcs_study *study, dcs_records *records)
{
  const dcs_records none = {0};
  dcs_tasks *tasks = tasks_of(study, &none);
  play(tasks, in_order, NULL);
  dcs_result *result = result_of(tasks);
  uint64_t digest = dcs_result_digest(result);
  for (int64_t i = 0; records != NULL && i < result->records.count; i++)
    assert_int_equal(dcs_records_add(records, &result->records.record[i]), DCS_OK);
  dcs_result_destroy(&result);
  dcs_tasks_destroy(&tasks);
  return digest;
}

static uint64_t run_with(const dcs_study *study, const dcs_records *old, behaviour how, int64_t *computed)
{
  dcs_tasks *tasks = tasks_of(study, old);
  play(tasks, how, computed);
  dcs_result *result = result_of(tasks);
  uint64_t digest = dcs_result_digest(result);
  dcs_result_destroy(&result);
  dcs_tasks_destroy(&tasks);
  return digest;
}

static void test_order_does_not_matter(void **state)
{
  (void)state;
  dcs_study *study = parse();
  const dcs_records none = {0};
  uint64_t expected = straight(study, NULL);
  for (unsigned seed = 1; seed <= 4; seed++) {
    behaviour how = {.batch = seed == 1 ? 64 : 7, .random = seed, .fail_from = -1};
    assert_true(run_with(study, &none, how, NULL) == expected);
  }
  dcs_study_destroy(&study);
}

/** Any subset of the blocks may have survived, also late phases without all of the earlier ones. */
static void test_resume_computes_only_what_is_missing(void **state)
{
  (void)state;
  dcs_study *study = parse();
  dcs_records all = {0};
  uint64_t expected = straight(study, &all);
  assert_true(all.count > N_POINTS);
  for (unsigned keep = 0; keep <= 4; keep++) { /* quarters that are kept */
    dcs_records old = {0};
    for (int64_t i = 0; i < all.count; i++)
      if ((unsigned)(i * 2654435761u >> 7) % 4 < keep) assert_int_equal(dcs_records_add(&old, &all.record[i]), DCS_OK);
    int64_t computed = 0;
    assert_true(run_with(study, &old, (behaviour){.batch = 5, .random = keep, .fail_from = -1}, &computed) == expected);
    assert_int_equal(computed, all.count - old.count);
    dcs_records_destroy(&old);
  }
  dcs_records_destroy(&all);
  dcs_study_destroy(&study);
}

/** Blocks of another design (the file asked for another error then) and blocks that are too many change nothing. */
static void test_blocks_of_another_design_are_passed_over(void **state)
{
  (void)state;
  dcs_study *study = parse();
  dcs_records all = {0}, old = {0};
  uint64_t expected = straight(study, &all);
  for (int64_t i = 0; i < all.count; i++) {
    dcs_record stale = all.record[i];
    stale.outer++;
    stale.sums.mean[0] = 1e9;
    assert_int_equal(dcs_records_add(&old, &stale), DCS_OK);
    stale = all.record[i];
    stale.block += 1000000;
    assert_int_equal(dcs_records_add(&old, &stale), DCS_OK);
    if (i % 2 == 0) assert_int_equal(dcs_records_add(&old, &all.record[i]), DCS_OK);
  }
  qsort(old.record, (size_t)old.count, sizeof *old.record, dcs_record_compare);
  int64_t computed = 0;
  assert_true(run_with(study, &old, in_order, &computed) == expected);
  assert_int_equal(computed, all.count / 2);
  dcs_records_destroy(&old);
  dcs_records_destroy(&all);
  dcs_study_destroy(&study);
}

static void test_two_results_of_one_block_are_an_error(void **state)
{
  (void)state;
  dcs_study *study = parse();
  dcs_records all = {0};
  dcs_error err = {{0}};
  straight(study, &all);
  dcs_record copy = all.record[0];
  copy.wall_s += 1; /* time is not data */
  assert_int_equal(dcs_records_add(&all, &copy), DCS_OK);
  qsort(all.record, (size_t)all.count, sizeof *all.record, dcs_record_compare);
  dcs_tasks *tasks = tasks_of(study, &all);
  assert_int_equal(tasks->n_open, 0);
  dcs_tasks_destroy(&tasks);
  all.record[0].sums.mean[0] += 1;
  assert_int_equal(dcs_tasks_create(study, &all, &tasks, &err), DCS_ECORRUPT);
  assert_null(tasks);
  assert_non_null(strstr(err.text, "twice"));
  dcs_records_destroy(&all);
  dcs_study_destroy(&study);
}

static void test_lowest_failed_block_is_reported(void **state)
{
  (void)state;
  dcs_study *study = parse();
  const dcs_records none = {0};
  uint64_t first = 0;
  for (unsigned seed = 0; seed <= 3; seed++) {
    dcs_tasks *tasks = tasks_of(study, &none);
    play(tasks, (behaviour){.batch = 16, .random = seed, .fail_from = 1}, NULL);
    dcs_result *result = result_of(tasks);
    assert_int_equal(result->status[GMM], DCS_POINT_FAILED);
    assert_non_null(strstr(result->reason[GMM], "not finite in block 1"));
    int kl = dcs_result_metric_find(result, "kl");
    assert_true(isnan(result->metric[kl].estimate[GMM].value));
    assert_string_equal(result->metric[kl].method[GMM], "");
    assert_int_equal(result->status[0], DCS_POINT_OK);
    if (seed == 0) first = dcs_result_digest(result);
    assert_true(dcs_result_digest(result) == first);
    dcs_result_destroy(&result);
    dcs_tasks_destroy(&tasks);
  }
  dcs_study_destroy(&study);
}

static void test_refused_metric_leaves_the_others(void **state)
{
  (void)state;
  dcs_study *study = parse();
  const dcs_records none = {0};
  dcs_tasks *tasks = tasks_of(study, &none);
  play(tasks, in_order, NULL);
  dcs_result *result = result_of(tasks);
  int kl = dcs_result_metric_find(result, "kl"), w2 = dcs_result_metric_find(result, "w2");
  assert_int_equal(result->status[0], DCS_POINT_OK);
  assert_string_equal(result->reason[0], "");
  assert_true(isfinite(result->metric[w2].estimate[0].value));
  assert_int_equal(result->status[GMM], DCS_POINT_REFUSED);
  assert_non_null(strstr(result->reason[GMM], "w2: "));
  assert_true(isnan(result->metric[w2].estimate[GMM].value));
  assert_true(isfinite(result->metric[kl].estimate[GMM].value) && result->metric[kl].estimate[GMM].std_error > 0);
  for (int64_t p = 0; p < N_POINTS; p++) { /* levels really used: N + 1 of them, from 10 down to sqrt(delta) */
    const double *level = result->level + result->level_first[p];
    int64_t n = result->level_first[p + 1] - result->level_first[p];
    assert_int_equal(n, study->point[p].steps + 1);
    assert_true(fabs(level[0] - 10) < 1e-12 && fabs(level[n - 1] - 0.1) < 1e-12); /* rounding of two exp */
    assert_true(result->wall_s[p] > 0);
  }
  dcs_result_destroy(&result);
  dcs_tasks_destroy(&tasks);
  dcs_study_destroy(&study);
}

/** A point that cannot be built has no levels; a metric with a profile has a value for every level of the
 *  others, if its method gives one. */
static void test_profiles_are_aligned_with_levels(void **state)
{
  (void)state;
  const char *set[] = {"metrics=[mmse]", "grid.score_error=[0, 1.0e9]", "grid.steps=[16]"};
  dcs_study *study = parse_with(3, set);
  const dcs_records none = {0};
  dcs_tasks *tasks = tasks_of(study, &none);
  play(tasks, in_order, NULL);
  dcs_result *result = result_of(tasks);
  const dcs_result_metric *mmse = &result->metric[0];
  assert_non_null(mmse->profile);
  for (int64_t p = 0; p < N_POINTS; p++) {
    const dcs_estimate *profile = mmse->profile + result->level_first[p];
    int64_t n = result->level_first[p + 1] - result->level_first[p];
    const dcs_estimator *by = dcs_estimator_find(mmse->method[p]);
    bool measured = by != NULL && by->profile != NULL;
    if (measured) assert_int_equal(n, 17);
    assert_true(n == 17 || (n == 0 && result->status[p] == DCS_POINT_REFUSED));
    for (int64_t k = 0; k < n; k++) assert_true(isfinite(profile[k].value) == measured);
    if (!measured) continue;
    double last = mmse->estimate[p].value; /* the metric is that of the last level, to rounding */
    assert_true(fabs(profile[16].value - last) <= 1e-12 * last);
  }
  dcs_result_destroy(&result);
  dcs_tasks_destroy(&tasks);
  dcs_study_destroy(&study);
}

/** Every level has the samples of its own blocks: block b of the final phase belongs to level b % (steps + 1). */
static void check_levels_have_their_blocks(const dcs_study *study, const dcs_estimator *estimator)
{
  const dcs_records none = {0};
  dcs_tasks *tasks = tasks_of(study, &none);
  play(tasks, in_order, NULL);
  dcs_result *result = result_of(tasks);
  uint64_t id = dcs_hash_bytes(estimator->name, strlen(estimator->name));
  for (int64_t p = 0; p < N_POINTS; p++) {
    int64_t n[33] = {0}, levels = result->level_first[p + 1] - result->level_first[p];
    if (strcmp(result->metric[0].method[p], estimator->name) != 0) continue;
    assert_true(levels <= 33);
    for (int64_t i = 0; i < result->records.count; i++) { /* sorted: a later phase comes after an earlier one */
      const dcs_record *record = &result->records.record[i];
      if (record->point != result->hash[p] || record->estimator != id) continue;
      if (record->block == 0) memset(n, 0, sizeof n);
      n[record->block % levels] += record->sums.n;
    }
    for (int64_t k = 0; k < levels; k++) {
      assert_true(n[k] > 0);
      assert_int_equal(result->metric[0].profile[result->level_first[p] + k].n, n[k]);
    }
  }
  dcs_result_destroy(&result);
  dcs_tasks_destroy(&tasks);
}

/** Blocks in groups: the order of arrival, what survived of an earlier run, and batches across groups change nothing. */
static void test_groups(void **state)
{
  (void)state;
  const dcs_estimator *estimator = dcs_estimator_find("mmse");
  assert_true(estimator != NULL && estimator->groups != NULL);
  const char *set[] = {"metrics=[mmse, kl]", "stop.rel_error=0.02"};
  dcs_study *study = parse_with(2, set);
  check_levels_have_their_blocks(study, estimator);
  dcs_records all = {0};
  const dcs_records none = {0};
  uint64_t expected = straight(study, &all);
  for (unsigned seed = 1; seed <= 3; seed++)
    assert_true(run_with(study, &none, (behaviour){.batch = 7, .random = seed, .fail_from = -1}, NULL) == expected);
  for (unsigned keep = 0; keep <= 4; keep++) { /* quarters that are kept */
    dcs_records old = {0};
    for (int64_t i = 0; i < all.count; i++)
      if ((unsigned)(i * 2654435761u >> 7) % 4 < keep) assert_int_equal(dcs_records_add(&old, &all.record[i]), DCS_OK);
    int64_t computed = 0;
    assert_true(run_with(study, &old, (behaviour){.batch = 5, .random = keep, .fail_from = -1}, &computed) == expected);
    assert_int_equal(computed, all.count - old.count);
    dcs_records_destroy(&old);
  }
  dcs_records_destroy(&all);
  dcs_study_destroy(&study);
}

/** Blocks left in the task that goes first by the rule: pilots, then the longest blocks, then the most of them. */
static int64_t left_in_first(const dcs_tasks *tasks, bool *is_pilot, double *flops)
{
  int64_t left = 0;
  for (int64_t i = 0; i < tasks->n_tasks; i++) {
    const dcs_task *task = &tasks->task[i];
    bool pilot = !task->design.is_final;
    if (task->left == 0) continue;
    if (left > 0 && pilot != *is_pilot && *is_pilot) continue;
    if (left > 0 && pilot == *is_pilot && task->flops < *flops) continue;
    if (left > 0 && pilot == *is_pilot && task->flops == *flops && task->left < left) continue;
    left = task->left;
    *is_pilot = pilot;
    *flops = task->flops;
  }
  return left;
}

static void test_pilots_and_long_blocks_first(void **state)
{
  (void)state;
  dcs_study *study = parse();
  const dcs_records none = {0};
  dcs_tasks *tasks = tasks_of(study, &none);
  double last = INFINITY, predicted = 0;
  bool was_pilot = true;
  for (int64_t t = 0; t < tasks->n_tasks; t++) { /* as many blocks at once as a task has: they come task by task */
    dcs_order orders[DCS_BATCH];
    bool is_pilot = false;
    double flops = 0;
    int64_t left = left_in_first(tasks, &is_pilot, &flops);
    assert_true(left > 0 && left <= DCS_BATCH && (was_pilot || !is_pilot));
    assert_true(was_pilot != is_pilot || flops <= last);
    last = flops;
    was_pilot = is_pilot;
    assert_int_equal(dcs_tasks_next(tasks, 1e9, (int)left, orders, &predicted), left);
    assert_true(orders[0].design.is_final == !is_pilot);
    for (int i = 1; i < left; i++) assert_true(orders[i].point == orders[0].point && orders[i].block == i);
  }
  dcs_order none_left;
  assert_int_equal(dcs_tasks_next(tasks, 1e9, 1, &none_left, &predicted), 0);
  assert_true(fabs(tasks->flops_left) < 1); /* sums of whole numbers below 2^53: at most rounding remains */
  dcs_tasks_destroy(&tasks);

  tasks = tasks_of(study, &none);
  dcs_order one[DCS_BATCH];
  assert_int_equal(dcs_tasks_next(tasks, 0, DCS_BATCH, one, &predicted), 1); /* an expensive block goes alone */
  dcs_tasks_destroy(&tasks);
  dcs_study_destroy(&study);
}

/** A point whose pilot took a thousand times as long per operation goes first after the pilots, and its next blocks are
 *  expected to take as long. */
static void test_costs_are_learned_from_the_pilot(void **state)
{
  (void)state;
  enum { SLOW = GMM, MAX = 1024 };
  const char *set[] = {"metrics=[kl]"};
  dcs_study *study = parse_with(1, set);
  const dcs_records none = {0};
  dcs_tasks *tasks = tasks_of(study, &none);
  dcs_problems *problems = NULL;
  dcs_order orders[MAX];
  dcs_error err = {{0}};
  double predicted = 0;
  int n = 0;
  assert_int_equal(dcs_problems_create(study, &problems), DCS_OK);
  for (int more = 1; more > 0; n += more) more = dcs_tasks_next(tasks, 1e9, DCS_BATCH, orders + n, &predicted);
  for (int i = 0; i < n; i++) {
    dcs_record record;
    compute(problems, study, &orders[i], &record);
    record.wall_s = 1e-9 * tasks->task[tasks->choice[orders[i].point].task].flops * (orders[i].point == SLOW ? 1e3 : 1);
    if (dcs_tasks_take(tasks, &record, &err) != DCS_OK) fail_msg("%s", err.text);
  }
  assert_int_equal(dcs_tasks_next(tasks, 0, 1, orders, &predicted), 1);
  const dcs_task *task = &tasks->task[tasks->choice[SLOW].task];
  assert_int_equal(orders[0].point, SLOW);
  assert_true(task->design.phase > 0 && task->timed == 0);
  assert_true(fabs(predicted / (1e-6 * task->flops) - 1) < 1e-12); /* rounding */
  dcs_problems_destroy(&problems);
  dcs_tasks_destroy(&tasks);
  dcs_study_destroy(&study);
}

static void test_nobody_asked(void **state)
{
  (void)state;
  dcs_study *study = parse();
  const dcs_records none = {0};
  dcs_tasks *tasks = tasks_of(study, &none);
  dcs_problems *problems = NULL;
  dcs_order order;
  dcs_record record;
  dcs_error err = {{0}};
  double predicted = 0;
  assert_int_equal(dcs_problems_create(study, &problems), DCS_OK);
  assert_int_equal(dcs_tasks_next(tasks, 0, 1, &order, &predicted), 1);
  compute(problems, study, &order, &record);
  dcs_record wrong[5] = {record, record, record, record, record};
  wrong[0].point++;
  wrong[1].estimator++;
  wrong[2].block = -1;
  wrong[3].block = INT64_MAX;
  wrong[4].phase++;
  for (int i = 0; i < 5; i++) assert_int_equal(dcs_tasks_take(tasks, &wrong[i], &err), DCS_EARG);
  assert_int_equal(dcs_tasks_take(tasks, &record, &err), DCS_OK);
  assert_int_equal(dcs_tasks_take(tasks, &record, &err), DCS_EARG);
  dcs_problems_destroy(&problems);
  dcs_tasks_destroy(&tasks);
  dcs_study_destroy(&study);
}

static void test_queue(void **state)
{
  (void)state;
  dcs_queue *queue = NULL;
  dcs_order orders[DCS_BATCH] = {{0}};
  int64_t in = 0, out = 0;
  assert_int_equal(dcs_alloc(1, sizeof *queue, &queue), DCS_OK);
  for (int round = 0; round < 50; round++) { /* wraps around several times */
    for (int i = 0; i < 100; i++) orders[i].block = in++;
    assert_true(dcs_queue_push(queue, 100, orders));
    for (int i = 0; i < 100 && round > 2; i++) assert_int_equal(dcs_queue_pop(queue).block, out++);
  }
  assert_int_equal(queue->count, 300);
  assert_false(dcs_queue_push(queue, 213, orders)); /* room for 512 */
  assert_true(dcs_queue_push(queue, 212, orders));
  assert_false(dcs_queue_push(queue, -1, orders));
  dcs_free(&queue);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_order_does_not_matter),
      cmocka_unit_test(test_resume_computes_only_what_is_missing),
      cmocka_unit_test(test_blocks_of_another_design_are_passed_over),
      cmocka_unit_test(test_two_results_of_one_block_are_an_error),
      cmocka_unit_test(test_lowest_failed_block_is_reported),
      cmocka_unit_test(test_refused_metric_leaves_the_others),
      cmocka_unit_test(test_profiles_are_aligned_with_levels),
      cmocka_unit_test(test_groups),
      cmocka_unit_test(test_pilots_and_long_blocks_first),
      cmocka_unit_test(test_costs_are_learned_from_the_pilot),
      cmocka_unit_test(test_nobody_asked),
      cmocka_unit_test(test_queue),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
