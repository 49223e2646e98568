#ifndef DCS_METRIC_LINE_COMPARE_H
#define DCS_METRIC_LINE_COMPARE_H
/** Divergences and distances between two densities on one grid. */
#include "metric/line_density.h"

enum { DCS_LINE_KL, DCS_LINE_KL_REV, DCS_LINE_CHI2, DCS_LINE_W2_SQUARED, DCS_LINE_VALUES };

/** Trapezoid sums of q (r - 1 - log r), q (r log r - r + 1) and q (r - 1)^2, r = p/q. */
typedef struct {
  double value[DCS_LINE_W2_SQUARED];
  double edge[DCS_LINE_W2_SQUARED]; /**< the integrand at the ends of the grid times its length */
  double mass_error;                /**< int (p - q), which is 0 */
  double missed; /**< mass of q where p is below the smallest density that is kept; the sums leave it out */
} dcs_line_divergences;
void dcs_line_divergence(const dcs_line_density *density, dcs_line_divergences *out);

/** Square of the Wasserstein-2 distance,
 *      int_0^1 (P^{-1}(u) - Q^{-1}(u))^2 du,
 *  piece by piece between the values of both distribution functions at the nodes: within a piece both inverses are
 *  smooth, also where P^{-1} jumps across a gap between modes. The distribution functions are integrals of exp of the
 *  interpolating polynomial of degree 5 of log p and log q, taken from the nearer end, so that both tails keep their
 *  relative accuracy. DCS_ENUMERIC when half of a mass is not there. */
DCS_NODISCARD dcs_status dcs_line_w2_squared(const dcs_line_density *density, double *out);

#endif
