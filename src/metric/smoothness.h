#ifndef DCS_METRIC_SMOOTHNESS_H
#define DCS_METRIC_SMOOTHNESS_H
/** Quantile of a sample, with the error it has as an estimate of the law's quantile. */
#include <stdint.h>

typedef struct {
  double value; /**< sample quantile at position (n + 1/3) q + 1/3 (Hyndman and Fan 1996, type 8) */
  double error; /**< standard error of `value`, from the order statistics a binomial's one to either side */
  double bias;  /**< estimate of E value - quantile: the mean over both halves of the sample, less `value` */
} dcs_quantile;

/** Quantile at q in (0, 1) of x [n], n >= 2, which is permuted. O(n), no assumption about the law but a density near the
 *  quantile. */
dcs_quantile dcs_quantile_of(int64_t n, double *x, double q);

#endif
