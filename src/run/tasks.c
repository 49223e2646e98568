#include "run/tasks.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "run/reason.h"

/** From the identity in a record to the task. */
typedef struct dcs_task_key {
  uint64_t point, estimator;
  int64_t task;
} dcs_task_key;

static uint64_t estimator_id(int estimator)
{
  const char *name = dcs_estimator_at(estimator)->name;
  return dcs_hash_bytes(name, strlen(name));
}

void dcs_task_record(const dcs_study *study, const dcs_order *order, dcs_record *record)
{
  *record = (dcs_record){.point = study->point[order->point].hash,
                         .estimator = estimator_id(order->estimator),
                         .block = order->block,
                         .outer = order->design.outer,
                         .phase = order->design.phase,
                         .inner = order->design.inner};
}

/** Pilots go before all others: they are short, and what a point costs is known only after them. Then the task with the
 *  longest blocks (list scheduling, Graham 1969): a long block that starts last, or the phase that follows it, would
 *  find the other ranks with nothing left to do, while short ones level out who is ahead. */
static bool goes_before(const dcs_tasks *tasks, int64_t i, int64_t j)
{
  const dcs_task *a = &tasks->task[tasks->heap[i]], *b = &tasks->task[tasks->heap[j]];
  if (a->design.is_final != b->design.is_final) return b->design.is_final;
  if (a->weight != b->weight) return a->weight > b->weight;
  return a->left > b->left;
}

static void heap_swap(dcs_tasks *tasks, int64_t i, int64_t j)
{
  int64_t kept = tasks->heap[i];
  tasks->heap[i] = tasks->heap[j];
  tasks->heap[j] = kept;
}

static void heap_sink_top(dcs_tasks *tasks)
{
  for (int64_t i = 0, child = 1; child < tasks->n_heap; i = child, child = 2 * i + 1) {
    if (child + 1 < tasks->n_heap && goes_before(tasks, child + 1, child)) child++;
    if (!goes_before(tasks, child, i)) return;
    heap_swap(tasks, i, child);
  }
}

static void heap_push(dcs_tasks *tasks, int64_t task)
{
  int64_t i = tasks->n_heap++;
  for (tasks->heap[i] = task; i > 0 && goes_before(tasks, i, (i - 1) / 2); i = (i - 1) / 2)
    heap_swap(tasks, i, (i - 1) / 2);
}

static void heap_pop(dcs_tasks *tasks)
{
  tasks->heap[0] = tasks->heap[--tasks->n_heap];
  heap_sink_top(tasks);
}

static bool same_design(const dcs_record *record, const dcs_design *design)
{
  return record->phase == design->phase && record->inner == design->inner && record->outer == design->outer;
}

static dcs_status store(dcs_tasks *tasks, dcs_task *task, const dcs_record *record)
{
  dcs_status st = dcs_records_add(&tasks->records, record);
  if (st != DCS_OK) return st;
  task->slot[record->block] = tasks->records.count;
  task->arrived++;
  tasks->paths += (double)record->outer * (double)record->inner;
  if (record->wall_s >= 0 && isfinite(record->wall_s)) {
    task->seconds += record->wall_s;
    task->timed++;
    task->all_seconds += record->wall_s;
    task->all_flops += task->flops;
    tasks->seconds += record->wall_s;
    tasks->flops += task->flops;
  }
  return DCS_OK;
}

/** First old record not before `key`. */
static int64_t old_lower_bound(const dcs_records *old, const dcs_record *key)
{
  int64_t lo = 0, hi = old->count;
  while (lo < hi) {
    int64_t mid = lo + (hi - lo) / 2;
    if (dcs_record_compare(&old->record[mid], key) < 0)
      lo = mid + 1;
    else
      hi = mid;
  }
  return lo;
}

static bool same_data(const dcs_record *a, const dcs_record *b)
{
  dcs_record x = *a, y = *b;
  x.wall_s = y.wall_s = 0;
  return memcmp(&x, &y, sizeof x) == 0;
}

/** Take the blocks [merged, blocks) of the current design that an earlier run finished. Blocks of another design (the
 *  study asked for another error then) are passed over. */
static dcs_status take_old(dcs_tasks *tasks, dcs_task *task, dcs_error *err)
{
  const dcs_design *design = &task->design;
  const dcs_order order = {
      .point = task->point, .estimator = task->estimator, .design = *design, .block = task->merged};
  dcs_record key;
  dcs_task_record(tasks->study, &order, &key);
  key.outer = INT64_MIN; /* before every design of that block, whether or not the order looks at designs */
  for (int64_t i = old_lower_bound(tasks->old, &key); i < tasks->old->count; i++) {
    const dcs_record *record = &tasks->old->record[i];
    if (record->point != key.point || record->estimator != key.estimator || record->phase != key.phase ||
        record->block >= design->blocks)
      break;
    if (!same_design(record, design)) continue;
    int64_t slot = task->slot[record->block];
    if (slot != 0 && !same_data(&tasks->records.record[slot - 1], record))
      return dcs_fail(err, DCS_ECORRUPT,
                      "block %lld of point %016llx was finished twice with different results; was the program changed "
                      "between the runs? remove the journal or write to another file",
                      (long long)record->block, (unsigned long long)record->point);
    if (slot != 0) continue;
    dcs_status st = store(tasks, task, record);
    if (st != DCS_OK) return st;
  }
  return DCS_OK;
}

static void end_task(dcs_tasks *tasks, dcs_task *task, dcs_task_state state)
{
  task->state = state;
  dcs_free(&task->slot);
  task->slots = 0;
  tasks->n_open--;
  if (--tasks->open_of_point[task->point] == 0) tasks->n_points_done++;
}

/** Merge the blocks of a complete phase in block order; the lowest failed block ends the task. */
static void merge(dcs_tasks *tasks, dcs_task *task)
{
  for (; task->merged < task->design.blocks; task->merged++) {
    int64_t i = task->slot[task->merged] - 1;
    const dcs_record *record = &tasks->records.record[i];
    if (record->status != DCS_OK) {
      task->failure = i;
      end_task(tasks, task, DCS_TASK_FAILED);
      return;
    }
    dcs_sums *sums = &task->sums[task->merged % task->groups];
    if (task->merged < task->groups)
      *sums = record->sums; /* also right for the sums of an exact estimator, which have n = 0 */
    else
      dcs_sums_merge(sums, &record->sums);
  }
}

/** Seconds per operation over those of all tasks: what its earlier blocks taught. 1: nothing measured. */
static double slowness(const dcs_tasks *tasks, const dcs_task *task)
{
  if (!(task->all_seconds > 0)) return 1;
  return task->all_seconds / task->all_flops * (tasks->flops / tasks->seconds);
}

/** Follow the plan until blocks are wanted that nobody has, or the task ends. `next` is the order just planned. */
static dcs_status advance(dcs_tasks *tasks, dcs_task *task, const dcs_problem *problem, dcs_next verdict,
                          const dcs_design *next, dcs_error *err)
{
  const dcs_estimator *estimator = dcs_estimator_at(task->estimator);
  dcs_design planned = *next;
  dcs_status st = DCS_OK;
  while (verdict == DCS_NEXT_RUN) {
    bool goes_on = task->design.blocks > 0 && planned.phase == task->design.phase;
    if (planned.blocks < task->groups || planned.blocks <= (goes_on ? task->design.blocks : 0) ||
        planned.phase < task->design.phase || planned.outer < 1 || planned.inner < 0)
      return dcs_fail(err, DCS_EARG, "%s planned phase %d with %lld blocks: no progress", estimator->name,
                      planned.phase, (long long)planned.blocks);
    if (!goes_on) {
      task->merged = task->arrived = 0;
      task->seconds = 0;
      task->timed = 0;
      dcs_free(&task->slot);
      task->slots = 0;
    }
    task->design = planned;
    task->next = task->merged;
    task->flops = fmax(estimator->flops(problem, &planned), 1);
    DCS_TRY(dcs_reserve(&task->slot, &task->slots, (size_t)planned.blocks, sizeof *task->slot));
    DCS_TRY(take_old(tasks, task, err));
    task->left = planned.blocks - task->arrived;
    task->weight = task->flops * slowness(tasks, task);
    if (task->left > 0) {
      tasks->flops_left += task->flops * (double)task->left;
      heap_push(tasks, task - tasks->task);
      return DCS_OK;
    }
    merge(tasks, task);
    if (task->state == DCS_TASK_FAILED) return DCS_OK;
    planned = (dcs_design){0};
    verdict = estimator->plan(problem, &tasks->study->stop, &task->design, task->sums, &planned);
  }
  end_task(tasks, task, verdict == DCS_NEXT_DONE ? DCS_TASK_DONE : DCS_TASK_STOPPED);
done:
  if (st == DCS_ENOMEM)
    dcs_fail(err, st, "no memory for %lld blocks of %s", (long long)task->design.blocks, estimator->name);
  return st;
}

static int estimator_index(const dcs_estimator *estimator)
{
  int i = 0;
  while (dcs_estimator_at(i) != estimator) i++;
  return i;
}

/** Task of this estimator among those of the last point, made if there is none. */
static dcs_status find_or_add(dcs_tasks *tasks, int64_t point, int estimator, int64_t *index)
{
  int64_t i = tasks->n_tasks;
  while (i > 0 && tasks->task[i - 1].point == point) {
    i--;
    if (tasks->task[i].estimator == estimator) {
      *index = i;
      return DCS_OK;
    }
  }
  dcs_status st = dcs_reserve(&tasks->task, &tasks->task_capacity, (size_t)tasks->n_tasks + 1, sizeof *tasks->task);
  if (st != DCS_OK) return st;
  *index = tasks->n_tasks++;
  tasks->task[*index] = (dcs_task){.point = point, .estimator = estimator};
  tasks->open_of_point[point]++;
  tasks->n_open++;
  return DCS_OK;
}

static dcs_status add_point(dcs_tasks *tasks, dcs_targets *targets, int64_t point, dcs_error *err)
{
  const dcs_study *study = tasks->study;
  dcs_choice *choice = tasks->choice + point * study->n_metrics;
  dcs_problem *problem = NULL;
  dcs_error why = {{0}};
  dcs_status st = DCS_OK, built = dcs_targets_problem(targets, point, &problem, &why);
  if (built != DCS_OK && built != DCS_EREFUSED) {
    *err = why;
    return built;
  }
  for (int m = 0; m < study->n_metrics; m++) {
    const dcs_estimator *estimator = NULL;
    dcs_status chosen = built;
    choice[m].task = -1;
    if (!dcs_study_asks(study, m, point)) continue;
    if (built == DCS_OK) chosen = dcs_metric_choose(study->metric[m], problem, &estimator, &choice[m].quantity, &why);
    if (chosen == DCS_OK) {
      DCS_TRY(find_or_add(tasks, point, estimator_index(estimator), &choice[m].task));
    } else if (chosen == DCS_EREFUSED) {
      bool is_first = built == DCS_OK || tasks->reason[point] == NULL;
      if (is_first) /* a point that cannot be built has one reason, not one for each metric */
        DCS_TRY(dcs_reason_add(&tasks->reason[point], built == DCS_OK ? study->metric[m]->name : NULL, why.text));
    } else {
      *err = why;
      st = chosen;
      goto done;
    }
  }
  if (tasks->open_of_point[point] == 0) tasks->n_points_done++;
  DCS_TRY(dcs_reserve(&tasks->heap, &tasks->heap_capacity, (size_t)tasks->n_tasks, sizeof *tasks->heap));
  for (int64_t i = tasks->n_tasks; i-- > 0 && tasks->task[i].point == point;) {
    dcs_design first = {0};
    const dcs_estimator *estimator = dcs_estimator_at(tasks->task[i].estimator);
    tasks->task[i].groups = dcs_estimator_groups(estimator, problem);
    DCS_TRY(dcs_alloc((size_t)tasks->task[i].groups, sizeof(dcs_sums), &tasks->task[i].sums));
    dcs_next verdict = estimator->plan(problem, &study->stop, NULL, NULL, &first);
    DCS_TRY(advance(tasks, &tasks->task[i], problem, verdict, &first, err));
  }
done:
  if (problem != NULL) dcs_problem_destroy(problem);
  dcs_free(&problem);
  return st;
}

static int key_compare(const void *a, const void *b)
{
  const dcs_task_key *x = a, *y = b;
  if (x->point != y->point) return x->point < y->point ? -1 : 1;
  return (x->estimator > y->estimator) - (x->estimator < y->estimator);
}

dcs_status dcs_tasks_create(const dcs_study *study, const dcs_records *old, dcs_tasks **out, dcs_error *err)
{
  dcs_status st = DCS_OK;
  dcs_tasks *tasks = NULL;
  dcs_targets *targets = NULL;
  size_t n = (size_t)study->n_points;
  err->text[0] = '\0';
  DCS_TRY(dcs_alloc(1, sizeof *tasks, &tasks));
  tasks->study = study;
  tasks->old = old;
  DCS_TRY(dcs_problems_create(study, &tasks->problems));
  DCS_TRY(dcs_alloc(n * (size_t)study->n_metrics, sizeof *tasks->choice, &tasks->choice));
  DCS_TRY(dcs_alloc(n, sizeof *tasks->reason, &tasks->reason));
  DCS_TRY(dcs_alloc(n, sizeof *tasks->open_of_point, &tasks->open_of_point));
  DCS_TRY(dcs_targets_create(study, &targets));
  for (int64_t p = 0; p < study->n_points; p++) DCS_TRY(add_point(tasks, targets, p, err));
  DCS_TRY(dcs_alloc((size_t)tasks->n_tasks, sizeof *tasks->key, &tasks->key));
  for (int64_t t = 0; t < tasks->n_tasks; t++) {
    const dcs_task *task = &tasks->task[t];
    tasks->key[t] = (dcs_task_key){study->point[task->point].hash, estimator_id(task->estimator), t};
  }
  qsort(tasks->key, (size_t)tasks->n_tasks, sizeof *tasks->key, key_compare);
done:
  if (st != DCS_OK) {
    if (err->text[0] == '\0') dcs_fail(err, st, "%s: work list: %s", study->path, dcs_status_text(st));
    dcs_tasks_destroy(&tasks);
  }
  dcs_targets_destroy(&targets);
  *out = tasks;
  return st;
}

void dcs_tasks_destroy(dcs_tasks **tasks)
{
  dcs_tasks *t = *tasks;
  if (t == NULL) return;
  for (int64_t i = 0; i < t->n_tasks; i++) {
    dcs_free(&t->task[i].slot);
    dcs_free(&t->task[i].sums);
  }
  for (int64_t p = 0; t->reason != NULL && p < t->study->n_points; p++) dcs_free(&t->reason[p]);
  dcs_problems_destroy(&t->problems);
  dcs_records_destroy(&t->records);
  dcs_free(&t->task);
  dcs_free(&t->choice);
  dcs_free(&t->reason);
  dcs_free(&t->open_of_point);
  dcs_free(&t->key);
  dcs_free(&t->heap);
  dcs_free(tasks);
}

/** Cost of one block: measured on this phase if it can be, else by the flops and the speed so far, of this task (its
 *  pilot) or of all (1 Gflop/s to begin). Blocks of one phase may differ a hundredfold (high noise and low) and the short
 *  ones come back first, so that their mean would send many long ones to one rank: a measured cost counts only when it
 *  is above that of the operations at the speed of all tasks. */
static double predict(const dcs_tasks *tasks, const dcs_task *task)
{
  double nominal = task->flops * (tasks->seconds > 0 ? tasks->seconds / tasks->flops : 1e-9);
  return task->timed > 0 ? fmax(task->seconds / (double)task->timed, nominal) : nominal * slowness(tasks, task);
}

int dcs_tasks_next(dcs_tasks *tasks, double seconds, int max, dcs_order *orders, double *predicted)
{
  int n = 0;
  *predicted = 0;
  while (n < max && tasks->n_heap > 0) {
    dcs_task *task = &tasks->task[tasks->heap[0]];
    double cost = predict(tasks, task);
    if (n > 0 && *predicted + cost > seconds) break;
    /* blocks of one task stay together, so that the problem is built once */
    do {
      while (task->slot[task->next] != 0) task->next++;
      orders[n++] = (dcs_order){task->point, task->next++, task->estimator, task->design};
      *predicted += cost;
      tasks->flops_left -= task->flops;
      task->left--;
    } while (task->left > 0 && n < max && *predicted + cost <= seconds);
    if (task->left == 0)
      heap_pop(tasks);
    else
      heap_sink_top(tasks);
  }
  return n;
}

dcs_status dcs_tasks_take(dcs_tasks *tasks, const dcs_record *record, dcs_error *err)
{
  dcs_status st = DCS_OK;
  const dcs_task_key wanted = {record->point, record->estimator, 0};
  const dcs_task_key *key = tasks->n_tasks == 0
                                ? NULL
                                : bsearch(&wanted, tasks->key, (size_t)tasks->n_tasks, sizeof *tasks->key, key_compare);
  dcs_task *task = key != NULL ? &tasks->task[key->task] : NULL;
  if (task == NULL || task->state != DCS_TASK_OPEN || !same_design(record, &task->design) || record->block < 0 ||
      record->block >= task->next || task->slot[record->block] != 0)
    return dcs_fail(err, DCS_EARG, "block %lld, phase %d of point %016llx: nobody asked for it",
                    (long long)record->block, record->phase, (unsigned long long)record->point);
  st = store(tasks, task, record);
  if (st != DCS_OK) return dcs_fail(err, st, "no memory for %lld finished blocks", (long long)tasks->records.count);
  if (task->arrived < task->design.blocks) return DCS_OK;
  merge(tasks, task);
  if (task->state == DCS_TASK_FAILED) return DCS_OK;
  const dcs_problem *problem = NULL;
  dcs_design next = {0};
  DCS_TRY(dcs_problems_get(tasks->problems, task->point, dcs_estimator_at(task->estimator), &problem, NULL, err));
  dcs_next verdict =
      dcs_estimator_at(task->estimator)->plan(problem, &tasks->study->stop, &task->design, task->sums, &next);
  DCS_TRY(advance(tasks, task, problem, verdict, &next, err));
done:
  return st;
}

double dcs_tasks_seconds_left(const dcs_tasks *tasks)
{
  return tasks->flops > 0 ? fmax(tasks->flops_left, 0) * tasks->seconds / tasks->flops : 0;
}
