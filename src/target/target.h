#ifndef DCS_TARGET_TARGET_H
#define DCS_TARGET_TARGET_H
/** Laws of X_0 on R^d whose noisy versions X_sigma = X_0 + sigma Z have an exact score.
 *
 *  Everything a sampler or an estimator needs is in the posterior of X_0 given X_sigma = x:
 *      log q_sigma(x),   m(x) = E[X_0 | X_sigma = x],   C(x) = Cov[X_0 | X_sigma = x],   score = (m - x)/sigma^2.
 *  A dcs_posterior holds it for one tile of particles (arrays [d][DCS_LANES], numerics/lanes.h). No function here
 *  communicates; all are bitwise repeatable; none allocates except _create. Units: x, m, sigma in data units. */
#include "base/params.h"
#include "random/stream.h"

typedef struct dcs_target dcs_target;
typedef struct dcs_posterior dcs_posterior;
typedef struct dcs_law dcs_law; /**< a row of the registry; target/law.h defines it */

/** Laws by name, for `dcs list targets` and the study file; NULL when there is no such law / index. */
const dcs_law *dcs_law_find(const char *name);
const dcs_law *dcs_law_at(int index);
const char *dcs_law_name(const dcs_law *law);
const char *dcs_law_help(const dcs_law *law);
/** The law's own parameters, then those every law takes (product, copies, embed). Ends with a zero row. */
const dcs_param_def *dcs_law_params(const dcs_law *law);

/** Build a target. `params` follows dcs_law_params(law), defaults filled. DCS_EUSAGE with a message that names the key
 *  when values contradict each other. */
DCS_NODISCARD dcs_status dcs_target_create(const dcs_law *law, const dcs_params *params, dcs_target **out,
                                           dcs_error *err);
/** One more owner of `target`, which it returns. Owners are of one thread; the last dcs_target_destroy frees. */
dcs_target *dcs_target_share(dcs_target *target);
void dcs_target_destroy(dcs_target **target);

int dcs_target_dimension(const dcs_target *target);
/** E X_0, [d]. */
const double *dcs_target_mean(const dcs_target *target);
/** tr Cov X_0. */
double dcs_target_variance(const dcs_target *target);

/** Independent, identically distributed factors: the law of one factor and how many (the target itself and 1 when it is
 *  not a product). KL and W2^2 of the product are `copies` times those of the factor, exactly. */
const dcs_target *dcs_target_factor(const dcs_target *target, int *copies);

/** Parts: after a rotation of R^d the coordinates fall into independent parts, copies[i] of them distributed as
 *  part[i]. Noise and every sampler here commute with rotations, so KL and W2^2 of the target are the sums over its
 *  parts, exactly (with a score error only when that is 0). Fills `part`, returns the number of kinds, at least 1. */
enum { DCS_PARTS_MAX = 8 };
typedef struct {
  const dcs_target *target; /**< borrowed from the whole */
  int copies;
} dcs_part;
int dcs_target_parts(const dcs_target *target, dcs_part part[DCS_PARTS_MAX]);

/** Weights and standard deviations, [components], when X_0 is a mixture of N(0, stddev^2 I), a rotation-invariant law;
 *  0 components otherwise. Borrowed from the target. */
int dcs_target_radial(const dcs_target *target, const double **weight, const double **stddev);

/** Characteristic function E exp(i omega . X_0), omega [d]. */
void dcs_target_characteristic(const dcs_target *target, const double *omega, double *re, double *im);

/** Eigenvalues of the covariance, [d], when X_0 is Gaussian, else NULL; mean (NULL allowed) gets the coordinates of the
 *  mean in the same eigenbasis, [d]. Borrowed from the target. */
const double *dcs_target_gaussian(const dcs_target *target, const double **mean);

/** x [d][DCS_LANES] <- exact draws of X_0 (index range [0, 2^31) of `stream` at `step` is used). */
void dcs_target_draw(const dcs_target *target, dcs_stream stream, const dcs_lane_ids *ids, uint32_t step,
                     double *restrict x);

/** Estimated cost of one posterior evaluation and of one factorisation, in floating-point operations per particle. */
double dcs_target_flops(const dcs_target *target, bool factor);

DCS_NODISCARD dcs_status dcs_posterior_create(const dcs_target *target, dcs_posterior **out);
void dcs_posterior_destroy(dcs_posterior **post);

/** Condition on X_sigma = x, sigma > 0: computes log q_sigma(x) and m, keeps what the calls below need. x is copied. */
void dcs_posterior_at(dcs_posterior *post, double sigma, const double *restrict x);
const double *dcs_posterior_log_q(const dcs_posterior *post); /**< [DCS_LANES], nat */
const double *dcs_posterior_mean(const dcs_posterior *post);  /**< [d][DCS_LANES] */
const double *dcs_posterior_x(const dcs_posterior *post);     /**< [d][DCS_LANES] */

/** out = C v, both [d][DCS_LANES]. */
void dcs_posterior_apply(dcs_posterior *post, const double *restrict v, double *restrict out);
/** trace[lane] = tr C. */
void dcs_posterior_trace(dcs_posterior *post, double *restrict trace);
/** Factor J = a I + b C, a > 0, b >= 0: log_det[lane] = log det J. Kept for dcs_posterior_solve until the next _at. */
void dcs_posterior_factor(dcs_posterior *post, double a, double b, double *restrict log_det);
/** out = J^{-1} v with the last factored J. */
void dcs_posterior_solve(dcs_posterior *post, const double *restrict v, double *restrict out);
/** third[lane] = E[(X_0 - m)^3 | X_sigma = x]; d = 1 only. */
void dcs_posterior_third(dcs_posterior *post, double *restrict third);
/** out <- draw of N(0, C(x)), [d][DCS_LANES]. Uses indices [0, 2^31) of `stream` at `step`. */
void dcs_posterior_noise(dcs_posterior *post, dcs_stream stream, const dcs_lane_ids *ids, uint32_t step,
                         double *restrict out);
/** Exact draw of X_u given X_sigma = x, 0 < u < sigma: out [d][DCS_LANES], data units.
 *  X_u | (component, X_sigma = x) is Gaussian; the component is drawn from the responsibilities at (x, sigma).
 *  Uses indices [0, 2^31) of `stream` at `step`. */
void dcs_posterior_bridge(dcs_posterior *post, double u, dcs_stream stream, const dcs_lane_ids *ids, uint32_t step,
                          double *restrict out);

#endif
