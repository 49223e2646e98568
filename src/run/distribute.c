#include "run/distribute.h"

#include <math.h>

#include "base/memory.h"
#include "run/agree.h"
#include "run/clock.h"
#include "run/local.h"
#include "run/signals.h"

/** Messages. Rank 0 sends WORK (orders; none: stop now). The others send DONE (records), STOP (a signal came), FAIL (a
 *  failure; the sender computes no more) and, as their last word, BYE. */
enum { WORK = 1, DONE, STOP, FAIL, BYE };

typedef struct {
  int status;
  dcs_error err;
} failure;

#define BATCH_SECONDS 0.2  /* work in one batch: long beside a message, short beside a run */
#define REFILL_SECONDS 0.1 /* less than this under way: send more */
#define REPORT_SECONDS 0.05

/** What rank 0 knows of one rank (itself included). */
typedef struct {
  int blocks;     /* under way */
  double seconds; /* predicted for them */
  bool told_to_stop, gone;
  MPI_Request sent; /* of the last message; `order` must not change before it is complete */
  dcs_order *order; /* [DCS_BATCH] */
} peer;

typedef struct {
  MPI_Comm comm;
  int size, n_gone;
  peer *peer;        /* [size] */
  dcs_order *orders; /* [size][DCS_BATCH], storage of peer.order */
  dcs_tasks *tasks;
  dcs_local *local;
  dcs_records inbox; /* records that have just come in; room for DCS_BATCH at least */
  bool stopping, asked_to_stop;
  dcs_status st; /* first failure anywhere */
  dcs_error err;
} coordinator;

static void keep_failure(coordinator *c, dcs_status st, const dcs_error *err)
{
  if (st == DCS_OK) return;
  if (c->st == DCS_OK) {
    c->st = st;
    c->err = *err;
  }
  c->stopping = true;
}

static void take(coordinator *c, int rank, int64_t count, const dcs_record *records)
{
  dcs_error err = {{0}};
  peer *p = &c->peer[rank];
  for (int64_t i = 0; i < count && c->st == DCS_OK; i++)
    keep_failure(c, dcs_tasks_take(c->tasks, &records[i], &err), &err);
  int left = p->blocks > count ? p->blocks - (int)count : 0;
  p->seconds = left > 0 ? p->seconds * left / p->blocks : 0;
  p->blocks = left;
}

/** Receive everything that is there. Returns whether anything was. */
static bool receive(coordinator *c)
{
  dcs_error err = {{0}};
  bool any = false;
  if (!c->peer[0].gone) {
    bool last = dcs_local_stopped(c->local) && c->peer[0].told_to_stop; /* asked first: nothing comes after it */
    c->inbox.count = 0;
    keep_failure(c, dcs_local_collect(c->local, &c->inbox, &err), &err);
    any = c->inbox.count > 0;
    take(c, 0, c->inbox.count, c->inbox.record);
    c->peer[0].gone = last;
    c->n_gone += last;
  }
  for (;;) {
    int here = 0, bytes = 0;
    MPI_Status from;
    MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, c->comm, &here, &from);
    if (!here) return any;
    any = true;
    MPI_Get_count(&from, MPI_BYTE, &bytes);
    if (from.MPI_TAG == DONE) {
      int n = bytes / (int)sizeof(dcs_record);
      MPI_Recv(c->inbox.record, bytes, MPI_BYTE, from.MPI_SOURCE, DONE, c->comm, MPI_STATUS_IGNORE);
      take(c, from.MPI_SOURCE, n, c->inbox.record);
    } else if (from.MPI_TAG == FAIL) {
      failure f;
      MPI_Recv(&f, (int)sizeof f, MPI_BYTE, from.MPI_SOURCE, FAIL, c->comm, MPI_STATUS_IGNORE);
      keep_failure(c, (dcs_status)f.status, &f.err);
    } else { /* STOP or BYE: empty */
      MPI_Recv(NULL, 0, MPI_BYTE, from.MPI_SOURCE, from.MPI_TAG, c->comm, MPI_STATUS_IGNORE);
      if (from.MPI_TAG == STOP) c->asked_to_stop = true;
      if (from.MPI_TAG == BYE) {
        c->peer[from.MPI_SOURCE].gone = true;
        c->n_gone++;
      }
    }
  }
}

/** Has the last message to this rank left? */
static bool can_send(peer *p)
{
  int sent = 0;
  MPI_Test(&p->sent, &sent, MPI_STATUS_IGNORE);
  return sent != 0;
}

/** Batches to every rank that is about to run dry. Towards the end batches shrink, so that all finish together. */
static void hand_out(coordinator *c)
{
  dcs_error err = {{0}};
  for (int rank = 0; rank < c->size && c->tasks->n_heap > 0; rank++) {
    peer *p = &c->peer[rank];
    if (p->blocks > DCS_BATCH || (p->blocks > 0 && p->seconds >= REFILL_SECONDS) || !can_send(p)) continue;
    double fair = dcs_tasks_seconds_left(c->tasks) / (2 * c->size), predicted = 0;
    int n =
        dcs_tasks_next(c->tasks, fair > 0 ? fmin(BATCH_SECONDS, fair) : BATCH_SECONDS, DCS_BATCH, p->order, &predicted);
    p->blocks += n;
    p->seconds += predicted;
    if (rank == 0)
      keep_failure(c, dcs_local_push(c->local, n, p->order, &err), &err);
    else
      MPI_Isend(p->order, n * (int)sizeof *p->order, MPI_BYTE, rank, WORK, c->comm, &p->sent);
  }
}

static void tell_to_stop(coordinator *c)
{
  for (int rank = 0; rank < c->size; rank++) {
    peer *p = &c->peer[rank];
    if (p->told_to_stop || !can_send(p)) continue;
    p->told_to_stop = true;
    if (rank == 0)
      dcs_local_stop(c->local);
    else
      MPI_Isend(NULL, 0, MPI_BYTE, rank, WORK, c->comm, &p->sent);
  }
}

static dcs_status coordinate(coordinator *c, dcs_worker *worker, bool quiet, double deadline, bool *stopped,
                             dcs_error *err)
{
  dcs_progress progress = dcs_progress_start(c->tasks, c->size, quiet);
  keep_failure(c, dcs_local_create(worker, &c->local, err), err);
  if (c->local == NULL) { /* the others still have to be told */
    c->peer[0].told_to_stop = c->peer[0].gone = true;
    c->n_gone = 1;
  }
  while (c->n_gone < c->size) {
    bool any = receive(c);
    if (c->tasks->n_open == 0) c->stopping = true;
    if (!c->stopping && (c->asked_to_stop || dcs_signals_pending() || dcs_clock() > deadline))
      c->stopping = *stopped = true;
    if (c->stopping)
      tell_to_stop(c);
    else
      hand_out(c);
    dcs_progress_update(&progress, c->tasks);
    if (!any) dcs_nap();
  }
  for (int rank = 0; rank < c->size; rank++) MPI_Wait(&c->peer[rank].sent, MPI_STATUS_IGNORE);
  dcs_progress_end(&progress);
  dcs_local_destroy(&c->local);
  *err = c->err;
  return c->st;
}

static dcs_status coordinator_create(MPI_Comm comm, dcs_tasks *tasks, coordinator *c, dcs_error *err)
{
  dcs_status st = DCS_OK;
  *c = (coordinator){.comm = comm, .tasks = tasks};
  MPI_Comm_size(comm, &c->size);
  DCS_TRY(dcs_alloc((size_t)c->size, sizeof *c->peer, &c->peer));
  DCS_TRY(dcs_alloc((size_t)c->size * DCS_BATCH, sizeof *c->orders, &c->orders));
  DCS_TRY(dcs_reserve(&c->inbox.record, &c->inbox.capacity, DCS_BATCH, sizeof(dcs_record)));
  for (int rank = 0; rank < c->size; rank++) {
    c->peer[rank].order = c->orders + (size_t)rank * DCS_BATCH;
    c->peer[rank].sent = MPI_REQUEST_NULL;
  }
done:
  if (st != DCS_OK) dcs_fail(err, st, "coordinator of %d ranks: %s", c->size, dcs_status_text(st));
  return st;
}

static void coordinator_destroy(coordinator *c)
{
  dcs_records_destroy(&c->inbox);
  dcs_free(&c->orders);
  dcs_free(&c->peer);
}

typedef struct {
  MPI_Comm comm;
  dcs_queue queue;
  bool told_to_stop;
  int n_done;
  double reported; /* dcs_clock */
  dcs_record done[DCS_BATCH];
} member;

static void report(member *m)
{
  if (m->n_done > 0) MPI_Send(m->done, m->n_done * (int)sizeof *m->done, MPI_BYTE, 0, DONE, m->comm);
  m->n_done = 0;
  m->reported = dcs_clock();
}

static void member_receive(member *m, dcs_status *st, dcs_error *err)
{
  for (;;) {
    int here = 0, bytes = 0;
    MPI_Status from;
    dcs_order orders[DCS_BATCH];
    MPI_Iprobe(0, WORK, m->comm, &here, &from);
    if (!here) return;
    MPI_Get_count(&from, MPI_BYTE, &bytes);
    MPI_Recv(orders, (int)sizeof orders, MPI_BYTE, 0, WORK, m->comm, MPI_STATUS_IGNORE);
    if (bytes == 0) m->told_to_stop = true;
    if (*st == DCS_OK && !dcs_queue_push(&m->queue, bytes / (int)sizeof *orders, orders))
      *st = dcs_fail(err, DCS_EARG, "a rank was given more than %d blocks", 2 * DCS_BATCH);
  }
}

/** Compute what comes until told to stop. A failure is sent to rank 0, which tells everybody to stop. */
static void serve(member *m, dcs_worker *worker)
{
  dcs_status st = DCS_OK;
  dcs_error err = {{0}};
  bool sent_stop = false, sent_fail = false;
  m->reported = dcs_clock();
  while (member_receive(m, &st, &err), !m->told_to_stop) {
    if (!sent_stop && dcs_signals_pending()) {
      MPI_Send(NULL, 0, MPI_BYTE, 0, STOP, m->comm);
      sent_stop = true;
    }
    if (st == DCS_OK && m->queue.count > 0) {
      dcs_order order = dcs_queue_pop(&m->queue);
      st = dcs_worker_block(worker, &order, &m->done[m->n_done], &err);
      if (st == DCS_OK) m->n_done++;
    } else {
      dcs_nap();
    }
    if (m->n_done == DCS_BATCH || m->queue.count == 0 || dcs_clock() - m->reported > REPORT_SECONDS) report(m);
    if (st != DCS_OK && !sent_fail) {
      failure f = {.status = (int)st, .err = err};
      MPI_Send(&f, (int)sizeof f, MPI_BYTE, 0, FAIL, m->comm);
      sent_fail = true;
    }
  }
  report(m);
  MPI_Send(NULL, 0, MPI_BYTE, 0, BYE, m->comm);
}

dcs_status dcs_distribute(MPI_Comm comm, dcs_worker *worker, dcs_tasks *tasks, bool quiet, double deadline,
                          bool *stopped, dcs_error *err)
{
  dcs_status st = DCS_OK;
  coordinator c = {0};
  member *m = NULL;
  int rank = 0, flag = 0;
  MPI_Comm_rank(comm, &rank);
  *stopped = false;
  if (rank == 0) {
    st = coordinator_create(comm, tasks, &c, err);
  } else {
    st = dcs_alloc(1, sizeof *m, &m);
    if (st != DCS_OK) dcs_fail(err, st, "rank %d: %s", rank, dcs_status_text(st));
  }
  DCS_TRY(dcs_agree(comm, st, err));
  if (rank == 0) {
    st = coordinate(&c, worker, quiet, deadline, stopped, err);
  } else {
    m->comm = comm;
    serve(m, worker);
  }
  DCS_TRY(dcs_agree(comm, st, err)); /* only rank 0 can have failed: it knows of every failure */
  flag = *stopped;
  MPI_Bcast(&flag, 1, MPI_INT, 0, comm);
  *stopped = flag != 0;
done:
  if (rank == 0) coordinator_destroy(&c);
  dcs_free(&m);
  return st;
}
