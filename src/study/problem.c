#include <inttypes.h>

#include "base/memory.h"
#include "sampler/score_error.h"
#include "study/study.h"

enum { KEPT = 2 /**< targets: points that follow each other mostly differ in sampler and steps */ };

struct dcs_targets {
  const dcs_study *study;
  int64_t calls;
  struct {
    dcs_target *target; /**< NULL: nothing yet */
    const dcs_law *law;
    const dcs_param *params; /**< borrowed; points of one target have the same */
    int64_t used;            /**< number of the last call */
  } kept[KEPT];
};

dcs_status dcs_targets_create(const dcs_study *study, dcs_targets **out)
{
  dcs_status st = dcs_alloc(1, sizeof **out, out);
  if (st == DCS_OK) (*out)->study = study;
  return st;
}

void dcs_targets_destroy(dcs_targets **targets)
{
  if (*targets == NULL) return;
  for (int i = 0; i < KEPT; i++) dcs_target_destroy(&(*targets)->kept[i].target);
  dcs_free(targets);
}

/** From those kept, or made and kept in place of the one that was used longest ago. */
static dcs_status create_target(const dcs_point *point, dcs_targets *targets, dcs_target **out, dcs_error *why)
{
  int oldest = 0;
  if (targets == NULL) return dcs_target_create(point->law, &point->target, out, why);
  targets->calls++;
  for (int i = 0; i < KEPT; i++) {
    if (targets->kept[i].target != NULL && targets->kept[i].law == point->law &&
        targets->kept[i].params == point->target.param) {
      targets->kept[i].used = targets->calls;
      *out = dcs_target_share(targets->kept[i].target);
      return DCS_OK;
    }
    if (targets->kept[i].used < targets->kept[oldest].used) oldest = i;
  }
  dcs_target_destroy(&targets->kept[oldest].target);
  dcs_status st = dcs_target_create(point->law, &point->target, out, why);
  if (st != DCS_OK) return st;
  targets->kept[oldest].target = dcs_target_share(*out);
  targets->kept[oldest].law = point->law;
  targets->kept[oldest].params = point->target.param;
  targets->kept[oldest].used = targets->calls;
  return DCS_OK;
}

static dcs_status create_score_error(const dcs_point *point, dcs_problem *problem, dcs_error *why)
{
  if (point->score_error == 0) return DCS_OK;
  dcs_status st = dcs_score_error_create(problem->target, point->score_error, point->score_error_seed,
                                         problem->steps->count + 1, problem->schedule->sigma, &problem->steps->error);
  if (st == DCS_OK) return st;
  return dcs_fail(why, st, "score_error: no error of this size for this target: %s", dcs_status_text(st));
}

static dcs_status build(const dcs_study *study, dcs_targets *targets, int64_t number, dcs_problem **out, dcs_error *err)
{
  dcs_status st = DCS_OK;
  dcs_problem *problem = NULL;
  dcs_error why = {0};
  *out = NULL;
  if (number < 0 || number >= study->n_points)
    return dcs_fail(err, DCS_EARG, "point %" PRId64 " is outside 0..%" PRId64, number, study->n_points - 1);
  const dcs_point *point = &study->point[number];
  DCS_TRY(dcs_alloc(1, sizeof *problem, &problem));
  problem->seed = study->seed;
  problem->point = point->hash;
  problem->quantile = point->quantile;
  problem->samples = point->samples;
  DCS_TRY(create_target(point, targets, &problem->target, &why));
  DCS_TRY(dcs_schedule_create(point->rule, &point->schedule, point->steps, point->delta, &problem->schedule, &why));
  DCS_TRY(dcs_steps_create(point->sampler, point->lambda, point->init, problem->schedule, &problem->steps));
  DCS_TRY(create_score_error(point, problem, &why));
  *out = problem;
  problem = NULL;
done:
  if (problem != NULL) dcs_problem_destroy(problem);
  dcs_free(&problem);
  if (st != DCS_OK)
    st = dcs_fail(err, st, "point %" PRId64 " (%.180s): %.250s", number, point->canonical,
                  why.text[0] != '\0' ? why.text : dcs_status_text(st));
  return st;
}

dcs_status dcs_study_problem(const dcs_study *study, int64_t point, dcs_problem **out, dcs_error *err)
{
  return build(study, NULL, point, out, err);
}

dcs_status dcs_targets_problem(dcs_targets *targets, int64_t point, dcs_problem **out, dcs_error *err)
{
  return build(targets->study, targets, point, out, err);
}
