#ifndef DCS_METRIC_QUADRATURE_H
#define DCS_METRIC_QUADRATURE_H
/** What the quadrature estimators share: targets whose independent parts are all one-dimensional, one block (or one for
 *  each level), exact values with an error of their own: two resolutions are computed and the finer one is the value. */
#include "metric/metric.h"

/** A value and what it may be wrong by. */
typedef struct {
  double value, error;
} dcs_bounded;

/** The finer of two, wrong by their difference at most, and by a rounding. */
dcs_bounded dcs_quadrature_bounded(double fine, double coarse);

/** DCS_EARG when a part of the target has d > 1, or a score error couples several coordinates. */
DCS_NODISCARD dcs_status dcs_quadrature_check(const dcs_problem *problem, const char *estimator, dcs_error *err);

/** KL(q_{sigma_0} || p_init) of a one-dimensional part; 0 when the initial law is exact. */
DCS_NODISCARD dcs_status dcs_quadrature_start(const dcs_target *part, const dcs_steps *steps, dcs_bounded *kl);

/** sum over the parts, times their copies, of what `measure` says about one. DCS_ENUMERIC with a reason when it failed
 *  or is not finite. */
typedef dcs_status (*dcs_quadrature_measure)(const dcs_target *part, const dcs_problem *problem, int64_t block,
                                             dcs_bounded *out);
DCS_NODISCARD dcs_status dcs_quadrature_add(const dcs_problem *problem, int64_t block, const char *estimator,
                                            dcs_quadrature_measure measure, dcs_sums *sums, dcs_error *err);

/** finish of an estimator with two quantities, the value and its error. */
void dcs_quadrature_finish(const dcs_problem *problem, const dcs_design *design, const dcs_sums *sums,
                           dcs_estimate *estimates);

/** Estimated floating-point operations of one posterior at all nodes of a level, over the parts. */
double dcs_quadrature_flops(const dcs_problem *problem, double sigma);

#endif
