#include "run/problems.h"

#include "base/memory.h"

enum { CACHED = 4 /* a batch walks through the blocks of one point before the next, so few are enough */ };

typedef struct {
  int64_t point, used; /* used: time of the last call, 0: empty */
  const dcs_estimator *estimator;
  dcs_problem *problem;
  dcs_block_work *work;
} entry;

struct dcs_problems {
  dcs_targets *targets;
  int64_t calls;
  entry entry[CACHED];
};

static void entry_clear(entry *e)
{
  if (e->work != NULL) e->estimator->work_destroy(&e->work);
  if (e->problem != NULL) dcs_problem_destroy(e->problem);
  dcs_free(&e->problem);
  *e = (entry){0};
}

void dcs_problems_destroy(dcs_problems **problems)
{
  if (*problems == NULL) return;
  for (int i = 0; i < CACHED; i++) entry_clear(&(*problems)->entry[i]);
  dcs_targets_destroy(&(*problems)->targets);
  dcs_free(problems);
}

dcs_status dcs_problems_create(const dcs_study *study, dcs_problems **out)
{
  dcs_status st = dcs_alloc(1, sizeof **out, out);
  if (st == DCS_OK) st = dcs_targets_create(study, &(*out)->targets);
  if (st != DCS_OK) dcs_problems_destroy(out);
  return st;
}

dcs_status dcs_problems_get(dcs_problems *problems, int64_t point, const dcs_estimator *estimator,
                            const dcs_problem **problem, dcs_block_work **work, dcs_error *err)
{
  dcs_status st = DCS_OK;
  entry *e = &problems->entry[0];
  for (int i = 0; i < CACHED; i++) {
    entry *other = &problems->entry[i];
    if (other->used != 0 && other->point == point && other->estimator == estimator) {
      e = other;
      break;
    }
    if (other->used < e->used) e = other;
  }
  if (e->used == 0 || e->point != point || e->estimator != estimator) {
    entry_clear(e);
    e->point = point;
    e->estimator = estimator;
    DCS_TRY(dcs_targets_problem(problems->targets, point, &e->problem, err));
  }
  if (work != NULL && e->work == NULL) {
    st = estimator->work_create(e->problem, &e->work);
    if (st != DCS_OK) {
      dcs_fail(err, st, "point %lld: %s: no work space: %s", (long long)point, estimator->name, dcs_status_text(st));
      goto done;
    }
  }
  e->used = ++problems->calls;
  *problem = e->problem;
  if (work != NULL) *work = e->work;
done:
  if (st != DCS_OK) entry_clear(e);
  return st;
}
