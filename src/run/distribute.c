#include "run/distribute.h"

#include <string.h>

#include "base/agree.h"
#include "base/clock.h"
#include "base/memory.h"
#include "run/local.h"
#include "run/policy.h"
#include "run/signals.h"

/** Messages. Rank 0 sends WORK (orders; none: stop now). The others send DONE (records), STOP (a signal came), FAIL (a
 *  failure; the sender computes no more) and, as their last word, BYE. */
enum { WORK = 1, DONE, STOP, FAIL, BYE };

typedef struct {
  int status;
  dcs_error err;
} failure;

/** How rank 0 reaches one rank (itself included). */
typedef struct {
  bool told_to_stop, gone;
  MPI_Request sent; /* of the last message; `order` must not change before it is complete */
  dcs_order *order; /* of that message: as long as the largest one yet, often a few orders, DCS_BATCH at most */
  size_t capacity;
} peer;

typedef struct {
  MPI_Comm comm;
  int size, n_gone;
  peer *peer; /* [size] */
  dcs_policy policy;
  dcs_tasks *tasks;
  dcs_local *local;
  dcs_records inbox;  /* records that have just come in; room for DCS_BATCH at least */
  int64_t n_messages; /* in and out */
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
  for (int64_t i = 0; i < count && c->st == DCS_OK; i++)
    keep_failure(c, dcs_tasks_take(c->tasks, &records[i], &err), &err);
  dcs_policy_finished(&c->policy, c->tasks, rank, (int)count);
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
    c->n_messages++;
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

/** Orders to one rank. */
static dcs_status give(coordinator *c, int rank, dcs_error *err)
{
  peer *p = &c->peer[rank];
  dcs_order orders[DCS_BATCH];
  int n = dcs_policy_give(&c->policy, c->tasks, rank, orders);
  if (rank == 0) return dcs_local_push(c->local, n, orders, err);
  dcs_status st = dcs_reserve(&p->order, &p->capacity, (size_t)n, sizeof *p->order);
  if (st != DCS_OK) return dcs_fail(err, st, "orders for rank %d: %s", rank, dcs_status_text(st));
  memcpy(p->order, orders, (size_t)n * sizeof *orders);
  MPI_Isend(p->order, n * (int)sizeof *p->order, MPI_BYTE, rank, WORK, c->comm, &p->sent);
  c->n_messages++;
  return DCS_OK;
}

/** Batches to the ranks that ran low, each at most once. Returns whether anything was handed out. */
static bool hand_out(coordinator *c)
{
  dcs_error err = {{0}};
  bool any = false;
  for (int turns = c->policy.queued; turns > 0 && c->st == DCS_OK; turns--) {
    int rank = dcs_policy_next(&c->policy, c->tasks);
    if (rank < 0) break;
    if (can_send(&c->peer[rank])) {
      keep_failure(c, give(c, rank, &err), &err);
      any = true;
    } else {
      dcs_policy_postpone(&c->policy, rank);
    }
  }
  return any;
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
  double busy = 0; /* seconds */
  dcs_progress progress = dcs_progress_start(c->tasks, c->size, quiet);
  keep_failure(c, dcs_local_create(worker, &c->local, err), err);
  if (c->local == NULL) { /* the others still have to be told */
    c->peer[0].told_to_stop = c->peer[0].gone = true;
    c->n_gone = 1;
  }
  while (c->n_gone < c->size) {
    double start = dcs_clock();
    bool any = receive(c);
    if (c->tasks->n_open == 0) c->stopping = true;
    if (!c->stopping && (c->asked_to_stop || dcs_signals_pending() || dcs_clock() > deadline))
      c->stopping = *stopped = true;
    if (c->stopping)
      tell_to_stop(c);
    else
      any |= hand_out(c);
    dcs_progress_update(&progress, c->tasks);
    if (any)
      busy += dcs_clock() - start;
    else
      dcs_nap();
  }
  for (int rank = 0; rank < c->size; rank++) MPI_Wait(&c->peer[rank].sent, MPI_STATUS_IGNORE);
  dcs_progress_end(&progress, c->tasks, c->n_messages, busy);
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
  DCS_TRY(dcs_policy_create(c->size, &c->policy));
  DCS_TRY(dcs_reserve(&c->inbox.record, &c->inbox.capacity, DCS_BATCH, sizeof(dcs_record)));
  for (int rank = 0; rank < c->size; rank++) c->peer[rank].sent = MPI_REQUEST_NULL;
done:
  if (st != DCS_OK) dcs_fail(err, st, "coordinator of %d ranks: %s", c->size, dcs_status_text(st));
  return st;
}

static void coordinator_destroy(coordinator *c)
{
  dcs_records_destroy(&c->inbox);
  dcs_policy_destroy(&c->policy);
  for (int rank = 0; c->peer != NULL && rank < c->size; rank++) dcs_free(&c->peer[rank].order);
  dcs_free(&c->peer);
}

typedef struct {
  MPI_Comm comm;
  dcs_queue queue;
  bool told_to_stop;
  int n_done;
  double pace, reported; /* seconds between reports; dcs_clock of the last one */
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
    if (m->n_done == DCS_BATCH || m->queue.count == 0 || dcs_clock() - m->reported > m->pace) report(m);
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
  int rank = 0, size = 0, flag = 0;
  MPI_Comm_rank(comm, &rank);
  MPI_Comm_size(comm, &size);
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
    m->pace = dcs_policy_pace(size);
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
