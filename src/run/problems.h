#ifndef DCS_RUN_PROBLEMS_H
#define DCS_RUN_PROBLEMS_H
/** The last few problems a thread worked on, with their estimator's work space: a study may have 10^4 points, so
 *  problems are built from the point index on demand. One cache belongs to one thread. */
#include "study/study.h"

typedef struct dcs_problems dcs_problems;

/** `study` is borrowed until dcs_problems_destroy. */
DCS_NODISCARD dcs_status dcs_problems_create(const dcs_study *study, dcs_problems **out);
void dcs_problems_destroy(dcs_problems **problems);

/** Problem of a point, and the work space of `estimator` for it when `work` is not NULL. Both stay valid until the next
 *  call. The least recently used problem makes room. */
DCS_NODISCARD dcs_status dcs_problems_get(dcs_problems *problems, int64_t point, const dcs_estimator *estimator,
                                          const dcs_problem **problem, dcs_block_work **work, dcs_error *err);

#endif
