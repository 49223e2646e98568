/** Sizes of blocks: what estimators plan when a point is as hard as we say it is. A block must be long beside the cost of
 *  its record (microseconds) and short beside what a crash may lose (seconds), whatever a sample costs; and the work spent
 *  on phases that do not count must stay small. Plans are functions of numbers: every bound holds exactly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "metric/forecast.h"
#include "metric/level_design.h"
#include "metric/mean_design.h"
#include "metric/ratio_design.h"
#include "study/study.h"

#define LEAST_FLOPS 1e8

static double paths_of(const dcs_design *design) { return (double)(design->blocks * design->outer) * design->inner; }

typedef struct {
  dcs_design last;
  dcs_next end;
  double samples; /* all phases together */
  int64_t blocks;
} walk;

/** Follow the plan of a mean 1 whose samples have this variance. */
static walk walk_mean(double flops, int multiple, double variance, const dcs_stop *stop)
{
  walk w = {.end = DCS_NEXT_RUN};
  dcs_design next;
  dcs_sums sums = {.mean = {1}};
  assert_int_equal(dcs_mean_plan(flops, multiple, 1, (const bool[]){true}, stop, NULL, NULL, &next), DCS_NEXT_RUN);
  while (w.end == DCS_NEXT_RUN) {
    bool goes_on = w.last.blocks > 0 && next.phase == w.last.phase;
    assert_true(next.outer % multiple == 0 && next.outer > 0 && next.inner == 1 && next.is_final);
    assert_true(goes_on ? next.outer == w.last.outer && next.blocks > w.last.blocks : next.blocks >= 1);
    assert_true(goes_on || next.spent == (w.last.blocks > 0 ? w.last.spent + paths_of(&w.last) : 0));
    w.samples += paths_of(&next) - (goes_on ? paths_of(&w.last) : 0);
    w.blocks += next.blocks - (goes_on ? w.last.blocks : 0);
    w.last = next;
    sums.n = next.outer * next.blocks;
    sums.m2[0] = variance * (double)(sums.n - 1);
    w.end = dcs_mean_plan(flops, multiple, 1, (const bool[]){true}, stop, &w.last, &sums, &next);
  }
  return w;
}

static void test_blocks_of_a_mean(void **state)
{
  (void)state;
  const dcs_stop stop = {0.001, 1e12};
  for (double flops = 10; flops < 1e12; flops *= 7)
    for (double variance = 1e-3; variance < 1e3; variance *= 1.7)
      for (int multiple = 1; multiple <= 16; multiple += 15) {
        walk w = walk_mean(flops, multiple, variance, &stop);
        double needed = variance / (stop.rel_error * stop.rel_error), work = flops * paths_of(&w.last);
        double block = flops * (double)w.last.outer, step = flops * multiple;
        assert_int_equal(w.end, DCS_NEXT_DONE);
        assert_true(block <= fmax(DCS_BLOCK_FLOPS, step));
        assert_true(w.last.blocks >= 32);
        /* many blocks only where they are long */
        assert_true(w.last.blocks <= 8 * 256 || block >= 0.5 * DCS_BLOCK_FLOPS || step >= 0.5 * DCS_BLOCK_FLOPS);
        assert_true(w.blocks <= 3500 || block >= 0.5 * DCS_BLOCK_FLOPS);
        /* short blocks only in little work: an eighth of what is wanted may be in blocks an eighth as long, and rounding to
         * a multiple takes half at most */
        assert_true(block >= fmin(LEAST_FLOPS, work / 256) / 2);
        /* each phase is an eighth of the next at most; 1.1 more than asked for, and up to one block of rounding each */
        double most = fmax(1.1 * needed, 32 * (double)w.last.outer) / (1 - 1.0 / 8);
        assert_true(w.samples <= most + 4 * (double)w.last.outer);
      }
}

/** max_paths counts the phases that are lost. */
static void test_a_mean_stops_at_max_paths(void **state)
{
  (void)state;
  for (double most = 100; most < 1e9; most *= 3) {
    const dcs_stop stop = {1e-4, most};
    walk w = walk_mean(1e3, 16, 1e3, &stop);
    assert_int_equal(w.end, DCS_NEXT_STOPPED);
    assert_true(w.samples <= most && w.samples == w.last.spent + paths_of(&w.last));
    assert_true(w.samples > most - 16 * 128 || w.samples > 0.9 * most);
  }
}

static void test_blocks_that_cannot_change(void **state)
{
  (void)state;
  const bool wanted[] = {true};
  const dcs_design first = {.inner = 1, .outer = 2000, .blocks = 16, .is_final = true};
  const dcs_stop stop = {0.01, 1e9};
  dcs_design next;
  dcs_sums sums = {.n = 16, .mean = {1}, .m2 = {15e3}};
  assert_int_equal(dcs_mean_extend(1, wanted, &stop, &first, &sums, &next), DCS_NEXT_RUN);
  assert_true(next.outer == 2000 && next.phase == 0 && next.blocks == 8 * 16);
}

/** Pilots at every level: divided where the estimator can, never below what it needs. */
static void test_blocks_of_levels(void **state)
{
  (void)state;
  const dcs_stop stop = {0.01, 1e9};
  for (double flops = 10; flops < 1e12; flops *= 3)
    for (int64_t least = 16; least <= 1008; least = least == 16 ? 1008 : 2000) {
      dcs_design first, next;
      assert_int_equal(dcs_level_plan(flops, 16, 1008, least, 65, 0, &stop, NULL, &first), DCS_NEXT_RUN);
      assert_true(first.outer == 1008 || (double)first.outer * flops <= DCS_BLOCK_FLOPS || first.outer == least);
      assert_true(first.outer >= least && first.outer % 16 == 0 && first.blocks == 8 * 65);
      assert_true(2 * (double)first.outer * flops > DCS_BLOCK_FLOPS || first.outer == 1008 || first.outer == 16);
      assert_int_equal(dcs_level_plan(flops, 16, 1008, least, 65, 100, &stop, &first, &next), DCS_NEXT_RUN);
      assert_true((double)next.outer * flops <= DCS_BLOCK_FLOPS || next.outer == first.outer);
    }
}

/** The first pilot of the ratio estimator: always the same samples, in more blocks where one is long. */
static void test_pilot_of_ratios(void **state)
{
  (void)state;
  const dcs_stop stop = {0.01, 1e9};
  for (int deterministic = 0; deterministic <= 1; deterministic++)
    for (double flops = 10; flops < 1e12; flops *= 3) {
      dcs_design first;
      assert_int_equal(dcs_ratio_plan(flops, deterministic != 0, &stop, NULL, NULL, &first), DCS_NEXT_RUN);
      double sample = flops * first.inner * (deterministic != 0 ? 16 : 1);
      assert_true(paths_of(&first) == 4 * 512);
      assert_true(flops * (double)first.outer * first.inner <= fmax(DCS_BLOCK_FLOPS, sample));
      assert_true(first.blocks == 4 || 2 * flops * (double)first.outer * first.inner > DCS_BLOCK_FLOPS);
    }
}

/** What `dcs plan` foretells: no plan of these estimators goes beyond max_paths, and it comes close to it. */
static void test_forecast(void **state)
{
  (void)state;
  static const char text[] =
      "study: forecast\n"
      "source: test\n"
      "seed: 1\n"
      "targets: {gmm: {law: mixture, d: $d, components: 3, separation: 1.0, means_seed: 1, stddev: 0.3},\n"
      "          bell: {law: gaussian, d: $d, variance: 2}}\n"
      "schedule: {levels: geometric, sigma_max: 10}\n"
      "delta: 1.0e-2\n"
      "grid: {target: [gmm, bell], sampler: [ddpm-beta], d: [2, 300], steps: [16, 200]}\n"
      "metrics: [kl, kl_path, kl_chain, mmse, smoothness, information, kl_constant, w2_sliced]\n"
      "stop: {rel_error: 0.01, max_paths: 1.0e7}\n";
  dcs_study *study = NULL;
  dcs_error err = {{0}};
  int n_exact = 0, n_sampled = 0;
  if (dcs_study_parse("test.yaml", text, sizeof text - 1, 0, NULL, &study, &err) != DCS_OK) fail_msg("%s", err.text);
  for (int64_t p = 0; p < study->n_points; p++) {
    dcs_problem *problem = NULL;
    assert_int_equal(dcs_study_problem(study, p, &problem, &err), DCS_OK);
    for (int m = 0; m < study->n_metrics; m++) {
      const dcs_estimator *estimator;
      int quantity;
      dcs_forecast first, most;
      dcs_design design;
      if (dcs_metric_choose(study->metric[m], problem, &estimator, &quantity, &err) != DCS_OK) continue;
      assert_int_equal(dcs_forecast_of(estimator, problem, &study->stop, &first, &most), DCS_OK);
      assert_int_equal(estimator->plan(problem, &study->stop, NULL, NULL, &design), DCS_NEXT_RUN);
      double flops = estimator->flops(problem, &design), most_flops = flops / paths_of(&design) * (double)design.blocks;
      assert_true(first.blocks == (double)design.blocks && first.flops == flops * first.blocks);
      n_exact += estimator->exact;
      n_sampled += !estimator->exact;
      if (estimator->exact) {
        assert_true(most.blocks == first.blocks && most.flops == first.flops);
      } else { /* a sample of a few estimators is a tile or a cloud, so that paths are told from flops */
        most_flops *= study->stop.max_paths;
        assert_true(most.blocks >= 32 && most.flops <= 1.0001 * most_flops && most.flops >= 0.7 * most_flops);
      }
    }
    dcs_problem_destroy(problem);
    dcs_free(&problem);
  }
  assert_true(n_exact >= 10 && n_sampled >= 20);
  dcs_study_destroy(&study);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_blocks_of_a_mean),          cmocka_unit_test(test_a_mean_stops_at_max_paths),
      cmocka_unit_test(test_blocks_that_cannot_change), cmocka_unit_test(test_blocks_of_levels),
      cmocka_unit_test(test_pilot_of_ratios),           cmocka_unit_test(test_forecast),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
