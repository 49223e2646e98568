#ifndef DCS_METRIC_LEVEL_DESIGN_H
#define DCS_METRIC_LEVEL_DESIGN_H
/** How many samples a quantity needs that is measured level by level, block b at the level of group b % groups.
 *
 *  Every level has the same few blocks, and a phase that turns out too small is followed by one with larger blocks, so
 *  that thousands of levels do not make millions of blocks. Every phase is final: the last one is the result. */
#include "metric/metric.h"

enum { DCS_LEVEL_BLOCKS = 8 /**< of each level, in a phase */ };

/** steps + 1: a group for each level. */
int64_t dcs_level_groups(const dcs_problem *problem);

/** Plan: blocks of `first` paths (a multiple of `multiple`, fewer if max_paths demands it, or if they take more than a
 *  second; the latter down to `least`), then larger ones. `needed` is how many times more samples the level that is worst
 *  off needs; not looked at when previous == NULL. */
dcs_next dcs_level_plan(double flops_per_path, int multiple, int64_t first, int64_t least, int64_t groups,
                        double needed, const dcs_stop *stop, const dcs_design *previous, dcs_design *next);

#endif
