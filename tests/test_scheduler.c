/** Work distribution on thousands of ranks, by the simulator (scheduler_model.h): the run's own tasks and policy, in
 *  virtual time. Everything is repeatable to the bit, so that every bound is a statement and no statistics. */
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
#include "run/policy.h"
#include "scheduler_model.h"

/** Costs over four decades in a few thousand blocks. */
static const char small_text[] =
    "study: small\n"
    "source: test\n"
    "seed: 1\n"
    "targets: {gmm: {law: mixture, d: $d, components: 3, separation: 1.0, means_seed: 1, stddev: 0.3}}\n"
    "schedule: {levels: geometric, sigma_max: 10}\n"
    "delta: 1.0e-2\n"
    "grid: {target: [gmm], sampler: [ddim], d: [2, 4, 8, 16, 32], steps: {from: 32, to: 4096, factor: 2}}\n"
    "metrics: [kl]\n"
    "stop: {rel_error: 0.01, max_paths: 1.0e9}\n";

static const dcs_records none;

static dcs_study *parse(const char *text, int n_set, const char *const *set)
{
  dcs_study *study = NULL;
  dcs_error err = {{0}};
  if (dcs_study_parse("test.yaml", text, strlen(text), n_set, set, &study, &err) != DCS_OK) fail_msg("%s", err.text);
  return study;
}

static dcs_model_outcome simulate(const dcs_model *model, const dcs_study *study, const dcs_records *old,
                                  dcs_records *journal)
{
  dcs_model_outcome outcome;
  dcs_error err = {{0}};
  if (dcs_model_run(model, study, old, journal, &outcome, &err) != DCS_OK) fail_msg("%s", err.text);
  return outcome;
}

/** The smoothness study at paper size. */
static dcs_study *parse_paper(void)
{
  const char *set[] = {"scale=paper"}, *source = getenv("DCS_SOURCE");
  char path[4096], *text = NULL;
  size_t n = 0;
  dcs_error err = {{0}};
  snprintf(path, sizeof path, "%s/studies/smoothness/study.yaml", source != NULL ? source : ".");
  if (dcs_study_read(path, &text, &n, &err) != DCS_OK) fail_msg("%s", err.text);
  dcs_study *study = parse(text, 1, set);
  dcs_free(&text);
  return study;
}

static void test_paper_size_on_a_thousand_ranks(void **state)
{
  (void)state;
  dcs_study *study = parse_paper();
  dcs_model model = dcs_model_of(1000);
  dcs_model_outcome out = simulate(&model, study, &none, NULL);
  print_message("efficiency %.4f, %.0f messages/s, rank 0 busy %.3f, longest wait %.3f s\n", out.efficiency,
                (double)out.messages / out.seconds, out.busy, out.idle_most);
  assert_true(out.efficiency >= 0.95);
  assert_true(out.costliest > 3e3 * out.cheapest);
  assert_true(out.costliest > out.work / 1000); /* more than a rank's fair share: it had to be split */
  assert_true(out.busy < 0.1);
  model.levels = 250; /* less work, in blocks that differ as much within a phase */
  out = simulate(&model, study, &none, NULL);
  print_message("costs that depend on the level: efficiency %.4f in %.0f s\n", out.efficiency, out.seconds);
  assert_true(out.efficiency >= 0.95);
  /* without records and plans: the report comes when rank 0 has just begun to send batches, one to every other rank; then
   * it takes a report from each, and they may stand in the queue before this one; its own two messages and two naps */
  model.record = model.plan = 0;
  out = simulate(&model, study, &none, NULL);
  print_message("without records and plans: longest wait %.4f s\n", out.idle_most);
  assert_true(out.idle_most <= (3 * 999 + 2) * model.message + 2 * model.latency + 2e-4);
  dcs_study_destroy(&study);
}

/** When rank 0's work takes no time a rank waits for its report, the orders, and two naps of a poll at most. Then the
 *  time is at most work/ranks + the longest chain, whatever the order (Graham 1969); 1% for blocks sent ahead. */
static void test_no_rank_waits_while_there_is_work(void **state)
{
  (void)state;
  dcs_study *study = parse(small_text, 0, NULL);
  for (int ranks = 1; ranks <= 1000; ranks *= 10) {
    dcs_model model = dcs_model_of(ranks);
    model.message = model.record = model.plan = 0;
    dcs_model_outcome out = simulate(&model, study, &none, NULL);
    assert_true(out.idle_most <= 2 * model.latency + 2e-4);
    assert_true(out.seconds <= 1.01 * (out.work / ranks + out.chain));
  }
  dcs_study_destroy(&study);
}

/** Reports and batches are bounded by the rate, but for the first and last few of each rank. */
static void test_messages_do_not_grow_with_ranks(void **state)
{
  (void)state;
  dcs_study *study = parse(small_text, 0, NULL);
  for (int ranks = 10; ranks <= 10000; ranks *= 10) {
    dcs_model model = dcs_model_of(ranks);
    dcs_model_outcome out = simulate(&model, study, &none, NULL);
    print_message("%d ranks: efficiency %.3f, %lld messages in %.1f s\n", ranks, out.efficiency,
                  (long long)out.messages, out.seconds);
    assert_true((double)out.messages <= 1.25 * DCS_POLICY_RATE * out.seconds + 20.0 * ranks);
  }
  assert_true(dcs_policy_pace(1) == dcs_policy_pace(100) && dcs_policy_pace(100000) > 10);
  dcs_study_destroy(&study);
}

static void test_one_giant_point_is_split_over_all_ranks(void **state)
{
  (void)state;
  const char *set[] = {"grid.d=[32]", "grid.steps=[4096]", "stop.rel_error=0.002"};
  dcs_study *study = parse(small_text, 3, set);
  dcs_model model = dcs_model_of(1000);
  model.hard_lo = model.hard_hi = 1e3;
  assert_int_equal(study->n_points, 1);
  dcs_model_outcome out = simulate(&model, study, &none, NULL);
  print_message("one point on 1000 ranks: efficiency %.3f in %.0f s\n", out.efficiency, out.seconds);
  assert_int_equal(out.ranks_used, 1000);
  assert_true(out.efficiency >= 0.9);
  dcs_study_destroy(&study);
}

static void test_slow_ranks_get_less(void **state)
{
  (void)state;
  dcs_study *study = parse(small_text, 0, NULL);
  dcs_model model = dcs_model_of(100);
  model.slow_share = 0.1;
  dcs_model_outcome out = simulate(&model, study, &none, NULL);
  assert_true(out.efficiency >= 0.95);
  dcs_study_destroy(&study);
}

/** What died with the job are the blocks in progress; the next job computes what is missing and nothing else. */
static void test_a_job_that_dies_loses_one_block_a_rank(void **state)
{
  (void)state;
  dcs_study *study = parse(small_text, 0, NULL);
  dcs_records journal = {0};
  dcs_model model = dcs_model_of(100);
  dcs_model_outcome whole = simulate(&model, study, &none, NULL);
  model.dies_at = 0.4 * whole.seconds;
  dcs_model_outcome first = simulate(&model, study, &none, &journal);
  qsort(journal.record, (size_t)journal.count, sizeof *journal.record, dcs_record_compare);
  model.dies_at = INFINITY;
  dcs_model_outcome second = simulate(&model, study, &journal, NULL);
  assert_int_equal(journal.count + second.blocks, whole.blocks);
  assert_true(first.lost > 0 && first.lost <= 100 * whole.chain);
  assert_true(whole.work / (100 * (first.seconds + second.seconds)) >= 0.9);
  dcs_records_destroy(&journal);
  dcs_study_destroy(&study);
}

static void test_policy_serves_each_rank_once(void **state)
{
  (void)state;
  enum { RANKS = 5 };
  dcs_study *study = parse(small_text, 0, NULL);
  dcs_tasks *tasks = NULL;
  dcs_policy policy;
  dcs_order orders[DCS_BATCH];
  dcs_error err = {{0}};
  if (dcs_tasks_create(study, &none, &tasks, &err) != DCS_OK) fail_msg("%s", err.text);
  assert_int_equal(dcs_policy_create(RANKS, &policy), DCS_OK);
  assert_int_equal(dcs_policy_next(&policy, tasks), 0);
  dcs_policy_postpone(&policy, 0); /* a rank that cannot be reached lets the others go first */
  for (int rank = 1; rank <= RANKS; rank++) {
    assert_int_equal(dcs_policy_next(&policy, tasks), rank % RANKS);
    int n = dcs_policy_give(&policy, tasks, rank % RANKS, orders);
    assert_true(n > 0 && n == policy.load[rank % RANKS].blocks);
  }
  assert_int_equal(dcs_policy_next(&policy, tasks), -1); /* all have work */
  dcs_policy_finished(&policy, tasks, 3, policy.load[3].blocks);
  dcs_policy_finished(&policy, tasks, 3, 1); /* more than it was given: it is dry, not in debt */
  assert_true(policy.load[3].blocks == 0 && policy.load[3].seconds == 0 && policy.queued == 1);
  assert_int_equal(dcs_policy_next(&policy, tasks), 3);
  dcs_policy_destroy(&policy);
  dcs_tasks_destroy(&tasks);
  dcs_study_destroy(&study);
}

/** Half of a rank's share of ten seconds on five ranks is one second. */
static void test_policy_sends_ahead_and_shrinks(void **state)
{
  (void)state;
  enum { RANKS = 5 };
  dcs_study *study = parse(small_text, 0, NULL);
  dcs_tasks *tasks = NULL;
  dcs_policy policy;
  dcs_order orders[DCS_BATCH];
  dcs_record record;
  dcs_error err = {{0}};
  if (dcs_tasks_create(study, &none, &tasks, &err) != DCS_OK) fail_msg("%s", err.text);
  assert_int_equal(dcs_policy_create(RANKS, &policy), DCS_OK);
  for (int rank = 0; rank < RANKS; rank++) {
    assert_int_equal(dcs_policy_next(&policy, tasks), rank);
    assert_true(dcs_policy_give(&policy, tasks, rank, orders) > 0);
    dcs_task_record(study, &orders[0], &record);
    record.wall_s = 10 * tasks->task[tasks->choice[orders[0].point].task].flops / tasks->flops_left;
    if (rank == 0 && dcs_tasks_take(tasks, &record, &err) != DCS_OK) fail_msg("%s", err.text);
  }
  double left = dcs_tasks_seconds_left(tasks), pace = dcs_policy_pace(RANKS);
  assert_true(left > 5 && left <= 10);
  const struct {
    dcs_load before;
    int finished;
    bool queued;
  } cases[] = {
      {{10, 0.3, false}, 2, false},                             /* 0.24 s are left: enough until the next report */
      {{10, 0.3, false}, 7, true},  {{2, 0.6, false}, 1, true}, /* a single block, however long */
      {{2, 0.6, false}, 0, false},  {{2, 20, false}, 1, false}, /* but not to a rank that has more than its share */
      {{2, 20, false}, 2, true}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    policy.load[2] = cases[i].before;
    policy.queued = 0;
    dcs_policy_finished(&policy, tasks, 2, cases[i].finished);
    assert_true(policy.load[2].queued == cases[i].queued && policy.queued == cases[i].queued);
  }
  while (tasks->n_heap > 0) {
    double fair = dcs_tasks_seconds_left(tasks) / (2 * RANKS);
    policy.load[2] = (dcs_load){.queued = true};
    assert_int_equal(dcs_policy_next(&policy, tasks), 2);
    int blocks = dcs_policy_give(&policy, tasks, 2, orders);
    double most = fmax(fmin(4 * pace, fair), pace / 8);
    assert_true(blocks == 1 || policy.load[2].seconds <= most);
    if (!policy.load[2].queued) dcs_policy_postpone(&policy, 2);
  }
  dcs_policy_destroy(&policy);
  dcs_tasks_destroy(&tasks);
  dcs_study_destroy(&study);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_paper_size_on_a_thousand_ranks),
      cmocka_unit_test(test_no_rank_waits_while_there_is_work),
      cmocka_unit_test(test_messages_do_not_grow_with_ranks),
      cmocka_unit_test(test_one_giant_point_is_split_over_all_ranks),
      cmocka_unit_test(test_slow_ranks_get_less),
      cmocka_unit_test(test_a_job_that_dies_loses_one_block_a_rank),
      cmocka_unit_test(test_policy_serves_each_rank_once),
      cmocka_unit_test(test_policy_sends_ahead_and_shrinks),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
