#ifndef DCS_SAMPLER_MAP_H
#define DCS_SAMPLER_MAP_H
/** The deterministic part F_k of a sampler's step and its Jacobian, for one tile of particles: one-score or Heun, with
 *  an exact or a wrong score. With m^ = m + sigma^2 grad phi and C^ = C + sigma^4 Hess phi (phi = 0: exact),
 *
 *      one score, and the moment kinds:  F = x + B (m^(x, sigma) - x),   DF = (1 - B) I + (B/sigma^2) C^(x, sigma)
 *      Heun:  x_e = x + B (m^(x, sigma) - x),   F = x_e + g (m^(x_e, sigma') - m^(x, sigma)),   g = B/(2 (1 - B))
 *             DF = (I + (g/sigma'^2) C^(x_e, sigma')) Dx_e - (g/sigma^2) C^(x, sigma)
 *  The second form is Karras et al., Algorithm 1, because (x_e - m^)/sigma' = (x - m^)/sigma for Euler's step x_e:
 *  nothing of the size of x cancels. A symmetric positive definite DF (one exact score) is factored by the target; every
 *  other one is built column by column and factored by numerics/lu.h.
 *  A dcs_map is work space. Not collective; bitwise repeatable; only _create allocates. */
#include "sampler/sampler.h"

typedef struct dcs_map dcs_map;

/** `target` and `steps` are borrowed and outlive the map. */
DCS_NODISCARD dcs_status dcs_map_create(const dcs_target *target, const dcs_steps *steps, dcs_map **out);
void dcs_map_destroy(dcs_map **map);

/** Go to step k (0 ... count - 1) at x [d][DCS_LANES], level steps->step[k].sigma. x is copied. */
void dcs_map_at(dcs_map *map, int k, const double *restrict x);
/** F_k(x), [d][DCS_LANES]. */
const double *dcs_map_value(const dcs_map *map);
/** The *exact* posterior at (x, sigma_k), valid until the next _at. Who puts it somewhere else has to call _at before
 *  anything else is asked of the map. */
dcs_posterior *dcs_map_posterior(dcs_map *map);

/** Factor DF_k(x): log_det[lane] = log det DF, NAN where det DF is not positive: there the step is too coarse for the
 *  map to be one-to-one. Kept for dcs_map_solve until the next _at. */
void dcs_map_factor(dcs_map *map, double *restrict log_det);
/** Factor what the target knows of DF, (1 - B) I + (B/sigma^2) C: within O(g) of DF, at a small part of the cost where
 *  DF is built column by column, and DF itself elsewhere. For dcs_map_solve in place of _factor. Returns whether it is
 *  DF itself. */
bool dcs_map_factor_rough(dcs_map *map);
/** out = DF^{-1} v with what was factored last, both [d][DCS_LANES]. */
void dcs_map_solve(dcs_map *map, const double *restrict v, double *restrict out);

/** Estimated cost of one _at and of one _factor, in floating-point operations per particle. */
double dcs_map_flops(const dcs_target *target, const dcs_steps *steps, bool factor);

#endif
