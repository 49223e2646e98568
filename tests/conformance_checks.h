#ifndef DCS_TESTS_CONFORMANCE_CHECKS_H
#define DCS_TESTS_CONFORMANCE_CHECKS_H
/** What conformance.c and conformance_draws.c share. */
#include "base/memory.h"
#include "conformance.h"

typedef struct {
  _Alignas(DCS_ALIGN) double a[CONFORMANCE_ROWS]; /**< [d][DCS_LANES] */
} tile;

/** A posterior of a target that fits a tile. */
dcs_posterior *conformance_posterior(const dcs_target *target);
/** Posterior at a tile of exact draws of X_sigma, x; v gets normals. */
dcs_posterior *conformance_at_draws(const dcs_target *target, double sigma, tile *x, tile *v);

double conformance_moments(const dcs_target *target, double sigma);
double conformance_identities(const dcs_target *target, double sigma);
double conformance_bridge_at(const dcs_target *target, double sigma);
double conformance_bridge_of_draws(const dcs_target *target, double sigma);
double conformance_noise(const dcs_target *target, double sigma);
double conformance_characteristic(const dcs_target *target, double sigma);
double conformance_parts(const dcs_target *target, double sigma);

#endif
