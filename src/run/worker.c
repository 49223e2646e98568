#include "run/worker.h"

#include <stdio.h>

#include "base/clock.h"

dcs_status dcs_worker_create(const dcs_study *study, const char *directory, int rank, dcs_worker *worker,
                             dcs_error *err)
{
  *worker = (dcs_worker){.study = study};
  dcs_status st = dcs_problems_create(study, &worker->problems);
  if (st != DCS_OK) return dcs_fail(err, st, "rank %d: %s", rank, dcs_status_text(st));
  return dcs_journal_open(directory, rank, study->hash, &worker->journal, err);
}

dcs_status dcs_worker_destroy(dcs_worker *worker, dcs_error *err)
{
  dcs_problems_destroy(&worker->problems);
  return worker->journal != NULL ? dcs_journal_close(&worker->journal, err) : DCS_OK;
}

dcs_status dcs_worker_block(dcs_worker *worker, const dcs_order *order, dcs_record *record, dcs_error *err)
{
  const dcs_estimator *estimator = dcs_estimator_at(order->estimator);
  const dcs_problem *problem = NULL;
  dcs_block_work *work = NULL;
  dcs_error reason = {{0}};
  dcs_status st = DCS_OK;
  double start = dcs_clock();
  dcs_task_record(worker->study, order, record);
  DCS_TRY(dcs_problems_get(worker->problems, order->point, estimator, &problem, &work, err));
  st = estimator->block(problem, &order->design, order->block, work, &record->sums, &reason);
  if (st == DCS_ENUMERIC || st == DCS_EREFUSED) {
    record->status = (int32_t)st;
    record->sums = (dcs_sums){0};
    snprintf(record->reason, sizeof record->reason, "%.*s", (int)sizeof record->reason - 1,
             reason.text[0] != '\0' ? reason.text : dcs_status_text(st));
  } else if (st != DCS_OK) {
    dcs_fail(err, st, "point %lld, %s, block %lld: %s", (long long)order->point, estimator->name,
             (long long)order->block, reason.text[0] != '\0' ? reason.text : dcs_status_text(st));
    goto done;
  }
  record->wall_s = dcs_clock() - start;
  DCS_TRY(dcs_journal_append(worker->journal, record, err));
done:
  return st;
}

bool dcs_queue_push(dcs_queue *queue, int count, const dcs_order *orders)
{
  if (count < 0 || queue->count + count > 2 * DCS_BATCH) return false;
  for (int i = 0; i < count; i++) queue->order[(queue->first + queue->count++) % (2 * DCS_BATCH)] = orders[i];
  return true;
}

dcs_order dcs_queue_pop(dcs_queue *queue)
{
  dcs_order order = queue->order[queue->first];
  queue->first = (queue->first + 1) % (2 * DCS_BATCH);
  queue->count--;
  return order;
}
