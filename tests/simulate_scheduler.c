/** The scheduler on computers of any size (scheduler_model.h), as a table.
 *
 *    simulate_scheduler --measure RESULT.h5 [SECONDS]
 *
 *  prints what the model needs to know of blocks, from those of a real run: of each estimator, over the tasks (point and
 *  estimator) whose blocks took SECONDS on average or more (default: a millisecond), seconds per counted operation (median over tasks), the standard
 *  deviation of its logarithm from task to task, and that of single blocks of one task, phase and level.
 *
 *    simulate_scheduler STUDY.yaml [--plan=S] [--record=S] [--scatter=S] [--levels=S] [--table=CSV] [KEY=VALUE ..] [RANKS ..]
 *
 *  By default 1 10 100 ... 100000 ranks. The options replace one number of the model: what rank 0 spends on planning a
 *  phase and on a record, seconds; the scatter of the logarithm of block times within a phase; how much cheaper
 *  low noise is than high (scheduler_model.h). --table gives what --measure printed instead of the model's own paces.
 *
 *  One row for each number of ranks and scenario: all ranks alike; a tenth of them at half speed; a job that dies half
 *  way and is started again. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/result.h"
#include "base/memory.h"
#include "scheduler_model.h"

enum { ARGUMENTS_MAX = 64, TASKS_MAX = 4096 };

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

/** Sums of one estimator over its tasks, and of the task at hand. */
typedef struct {
  int64_t tasks, blocks;
  double pace[TASKS_MAX]; /* log of seconds per operation */
  double squares, degrees, seconds;
} measurement;

static int compare(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/** Records [0, n) are those of one point and estimator, in order of phase and block. */
static void add_task(const dcs_estimator *estimator, const dcs_problem *problem, int64_t n, const dcs_record *r,
                     double least, measurement *m)
{
  double seconds = 0, flops = 0;
  int64_t groups = dcs_estimator_groups(estimator, problem);
  for (int64_t i = 0; i < n; i++) {
    dcs_design design = {.phase = r[i].phase, .inner = r[i].inner, .outer = r[i].outer, .blocks = n};
    seconds += r[i].wall_s;
    flops += estimator->flops(problem, &design);
  }
  if (seconds < least * (double)n || m->tasks == TASKS_MAX) return;
  m->pace[m->tasks++] = log(seconds / flops);
  m->blocks += n;
  m->seconds += seconds;
  for (int64_t first = 0; first < n; first++) { /* the first block of a level in its phase stands for the level */
    if (r[first].block >= groups) continue;
    double sum = 0, square = 0, count = 0;
    for (int64_t i = first; i < n && r[i].phase == r[first].phase; i++) {
      if (r[i].block % groups != r[first].block || r[i].outer != r[first].outer) continue;
      double x = log(r[i].wall_s);
      sum += x;
      square += x * x;
      count++;
    }
    m->squares += square - sum * sum / count;
    m->degrees += count - 1;
  }
}

static dcs_status measure(const char *path, double least, dcs_error *err)
{
  dcs_status st = DCS_OK;
  dcs_result *result = NULL;
  dcs_study *study = NULL;
  measurement *all = NULL;
  dcs_problem *problem = NULL;
  int n_estimators = 0;
  while (dcs_estimator_at(n_estimators) != NULL) n_estimators++;
  DCS_TRY(dcs_alloc((size_t)n_estimators, sizeof *all, &all));
  DCS_TRY(dcs_result_read(path, &result, err));
  DCS_TRY(dcs_study_parse(path, result->canonical, strlen(result->canonical), 0, NULL, &study, err));
  const dcs_record *r = result->records.record;
  for (int64_t first = 0, end; first < result->records.count; first = end) {
    int64_t p = 0;
    int e = 0;
    for (end = first; end < result->records.count; end++)
      if (r[end].point != r[first].point || r[end].estimator != r[first].estimator) break;
    while (p < study->n_points && study->point[p].hash != r[first].point) p++;
    while (e < n_estimators) {
      const char *name = dcs_estimator_at(e)->name;
      if (dcs_hash_bytes(name, strlen(name)) == r[first].estimator) break;
      e++;
    }
    if (p == study->n_points || e == n_estimators) continue;
    DCS_TRY(dcs_study_problem(study, p, &problem, err));
    add_task(dcs_estimator_at(e), problem, end - first, r + first, least, &all[e]);
    dcs_problem_destroy(problem);
    dcs_free(&problem);
  }
  printf("estimator,tasks,blocks,seconds,seconds_per_flop,spread,scatter\n");
  for (int e = 0; e < n_estimators; e++) {
    measurement *m = &all[e];
    double mean = 0, square = 0;
    if (m->tasks == 0) continue;
    qsort(m->pace, (size_t)m->tasks, sizeof *m->pace, compare);
    for (int64_t t = 0; t < m->tasks; t++) mean += m->pace[t] / (double)m->tasks;
    for (int64_t t = 0; t < m->tasks; t++) square += (m->pace[t] - mean) * (m->pace[t] - mean);
    printf("%s,%lld,%lld,%.1f,%.3g,%.2f,%.2f\n", dcs_estimator_at(e)->name, (long long)m->tasks, (long long)m->blocks,
           m->seconds, exp(m->pace[m->tasks / 2]), m->tasks > 1 ? sqrt(square / (double)(m->tasks - 1)) : 0.0,
           m->degrees > 0 ? sqrt(m->squares / m->degrees) : 0.0);
  }
done:
  dcs_free(&all);
  dcs_study_destroy(&study);
  dcs_result_destroy(&result);
  return st;
}

/** Paces from a table as measure() prints it. */
static dcs_status read_table(const char *path, dcs_model *model, dcs_error *err)
{
  enum { ROWS = sizeof model->pace / sizeof *model->pace };
  char line[256];
  FILE *file = fopen(path, "r");
  if (file == NULL) return dcs_fail(err, DCS_EIO, "%s: cannot read", path);
  while (model->n_paces < ROWS && fgets(line, sizeof line, file) != NULL) {
    dcs_model_pace *pace = &model->pace[model->n_paces];
    if (sscanf(line, "%31[^,],%*d,%*d,%*f,%lf,%lf", pace->estimator, &pace->seconds, &pace->spread) == 3)
      model->n_paces++;
  }
  fclose(file);
  return model->n_paces > 0 ? DCS_OK : dcs_fail(err, DCS_EIO, "%s: no row as --measure prints them", path);
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
  if ((argc == 3 || argc == 4) && strcmp(argv[1], "--measure") == 0) {
    DCS_TRY(measure(argv[2], argc == 4 ? atof(argv[3]) : 1e-3, &err));
    goto done;
  }
  if (argc < 2 || argc > ARGUMENTS_MAX) {
    fprintf(stderr,
            "usage: simulate_scheduler STUDY.yaml [--plan=S] [--record=S] [--scatter=S] [--levels=S] [--table=CSV] "
            "[KEY=VALUE ..] [RANKS ..]\n"
            "       simulate_scheduler --measure RESULT.h5 [SECONDS]\n");
    return EXIT_FAILURE;
  }
  for (int i = 2; i < argc; i++) {
    if (strncmp(argv[i], "--plan=", 7) == 0)
      model.plan = atof(argv[i] + 7);
    else if (strncmp(argv[i], "--record=", 9) == 0)
      model.record = atof(argv[i] + 9);
    else if (strncmp(argv[i], "--scatter=", 10) == 0)
      model.scatter = atof(argv[i] + 10);
    else if (strncmp(argv[i], "--table=", 8) == 0)
      DCS_TRY(read_table(argv[i] + 8, &model, &err));
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
