#ifndef DCS_METRIC_LINE_DENSITY_H
#define DCS_METRIC_LINE_DENSITY_H
/** Density of a sampler's output law on the line, beside that of the target at the last level. */
#include "metric/line.h"
#include "sampler/sampler.h"

/** log p and log q at the nodes; log p = -INFINITY where p is below e^-DEPTH of anything. */
typedef struct {
  dcs_grid grid;
  double *log_p, *log_q; /**< [grid.n], owned */
} dcs_line_density;

void dcs_line_density_destroy(dcs_line_density *density);
/** Empty arrays for the nodes of a grid. */
DCS_NODISCARD dcs_status dcs_line_density_create(const dcs_grid *grid, dcs_line_density *density);
/** log_q <- log q_sigma at the nodes. */
void dcs_line_fill_q(dcs_line *line, double sigma, dcs_line_density *density);
/** log density at x [DCS_LANES] of the law the sampler starts from. */
void dcs_line_start(dcs_line *line, const dcs_steps *steps, const double *x, double *log_p);
/** Interval that holds all of that law but e^-depth. */
void dcs_line_start_range(dcs_line *line, const dcs_steps *steps, double depth, double *lo, double *hi);

/** Samplers with noise in every step: the density is propagated,
 *      p_{k+1}(x') = int p_k(y) K_k(x'|y) dy = sum_j h p_k(y_j) K_k(x'|y_j),
 *      K = N(x'; F(y), c^2);   moment-2: N(x'; F(y), c^2 + B^2 C(y));   moment-3: p_+ N(x'; F + B xi_+, c^2) + p_- N(...).
 *  The nodes of one level's grid are the terms of the sum for the next, so nothing is interpolated and every sum has
 *  positive terms: p keeps its relative accuracy in the tails, and its integral is 1 by itself (not renormalised).
 *  A grid's spacing is 1/`resolution` of the width of K_k(x'|.) where p_k matters.
 *  DCS_ENUMERIC when a density is not finite or a grid gets too large. Cost: dcs_line_push_cost kernels. */
DCS_NODISCARD dcs_status dcs_line_push(const dcs_target *target, const dcs_steps *steps, double resolution,
                                       dcs_line_density *out, dcs_error *err);

/** Samplers without noise: the map is inverted step by step from the nodes of a grid of spacing sigma_N/resolution,
 *      log p(x_N) = log p_init(x_0) - sum_k log F_k'(x_k),   F_k(x_k) = x_{k+1},
 *  by Newton's method within brackets, to rounding. DCS_ENUMERIC when a map is not one-to-one or has no inverse. */
DCS_NODISCARD dcs_status dcs_line_pull(const dcs_target *target, const dcs_steps *steps, double resolution,
                                       dcs_line_density *out, dcs_error *err);

/** Estimated floating-point operations of the two; INFINITY when a grid would not fit. */
double dcs_line_push_flops(const dcs_target *target, const dcs_steps *steps, double resolution);
double dcs_line_pull_flops(const dcs_target *target, const dcs_steps *steps, double resolution);

#endif
