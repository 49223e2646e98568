#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "study/points.h"

enum { TARGET, D, COPIES, SAMPLER, LAMBDA, SCHEDULE, SIGMA_MAX, STEPS, DELTA, INIT, SCORE_ERROR, N_STANDARD };

/** The coordinates that every study has. */
static const dcs_column standard[N_STANDARD] = {
    [TARGET] = {.name = "target", .long_name = "target law, by its name in the study", .is_text = true},
    [D] = {.name = "d", .unit = "1", .long_name = "dimension of the data", .is_integer = true},
    [COPIES] = {.name = "copies",
                .unit = "1",
                .long_name = "independent identical factors of the target",
                .is_integer = true},
    [SAMPLER] = {.name = "sampler", .long_name = "sampler", .is_text = true},
    [LAMBDA] = {.name = "lambda", .unit = "1", .long_name = "noise parameter of the sampler"},
    [SCHEDULE] = {.name = "schedule", .long_name = "rule of the noise levels", .is_text = true},
    [SIGMA_MAX] = {.name = "sigma_max", .unit = "data units", .long_name = "largest noise level"},
    [STEPS] = {.name = "steps", .unit = "1", .long_name = "steps of the sampler", .is_integer = true},
    [DELTA] = {.name = "delta",
               .unit = "data units squared",
               .long_name = "variance of the noise left on the data at the end"},
    [INIT] = {.name = "init", .long_name = "law the sampler starts from", .is_text = true},
    [SCORE_ERROR] = {.name = "score_error",
                     .unit = "1/data units",
                     .long_name = "root mean square error of the sampler's score at every level; 0: it is exact"},
};

static const char *standard_text(const dcs_point *point, const dcs_origin *origin, int which)
{
  static const char *const init[] = {"exact", "prior", "mean"};
  switch (which) {
  case TARGET:
    return origin->target;
  case SAMPLER:
    return point->sampler->name;
  case SCHEDULE:
    return point->rule->name;
  default:
    return init[point->init];
  }
}

static double standard_number(const dcs_point *point, const dcs_origin *origin, int which)
{
  switch (which) {
  case D:
    return origin->d;
  case COPIES:
    return origin->copies;
  case LAMBDA:
    return point->lambda;
  case SIGMA_MAX:
    return origin->sigma_max;
  case STEPS:
    return point->steps;
  case SCORE_ERROR:
    return point->score_error;
  default:
    return origin->delta;
  }
}

/** Append a column like `model` with room for all points. */
static dcs_status add_column(dcs_study *study, const dcs_column *model, dcs_column **out)
{
  dcs_column *column = &study->column[study->n_columns];
  *column = *model;
  column->name = NULL;
  dcs_status st = dcs_strdup(model->name, &column->name);
  if (st != DCS_OK) return st;
  study->n_columns++;
  *out = column;
  size_t n = (size_t)study->n_points;
  return column->is_text ? dcs_alloc(n, sizeof *column->text, &column->text)
                         : dcs_alloc(n, sizeof *column->number, &column->number);
}

static dcs_status add_standard(dcs_study *study, const dcs_origin *origin, int which)
{
  dcs_column *column = NULL;
  dcs_status st = add_column(study, &standard[which], &column);
  for (int64_t i = 0; st == DCS_OK && i < study->n_points; i++) {
    if (column->is_text)
      st = dcs_strdup(standard_text(&study->point[i], &origin[i], which), &column->text[i]);
    else
      column->number[i] = standard_number(&study->point[i], &origin[i], which);
  }
  return st;
}

/** An axis of the study's own. A point whose physics does not depend on it has NAN or "" there. */
static dcs_status add_axis(dcs_study *study, const dcs_grid *grid, int axis, const dcs_origin *origin)
{
  const dcs_axis *a = &grid->axis[axis];
  char name[40];
  strncpy(name, a->name, sizeof name - 1);
  name[sizeof name - 1] = '\0';
  dcs_column model = {.name = name, .unit = a->unit, .is_integer = true};
  model.long_name = a->help != NULL ? a->help : "grid axis of the study";
  for (size_t i = 0; i < a->values->count; i++) {
    const dcs_node *value = &a->values->child[i];
    if (!value->is_number) model.is_text = true;
    if (!value->is_number || value->number != floor(value->number)) model.is_integer = false;
  }
  if (!model.is_text && model.unit == NULL) model.unit = "1";
  if (model.is_text) model.unit = NULL;
  dcs_column *column = NULL;
  dcs_status st = add_column(study, &model, &column);
  for (int64_t i = 0; st == DCS_OK && i < study->n_points; i++) {
    int index[DCS_AXES_MAX];
    dcs_grid_combination(grid, origin[i].combination, index);
    const dcs_node *value = dcs_grid_value(grid, axis, index);
    bool applies = (origin[i].mask >> a->dimension & 1U) != 0;
    if (model.is_text)
      st = dcs_strdup(applies ? value->text : "", &column->text[i]);
    else
      column->number[i] = applies ? value->number : NAN;
  }
  return st;
}

dcs_status dcs_columns_create(const dcs_grid *grid, const dcs_origin *origin, dcs_study *study)
{
  dcs_status st = DCS_OK;
  DCS_TRY(dcs_alloc(N_STANDARD + DCS_AXES_MAX, sizeof *study->column, &study->column));
  for (int which = 0; which < N_STANDARD; which++) DCS_TRY(add_standard(study, origin, which));
  for (int a = 0; a < grid->n_axes; a++)
    if (dcs_study_column(study, grid->axis[a].name) == NULL) DCS_TRY(add_axis(study, grid, a, origin));
done:
  return st;
}
