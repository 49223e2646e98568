#ifndef DCS_SAMPLER_SCORE_ERROR_H
#define DCS_SAMPLER_SCORE_ERROR_H
/** A score that is wrong by a smooth gradient field of known size:  s^ = s + grad phi,  m^ = m + sigma^2 grad phi.
 *
 *      phi(x) = A(sigma) sum_j a_j sin(omega_j . x + b_j)      (random Fourier features, seeded)
 *  A(sigma) makes E|grad phi(X_sigma)|^2 = eps^2 at every level, exactly, through the target's characteristic
 *  function. The Jacobian of m^ stays symmetric. Read-only after creation. */
#include "target/target.h"

typedef struct dcs_score_error dcs_score_error;

/** sigma [levels]: the levels at which the score is used. */
DCS_NODISCARD dcs_status dcs_score_error_create(const dcs_target *target, double eps, uint64_t seed, int levels,
                                                const double *sigma, dcs_score_error **out);
void dcs_score_error_destroy(dcs_score_error **error);
double dcs_score_error_eps(const dcs_score_error *error);

/** m [d][DCS_LANES] += sigma_k^2 grad phi(x). */
void dcs_score_error_shift(const dcs_score_error *error, int level, const double *restrict x, double *restrict m);
/** out = sigma_k^4 Hess phi(x) v: what is added to C v. */
void dcs_score_error_apply(const dcs_score_error *error, int level, const double *restrict x, const double *restrict v,
                           double *restrict out);

#endif
