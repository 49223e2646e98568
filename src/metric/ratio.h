#ifndef DCS_METRIC_RATIO_H
#define DCS_METRIC_RATIO_H
#include "metric/invert.h"

/** log_w[lane] of one backward path from each x [d][DCS_LANES], E[w | x] = p_N(x)/q_{sigma_N}(x). `inverter` was made
 *  for the same target and steps. DCS_ENUMERIC when a map could not be inverted, is not one-to-one, or a weight is not
 *  finite. Not collective. */
DCS_NODISCARD dcs_status dcs_ratio_weights(const dcs_target *target, const dcs_steps *steps, dcs_inverter *inverter,
                                           dcs_stream bridge, const dcs_lane_ids *ids, const double *x, double *log_w,
                                           dcs_error *err);

#endif
