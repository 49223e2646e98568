#ifndef DCS_METRIC_GAUSSIAN_STEPS_H
#define DCS_METRIC_GAUSSIAN_STEPS_H
/** What the closed forms for Gaussian targets share. Every sampler's step is linear in each eigendirection of the
 *  covariance, so that a law is one variance and one mean per eigenvalue lambda; Q(sigma) = lambda + sigma^2 is the
 *  exact variance. Everything is in long double: the numbers wanted are differences of order 1/steps and below. */
#include "metric/metric.h"

/** Coordinates of one factor with the same eigenvalue and mean. */
typedef struct {
  double lambda;
  double mean;   /**< of X_0 in init prior, which starts at 0; else 0: the sampler starts at the mean */
  double weight; /**< how many there are in the whole target */
} dcs_gaussian_coordinate;

/** The distinct coordinates in a fixed order, [*count], owned by the caller. */
DCS_NODISCARD dcs_status dcs_gaussian_coordinates(const dcs_problem *problem, int *count,
                                                  dcs_gaussian_coordinate **out);

/** One step in one eigendirection, about the mean: the sampler Y' = g Y + sqrt(noise2) z and the exact chain that
 *  shares its noise, X' = phi X + sqrt(own2) z, phi the probability flow. own2 = noise2 unless the sampler's noise
 *  alone exceeds Q' (a very coarse step): then phi = 0 and own2 = Q'. */
typedef struct {
  long double q, q_next; /**< Q(sigma), Q(sigma') */
  long double g, noise2, phi, own2;
  long double miss; /**< phi - g without cancellation */
} dcs_linear_step;

/** @param kind  any but DCS_MAP_MOMENT_3, whose noise is not normal. O(1). */
dcs_linear_step dcs_linear_step_at(dcs_map_kind kind, const dcs_step *step, double lambda);

/** KL(q_sigma_0 || p_init) of one coordinate. */
long double dcs_gaussian_start_kl(const dcs_steps *steps, const dcs_gaussian_coordinate *coordinate);

/** DCS_OK, or DCS_EARG: the target is not Gaussian, the score is wrong, or the sampler's noise is not normal. */
dcs_status dcs_gaussian_check(const dcs_problem *problem, dcs_error *err);

/** Floating-point operations of `per_step` for each step and eigenvalue of one factor. */
double dcs_gaussian_flops(const dcs_problem *problem, double per_step);

#endif
