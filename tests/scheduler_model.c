#include "scheduler_model.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "run/policy.h"

#define NAP (1e-9 * DCS_NAP_NS)

/** Seconds per counted operation, median over points, and the spread of its logarithm from point to point: what
 *  `simulate_scheduler --measure` prints of the smoothness study (tests/README.md), and a guess for all others. */
static const struct {
  const char *estimator;
  double seconds, spread;
} measured[] = {{"smoothness", 1.31e-11, 0.03},
                {"quadrature", 7.21e-11, 0.29},
                {"constant", 5.11e-11, 0.27},
                {"ratio", 4.66e-11, 0.09},
                {NULL, 1e-10, 0.5}};

dcs_model dcs_model_of(int ranks)
{
  return (dcs_model){.ranks = ranks,
                     .dies_at = INFINITY,
                     .message = 5e-6,
                     .record = 2e-6,
                     .plan = 1.5e-4,
                     .latency = 2e-5,
                     .hard_lo = 1,
                     .hard_hi = 1e3,
                     .scatter = 0.2,
                     .levels = 1};
}

/** Uniform in (0, 1) from what it belongs to. */
static double uniform(uint64_t a, uint64_t b, uint64_t c)
{
  uint64_t hash = dcs_hash_bytes((uint64_t[]){a, b, c}, 3 * sizeof a);
  return ((double)(hash >> 11) + 0.5) * 0x1p-53;
}

static double normal(uint64_t a, uint64_t b, uint64_t c)
{
  return sqrt(-2 * log(uniform(a, b, c))) * cos(6.283185307179586 * uniform(a, b, ~c));
}

/** A block that was ordered: on its way, waiting on a rank, or finished there. */
typedef struct {
  dcs_order order;
  int64_t task;
  double seconds; /* it takes on its rank */
  int next;       /* in the list it is in; -1: the last */
} job;

typedef struct {
  int first, last, count; /* jobs */
} list;

typedef struct {
  double speed, reported, started;
  double dry_since; /* on the clock that runs while work is there to be handed out; negative: not dry */
  bool computing, used;
  list queue, done;
} rank_state;

typedef enum { BLOCK_DONE, ORDERS_ARRIVE } event_kind;

typedef struct {
  double time;
  int64_t number; /* of two events at one time the earlier made comes first */
  event_kind kind;
  int rank;
  list jobs;
} event;

/** What a rank reported, waiting at rank 0. */
typedef struct {
  double time;
  int rank;
  list jobs;
} report;

typedef struct {
  const dcs_model *model;
  dcs_tasks *tasks;
  dcs_policy policy;
  rank_state *rank;
  job *jobs;
  size_t jobs_capacity;
  int n_jobs, free_job;
  event *event; /* binary heap */
  size_t events_capacity;
  int64_t n_events, n_made;
  report *inbox; /* [first, count): in order of arrival */
  size_t inbox_capacity;
  int64_t inbox_first, inbox_count;
  double now, busy;        /* rank 0's clock; of that, seconds of work */
  double supplied, marked; /* seconds in which work was there to be handed out, up to `marked` */
  double second;           /* number of the second of the last message */
  int64_t in_second;       /* messages in it */
  double *cost;            /* [n_tasks] rank-seconds at full speed */
  double *longest;         /* [n_tasks] block since the task was last planned, seconds at full speed */
  double *chain;           /* [n_tasks] sum of those over all that was planned before */
  dcs_model_outcome out;
} world;

static list empty(void) { return (list){-1, -1, 0}; }

static void append(world *w, list *l, int j)
{
  w->jobs[j].next = -1;
  if (l->count++ == 0)
    l->first = j;
  else
    w->jobs[l->last].next = j;
  l->last = j;
}

static int remove_first(world *w, list *l)
{
  int j = l->first;
  l->first = w->jobs[j].next;
  l->count--;
  return j;
}

static dcs_status new_job(world *w, int *j)
{
  if (w->free_job >= 0) {
    *j = w->free_job;
    w->free_job = w->jobs[*j].next;
    return DCS_OK;
  }
  *j = w->n_jobs++;
  return dcs_reserve(&w->jobs, &w->jobs_capacity, (size_t)w->n_jobs, sizeof *w->jobs);
}

static bool before(const event *a, const event *b)
{
  return a->time < b->time || (a->time == b->time && a->number < b->number);
}

static dcs_status schedule(world *w, event e)
{
  dcs_status st = dcs_reserve(&w->event, &w->events_capacity, (size_t)w->n_events + 1, sizeof *w->event);
  if (st != DCS_OK) return st;
  int64_t i = w->n_events++;
  e.number = w->n_made++;
  for (; i > 0 && before(&e, &w->event[(i - 1) / 2]); i = (i - 1) / 2) w->event[i] = w->event[(i - 1) / 2];
  w->event[i] = e;
  return DCS_OK;
}

static event next_event(world *w)
{
  event top = w->event[0], last = w->event[--w->n_events];
  int64_t i = 0;
  for (int64_t child = 1; child < w->n_events; i = child, child = 2 * i + 1) {
    if (child + 1 < w->n_events && before(&w->event[child + 1], &w->event[child])) child++;
    if (!before(&w->event[child], &last)) break;
    w->event[i] = w->event[child];
  }
  w->event[i] = last;
  return top;
}

/** Bring the clock that runs while there is work to hand out up to the present; called before that changes. */
static void mark(world *w)
{
  if (w->tasks->n_heap > 0) w->supplied += fmax(w->now - w->marked, 0);
  w->marked = w->now;
}

static void serve(world *w, double seconds)
{
  if (floor(w->now) != w->second) w->in_second = 0;
  w->second = floor(w->now);
  w->out.messages++;
  w->out.peak = fmax(w->out.peak, (double)++w->in_second);
  w->busy += seconds;
  w->now += seconds;
}

static int64_t task_of(const dcs_tasks *tasks, const dcs_order *order)
{
  const dcs_choice *choice = tasks->choice + order->point * tasks->study->n_metrics;
  while (choice->task < 0 || tasks->task[choice->task].estimator != order->estimator) choice++;
  return choice->task;
}

/** Seconds at full speed. */
static double block_seconds(const world *w, int64_t task, const dcs_order *order)
{
  const dcs_task *t = &w->tasks->task[task];
  const char *name = dcs_estimator_at(t->estimator)->name;
  uint64_t point = w->tasks->study->point[t->point].hash, id = dcs_hash_bytes(name, strlen(name));
  int i = 0, given = 0;
  while (measured[i].estimator != NULL && strcmp(measured[i].estimator, name) != 0) i++;
  while (given < w->model->n_paces && strcmp(w->model->pace[given].estimator, name) != 0) given++;
  bool is_given = given < w->model->n_paces;
  double pace = is_given ? w->model->pace[given].seconds : measured[i].seconds;
  double spread = (is_given ? w->model->pace[given].spread : measured[i].spread) * normal(point, id, 1);
  double scatter = w->model->scatter * normal(point, id ^ (uint64_t)order->design.phase, 2 + (uint64_t)order->block);
  bool is_cheap = strcmp(name, "smoothness") == 0 && 5 * (order->block % t->groups) >= 2 * t->groups;
  return t->flops * pace * exp(spread + scatter) / (is_cheap ? w->model->levels : 1);
}

/** A record with sums of mean 1 and the variance that makes the point as hard as it is drawn to be; noise and bias are
 *  0. */
static void finish_block(const world *w, const job *j, dcs_record *record)
{
  const dcs_estimator *estimator = dcs_estimator_at(j->order.estimator);
  dcs_task_record(w->tasks->study, &j->order, record);
  double u = uniform(record->point, record->estimator, 0);
  double variance = w->model->hard_lo * pow(w->model->hard_hi / w->model->hard_lo, u);
  record->wall_s = j->seconds;
  record->sums.n = estimator->exact ? 0 : record->outer;
  for (int q = 0; q < estimator->count; q++) {
    const char *name = estimator->quantity[q];
    bool is_value = strstr(name, "bias") == NULL && strstr(name, "noise") == NULL && strstr(name, "variance") == NULL;
    record->sums.mean[q] = is_value;
    record->sums.m2[q] = variance * (double)record->sums.n;
  }
}

static dcs_status start_block(world *w, int rank, double time)
{
  rank_state *r = &w->rank[rank];
  r->computing = r->queue.count > 0;
  r->started = time;
  if (!r->computing) return DCS_OK;
  r->used = true;
  double seconds = w->jobs[r->queue.first].seconds;
  return schedule(w, (event){.time = time + seconds, .kind = BLOCK_DONE, .rank = rank});
}

/** What a rank does after a block: as serve() of run/distribute.c. */
static dcs_status block_done(world *w, int rank, double time, dcs_records *journal)
{
  rank_state *r = &w->rank[rank];
  int j = remove_first(w, &r->queue);
  append(w, &r->done, j);
  if (journal != NULL) {
    dcs_record record;
    finish_block(w, &w->jobs[j], &record);
    dcs_status st = dcs_records_add(journal, &record);
    if (st != DCS_OK) return st;
  }
  if (r->done.count == DCS_BATCH || r->queue.count == 0 || time - r->reported > w->policy.pace) {
    dcs_status st = dcs_reserve(&w->inbox, &w->inbox_capacity, (size_t)w->inbox_count + 1, sizeof *w->inbox);
    if (st != DCS_OK) return st;
    w->inbox[w->inbox_count++] = (report){time + w->model->latency, rank, r->done};
    r->done = empty();
    r->reported = time;
  }
  if (r->queue.count == 0) r->dry_since = w->supplied + (w->tasks->n_heap > 0 ? fmax(time - w->marked, 0) : 0);
  return start_block(w, rank, time);
}

static dcs_status orders_arrive(world *w, const event *e)
{
  rank_state *r = &w->rank[e->rank];
  list jobs = e->jobs;
  while (jobs.count > 0) append(w, &r->queue, remove_first(w, &jobs));
  if (r->computing) return DCS_OK;
  if (r->dry_since >= 0) { /* it is dry until now, or until the work it waited for went out */
    double until = w->supplied + (w->tasks->n_heap > 0 ? fmax(e->time - w->marked, 0) : 0);
    w->out.idle_most = fmax(w->out.idle_most, until - r->dry_since);
  }
  r->dry_since = -1;
  return start_block(w, e->rank, e->time + NAP / 2);
}

static dcs_status events_until(world *w, double time, dcs_records *journal)
{
  while (w->n_events > 0 && w->event[0].time <= time) {
    event e = next_event(w);
    dcs_status st = e.kind == BLOCK_DONE ? block_done(w, e.rank, e.time, journal) : orders_arrive(w, &e);
    if (st != DCS_OK) return st;
  }
  return DCS_OK;
}

/** Rank 0 takes a report. */
static dcs_status take(world *w, const report *from, dcs_error *err)
{
  list jobs = from->jobs;
  int count = jobs.count;
  mark(w);
  while (jobs.count > 0) {
    int j = remove_first(w, &jobs);
    const job *done = &w->jobs[j];
    dcs_record record;
    finish_block(w, done, &record);
    const dcs_task *task = &w->tasks->task[done->task];
    int64_t wanted = task->design.blocks, phase = task->design.phase;
    dcs_status st = dcs_tasks_take(w->tasks, &record, err);
    if (st != DCS_OK) return st;
    bool planned = task->state != DCS_TASK_OPEN || task->design.blocks != wanted || task->design.phase != phase;
    double speed = w->rank[from->rank].speed, seconds = done->seconds * speed;
    w->out.work += seconds;
    w->cost[done->task] += seconds;
    w->longest[done->task] = fmax(w->longest[done->task], seconds);
    if (planned) {
      w->chain[done->task] += w->longest[done->task];
      w->longest[done->task] = 0;
      w->out.chain = fmax(w->out.chain, w->chain[done->task]);
    }
    w->out.blocks++;
    w->busy += w->model->record + (planned ? w->model->plan : 0);
    w->now += w->model->record + (planned ? w->model->plan : 0);
    w->jobs[j].next = w->free_job;
    w->free_job = j;
  }
  serve(w, w->model->message);
  dcs_policy_finished(&w->policy, w->tasks, from->rank, count);
  return DCS_OK;
}

static dcs_status give(world *w, int rank)
{
  dcs_order orders[DCS_BATCH];
  list jobs = empty();
  mark(w);
  int n = dcs_policy_give(&w->policy, w->tasks, rank, orders);
  for (int i = 0; i < n; i++) {
    int j = 0;
    dcs_status st = new_job(w, &j);
    if (st != DCS_OK) return st;
    w->jobs[j].order = orders[i];
    w->jobs[j].task = task_of(w->tasks, &orders[i]);
    w->jobs[j].seconds = block_seconds(w, w->jobs[j].task, &orders[i]) / w->rank[rank].speed;
    append(w, &jobs, j);
  }
  serve(w, w->model->message);
  return schedule(w, (event){.time = w->now + w->model->latency, .kind = ORDERS_ARRIVE, .rank = rank, .jobs = jobs});
}

/** Rank 0's loop, as coordinate() of run/distribute.c. */
static dcs_status coordinate(world *w, dcs_records *journal, dcs_error *err)
{
  dcs_status st = DCS_OK;
  while (w->tasks->n_open > 0 && w->now < w->model->dies_at) {
    bool any = false;
    for (;;) {
      DCS_TRY(events_until(w, w->now, journal));
      if (w->inbox_first == w->inbox_count || w->inbox[w->inbox_first].time > w->now) break;
      report next = w->inbox[w->inbox_first++];
      DCS_TRY(take(w, &next, err));
      any = true;
    }
    if (w->inbox_first == w->inbox_count) w->inbox_first = w->inbox_count = 0;
    for (int turns = w->policy.queued; turns > 0; turns--) {
      int rank = dcs_policy_next(&w->policy, w->tasks);
      if (rank < 0) break;
      DCS_TRY(give(w, rank));
      any = true;
    }
    if (any) continue;
    double wake = w->inbox_first < w->inbox_count ? w->inbox[w->inbox_first].time : w->event[0].time;
    mark(w);
    w->now = fmax(w->now, wake) + NAP / 2;
  }
  w->out.seconds = fmin(w->now, w->model->dies_at);
  if (w->tasks->n_open > 0) DCS_TRY(events_until(w, w->out.seconds, journal));
done:
  return st;
}

static dcs_status world_create(const dcs_model *model, const dcs_study *study, const dcs_records *old, world *w,
                               dcs_error *err)
{
  dcs_status st = DCS_OK;
  int every = model->slow_share > 0 ? (int)round(1 / model->slow_share) : 0;
  *w = (world){.model = model, .free_job = -1};
  DCS_TRY(dcs_tasks_create(study, old, &w->tasks, err));
  DCS_TRY(dcs_policy_create(model->ranks, &w->policy));
  DCS_TRY(dcs_alloc((size_t)model->ranks, sizeof *w->rank, &w->rank));
  DCS_TRY(dcs_alloc((size_t)w->tasks->n_tasks, sizeof *w->cost, &w->cost));
  DCS_TRY(dcs_alloc((size_t)w->tasks->n_tasks, sizeof *w->longest, &w->longest));
  DCS_TRY(dcs_alloc((size_t)w->tasks->n_tasks, sizeof *w->chain, &w->chain));
  for (int rank = 0; rank < model->ranks; rank++) {
    double speed = every > 0 && rank % every == every / 2 ? 0.5 : 1;
    w->rank[rank] = (rank_state){.speed = speed, .queue = empty(), .done = empty()};
  }
done:
  return st;
}

static void world_destroy(world *w)
{
  dcs_policy_destroy(&w->policy);
  dcs_tasks_destroy(&w->tasks);
  dcs_free(&w->rank);
  dcs_free(&w->cost);
  dcs_free(&w->longest);
  dcs_free(&w->chain);
  dcs_free(&w->jobs);
  dcs_free(&w->event);
  dcs_free(&w->inbox);
}

dcs_status dcs_model_run(const dcs_model *model, const dcs_study *study, const dcs_records *old, dcs_records *journal,
                         dcs_model_outcome *outcome, dcs_error *err)
{
  dcs_status st = DCS_OK;
  double speeds = 0;
  int64_t costliest = 0, cheapest = 0;
  world w = {0};
  DCS_TRY(world_create(model, study, old, &w, err));
  DCS_TRY(coordinate(&w, journal, err));
  *outcome = w.out;
  outcome->tasks = w.tasks->n_tasks;
  outcome->busy = w.busy / w.out.seconds;
  for (int rank = 0; rank < model->ranks; rank++) {
    const rank_state *r = &w.rank[rank];
    speeds += r->speed;
    outcome->ranks_used += r->used;
    if (r->computing) outcome->lost += fmax(w.out.seconds - r->started, 0) * r->speed;
  }
  outcome->efficiency = w.out.work / (w.out.seconds * speeds);
  for (int64_t t = 0; t < w.tasks->n_tasks; t++) {
    if (w.cost[t] > w.cost[costliest]) costliest = t;
    if (w.cost[t] < w.cost[cheapest]) cheapest = t;
  }
  if (w.tasks->n_tasks > 0) {
    outcome->cheapest = w.cost[cheapest];
    outcome->costliest = w.cost[costliest];
  }
done:
  if (st == DCS_ENOMEM) dcs_fail(err, st, "model of %d ranks: %s", model->ranks, dcs_status_text(st));
  world_destroy(&w);
  return st;
}
