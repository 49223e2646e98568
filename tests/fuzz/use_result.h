#ifndef DCS_USE_RESULT_H
#define DCS_USE_RESULT_H
/** What the commands do with a result that could be read. */
#include "archive/result.h"

/** Print it in every way. */
void print_result(const dcs_result *result);

/** Judge the claims of its study, as `dcs check` does. */
void judge_result(const dcs_result *result);

/** Written to w.h5 and read again it is the same; or it cannot be written, and the message says why. */
void require_same_when_written(const dcs_result *result);

#endif
