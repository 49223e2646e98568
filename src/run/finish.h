#ifndef DCS_RUN_FINISH_H
#define DCS_RUN_FINISH_H
#include "run/past.h"
#include "run/run.h"
#include "run/tasks.h"

/** Assemble the result and write it, unless the file at hand says the same already; then the journal goes. Fills the
 *  counts of the outcome. *provenance is consumed when it is written. One rank calls it. */
DCS_NODISCARD dcs_status dcs_finish(dcs_tasks *tasks, dcs_past *past, const char *output, char **provenance,
                                    dcs_run_outcome *outcome, dcs_error *err);

#endif
