#ifndef DCS_METRIC_EXACT_H
#define DCS_METRIC_EXACT_H
/** Members of an estimator whose result is exact: one block, no scratch. */
#include "metric/metric.h"

dcs_next dcs_exact_plan(const dcs_problem *problem, const dcs_stop *stop, const dcs_design *previous,
                        const dcs_sums *sums, dcs_design *next);
dcs_status dcs_exact_work_create(const dcs_problem *problem, dcs_block_work **work);
void dcs_exact_work_destroy(dcs_block_work **work);

#endif
