#ifndef DCS_METRIC_LANCZOS_H
#define DCS_METRIC_LANCZOS_H
/** Operator norm of a posterior covariance, for one tile of particles, from its action on vectors.
 *
 *  Lanczos with full reorthogonalisation on A = C/sigma^2 - I, all lanes with the same random start. |A|_op is the
 *  largest |eigenvalue| of the tridiagonal matrix, which grows towards it from below. Not collective; bitwise
 *  repeatable; only _create allocates. */
#include "target/target.h"

typedef struct dcs_lanczos dcs_lanczos;

/** `target` is borrowed and outlives the work space. */
DCS_NODISCARD dcs_status dcs_lanczos_create(const dcs_target *target, dcs_lanczos **out);
void dcs_lanczos_destroy(dcs_lanczos **lanczos);

/** Relative error of a norm: iterations end when it has not grown by this much (after d of them it is exact). */
#define DCS_LANCZOS_TOLERANCE 1e-7

/** norm[lane] = |C/sigma^2 - I|_op for the posterior's last _at, which was at level sigma. DCS_ENUMERIC when the
 *  iteration does not end. About 10 to 25 actions of C. */
DCS_NODISCARD dcs_status dcs_lanczos_norm(dcs_lanczos *lanczos, dcs_posterior *post, double sigma,
                                          double *restrict norm);

#endif
