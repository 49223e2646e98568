#ifndef DCS_METRIC_RATIO_DESIGN_H
#define DCS_METRIC_RATIO_DESIGN_H
/** How many paths the ratio estimator takes, and of which kind: a pure function of the sums seen so far.
 *
 *  Pilots with PILOT_INNER paths per outer sample find the variance components of the estimate as a function of M,
 *      Var = V_f + V_1/M + V_2/(M(M-1)),    V_2 = E[s^4]/2,  V_1 = E[A^2 s^2],  s^2 = Var(w | x),  A = r - 1,
 *  from which M = 1 + sqrt(V_2/V_f) minimises M Var, the cost of a given error; M >= 32 E s^2 keeps the jackknife's
 *  bias small. The phase that follows goes on until standard error and bias bound are both below rel_error, or starts anew
 *  with a better M when it finds that it would need much more work than planned. Every phase draws from streams of its
 *  own, and only the last one makes the result: no design depends on the data it is used for. */
#include "metric/metric.h"

/** Sums of a block: the results, their estimated bias, and what the design looks at. */
enum {
  DCS_RATIO_KL,
  DCS_RATIO_KL_REV,
  DCS_RATIO_CHI2,
  DCS_RATIO_MEAN_RATIO,
  DCS_RATIO_KL_BIAS,
  DCS_RATIO_KL_REV_BIAS,
  DCS_RATIO_VARIANCE,
  DCS_RATIO_VARIANCE2,
  DCS_RATIO_SIGNAL_NOISE,
  DCS_RATIO_KL_SQUARE,
  DCS_RATIO_QUANTITIES
};

/** Largest size of a quantity that its noisy estimate allows (three standard errors). */
double dcs_ratio_upper(dcs_estimate e);

/** Next design, as dcs_estimator.plan. `path_flops` bounds the size of a block; a deterministic sampler needs one path
 *  per outer sample. */
dcs_next dcs_ratio_plan(double path_flops, bool deterministic, const dcs_stop *stop, const dcs_design *previous,
                        const dcs_sums *sums, dcs_design *next);

#endif
