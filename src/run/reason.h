#ifndef DCS_RUN_REASON_H
#define DCS_RUN_REASON_H
#include "base/status.h"

/** Append "WHO: WHY" (or WHY alone, who = NULL) to an owned text that may be NULL, after "; " if there is some already.
 */
DCS_NODISCARD dcs_status dcs_reason_add(char **reason, const char *who, const char *why);

#endif
