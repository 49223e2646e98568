#include "metric/exact.h"

dcs_next dcs_exact_plan(const dcs_problem *problem, const dcs_stop *stop, const dcs_design *previous,
                        const dcs_sums *sums, dcs_design *next)
{
  (void)problem, (void)stop, (void)sums;
  if (previous != NULL) return DCS_NEXT_DONE;
  *next = (dcs_design){.outer = 1, .inner = 1, .blocks = 1, .is_final = true};
  return DCS_NEXT_RUN;
}

dcs_status dcs_exact_work_create(const dcs_problem *problem, dcs_block_work **work)
{
  (void)problem;
  *work = NULL;
  return DCS_OK;
}

void dcs_exact_work_destroy(dcs_block_work **work) { *work = NULL; }
