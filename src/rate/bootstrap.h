#ifndef DCS_RATE_BOOTSTRAP_H
#define DCS_RATE_BOOTSTRAP_H
/** Bootstrap replicates of one measured value. Only src/rate includes this header. */
#include "archive/result.h"

enum { DCS_REPLICATES = 2000 };

/** value[r], r < DCS_REPLICATES, distributed like the estimate around its own value.
 *
 *  Whole blocks of the final phase of the estimator named in NAME_method are drawn with replacement, giving b*, their
 *  n-weighted mean of the metric's quantity, and
 *      value* = value + (b* - b) std_error / s,     s^2 = sum_j n_j^2 (b_j - b)^2 / (sum_j n_j)^2,
 *  s being the standard deviation of b* under the resampling. Dividing by s and not by the standard error of the raw
 *  mean takes the width from all samples, not from a few block means: no factor (1 - 1/blocks) is left, and no t
 *  quantile is needed; the blocks give the shape. std_error / s contains the derivative of the metric with respect to
 *  the raw mean. More than 32 blocks are first joined into 32 batches. Fewer than 8 cannot show a shape: value +
 *  std_error N(0, 1). Deterministic: stream (seed, bootstrap, point hash). An exact value gives DCS_REPLICATES copies.
 *  DCS_ECORRUPT: the method does not measure this metric. */
DCS_NODISCARD dcs_status dcs_bootstrap_values(const dcs_result *result, int metric, int64_t point, double *value,
                                              dcs_error *err);

#endif
