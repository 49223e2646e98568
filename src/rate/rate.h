#ifndef DCS_RATE_RATE_H
#define DCS_RATE_RATE_H
/** Rates with intervals, and claims with verdicts, from a result. Computes nothing about samplers. Not collective. */
#include "archive/result.h"

/** Weighted least squares of log y on log x with its bootstrap interval. */
typedef struct {
  int64_t n;            /**< points used */
  double slope, lo, hi; /**< exponent and its central 95% interval; lo = hi = slope when exact and without bias */
  double upper;         /**< upper end of the one-sided 95% interval */
  double prefactor;     /**< y ~ prefactor * x^slope */
  double chi2_per_dof;  /**< of the fit; NAN when exact or n <= 2 */
  bool exact;           /**< every ordinate is exact: there is no sampling error */
  double x_lo, x_hi;    /**< window */
} dcs_rate;

/** One curve: points of a result that share all coordinates but `versus`, ordered by it. */
typedef struct {
  int64_t n;
  int64_t *point; /**< indices into the result, [n]; owned */
  char *label;    /**< "sampler=ddim d=8": the coordinates that tell this curve from the others; owned */
} dcs_curve;

/** Split the points that pass the filters into curves over `versus`, one for each combination of the `per` columns.
 *  n_per < 0: all columns that vary, but versus and what moves one-to-one with it (copies with d). versus = NULL:
 *  groups without an abscissa, in the order of the points. Curves in order of first point. DCS_EARG names an unknown
 *  column. */
DCS_NODISCARD dcs_status dcs_curves_create(const dcs_result *result, const char *versus, int n_per, char *const *per,
                                           int n_where, const dcs_filter *where, int *n_curves, dcs_curve **out,
                                           dcs_error *err);
void dcs_curves_destroy(int n_curves, dcs_curve **curves);

/** True when a point's value of the metric (index into result->metric) can be fitted: finite, with a finite standard
 *  error, from a point that neither failed nor is incomplete. Refused is judged metric by metric: the one refused is
 *  NAN. */
bool dcs_rate_usable(const dcs_result *result, int metric, int64_t point);

/** Fit metric * product (of coordinates; NULL: 1) against column `versus` on the usable points of one curve.
 *
 *  Weights 1/s^2, s = std_error / value, the error of log y; unweighted when all points are exact. On a mixed curve an
 *  exact point weighs as much as the best measured one: any fixed weights leave the slope unbiased, and this one keeps
 *  a single point from pinning the line. The interval comes from 2000 replicates (rate/bootstrap.h), each refitted with
 *  the same weights, central 95%. The slope is linear in log y, so bias bounds b move it by at most sum |dslope/dlog y|
 *  (-log(1 - b/y)); lo, hi and upper are widened by that sum: a bound is not a random error and does not average out.
 *  DCS_EARG: unknown column, fewer than two usable abscissae, or a value <= 0. DCS_EREFUSED: more than 1% of the
 *  replicates have no logarithm. Points that are not usable show as n < curve->n: the caller reports them. */
DCS_NODISCARD dcs_status dcs_rate_fit(const dcs_result *result, const dcs_curve *curve, const char *metric,
                                      const char *versus, const dcs_product *product, dcs_rate *rate, dcs_error *err);

/** The same with a power of a logarithm: metric ~ prefactor * (log 1/versus)^slope, log log(1/versus) taking the place
 *  of log(versus). DCS_EARG also when some versus is not below 1. */
DCS_NODISCARD dcs_status dcs_rate_fit_log(const dcs_result *result, const dcs_curve *curve, const char *metric,
                                          const char *versus, dcs_rate *rate, dcs_error *err);

typedef enum {
  DCS_CROSSING_INSIDE, /**< on the curve */
  DCS_CROSSING_BEFORE, /**< nowhere on the curve is the metric clearly above eps^2: it takes smaller steps or eps */
  DCS_CROSSING_BEYOND  /**< the metric is not clearly below eps^2 at the curve's end: it takes more steps, larger eps */
} dcs_crossing_place;

/** Steps that the metric needs to come down to eps^2. */
typedef struct {
  double eps;
  double steps, lo, hi; /**< N(eps) with its 95% interval; NAN when not inside */
  dcs_crossing_place place;
} dcs_crossing;

enum { DCS_CROSSINGS_MIN = 3 /**< for a rate */ };

/** Invert metric(N) = eps^2 on one curve over `versus` and fit N(eps) ~ prefactor * (1/eps)^slope.
 *
 *  N(eps) is where the curve comes down to eps^2 for good: the last place where it is above, on straight lines in (log N,
 *  log metric) between neighbouring usable points. It rises with every value of the curve, so that the curves of metric
 *  -+ bias bound give its bounds. The 2000 replicates of rate/bootstrap.h are each inverted like the curve itself; what
 *  neighbouring eps have in common by lying between the same points is in the interval of the slope by that. Nothing is
 *  extrapolated: an eps counts when the curve, those with the bias bounds and 99% of the replicates reach it. Weights as
 *  in dcs_rate_fit, the error of log N being to first order that of the two points it lies between; chi2_per_dof is NAN (the N(eps) of one
 *  curve are not independent). `crossing` has room for n_eps entries, filled in the order of `eps`, also on DCS_EARG
 *  for fewer than DCS_CROSSINGS_MIN eps on the curve (the message says what to add). DCS_EARG: also what dcs_rate_fit
 *  says, and two points with the same abscissa. DCS_EREFUSED: more than 1% of the replicates miss an eps that counts. */
DCS_NODISCARD dcs_status dcs_rate_steps_to(const dcs_result *result, const dcs_curve *curve, const char *metric,
                                           const char *versus, int n_eps, const double *eps, dcs_crossing *crossing,
                                           dcs_rate *rate, dcs_error *err);

/** Local slopes: dcs_rate_fit on every two neighbouring usable points. `local` has room for curve->n entries, `*n` are
 *  filled. Where the errors are too large for an interval it is (-INFINITY, INFINITY). */
DCS_NODISCARD dcs_status dcs_rate_local(const dcs_result *result, const dcs_curve *curve, const char *metric,
                                        const char *versus, int64_t *n, dcs_rate *local, dcs_error *err);

typedef enum { DCS_VERDICT_PASS, DCS_VERDICT_FAIL, DCS_VERDICT_MISSING } dcs_verdict;

typedef struct {
  const dcs_claim *claim; /**< borrowed from the study */
  char *where;            /**< label of the curve; below: of the worst point; owned */
  double value, lo, hi;   /**< exponent, log_exponent, steps_to: slope, interval; bounded: growth exponent, -INFINITY,
                               its one-sided upper end; below: worst (a - b) / allowance (passes up to 1), lo = hi =
                               value; between: largest scaled value, lowest and highest end of all intervals. NAN when
                               missing */
  bool exact;
  double constant;        /**< bounded: largest normalised value; else NAN */
  double least;           /**< between: smallest scaled value; else NAN */
  int n_crossings;        /**< steps_to: the eps of the claim; else 0 */
  dcs_crossing *crossing; /**< owned */
  dcs_verdict verdict;
  char note[240]; /**< why missing or failed; steps_to: which eps were left out; between: where the extremes are; ""
                       otherwise */
} dcs_check_row;

/** Evaluate every claim of the study on the result.
 *
 *  exponent, log_exponent, steps_to: passes when [lo, hi] lies inside the band. bounded: passes when the upper end of the one-sided 95%
 *  interval of the growth exponent is at most claim->hi. below: a <= b + 3 sqrt(se_a^2 + se_b^2) + bias_a + bias_b +
 *  rounding at every point. between: [lo, hi] inside the band. Missing: nothing passes the filter, a point of the study or of the curve is not usable, its
 *  bias is unknown, or no fit is possible. Exit code of `dcs check`: 3 if any row fails, else 4 if any is missing. */
DCS_NODISCARD dcs_status dcs_claims_check(const dcs_study *study, const dcs_result *result, int *n_rows,
                                          dcs_check_row **rows, dcs_error *err);
void dcs_claims_destroy(int n_rows, dcs_check_row **rows);

#endif
