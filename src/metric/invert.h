#ifndef DCS_METRIC_INVERT_H
#define DCS_METRIC_INVERT_H
/** Inverse of one sampler step's map F (sampler/map.h) and its log density ratio, for a tile of particles. */
#include "sampler/map.h"

typedef struct {
  const dcs_steps *steps; /**< borrowed */
  int d;
  dcs_map *here; /**< its posterior is at the particles' current place and level; dcs_invert_step moves it */
  dcs_map *spare, *below;
  double *x, *y, *delta, *residual; /**< [d][DCS_LANES] */
} dcs_inverter;

/** |F(x) - y| <= this times u ends the iteration. What is left is corrected to first order in the density, and moves
 *  the path by a relative 1e-8 of its noise. */
#define DCS_INVERT_TOLERANCE 1e-8

/** `target` and `steps` are borrowed and outlive the inverter. */
DCS_NODISCARD dcs_status dcs_inverter_create(const dcs_target *target, const dcs_steps *steps, dcs_inverter *inverter);
void dcs_inverter_destroy(dcs_inverter *inverter);

/** Place the particles: posterior at (x, sigma). x [d][DCS_LANES]. */
void dcs_inverter_place(dcs_inverter *inverter, double sigma, const double *x);
/** Posterior at the particles' place and level. */
dcs_posterior *dcs_inverter_posterior(const dcs_inverter *inverter);

/** Step k backward. Particles at level sigma_{k+1} move to level sigma_k: draw X_u given X_{sigma_{k+1}} (only when c >
 *  0), then solve F(x) = X_u. Adds to log_w the logarithm of rho(x) = q_sigma(x) / (det DF(x) q_u(F(x))) [theory (2)].
 *  With one exact score F is the gradient of a strongly convex function, so a damped Newton iteration always converges.
 *  DCS_ENUMERIC with a reason when it did not in 60 evaluations, when det DF <= 0 (Heun's step or a wrong score, and
 *  steps too coarse for F to be one-to-one), or when a number is not finite. Cost: about three evaluations of the map,
 *  one more of the posterior when c > 0, and two factorisations. */
DCS_NODISCARD dcs_status dcs_invert_step(dcs_inverter *inverter, int k, dcs_stream bridge, const dcs_lane_ids *ids,
                                         double *log_w, dcs_error *err);

#endif
