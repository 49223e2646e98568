#ifndef DCS_METRIC_MEAN_DESIGN_H
#define DCS_METRIC_MEAN_DESIGN_H
/** How many samples a plain Monte Carlo mean needs: blocks of them are added until the error is small enough.
 *
 *  The first blocks are small, because little may do. When much more is needed the mean starts anew, in a phase with
 *  larger blocks: a hundred million samples then make hundreds of records and not a million, in the journals, in the
 *  messages, in the memory of rank 0 and in the result. The phases before it are a twentieth of the work on average, an
 *  eighth at most. Sizes follow from counted operations alone, never from a clock. */
#include "metric/metric.h"

/** Plan for estimators of one group whose samples are independent. Blocks of `outer` samples, `multiple` dividing it,
 *  sized by flops_per_sample so that a block takes about a second at most; samples are added until the standard error of
 *  the mean of every quantity q with wanted[q] is at most rel_error * |mean|, or max_paths are spent (one block at
 *  least). A sample counts as design.inner paths, which is 1 in a first design. */
dcs_next dcs_mean_plan(double flops_per_sample, int multiple, int count, const bool *wanted, const dcs_stop *stop,
                       const dcs_design *previous, const dcs_sums *sums, dcs_design *next);

/** The same after the first design, with blocks that cannot change their size. */
dcs_next dcs_mean_extend(int count, const bool *wanted, const dcs_stop *stop, const dcs_design *previous,
                         const dcs_sums *sums, dcs_design *next);

#endif
