#ifndef DCS_RUN_ASSEMBLE_H
#define DCS_RUN_ASSEMBLE_H
/** From finished tasks to a result: a pure function of the study and of the set of records, whoever computed them. */
#include "archive/result.h"
#include "run/tasks.h"

/** The study and `tasks` are borrowed until dcs_result_destroy (units of columns); provenance is left empty.
 *  The blocks move from `tasks` to the result: there may be gigabytes of them, and nothing is left to do with the tasks.
 *  Tasks that have not ended make their point DCS_POINT_INCOMPLETE. */
DCS_NODISCARD dcs_status dcs_assemble(dcs_tasks *tasks, dcs_result **out, dcs_error *err);

#endif
