#ifndef DCS_SAMPLER_SCORE_ERROR_H
#define DCS_SAMPLER_SCORE_ERROR_H
/** A score that is wrong by a smooth gradient field of known size:  s^ = s + grad phi,  m^ = m + sigma^2 grad phi.
 *
 *      phi(x) = A sum_j sin(t_j)/|w_j|,   grad phi = A sum_j e_j cos(t_j),   Hess phi = -A sum_j |w_j| e_j e_j^T sin(t_j),
 *      t_j = w_j . (x - E X_0) + b_j,     w_j = omega_j ell/sqrt(ell^2 + sigma^2),     e_j = w_j/|w_j|,
 *  random Fourier features with omega_j ~ N(0, I/ell^2), b_j uniform, ell^2 = tr Cov(X_0)/d (1 for a point mass). They
 *  widen with the level as the law does, so that at no level phi varies faster than q_sigma, and every feature adds the
 *  same to grad phi. A = A(sigma) makes E|grad phi(X_sigma)|^2 = eps^2 at every level, exactly, through the target's
 *  characteristic function. The Jacobian of m^ stays symmetric. Read-only after creation. */
#include "target/target.h"

typedef struct dcs_score_error dcs_score_error;

/** Enough that grad phi points everywhere and is nowhere close to periodic, few enough that it costs less than the
 *  exact score of a mixture with as many components. */
enum { DCS_SCORE_FEATURES = 16 };

/** eps > 0, in 1/data units. sigma [levels]: the levels at which the score is used. DCS_ENUMERIC when eps cannot be
 *  reached because the features vanish. At most 256 values of the characteristic function for each level. */
DCS_NODISCARD dcs_status dcs_score_error_create(const dcs_target *target, double eps, uint64_t seed, int levels,
                                                const double *sigma, dcs_score_error **out);
void dcs_score_error_destroy(dcs_score_error **error);
double dcs_score_error_eps(const dcs_score_error *error);

/** m [d][DCS_LANES] += sigma_k^2 grad phi(x). */
void dcs_score_error_shift(const dcs_score_error *error, int level, const double *restrict x, double *restrict m);
/** What dcs_score_error_apply needs to know of the place x: curvature [DCS_SCORE_FEATURES][DCS_LANES]. */
void dcs_score_error_curvature(const dcs_score_error *error, int level, const double *restrict x,
                               double *restrict curvature);
/** out += sigma_k^4 Hess phi(x) v: what the error adds to C v. */
void dcs_score_error_apply(const dcs_score_error *error, const double *restrict curvature, const double *restrict v,
                           double *restrict out);

/** Floating-point operations of a shift or a curvature, for one particle. */
double dcs_score_error_flops(const dcs_score_error *error);

#endif
