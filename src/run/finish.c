#include "run/finish.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/plain.h"
#include "run/assemble.h"

dcs_status dcs_finish(dcs_tasks *tasks, dcs_past *past, const char *output, char **provenance, dcs_run_outcome *outcome,
                      dcs_error *err)
{
  dcs_status st = DCS_OK;
  dcs_result *result = NULL;
  DCS_TRY(dcs_assemble(tasks, &result, err));
  outcome->n_points = result->n_points;
  for (int64_t p = 0; p < result->n_points; p++) {
    bool bad = result->status[p] == DCS_POINT_REFUSED || result->status[p] == DCS_POINT_FAILED;
    outcome->n_max_paths += result->status[p] == DCS_POINT_MAX_PATHS;
    outcome->n_refused += result->status[p] == DCS_POINT_REFUSED;
    outcome->n_failed += result->status[p] == DCS_POINT_FAILED;
    if (bad && outcome->first_reason[0] == '\0')
      dcs_plain(result->reason[p], sizeof outcome->first_reason, outcome->first_reason);
  }
  outcome->unchanged = past->result != NULL && dcs_result_digest(past->result) == dcs_result_digest(result);
  if (!outcome->unchanged) {
    dcs_free(&result->provenance);
    result->provenance = *provenance;
    *provenance = NULL;
    st = dcs_result_write(output, result, err);
    if (st != DCS_OK) {
      size_t n = strlen(err->text);
      snprintf(err->text + n, sizeof err->text - n, "; nothing finished is lost: free space and run again");
      goto done;
    }
  }
  DCS_TRY(dcs_journal_remove(past->journal, err)); /* its blocks are in the result file now */
done:
  dcs_result_destroy(&result);
  return st;
}
