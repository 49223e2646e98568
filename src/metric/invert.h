#ifndef DCS_METRIC_INVERT_H
#define DCS_METRIC_INVERT_H
/** Inverse of one sampler step's map F(x) = x + B (m(x, sigma) - x) and its log density ratio, for a tile of particles.
 */
#include "sampler/sampler.h"

typedef struct {
  int d;
  dcs_posterior *here; /**< posterior at the particles' current place and level; dcs_invert moves it */
  dcs_posterior *spare, *below;
  double *x, *y, *delta, *residual; /**< [d][DCS_LANES] */
} dcs_inverter;

/** |F(x) - y| <= this times u ends the iteration. What is left is corrected to first order in the density, and moves
 *  the path by a relative 1e-8 of its noise. */
#define DCS_INVERT_TOLERANCE 1e-8

DCS_NODISCARD dcs_status dcs_inverter_create(const dcs_target *target, dcs_inverter *inverter);
void dcs_inverter_destroy(dcs_inverter *inverter);

/** Place the particles: posterior at (x, sigma). x [d][DCS_LANES]. */
void dcs_inverter_place(dcs_inverter *inverter, double sigma, const double *x);

/** One backward step. Particles at level step->sigma_next move to level step->sigma: draw X_u given X_{sigma_next}
 *  (only when c > 0), then solve F(x) = X_u. Adds to log_w the logarithm of rho(x) = q_sigma(x) / (det J(x) q_u(F(x))),
 *  J = (1 - B) I + (B/sigma^2) C(x)                  [theory (2)] F is the gradient of a strongly convex function, so a
 *  damped Newton iteration always converges; DCS_ENUMERIC when it did not in 60 evaluations or met a number that is not
 *  finite. Cost: about three posterior evaluations, one more when c > 0, and two factorisations. */
DCS_NODISCARD dcs_status dcs_invert_step(dcs_inverter *inverter, const dcs_step *step, dcs_stream bridge,
                                         const dcs_lane_ids *ids, uint32_t step_number, double *log_w);

#endif
