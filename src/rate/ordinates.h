#ifndef DCS_RATE_ORDINATES_H
#define DCS_RATE_ORDINATES_H
/** What a line is fitted to, and its interval from replicates of the slope. Only src/rate includes this header. */
#include "rate/rate.h"

/** One entry for each abscissa. */
typedef struct {
  int64_t n, *point; /**< point of the result, where there is one */
  double *x, *y;     /**< what the line goes through: logarithms */
  double *error;     /**< standard error of y */
  double *bias;      /**< bound on the bias of y */
  double *weight;    /**< smallest error^2 / error^2 */
  double *pull;      /**< dslope / dy */
  double x_lo, x_hi; /**< window, before the logarithm */
  double error_min;  /**< smallest error > 0 */
} dcs_ordinates;

/** Room for `most` entries, n = 0. Release with dcs_ordinates_destroy, also after a failure. */
DCS_NODISCARD dcs_status dcs_ordinates_create(int64_t most, dcs_ordinates *out);
void dcs_ordinates_destroy(dcs_ordinates *o);

/** Append log(metric * product) (of coordinates; NULL: 1) against log(versus) for the usable points of the curve, in its order. DCS_EARG:
 *  a value, an abscissa or a factor that is not positive. */
DCS_NODISCARD dcs_status dcs_ordinates_collect(const dcs_result *result, const dcs_curve *curve, int metric,
                                               const char *versus, const dcs_product *product, dcs_ordinates *o,
                                               dcs_error *err);

/** Weighted least squares: everything in `rate`, the interval being the slope itself. Returns false when there are not
 *  two different abscissae. */
bool dcs_ordinates_fit(dcs_ordinates *o, dcs_rate *rate);

/** lo, hi and upper from replicates of the slope (slope[DCS_REPLICATES], sorted in place). NAN is a replicate without a
 *  slope: it may lie anywhere, so it counts as beyond both ends. DCS_EREFUSED when those are more than 1%. */
DCS_NODISCARD dcs_status dcs_rate_percentiles(double *slope, dcs_rate *rate, dcs_error *err);

/** Widen lo, hi and upper by how far the bias bounds can move the slope together. */
void dcs_ordinates_widen(const dcs_ordinates *o, dcs_rate *rate);

#endif
