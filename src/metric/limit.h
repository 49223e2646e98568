#ifndef DCS_METRIC_LIMIT_H
#define DCS_METRIC_LIMIT_H
/** A sampler's steps as their number grows along the shape of a problem's schedule.
 *
 *  The shape is what the real levels say: the local length of a step in log sigma times the number of steps, N h_k
 *  between sigma_k and sigma_{k+1}, stays as it is while N grows. Where a rule's shape depends on N (li-yan; jain-zhang
 *  by O(1/N)) the limit is along the shape at this N. */
#include "metric/metric.h"

/** Limits are taken by extrapolation over so many lengths of a step, each half of the one before. */
enum { DCS_LIMIT_LENGTHS = 4 };
#define DCS_LIMIT_LENGTH 0.015625

/** The step from sigma over `length` = log(sigma/sigma'), with the level after it as far again. */
dcs_step dcs_limit_step(const dcs_steps *steps, double sigma, double length);

/** Limit of f(length) as the length goes to 0 from f at DCS_LIMIT_LENGTH 2^-i, i < n, by Richardson. */
long double dcs_limit_extrapolate(int n, const long double *f);

/** kappa = lim c^2/(2 length sigma^2): 0 for the probability flow, 1 for the reverse SDE, lambda for churn. */
double dcs_limit_noise(const dcs_steps *steps, double sigma);

/** DCS_OK when steps^2 KL can have a limit: one score in each step, exact and drawn from its exact initial law, and
 *  noise with the same kappa at both ends. DCS_EREFUSED with the reason, in the name of `estimator`. */
dcs_status dcs_limit_check(const dcs_problem *problem, const char *estimator, dcs_error *err);

#endif
