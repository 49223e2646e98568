#include "sampler/map.h"

#include <string.h>

#include "base/memory.h"
#include "numerics/lu.h"
#include "sampler/score_error.h"

typedef dcs_vec row[DCS_VECS];

enum { STAGES = 2 };

/** One evaluation of the score: at (x, sigma_k), and with Heun at (x_e, sigma_{k+1}). */
typedef struct {
  dcs_posterior *post;
  int level;
  double *wrong_mean; /**< [d][DCS_LANES] m^; NULL when the score is exact */
  double *curvature;  /**< [DCS_SCORE_FEATURES][DCS_LANES]; NULL when the score is exact */
} stage;

struct dcs_map {
  const dcs_target *target;
  const dcs_steps *steps;
  int d, k;
  bool heun, dense; /**< dense: DF has no structure that the target knows */
  bool by_target;   /**< the last factorisation is the target's */
  stage stage[STAGES];
  double *value;                     /**< [d][DCS_LANES] */
  double *unit, *c[STAGES], *column; /**< [d][DCS_LANES]: e_i, C^ of a stage times a vector, column i of DF */
  row *jacobian;                     /**< [d][d] */
  int (*pivot)[DCS_LANES];           /**< [d] */
};

static dcs_status create_dense(dcs_map *map)
{
  dcs_status st = DCS_OK;
  size_t d = (size_t)map->d, n = d * DCS_LANES;
  DCS_TRY(dcs_alloc(n, sizeof(double), &map->unit));
  DCS_TRY(dcs_alloc(n, sizeof(double), &map->column));
  for (int i = 0; i <= map->heun; i++) {
    DCS_TRY(dcs_alloc(n, sizeof(double), &map->c[i]));
    if (map->steps->error == NULL) continue;
    DCS_TRY(dcs_alloc(n, sizeof(double), &map->stage[i].wrong_mean));
    DCS_TRY(dcs_alloc(DCS_SCORE_FEATURES * DCS_LANES, sizeof(double), &map->stage[i].curvature));
  }
  DCS_TRY(dcs_alloc(d * d, sizeof(row), &map->jacobian));
  DCS_TRY(dcs_alloc(d, sizeof *map->pivot, &map->pivot));
done:
  return st;
}

dcs_status dcs_map_create(const dcs_target *target, const dcs_steps *steps, dcs_map **out)
{
  dcs_status st = DCS_OK;
  dcs_map *map = NULL;
  DCS_TRY(dcs_alloc(1, sizeof *map, &map));
  map->target = target;
  map->steps = steps;
  map->d = dcs_target_dimension(target);
  map->heun = steps->sampler->kind == DCS_MAP_HEUN;
  map->dense = map->heun || steps->error != NULL;
  for (int i = 0; i <= map->heun; i++) DCS_TRY(dcs_posterior_create(target, &map->stage[i].post));
  DCS_TRY(dcs_alloc((size_t)map->d * DCS_LANES, sizeof *map->value, &map->value));
  if (map->dense) DCS_TRY(create_dense(map));
done:
  if (st != DCS_OK) dcs_map_destroy(&map);
  *out = map;
  return st;
}

void dcs_map_destroy(dcs_map **map)
{
  if (*map == NULL) return;
  for (int i = 0; i < STAGES; i++) {
    dcs_posterior_destroy(&(*map)->stage[i].post);
    dcs_free(&(*map)->stage[i].wrong_mean);
    dcs_free(&(*map)->stage[i].curvature);
    dcs_free(&(*map)->c[i]);
  }
  dcs_free(&(*map)->value);
  dcs_free(&(*map)->unit);
  dcs_free(&(*map)->column);
  dcs_free(&(*map)->jacobian);
  dcs_free(&(*map)->pivot);
  dcs_free(map);
}

/** m^ at a place and level. */
static const double *evaluate(dcs_map *map, stage *at, int level, double sigma, const double *x)
{
  at->level = level;
  dcs_posterior_at(at->post, sigma, x);
  const double *m = dcs_posterior_mean(at->post);
  if (map->steps->error == NULL) return m;
  memcpy(at->wrong_mean, m, (size_t)map->d * DCS_LANES * sizeof *m);
  dcs_score_error_shift(map->steps->error, level, x, at->wrong_mean);
  return at->wrong_mean;
}

static double heun_weight(const dcs_step *s) { return 0.5 * s->b / s->one_minus_b; }

void dcs_map_at(dcs_map *map, int k, const double *restrict x)
{
  const dcs_step *s = &map->steps->step[k];
  map->k = k;
  const row *m = (const row *)evaluate(map, &map->stage[0], k, s->sigma, x), *from = (const row *)x;
  row *restrict value = (row *)map->value;
  for (int i = 0; i < map->d; i++)
    for (int p = 0; p < DCS_VECS; p++) value[i][p] = s->one_minus_b * from[i][p] + s->b * m[i][p];
  if (!map->heun) return;
  const row *next = (const row *)evaluate(map, &map->stage[1], k + 1, s->sigma_next, map->value);
  for (int i = 0; i < map->d; i++)
    for (int p = 0; p < DCS_VECS; p++) value[i][p] += heun_weight(s) * (next[i][p] - m[i][p]);
}

const double *dcs_map_value(const dcs_map *map) { return map->value; }
dcs_posterior *dcs_map_posterior(dcs_map *map) { return map->stage[0].post; }

/** out = C^ v */
static void apply(const dcs_map *map, const stage *at, const double *v, double *out)
{
  dcs_posterior_apply(at->post, v, out);
  if (map->steps->error != NULL) dcs_score_error_apply(map->steps->error, at->curvature, v, out);
}

/** Column i of DF. */
static void column(dcs_map *map, int i)
{
  const dcs_step *s = &map->steps->step[map->k];
  const int n = map->d * DCS_LANES;
  double slope = s->b / (s->sigma * s->sigma);
  for (int l = 0; l < DCS_LANES; l++) map->unit[i * DCS_LANES + l] = 1;
  apply(map, &map->stage[0], map->unit, map->c[0]);
  for (int j = 0; j < n; j++) map->column[j] = s->one_minus_b * map->unit[j] + slope * map->c[0][j];
  for (int l = 0; l < DCS_LANES; l++) map->unit[i * DCS_LANES + l] = 0;
  if (!map->heun) return;
  double here = heun_weight(s) / (s->sigma * s->sigma), next = heun_weight(s) / (s->sigma_next * s->sigma_next);
  apply(map, &map->stage[1], map->column, map->c[1]);
  for (int j = 0; j < n; j++) map->column[j] += next * map->c[1][j] - here * map->c[0][j];
}

static void factor_dense(dcs_map *map, double *log_det)
{
  int d = map->d;
  for (int i = 0; map->steps->error != NULL && i <= map->heun; i++)
    dcs_score_error_curvature(map->steps->error, map->stage[i].level, dcs_posterior_x(map->stage[i].post),
                              map->stage[i].curvature);
  for (int i = 0; i < d; i++) {
    column(map, i);
    for (int j = 0; j < d; j++) memcpy(map->jacobian[j * d + i], &map->column[j * DCS_LANES], sizeof(row));
  }
  dcs_lu_factor(d, map->jacobian, map->pivot, (dcs_vec *)log_det);
  map->by_target = false;
}

static void factor_by_target(dcs_map *map, double *log_det)
{
  const dcs_step *s = &map->steps->step[map->k];
  dcs_posterior_factor(map->stage[0].post, s->one_minus_b, s->b / (s->sigma * s->sigma), log_det);
  map->by_target = true;
}

void dcs_map_factor(dcs_map *map, double *restrict log_det)
{
  if (map->dense)
    factor_dense(map, log_det);
  else
    factor_by_target(map, log_det);
}

bool dcs_map_factor_rough(dcs_map *map)
{
  _Alignas(DCS_ALIGN) double unused[DCS_LANES];
  factor_by_target(map, unused);
  return !map->dense;
}

void dcs_map_solve(dcs_map *map, const double *restrict v, double *restrict out)
{
  if (map->by_target) {
    dcs_posterior_solve(map->stage[0].post, v, out);
    return;
  }
  memcpy(out, v, (size_t)map->d * DCS_LANES * sizeof *v);
  dcs_lu_solve(map->d, map->jacobian, map->pivot, (row *)out);
}

double dcs_map_flops(const dcs_target *target, const dcs_steps *steps, bool factor)
{
  const dcs_score_error *error = steps->error;
  bool heun = steps->sampler->kind == DCS_MAP_HEUN;
  double d = dcs_target_dimension(target), stages = heun ? 2 : 1;
  double wrong = error == NULL ? 0 : dcs_score_error_flops(error), score = dcs_target_flops(target, false) + wrong;
  if (!factor) return stages * score;
  return heun || error != NULL ? (d + 1) * stages * score + 2 * d * d * d / 3 : dcs_target_flops(target, true);
}
