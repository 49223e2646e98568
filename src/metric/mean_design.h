#ifndef DCS_METRIC_MEAN_DESIGN_H
#define DCS_METRIC_MEAN_DESIGN_H
/** How many samples a plain Monte Carlo mean needs: one phase, more blocks until the error is small enough. */
#include "metric/metric.h"

/** Plan for estimators of one group whose samples are independent. Blocks of `outer` samples, `multiple` dividing it,
 *  sized by flops_per_sample so that a block takes about a second at most; blocks are added until the standard error of
 *  the mean of every quantity q with wanted[q] is at most rel_error * |mean|, or max_paths samples are spent (one block
 *  at least). A sample counts as one path. */
dcs_next dcs_mean_plan(double flops_per_sample, int multiple, int count, const bool *wanted, const dcs_stop *stop,
                       const dcs_design *previous, const dcs_sums *sums, dcs_design *next);

#endif
