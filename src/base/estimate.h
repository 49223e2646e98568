#ifndef DCS_BASE_ESTIMATE_H
#define DCS_BASE_ESTIMATE_H
#include <stdint.h>

/** A number with its uncertainty. An exact value has std_error = 0 and n = 0; an unknown bias is INFINITY, never 0. */
typedef struct {
  double value;
  double std_error;  /**< standard error of `value`, same unit */
  double bias_bound; /**< |E[estimate] - truth| is at most this, same unit */
  int64_t n;         /**< independent samples behind it; 0: exact */
} dcs_estimate;

#endif
