#ifndef DCS_RUN_SHARD_H
#define DCS_RUN_SHARD_H
#include "study/study.h"

/** Mark the points of shard `index` (from 1) of `count` in keep[n_points].
 *
 *  Points go, the costliest first, to the shard with the least to do so far, cost being the floating-point operations of
 *  the first designs: a function of the study alone, so that every shard knows its own without asking the others, and
 *  the shards together are the study. DCS_EUSAGE: more shards than points. Not collective; O(points (1 + count)). */
DCS_NODISCARD dcs_status dcs_shard_choose(const dcs_study *study, int index, int count, bool *keep, dcs_error *err);

#endif
