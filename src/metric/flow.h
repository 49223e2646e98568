#ifndef DCS_METRIC_FLOW_H
#define DCS_METRIC_FLOW_H
/** The exact probability flow Phi between two noise levels: X_sigma ~ q_sigma gives Phi(X_sigma) ~ q_u.
 *
 *      dx/ds = (x - m(x, s))/s,   s from sigma to u, down or up                    [Song et al. arXiv:2011.13456, (13)]
 *  by the embedded Runge-Kutta pair 5(4) of Dormand and Prince (1980) in s itself, not in log s: where m hardly moves,
 *  far above the data and at a point mass, x is a straight line in s and every method exact. Measured on a mixture in
 *  d = 1, one step over an interval of a geometric schedule: the estimated error at the top is 50 to 100 times smaller
 *  than in log s, and near the data the same within a factor of two.
 *
 *  The estimate is the pair's difference, the error of the fourth-order result; what is returned is the fifth-order
 *  one. A dcs_flow is work space and has no memory: a result depends on the arguments alone, for all lanes together
 *  because they share their steps. Not collective; bitwise repeatable; only _create allocates. */
#include "target/target.h"

typedef struct dcs_flow dcs_flow;

/** `target` is borrowed and outlives the flow. */
DCS_NODISCARD dcs_status dcs_flow_create(const dcs_target *target, dcs_flow **out);
void dcs_flow_destroy(dcs_flow **flow);

/** out = Phi(x), both [d][DCS_LANES], no overlap. Every step, the whole interval first, has in every lane
 *      |e| <= tolerance s sqrt(d) + rounding of x,   e the estimated error, s the lower level of the step:
 *  the noise at s blurs a particle by s sqrt(d), so the tolerance is a fraction of what q_s resolves, the same in every
 *  dimension. `mean` is m(x, sigma), [d][DCS_LANES], or NULL when the caller has not got it.
 *  DCS_ENUMERIC when a number is not finite or the steps become too many. Cost: six posterior evaluations a step, one
 *  more when mean is NULL. */
DCS_NODISCARD dcs_status dcs_flow_run(dcs_flow *flow, double sigma, double u, double tolerance, const double *mean,
                                      const double *x, double *out);

/** The same with a tolerance that suits a comparison with `other` [d][DCS_LANES]: every step's |e| is at most
 *  `fraction` times the root mean square of |Phi(x) - other| over the lanes (or its rounding error). */
DCS_NODISCARD dcs_status dcs_flow_against(dcs_flow *flow, double sigma, double u, double fraction, const double *mean,
                                          const double *x, const double *other, double *out);

/** Sum of the estimated errors of the last run's steps, [d][DCS_LANES], data units. What the flow does to the error of
 *  one step in the later ones is not in it: small within an interval of a schedule, not over a long way. */
const double *dcs_flow_error(const dcs_flow *flow);

/** Posterior evaluations since creation, each of a whole tile. */
int64_t dcs_flow_evaluations(const dcs_flow *flow);

#endif
