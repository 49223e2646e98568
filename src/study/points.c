#include "study/points.h"

#include <float.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "study/nearest.h"
#include "study/schema.h"
#include "study/spec.h"
#include "study/word.h"

/** A scalar of the study that is given once: at the top level or as an axis. */
typedef struct {
  const char *key;
  const dcs_node *node; /**< at the top level, or NULL */
  int axis;             /**< or -1 */
  uint32_t mask;
} source;

enum { SAMPLER, LAMBDA, STEPS, DELTA, INIT, SCORE_ERROR, SCORE_ERROR_SEED, QUANTILE, SAMPLES, N_SOURCES };

typedef struct {
  double sigma_max, delta; /**< of the levels really used */
} ends;

typedef struct {
  dcs_grid *grid;
  dcs_study *study;
  const dcs_node *targets; /**< map of named targets, or NULL */
  dcs_spec *target;        /**< [n_targets] */
  size_t n_targets;
  int target_axis; /**< -1: one target without a name */
  dcs_spec schedule;
  source source[N_SOURCES];
  dcs_variants variants;
  uint32_t levels_mask;
  ends *levels; /**< [dcs_grid_size(levels_mask)]; delta = 0: not looked at yet */
} builder;

static dcs_status open_targets(builder *b, dcs_node *root, dcs_error *err)
{
  dcs_node *one = dcs_node_find(root, "target"), *many = dcs_node_find(root, "targets");
  if ((one == NULL) == (many == NULL)) return dcs_node_fail(root, err, "a study has either 'target' or 'targets'");
  b->n_targets = one != NULL ? 1 : many->count;
  if (b->n_targets == 0) return dcs_node_fail(many, err, "targets: no target here");
  dcs_status st = dcs_alloc(b->n_targets, sizeof *b->target, &b->target);
  for (size_t i = 0; st == DCS_OK && i < b->n_targets; i++) {
    dcs_node *node = one != NULL ? one : &many->child[i];
    st = dcs_schema_name(node, "target", node->key, err);
    if (st == DCS_OK) st = dcs_spec_open(b->grid, node, true, &b->target[i], err);
  }
  b->targets = many;
  b->target_axis = many != NULL ? dcs_grid_find(b->grid, "target") : -1;
  if (st == DCS_OK && many != NULL && b->target_axis < 0)
    return dcs_node_fail(many, err, "targets: pick from them by a grid axis, target: [%s, ...]", many->child[0].key);
  if (b->target_axis >= 0) b->grid->axis[b->target_axis].is_used = true;
  return st;
}

static dcs_status open_sources(builder *b, dcs_node *root, dcs_error *err)
{
  static const struct {
    const char *key, *help; /* what the axis of that name is, when it is no standard column */
  } keys[N_SOURCES] = {[SAMPLER] = {"sampler", NULL},
                       [LAMBDA] = {"lambda", NULL},
                       [STEPS] = {"steps", NULL},
                       [DELTA] = {"delta", NULL},
                       [INIT] = {"init", NULL},
                       [SCORE_ERROR] = {"score_error", NULL},
                       [SCORE_ERROR_SEED] = {"score_error_seed", "seed of the error field of the score"},
                       [QUANTILE] = {"quantile", "quantile of the smoothness over X"},
                       [SAMPLES] = {"samples", "particles in each cloud of the metrics that compare samples"}};
  for (int i = 0; i < N_SOURCES; i++) {
    source *s = &b->source[i];
    const char *key = keys[i].key;
    *s = (source){.key = key, .node = dcs_node_find(root, key), .axis = dcs_grid_find(b->grid, key)};
    if (s->node != NULL && s->axis >= 0)
      return dcs_node_fail(s->node, err, "'%s' is given here and as a grid axis; remove one", s->key);
    if (s->axis >= 0) {
      s->mask = 1U << b->grid->axis[s->axis].dimension;
      b->grid->axis[s->axis].help = keys[i].help;
    }
    if (s->node == NULL) continue;
    dcs_status st = dcs_grid_refer(b->grid, s->node, &s->mask, err);
    if (st != DCS_OK) return st;
  }
  return DCS_OK;
}

/** Value of a source at this combination; an axis counts as used only when a point really takes its value. */
static dcs_status take(builder *b, int which, const int *index, const dcs_node **out, dcs_error *err)
{
  const source *s = &b->source[which];
  if (s->axis < 0 && s->node == NULL)
    return dcs_fail(err, DCS_EUSAGE, "%s: missing key '%s': give it at the top level or as a grid axis", b->study->path,
                    s->key);
  if (s->axis >= 0) b->grid->axis[s->axis].is_used = true;
  *out = s->axis >= 0 ? dcs_grid_value(b->grid, s->axis, index) : dcs_grid_resolve(b->grid, index, s->node);
  return DCS_OK;
}

static dcs_status pick_target(builder *b, const int *index, dcs_spec **spec, const char **name, dcs_error *err)
{
  *spec = &b->target[0];
  if (b->target_axis < 0) return DCS_OK;
  const dcs_node *value = dcs_grid_value(b->grid, b->target_axis, index);
  *name = value->text;
  dcs_status st = dcs_word_check(b->targets, "target", value, err);
  if (st != DCS_OK) return st;
  *spec = &b->target[dcs_node_find(b->targets, value->text) - b->targets->child];
  return DCS_OK;
}

static dcs_status read_sampler(builder *b, const int *index, dcs_point *point, dcs_origin *origin, dcs_error *err)
{
  const dcs_node *value = NULL;
  dcs_status st = take(b, SAMPLER, index, &value, err);
  if (st == DCS_OK) st = dcs_schema_kind(value, "sampler", DCS_NODE_SCALAR, err);
  if (st == DCS_OK) st = dcs_word_check(NULL, "sampler", value, err);
  if (st != DCS_OK) return st;
  point->sampler = dcs_sampler_find(value->text);
  point->lambda = NAN;
  if (!point->sampler->takes_lambda) return DCS_OK;
  origin->mask |= b->source[LAMBDA].mask;
  st = take(b, LAMBDA, index, &value, err);
  return st != DCS_OK ? st : dcs_schema_real(value, "lambda", 0.0, 100.0, &point->lambda, err);
}

/** Both ends of the noise levels; creating them tells whether schedule, steps and delta fit together. */
static dcs_status measure_levels(builder *b, const int *index, const dcs_variant *schedule, const dcs_point *point,
                                 dcs_origin *origin, dcs_error *err)
{
  ends *known = &b->levels[dcs_grid_flat(b->grid, b->levels_mask, index)];
  if (known->delta == 0.0) {
    dcs_schedule *levels = NULL;
    dcs_status st = dcs_schedule_create(point->rule, &point->schedule, point->steps, point->delta, &levels, err);
    if (st == DCS_EUSAGE) return dcs_node_locate(b->schedule.node, st, err);
    if (st != DCS_OK) return st;
    double last = levels->sigma[point->steps];
    *known = (ends){isnan(schedule->sigma_max) ? levels->sigma[0] : schedule->sigma_max,
                    point->rule->takes_delta ? point->delta : last * last};
    dcs_schedule_destroy(&levels);
  }
  origin->sigma_max = known->sigma_max;
  origin->delta = known->delta;
  return DCS_OK;
}

/** Score error, and the settings of single metrics. */
static dcs_status read_settings(builder *b, const int *index, dcs_point *point, dcs_origin *origin, dcs_error *err)
{
  dcs_status st = DCS_OK;
  const dcs_node *value = NULL;
  double number = 0;
  origin->mask |= b->source[SCORE_ERROR].mask | b->source[QUANTILE].mask | b->source[SAMPLES].mask;
  DCS_TRY(take(b, SCORE_ERROR, index, &value, err));
  DCS_TRY(dcs_schema_real(value, "score_error", 0.0, 1e9, &point->score_error, err));
  if (point->score_error > 0) {
    origin->mask |= b->source[SCORE_ERROR_SEED].mask;
    DCS_TRY(take(b, SCORE_ERROR_SEED, index, &value, err));
    DCS_TRY(dcs_schema_integer(value, "score_error_seed", 0.0, INT_MAX, &number, err));
    point->score_error_seed = (uint64_t)number;
  }
  DCS_TRY(take(b, QUANTILE, index, &value, err));
  DCS_TRY(dcs_schema_real(value, "quantile", 0.0, 1.0, &point->quantile, err));
  if (point->quantile == 0 || point->quantile == 1)
    DCS_TRY(dcs_node_fail(value, err, "quantile: %s is no quantile: give one between 0 and 1", value->text));
  DCS_TRY(take(b, SAMPLES, index, &value, err));
  DCS_TRY(dcs_schema_integer(value, "samples", 2.0, 100000.0, &number, err));
  point->samples = (int)number;
done:
  return st;
}

/** What was not in a study when earlier ones ran is named only where it is not the default: they keep their identity.
 */
static dcs_status name_physics(const char *target, const char *schedule, dcs_point *point)
{
  static const char *const init[] = {"exact", "prior", "mean"};
  char lambda[32] = "-", delta[32] = "-";
  if (!isnan(point->lambda)) snprintf(lambda, sizeof lambda, "%.17g", point->lambda);
  if (!isnan(point->delta)) snprintf(delta, sizeof delta, "%.17g", point->delta);
  size_t room = strlen(target) + strlen(schedule) + strlen(point->sampler->name) + 320;
  dcs_status st = dcs_alloc(room, 1, &point->canonical);
  if (st != DCS_OK) return st;
  int n = snprintf(point->canonical, room, "%s; %s; sampler=%s lambda=%s init=%s steps=%d delta=%s", target, schedule,
                   point->sampler->name, lambda, init[point->init], point->steps, delta);
  if (point->score_error > 0)
    n += snprintf(point->canonical + n, room - (size_t)n, " score_error=%.17g score_error_seed=%" PRIu64,
                  point->score_error, point->score_error_seed);
  if (point->quantile != DCS_QUANTILE_DEFAULT)
    n += snprintf(point->canonical + n, room - (size_t)n, " quantile=%.17g", point->quantile);
  if (point->samples != DCS_SAMPLES_DEFAULT)
    n += snprintf(point->canonical + n, room - (size_t)n, " samples=%d", point->samples);
  point->hash = dcs_hash_bytes(point->canonical, (size_t)n);
  return DCS_OK;
}

/** On failure point->canonical may be set; the caller frees it. */
static dcs_status build_point(builder *b, const int *index, dcs_point *point, dcs_origin *origin, dcs_error *err)
{
  dcs_status st = DCS_OK;
  const dcs_variant *variant = NULL;
  const dcs_node *value = NULL;
  dcs_spec *spec = NULL;
  double steps = 0.0;
  int init = 0;
  DCS_TRY(pick_target(b, index, &spec, &origin->target, err));
  DCS_TRY(dcs_spec_variant(spec, b->grid, index, b->study, &b->variants, &variant, err));
  point->law = variant->law;
  point->target = variant->params;
  const char *target_canonical = variant->canonical;
  if (origin->target == NULL) origin->target = dcs_law_name(variant->law);
  origin->d = variant->d;
  origin->copies = variant->copies;
  origin->mask = spec->mask | b->schedule.mask | b->source[SAMPLER].mask | b->source[STEPS].mask | b->source[INIT].mask;
  if (b->target_axis >= 0) origin->mask |= 1U << b->grid->axis[b->target_axis].dimension;
  DCS_TRY(dcs_spec_variant(&b->schedule, b->grid, index, b->study, &b->variants, &variant, err));
  point->rule = variant->rule;
  point->schedule = variant->params;
  DCS_TRY(read_sampler(b, index, point, origin, err));
  DCS_TRY(take(b, INIT, index, &value, err));
  DCS_TRY(dcs_schema_word(value, "init", DCS_INIT_CHOICES, &init, err));
  point->init = (dcs_init)init;
  DCS_TRY(take(b, STEPS, index, &value, err));
  DCS_TRY(dcs_schema_integer(value, "steps", 1.0, 1e7, &steps, err));
  point->steps = (int)steps;
  point->delta = NAN;
  if (point->rule->takes_delta) {
    origin->mask |= b->source[DELTA].mask;
    DCS_TRY(take(b, DELTA, index, &value, err));
    DCS_TRY(dcs_schema_real(value, "delta", DBL_MIN, DBL_MAX, &point->delta, err));
  }
  DCS_TRY(read_settings(b, index, point, origin, err));
  DCS_TRY(measure_levels(b, index, variant, point, origin, err));
  DCS_TRY(name_physics(target_canonical, variant->canonical, point));
done:
  return st;
}

/** Add to an open-addressing set of point numbers (+ 1) with `size` places, a power of two. False: already there. */
static bool set_add(int64_t *set, uint64_t size, const dcs_point *points, int64_t number)
{
  uint64_t place = points[number].hash & (size - 1);
  for (; set[place] != 0; place = (place + 1) & (size - 1))
    if (points[set[place] - 1].hash == points[number].hash) return false;
  set[place] = number + 1;
  return true;
}

static dcs_status build_points(builder *b, dcs_origin *origin, dcs_error *err)
{
  dcs_status st = DCS_OK;
  dcs_study *study = b->study;
  int64_t *set = NULL;
  uint64_t size = 16;
  while (size < 2 * (uint64_t)b->grid->n_combinations) size *= 2;
  DCS_TRY(dcs_alloc(size, sizeof *set, &set));
  for (int64_t c = 0; c < b->grid->n_combinations; c++) {
    int index[DCS_AXES_MAX];
    dcs_grid_combination(b->grid, c, index);
    if (dcs_grid_is_excluded(b->grid, index)) continue;
    dcs_point *point = &study->point[study->n_points];
    *point = (dcs_point){0};
    origin[study->n_points] = (dcs_origin){.combination = c};
    st = build_point(b, index, point, &origin[study->n_points], err);
    if (st == DCS_OK && set_add(set, size, study->point, study->n_points))
      study->n_points++;
    else
      dcs_free(&point->canonical);
    if (st != DCS_OK) goto done;
  }
done:
  dcs_free(&set);
  return st;
}

/** A longer name may be a misspelt one; of short ones all are near. */
static dcs_status unused_axis(const dcs_grid *grid, const dcs_axis *axis, dcs_error *err)
{
  dcs_nearest nearest = {.word = axis->name};
  for (int i = 0; i < grid->n_axes; i++)
    if (grid->axis[i].is_used) dcs_nearest_offer(&nearest, grid->axis[i].name);
  if (nearest.name != NULL && nearest.distance <= 2 && strlen(axis->name) > 3)
    return dcs_node_fail(axis->values, err, "nothing uses the axis '%s'; nearest one that is used: '%s'", axis->name,
                         nearest.name);
  return dcs_node_fail(axis->values, err, "nothing uses the axis '%s'; refer to it as $%s or remove it", axis->name,
                       axis->name);
}

dcs_status dcs_points_create(dcs_node *root, dcs_grid *grid, dcs_study *study, dcs_origin **origin, dcs_error *err)
{
  dcs_status st = DCS_OK;
  builder b = {.grid = grid, .study = study};
  *origin = NULL;
  DCS_TRY(open_targets(&b, root, err));
  DCS_TRY(dcs_spec_open(grid, dcs_node_find(root, "schedule"), false, &b.schedule, err));
  DCS_TRY(open_sources(&b, root, err));
  b.levels_mask = b.schedule.mask | b.source[STEPS].mask | b.source[DELTA].mask;
  DCS_TRY(dcs_alloc((size_t)dcs_grid_size(grid, b.levels_mask), sizeof *b.levels, &b.levels));
  DCS_TRY(dcs_alloc((size_t)grid->n_combinations, sizeof *study->point, &study->point));
  DCS_TRY(dcs_alloc((size_t)grid->n_combinations, sizeof **origin, origin));
  DCS_TRY(build_points(&b, *origin, err));
  if (study->n_points == 0) DCS_TRY(dcs_node_fail(grid->exclude, err, "exclude leaves no points"));
  for (int i = 0; i < grid->n_axes; i++)
    if (!grid->axis[i].is_used) DCS_TRY(unused_axis(grid, &grid->axis[i], err));
done:
  for (size_t i = 0; b.target != NULL && i < b.n_targets; i++) dcs_spec_close(&b.target[i]);
  dcs_free(&b.target);
  dcs_spec_close(&b.schedule);
  dcs_variants_destroy(&b.variants);
  dcs_free(&b.levels);
  if (st != DCS_OK) dcs_free(origin);
  return st;
}
