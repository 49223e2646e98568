/** The scheduler on computers of any size (scheduler_model.h), as a table.
 *
 *    simulate_scheduler STUDY.yaml [--plan=S] [--record=S] [--scatter=S] [--levels=S] [KEY=VALUE ..] [RANKS ..]
 *
 *  By default 1 10 100 ... 100000 ranks. The options replace one number of the model: what rank 0 spends on planning a
 *  phase and on a record, seconds; the scatter of the logarithm of block times within a phase; how much cheaper
 *  low noise is than high (scheduler_model.h).
 *
 *  One row for each number of ranks and scenario: all ranks alike; a tenth of them at half speed; a job that dies half
 *  way and is started again. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "scheduler_model.h"

enum { ARGUMENTS_MAX = 64 };

/** `whole`: the same study with all ranks alike. limit: what the longest chain of blocks leaves possible at all. */
static void print(const char *scenario, int ranks, double seconds, double efficiency, const dcs_model_outcome *o,
                  const dcs_model_outcome *whole)
{
  printf("%s,%d,%.4f,%.4f,%.1f,%.0f,%.0f,%.4f,%.3g,%.4g\n", scenario, ranks, efficiency,
         fmin(1, whole->work / (ranks * whole->chain)), seconds, (double)o->messages / o->seconds, o->peak, o->busy,
         o->idle_most, o->lost);
  fflush(stdout);
}

static dcs_status simulate(const dcs_study *study, dcs_model model, dcs_error *err)
{
  dcs_status st = DCS_OK;
  dcs_records none = {0}, journal = {0};
  dcs_model_outcome even, slow, first, second;
  int ranks = model.ranks;
  DCS_TRY(dcs_model_run(&model, study, &none, NULL, &even, err));
  print("even", ranks, even.seconds, even.efficiency, &even, &even);
  model.slow_share = 0.1;
  DCS_TRY(dcs_model_run(&model, study, &none, NULL, &slow, err));
  print("slow", ranks, slow.seconds, slow.efficiency, &slow, &even);
  model.slow_share = 0;
  model.dies_at = even.seconds / 2;
  DCS_TRY(dcs_model_run(&model, study, &none, &journal, &first, err));
  qsort(journal.record, (size_t)journal.count, sizeof *journal.record, dcs_record_compare);
  model.dies_at = INFINITY;
  DCS_TRY(dcs_model_run(&model, study, &journal, NULL, &second, err));
  second.lost = first.lost;
  double seconds = first.seconds + second.seconds;
  print("dying", ranks, seconds, even.work / (seconds * ranks), &second, &even);
done:
  dcs_records_destroy(&journal);
  return st;
}

int main(int argc, char **argv)
{
  dcs_status st = DCS_OK;
  dcs_error err = {{0}};
  dcs_study *study = NULL;
  char *text = NULL;
  size_t n = 0;
  const char *set[ARGUMENTS_MAX];
  dcs_model model = dcs_model_of(1);
  int n_set = 0, ranks[ARGUMENTS_MAX] = {1, 10, 100, 1000, 10000, 100000}, n_ranks = 0;
  if (argc < 2 || argc > ARGUMENTS_MAX) {
    fprintf(stderr, "usage: simulate_scheduler STUDY.yaml [--plan=S] [--record=S] [--scatter=S] [--levels=S] "
                    "[KEY=VALUE ..] [RANKS ..]\n");
    return EXIT_FAILURE;
  }
  for (int i = 2; i < argc; i++) {
    if (strncmp(argv[i], "--plan=", 7) == 0)
      model.plan = atof(argv[i] + 7);
    else if (strncmp(argv[i], "--record=", 9) == 0)
      model.record = atof(argv[i] + 9);
    else if (strncmp(argv[i], "--scatter=", 10) == 0)
      model.scatter = atof(argv[i] + 10);
    else if (strncmp(argv[i], "--levels=", 9) == 0)
      model.levels = atof(argv[i] + 9);
    else if (strchr(argv[i], '=') != NULL)
      set[n_set++] = argv[i];
    else
      ranks[n_ranks++] = atoi(argv[i]);
  }
  DCS_TRY(dcs_study_read(argv[1], &text, &n, &err));
  DCS_TRY(dcs_study_parse(argv[1], text, n, n_set, set, &study, &err));
  printf("scenario,ranks,efficiency,limit,seconds,messages_per_s,peak_per_s,rank0_busy,idle_s,lost_s\n");
  for (int i = 0; i < (n_ranks > 0 ? n_ranks : 6); i++) {
    model.ranks = ranks[i];
    DCS_TRY(simulate(study, model, &err));
  }
done:
  if (st != DCS_OK) fprintf(stderr, "simulate_scheduler: %s\n", err.text);
  dcs_study_destroy(&study);
  dcs_free(&text);
  return st == DCS_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
