#ifndef DCS_CLI_BENCH_H
#define DCS_CLI_BENCH_H
#include "base/status.h"

double dcs_bench_now(void); /**< seconds on a clock that only goes forward */

/** Print the cost of one path-step of every instrument, each on the first of a few targets that it measures. `peak` is
 *  in flop/s. */
DCS_NODISCARD dcs_status dcs_bench_instruments(double seconds, double peak, dcs_error *err);

#endif
