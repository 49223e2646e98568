#ifndef DCS_SAMPLER_MAP_H
#define DCS_SAMPLER_MAP_H
/** The deterministic part F_k of a sampler's step and its Jacobian, for one tile of particles: one-score or Heun, with
 *  an exact or a wrong score. A dcs_map is work space. Not collective; bitwise repeatable; only _create allocates. */
#include "sampler/sampler.h"

typedef struct dcs_map dcs_map;

/** `target` and `steps` are borrowed and outlive the map. */
DCS_NODISCARD dcs_status dcs_map_create(const dcs_target *target, const dcs_steps *steps, dcs_map **out);
void dcs_map_destroy(dcs_map **map);

/** Go to step k (0 ... count - 1) at x [d][DCS_LANES], level steps->step[k].sigma. x is copied. */
void dcs_map_at(dcs_map *map, int k, const double *restrict x);
/** F_k(x), [d][DCS_LANES]. */
const double *dcs_map_value(const dcs_map *map);
/** The *exact* posterior at (x, sigma_k), valid until the next _at. */
dcs_posterior *dcs_map_posterior(dcs_map *map);

/** Factor DF_k(x): log_det[lane] = log |det DF|. Kept for dcs_map_solve until the next _at. */
void dcs_map_factor(dcs_map *map, double *restrict log_det);
/** out = DF^{-1} v, both [d][DCS_LANES]. */
void dcs_map_solve(dcs_map *map, const double *restrict v, double *restrict out);

#endif
