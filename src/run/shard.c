#include "run/shard.h"

#include <stdlib.h>

#include "base/memory.h"
#include "run/tasks.h"

typedef struct {
  double cost;
  int64_t point;
} load;

/** The costliest first, then in the order of the study. */
static int load_compare(const void *a, const void *b)
{
  const load *x = a, *y = b;
  if (x->cost != y->cost) return x->cost > y->cost ? -1 : 1;
  return (x->point > y->point) - (x->point < y->point);
}

dcs_status dcs_shard_choose(const dcs_study *study, int index, int count, bool *keep, dcs_error *err)
{
  dcs_status st = DCS_OK;
  dcs_tasks *tasks = NULL;
  const dcs_records none = {0};
  load *loads = NULL;
  double *total = NULL;
  size_t n = (size_t)study->n_points;
  if (count > study->n_points)
    DCS_TRY(dcs_fail(err, DCS_EUSAGE, "--shard %d/%d: the study has %lld points, so at most that many shards", index,
                     count, (long long)study->n_points));
  DCS_TRY(dcs_alloc(n, sizeof *loads, &loads));
  DCS_TRY(dcs_alloc((size_t)count, sizeof *total, &total));
  for (size_t p = 0; p < n; p++) loads[p].point = (int64_t)p;
  DCS_TRY(dcs_tasks_create(study, &none, &tasks, err));
  for (int64_t i = 0; i < tasks->n_tasks; i++) {
    const dcs_task *task = &tasks->task[i];
    loads[task->point].cost += task->flops * (double)task->left;
  }
  qsort(loads, n, sizeof *loads, load_compare);
  for (size_t p = 0; p < n; p++) {
    int least = 0;
    for (int s = 1; s < count; s++)
      if (total[s] < total[least]) least = s;
    total[least] += loads[p].cost + 1; /* + 1: points that cost nothing are dealt out too */
    keep[loads[p].point] = least == index - 1;
  }
done:
  if (st == DCS_ENOMEM) dcs_fail(err, st, "--shard: %s", dcs_status_text(st));
  dcs_tasks_destroy(&tasks);
  dcs_free(&total);
  dcs_free(&loads);
  return st;
}
