/** `dcs bench`, second table: what each instrument costs. */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "cli/bench.h"
#include "study/study.h"

enum { REPEATS = 5 };

/** One point for each kind of target; an instrument is shown on the first one that it takes. */
static const char study_text[] =
    "study: bench\n"
    "targets:\n"
    "  mixture: {law: mixture, d: 16, components: 16, separation: 1, stddev: 0.2}\n"
    "  product: {law: mixture, d: 16, means: [-1, 1], weights: [0.4, 0.6], stddev: 0.2, product: true}\n"
    "  radial: {law: radial, d: 16, stddevs: [0.5, 1, 2]}\n"
    "  gaussian: {law: gaussian, d: 16, decay: 1}\n"
    "schedule: {levels: geometric, sigma_max: 20}\n"
    "sampler: ddpm-posterior\n"
    "steps: 64\n"
    "delta: 0.01\n"
    "grid: {target: [mixture, product, radial, gaussian]}\n";

static void sort(double *x)
{
  for (int i = 1; i < REPEATS; i++)
    for (int j = i; j > 0 && x[j - 1] > x[j]; j--) {
      double kept = x[j];
      x[j] = x[j - 1];
      x[j - 1] = kept;
    }
}

/** Median seconds of the first block, each repeat at least `seconds` long. */
static dcs_status time_block(const dcs_estimator *estimator, const dcs_problem *problem, const dcs_design *design,
                             double seconds, double *median, dcs_error *err)
{
  dcs_status st = DCS_OK;
  dcs_block_work *work = NULL;
  double times[REPEATS];
  DCS_TRY(estimator->work_create(problem, &work));
  for (int r = 0; r < REPEATS; r++) {
    int64_t blocks = 0;
    double start = dcs_bench_now(), elapsed = 0;
    for (; elapsed < seconds; elapsed = dcs_bench_now() - start, blocks++) {
      dcs_sums sums;
      DCS_TRY(estimator->block(problem, design, 0, work, &sums, err));
    }
    times[r] = elapsed / (double)blocks;
  }
  sort(times);
  *median = times[REPEATS / 2];
done:
  estimator->work_destroy(&work);
  return st;
}

static dcs_status show(const dcs_estimator *estimator, const dcs_problem *problem, const char *target, double seconds,
                       double peak, dcs_error *err)
{
  static const dcs_stop stop = {.rel_error = 0.05, .max_paths = 1e6};
  dcs_design design = {0};
  double block = 0;
  if (estimator->plan(problem, &stop, NULL, NULL, &design) != DCS_NEXT_RUN)
    return dcs_fail(err, DCS_EARG, "%s plans nothing", estimator->name);
  dcs_status st = time_block(estimator, problem, &design, seconds, &block, err);
  if (st != DCS_OK) return st;
  double paths = (double)design.outer * design.inner, flops = estimator->flops(problem, &design) / block;
  /* a block that belongs to one level does not walk through the steps */
  double steps = estimator->groups != NULL ? 1 : problem->steps->count;
  printf("%-22s %-9s %-6s %12.3g %10.0f %14.3g %14.1f %7.0f%%\n", estimator->name, target,
         estimator->exact ? "exact" : "MC", 1e3 * block, paths, 1e9 * block / (paths * steps), flops / 1e9,
         100 * flops / peak);
  fflush(stdout);
  return DCS_OK;
}

dcs_status dcs_bench_instruments(double seconds, double peak, dcs_error *err)
{
  dcs_status st = DCS_OK;
  dcs_study *study = NULL;
  dcs_problem *problem = NULL;
  DCS_TRY(dcs_study_parse("bench", study_text, strlen(study_text), 0, NULL, &study, err));
  printf("\n%-22s %-9s %-6s %12s %10s %14s %14s %8s\n", "instrument", "target", "kind", "ms/block", "paths/block",
         "ns/path-step", "counted Gflop/s", "of peak");
  for (int i = 0; dcs_estimator_at(i) != NULL; i++) {
    const dcs_estimator *estimator = dcs_estimator_at(i);
    dcs_error why;
    for (int64_t p = 0; p < study->n_points; p++) {
      DCS_TRY(dcs_study_problem(study, p, &problem, err));
      bool takes = estimator->check(problem, &why) == DCS_OK;
      if (takes) DCS_TRY(show(estimator, problem, dcs_study_column(study, "target")->text[p], seconds, peak, err));
      dcs_problem_destroy(problem);
      dcs_free(&problem);
      if (takes) break;
    }
  }
done:
  if (problem != NULL) dcs_problem_destroy(problem);
  dcs_free(&problem);
  dcs_study_destroy(&study);
  return st;
}
