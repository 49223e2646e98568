#include "run/local.h"

#include <pthread.h>
#include <string.h>

#include "base/memory.h"

struct dcs_local {
  dcs_worker *worker;
  pthread_t thread;
  pthread_mutex_t mutex; /* guards everything below */
  pthread_cond_t wake;   /* orders have come, or `stop` */
  bool stop, stopped;
  dcs_queue queue;
  dcs_records done;
  dcs_status st;
  dcs_error err;
};

static void *compute(void *argument)
{
  dcs_local *local = argument;
  pthread_mutex_lock(&local->mutex);
  while (!local->stop) {
    if (local->queue.count == 0) {
      pthread_cond_wait(&local->wake, &local->mutex);
      continue;
    }
    dcs_order order = dcs_queue_pop(&local->queue);
    dcs_record record;
    dcs_error err = {{0}};
    pthread_mutex_unlock(&local->mutex);
    dcs_status st = dcs_worker_block(local->worker, &order, &record, &err);
    pthread_mutex_lock(&local->mutex);
    if (st == DCS_OK) {
      st = dcs_records_add(&local->done, &record);
      if (st != DCS_OK) dcs_fail(&err, st, "rank 0: %s", dcs_status_text(st));
    }
    if (st != DCS_OK) {
      local->st = st;
      local->err = err;
      local->stop = true;
    }
  }
  local->stopped = true;
  pthread_mutex_unlock(&local->mutex);
  return NULL;
}

dcs_status dcs_local_create(dcs_worker *worker, dcs_local **out, dcs_error *err)
{
  dcs_status st = dcs_alloc(1, sizeof **out, out);
  if (st != DCS_OK) return dcs_fail(err, st, "computing thread: %s", dcs_status_text(st));
  dcs_local *local = *out;
  local->worker = worker;
  pthread_mutex_init(&local->mutex, NULL);
  pthread_cond_init(&local->wake, NULL);
  int failed = pthread_create(&local->thread, NULL, compute, local);
  if (failed != 0) {
    dcs_free(out);
    return dcs_fail(err, DCS_ENOMEM, "cannot start the computing thread: %s", strerror(failed));
  }
  return DCS_OK;
}

dcs_status dcs_local_push(dcs_local *local, int count, const dcs_order *orders, dcs_error *err)
{
  pthread_mutex_lock(&local->mutex);
  bool fits = dcs_queue_push(&local->queue, count, orders);
  pthread_cond_signal(&local->wake);
  pthread_mutex_unlock(&local->mutex);
  return fits ? DCS_OK : dcs_fail(err, DCS_EARG, "rank 0 was given more than %d blocks", 2 * DCS_BATCH);
}

dcs_status dcs_local_collect(dcs_local *local, dcs_records *done, dcs_error *err)
{
  pthread_mutex_lock(&local->mutex);
  dcs_status st = DCS_OK;
  for (int64_t i = 0; st == DCS_OK && i < local->done.count; i++) st = dcs_records_add(done, &local->done.record[i]);
  if (st != DCS_OK) dcs_fail(err, st, "rank 0: %s", dcs_status_text(st));
  local->done.count = 0;
  if (st == DCS_OK && local->st != DCS_OK) {
    st = local->st;
    *err = local->err;
    local->st = DCS_OK;
  }
  pthread_mutex_unlock(&local->mutex);
  return st;
}

void dcs_local_stop(dcs_local *local)
{
  pthread_mutex_lock(&local->mutex);
  local->stop = true;
  pthread_cond_signal(&local->wake);
  pthread_mutex_unlock(&local->mutex);
}

bool dcs_local_stopped(dcs_local *local)
{
  pthread_mutex_lock(&local->mutex);
  bool stopped = local->stopped;
  pthread_mutex_unlock(&local->mutex);
  return stopped;
}

void dcs_local_destroy(dcs_local **local)
{
  if (*local == NULL) return;
  dcs_local_stop(*local);
  pthread_join((*local)->thread, NULL);
  pthread_cond_destroy(&(*local)->wake);
  pthread_mutex_destroy(&(*local)->mutex);
  dcs_records_destroy(&(*local)->done);
  dcs_free(local);
}
