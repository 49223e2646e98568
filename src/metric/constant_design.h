#ifndef DCS_METRIC_CONSTANT_DESIGN_H
#define DCS_METRIC_CONSTANT_DESIGN_H
/** How many draws the estimator of lim steps^2 KL takes per outer sample: a function of the sums so far.
 *
 *  With K draws the half square of one x has the variance
 *      V_f + V_1/K + V_2/K^2,    V_1 = E[g^2 A^2 v],   V_2 = E[g^2 v^2]/2,   v/K = Var(S | x),   g = q/proposal,
 *  so that K = sqrt(V_2/V_f) minimises the cost K Var of a given error. Where noise and signal live in different x, in
 *  the tails, V_2 is far above (E v)^2; pilots with more and more draws look until the signal stands out. Every phase
 *  draws from streams of its own and only the last one makes the result: no design depends on the data it is used for.
 */
#include "metric/metric.h"

/** Sums of a block: the result, what the extrapolation leaves of it, E A, and what the design looks at. */
enum {
  DCS_CONSTANT_KL,
  DCS_CONSTANT_TRUNCATION,
  DCS_CONSTANT_MEAN,
  DCS_CONSTANT_NOISE2,       /**< g^2 v^2 */
  DCS_CONSTANT_SIGNAL_NOISE, /**< g^2 A^2 v */
  DCS_CONSTANT_QUANTITIES
};

enum { DCS_CONSTANT_STRATUM = 2 /**< draws in a stratum of levels; divides the number of draws */ };

/** Next design, as dcs_estimator.plan; `draw_flops` is the cost of one draw. A sample of the sums is a tile. */
dcs_next dcs_constant_plan(double draw_flops, const dcs_stop *stop, const dcs_design *previous, const dcs_sums *sums,
                           dcs_design *next);

#endif
