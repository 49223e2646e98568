#ifndef DCS_METRIC_OUTER_H
#define DCS_METRIC_OUTER_H
/** Outer samples x for expectations under q = q_sigma of what lives in its tails.
 *
 *  The x come from g = (q + q_wide)/2 and carry the weight q/g <= 2: a divergence lives in the tails, and draws from q
 *  alone would miss it, and its error bar with it. For a function A quadratic in a normal x, E|x|^2 = d + 4 under q
 *  A^2, so q_wide is the target at the noise level that is as far from q, measured by E log q/q_wide, as a normal law
 *  is from one with 1 + 8/d times its variance (twice what that A asks for: other A have longer tails). Both densities
 *  are exact, so nothing is biased. */
#include "sampler/sampler.h"

typedef struct {
  double sigma, wide; /**< noise levels of q and q_wide, data units */
} dcs_outer;

/** Level of q_wide from 64 draws of X_sigma by `stream`, the same for whoever asks: bisection of a monotone function.
 *  `post` is a posterior of `target`, used as work space; z [d][DCS_LANES] is scratch. */
DCS_NODISCARD dcs_status dcs_outer_create(const dcs_target *target, double sigma, dcs_stream stream,
                                          dcs_posterior *post, double *restrict z, dcs_outer *out);

/** x [d][DCS_LANES] <- draws from g, weight[lane] <- q/g at x. `narrow` and `wide` are two posteriors of `target`,
 *  used as work space, and afterwards at (sigma, x) and (outer->wide, x); z [d][DCS_LANES] is scratch. Uses the steps
 *  of `draw` up to DCS_DRAW_FREE. */
void dcs_outer_draw(const dcs_target *target, const dcs_outer *outer, dcs_stream draw, const dcs_lane_ids *ids,
                    dcs_posterior *narrow, dcs_posterior *wide, double *restrict x, double *restrict z,
                    double *restrict weight);

#endif
