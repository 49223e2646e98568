#ifndef DCS_SCHEDULE_SCHEDULE_H
#define DCS_SCHEDULE_SCHEDULE_H
/** Noise levels sigma_0 > sigma_1 > ... > sigma_N and one continuation sigma_{N+1} by the same rule (jain-zhang needs
 *  it). Exactly the requested number of steps, strictly descending, or an error. */
#include "base/params.h"

typedef struct dcs_schedule_rule dcs_schedule_rule;

struct dcs_schedule_rule {
  const char *name, *help;
  const dcs_param_def *params; /**< of the rule: sigma_max, ... */
  bool takes_delta;            /**< false: the rule fixes its own last level */
  /** sigma [steps + 2]. `delta` = sigma_N^2. */
  dcs_status (*levels)(const dcs_params *params, int steps, double delta, double *sigma, dcs_error *err);
};

const dcs_schedule_rule *dcs_schedule_find(const char *name);
const dcs_schedule_rule *dcs_schedule_at(int index);

typedef struct {
  int steps;
  double *sigma; /**< [steps + 2], data units; owned */
} dcs_schedule;

/** DCS_EUSAGE when delta and the rule's parameters contradict each other (delta >= sigma_max^2, too few steps, ...). */
DCS_NODISCARD dcs_status dcs_schedule_create(const dcs_schedule_rule *rule, const dcs_params *params, int steps,
                                             double delta, dcs_schedule **out, dcs_error *err);
void dcs_schedule_destroy(dcs_schedule **schedule);

#endif
