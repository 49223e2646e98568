#include "sampler/map.h"

#include "base/memory.h"

struct dcs_map {
  const dcs_target *target;
  const dcs_steps *steps;
  int k;
  dcs_posterior *post;
  double *value; /**< [d][DCS_LANES] */
};

dcs_status dcs_map_create(const dcs_target *target, const dcs_steps *steps, dcs_map **out)
{
  dcs_status st = DCS_OK;
  dcs_map *map = NULL;
  DCS_TRY(dcs_alloc(1, sizeof *map, &map));
  map->target = target;
  map->steps = steps;
  DCS_TRY(dcs_posterior_create(target, &map->post));
  DCS_TRY(dcs_alloc((size_t)dcs_target_dimension(target) * DCS_LANES, sizeof *map->value, &map->value));
done:
  if (st != DCS_OK) dcs_map_destroy(&map);
  *out = map;
  return st;
}

void dcs_map_destroy(dcs_map **map)
{
  if (*map == NULL) return;
  dcs_posterior_destroy(&(*map)->post);
  dcs_free(&(*map)->value);
  dcs_free(map);
}

void dcs_map_at(dcs_map *map, int k, const double *restrict x)
{
  const dcs_step *s = &map->steps->step[k];
  map->k = k;
  dcs_posterior_at(map->post, s->sigma, x);
  const double *m = dcs_posterior_mean(map->post);
  for (int i = 0; i < dcs_target_dimension(map->target) * DCS_LANES; i++)
    map->value[i] = s->one_minus_b * x[i] + s->b * m[i];
}

const double *dcs_map_value(const dcs_map *map) { return map->value; }
dcs_posterior *dcs_map_posterior(dcs_map *map) { return map->post; }

void dcs_map_factor(dcs_map *map, double *restrict log_det)
{
  const dcs_step *s = &map->steps->step[map->k];
  dcs_posterior_factor(map->post, s->one_minus_b, s->b / (s->sigma * s->sigma), log_det);
}

void dcs_map_solve(dcs_map *map, const double *restrict v, double *restrict out)
{
  dcs_posterior_solve(map->post, v, out);
}
