#ifndef DCS_METRIC_RADIAL_CHAIN_H
#define DCS_METRIC_RADIAL_CHAIN_H
/** A sampler on a rotation-invariant target X_0 ~ sum_j w_j N(0, s_j^2 I_d): everything is in r = |x|.
 *
 *  With v_j = s_j^2 + sigma^2 and responsibilities R_j ~ w_j v_j^{-d/2} e^{-r^2/2v_j},
 *      m(x) = a(r) x,   a = sum_j R_j s_j^2/v_j,   so F(x) = g(r) x, and
 *      |F(x) + c z| given |F(x)| = f has the density of a noncentral chi law,
 *      K(r'|f) = (r'/c^2) (r'/f)^nu e^{-(r'-f)^2/2c^2} [e^{-a} I_nu(a)],   nu = d/2 - 1, a = f r'/c^2. */
#include "metric/metric.h"
#include "numerics/panels.h"

typedef struct {
  int d, components;
  const double *weight, *stddev; /**< [components] */
} dcs_radial_law;

/** log q_sigma at a point of length r (a density on R^d), and the length of m with its derivative by r. */
typedef struct {
  double log_q, m, dm;
} dcs_radial_point;
dcs_radial_point dcs_radial_at(const dcs_radial_law *law, double sigma, double r);

/** Densities of |X_N| under the sampler, p, and under the target, q, and log p/q, at the nodes of `panels`. */
typedef struct {
  dcs_panels panels;
  double *p, *q, *log_ratio; /**< [panels.count][DCS_PANEL_NODES] */
} dcs_radial_result;
void dcs_radial_result_destroy(dcs_radial_result *result);

/** Run the chain. `fineness` is the width of a panel in units of the shortest length over which an integrand changes.
 *  DCS_ENUMERIC with a reason when numbers leave their range. */
DCS_NODISCARD dcs_status dcs_radial_run(const dcs_radial_law *law, const dcs_steps *steps, double fineness,
                                        dcs_radial_result *result, dcs_error *err);

#endif
