#include "run/assemble.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "run/reason.h"

static const dcs_estimate missing = {NAN, NAN, NAN, 0};

static dcs_status copy_column(const dcs_column *from, int64_t n_points, dcs_column *to)
{
  dcs_status st = DCS_OK;
  *to = (dcs_column){
      .unit = from->unit, .long_name = from->long_name, .is_text = from->is_text, .is_integer = from->is_integer};
  DCS_TRY(dcs_strdup(from->name, &to->name));
  if (from->is_text) {
    DCS_TRY(dcs_alloc((size_t)n_points, sizeof *to->text, &to->text));
    for (int64_t p = 0; p < n_points; p++) DCS_TRY(dcs_strdup(from->text[p], &to->text[p]));
  } else {
    DCS_TRY(dcs_alloc((size_t)n_points, sizeof *to->number, &to->number));
    memcpy(to->number, from->number, (size_t)n_points * sizeof *to->number);
  }
done:
  return st;
}

/** Names, configuration, columns and room for everything per point. */
static dcs_status create(const dcs_study *study, dcs_result *r)
{
  dcs_status st = DCS_OK;
  size_t n = (size_t)study->n_points, n_levels = 0;
  for (size_t p = 0; p < n; p++) n_levels += (size_t)study->point[p].steps + 1; /* at most: refused points have none */
  r->seed = study->seed;
  r->study_hash = study->hash;
  r->n_points = study->n_points;
  DCS_TRY(dcs_strdup(study->name, &r->study));
  DCS_TRY(dcs_strdup(study->source != NULL ? study->source : "", &r->source));
  DCS_TRY(dcs_strdup(study->text, &r->text));
  DCS_TRY(dcs_strdup(study->canonical, &r->canonical));
  DCS_TRY(dcs_strdup("", &r->provenance));
  DCS_TRY(dcs_alloc(n, sizeof *r->hash, &r->hash));
  DCS_TRY(dcs_alloc(n, sizeof *r->status, &r->status));
  DCS_TRY(dcs_alloc(n, sizeof *r->reason, &r->reason));
  DCS_TRY(dcs_alloc(n, sizeof *r->wall_s, &r->wall_s));
  DCS_TRY(dcs_alloc(n + 1, sizeof *r->level_first, &r->level_first));
  DCS_TRY(dcs_alloc(n_levels, sizeof *r->level, &r->level));
  DCS_TRY(dcs_alloc((size_t)study->n_columns, sizeof *r->column, &r->column));
  r->n_columns = study->n_columns;
  for (int i = 0; i < study->n_columns; i++) DCS_TRY(copy_column(&study->column[i], r->n_points, &r->column[i]));
  DCS_TRY(dcs_alloc((size_t)study->n_metrics, sizeof *r->metric, &r->metric));
  r->n_metrics = study->n_metrics;
  for (int m = 0; m < study->n_metrics; m++) {
    const dcs_metric *from = study->metric[m];
    dcs_result_metric *to = &r->metric[m];
    DCS_TRY(dcs_strdup(from->name, &to->name));
    DCS_TRY(dcs_strdup(from->unit, &to->unit));
    DCS_TRY(dcs_strdup(from->long_name, &to->long_name));
    DCS_TRY(dcs_strdup(from->source, &to->source));
    DCS_TRY(dcs_alloc(n, sizeof *to->estimate, &to->estimate));
    DCS_TRY(dcs_alloc(n, sizeof *to->method, &to->method));
    if (from->has_profile) DCS_TRY(dcs_alloc(n_levels, sizeof *to->profile, &to->profile));
  }
done:
  return st;
}

static bool has_values(const dcs_task *task)
{
  return (task->state == DCS_TASK_DONE || task->state == DCS_TASK_STOPPED) && task->design.is_final && task->merged > 0;
}

/** Why a task is not DCS_TASK_DONE, added to the point's status and reason. */
static dcs_status add_task_status(const dcs_tasks *tasks, const dcs_task *task, int *status, char **reason)
{
  const char *name = dcs_estimator_at(task->estimator)->name;
  char why[256] = "";
  int verdict = DCS_POINT_OK;
  if (task->state == DCS_TASK_OPEN) {
    verdict = DCS_POINT_INCOMPLETE;
    snprintf(why, sizeof why, "not finished");
  } else if (task->state == DCS_TASK_STOPPED) {
    verdict = DCS_POINT_MAX_PATHS;
    snprintf(why, sizeof why, "%s",
             has_values(task) ? "stop.max_paths reached before stop.rel_error"
                              : "stop.max_paths allows no measurement");
  } else if (task->state == DCS_TASK_FAILED) {
    const dcs_record *record = &tasks->records.record[task->failure];
    verdict = DCS_POINT_FAILED;
    snprintf(why, sizeof why, "phase %d, block %lld: %.*s", record->phase, (long long)record->block,
             (int)sizeof record->reason, record->reason);
  }
  if (verdict == DCS_POINT_OK) return DCS_OK;
  if (verdict > *status) *status = verdict; /* the enum goes from good to bad */
  return dcs_reason_add(reason, name, why);
}

/** sigma_0 ... sigma_N, without the continuation, and no values there yet. */
static void add_levels(const dcs_problem *problem, int64_t point, dcs_result *r)
{
  int64_t first = r->level_first[point], n = problem == NULL ? 0 : problem->schedule->steps + 1;
  r->level_first[point + 1] = first + n;
  for (int64_t k = 0; k < n; k++) {
    r->level[first + k] = problem->schedule->sigma[k];
    for (int m = 0; m < r->n_metrics; m++)
      if (r->metric[m].profile != NULL) r->metric[m].profile[first + k] = missing;
  }
}

/** What a task found of one metric. */
static void add_values(const dcs_task *task, int quantity, int64_t point, const dcs_problem *problem,
                       const dcs_result *r, dcs_result_metric *metric)
{
  const dcs_estimator *estimator = dcs_estimator_at(task->estimator);
  dcs_estimate estimates[DCS_SUMS_MAX] = {0};
  estimator->finish(problem, &task->design, task->sums, estimates);
  metric->estimate[point] = estimates[quantity];
  if (metric->profile != NULL && estimator->profile != NULL)
    estimator->profile(problem, &task->design, task->sums, quantity, metric->profile + r->level_first[point]);
}

/** Estimates, methods, status and reason of one point; `problem` is NULL when it could not be built. */
static dcs_status add_point(const dcs_tasks *tasks, int64_t point, const dcs_problem *problem, dcs_result *r)
{
  dcs_status st = DCS_OK;
  const dcs_choice *choice = tasks->choice + point * r->n_metrics;
  r->hash[point] = tasks->study->point[point].hash;
  if (tasks->reason[point] != NULL) {
    r->status[point] = DCS_POINT_REFUSED;
    DCS_TRY(dcs_reason_add(&r->reason[point], NULL, tasks->reason[point]));
  }
  for (int m = 0; m < r->n_metrics; m++) {
    dcs_result_metric *metric = &r->metric[m];
    const dcs_task *task = choice[m].task >= 0 ? &tasks->task[choice[m].task] : NULL;
    const char *method = "";
    metric->estimate[point] = missing;
    if (task != NULL && problem != NULL && has_values(task)) {
      add_values(task, choice[m].quantity, point, problem, r, metric);
      method = dcs_estimator_at(task->estimator)->name;
    }
    DCS_TRY(dcs_strdup(method, &metric->method[point]));
    bool seen = task == NULL;
    for (int k = 0; k < m; k++) seen = seen || choice[k].task == choice[m].task;
    if (!seen) DCS_TRY(add_task_status(tasks, task, &r->status[point], &r->reason[point]));
  }
  if (r->reason[point] == NULL) DCS_TRY(dcs_strdup("", &r->reason[point]));
done:
  return st;
}

/** All blocks in order, and the time spent on each point. */
static dcs_status move_records(dcs_tasks *tasks, dcs_result *r, dcs_error *err)
{
  r->records = tasks->records;
  tasks->records = (dcs_records){0};
  for (int64_t p = 0; p < r->n_points; p++) {
    const dcs_choice *choice = tasks->choice + p * r->n_metrics;
    for (int m = 0; m < r->n_metrics; m++) {
      bool seen = choice[m].task < 0;
      for (int k = 0; k < m; k++) seen = seen || choice[k].task == choice[m].task;
      if (!seen) r->wall_s[p] += tasks->task[choice[m].task].all_seconds;
    }
  }
  return dcs_records_unique(&r->records, err);
}

dcs_status dcs_assemble(dcs_tasks *tasks, dcs_result **out, dcs_error *err)
{
  dcs_status st = DCS_OK;
  const dcs_study *study = tasks->study;
  dcs_result *r = NULL;
  dcs_problem *problem = NULL;
  dcs_targets *targets = NULL;
  err->text[0] = '\0';
  DCS_TRY(dcs_alloc(1, sizeof *r, &r));
  DCS_TRY(create(study, r));
  DCS_TRY(dcs_targets_create(study, &targets));
  for (int64_t p = 0; p < r->n_points; p++) {
    st = dcs_targets_problem(targets, p, &problem, err);
    if (st != DCS_OK && st != DCS_EREFUSED) goto done;
    add_levels(problem, p, r);
    DCS_TRY(add_point(tasks, p, problem, r));
    if (problem != NULL) dcs_problem_destroy(problem);
    dcs_free(&problem);
  }
  DCS_TRY(move_records(tasks, r, err));
done:
  if (problem != NULL) dcs_problem_destroy(problem);
  dcs_free(&problem);
  dcs_targets_destroy(&targets);
  if (st != DCS_OK) {
    if (err->text[0] == '\0')
      dcs_fail(err, st, "result of %lld points: %s", (long long)study->n_points, dcs_status_text(st));
    dcs_result_destroy(&r);
  }
  *out = r;
  return st;
}
