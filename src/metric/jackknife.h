#ifndef DCS_METRIC_JACKKNIFE_H
#define DCS_METRIC_JACKKNIFE_H
/** Divergences of r(x) = E[w | x] from a few independent weights w_1 ... w_M at one x, without the bias of a plug-in.
 *
 *  f at the mean weight is biased by about f'' Var(w)/2M, which is often many times the divergence. The weights are put
 *  into n = 16 groups; theta_{n-j} is the average of f over the means that leave out j groups, all C(n, j) of them; the
 *  third-order jackknife (Schucany, Gray and Owen, JASA 66, 1971)
 *      J_3 = [ n^3 theta_n - 3 (n-1)^3 theta_{n-1} + 3 (n-2)^3 theta_{n-2} - (n-3)^3 theta_{n-3} ] / 6
 *  removes the bias in 1/M, 1/M^2 and 1/M^3 exactly. To leading order it is the U-statistic over pairs from different
 *  groups. J_3 - J_2 estimates what the third order removed; what is left is smaller by another factor
 *  v = Var(w)/(M r^2), so it bounds the remaining bias when v < 1.
 *  Unlike a U-statistic expanded in powers of w - 1, whose products of two rare large weights have ruinous variance, f
 *  grows no faster than w log w. Cost: 697 evaluations of f for each function, whatever M is. */
#include "numerics/lanes.h"

enum { DCS_JACKKNIFE_GROUPS = 16 };

_Static_assert(DCS_JACKKNIFE_GROUPS % DCS_LANES == 0, "the weights of one x fill whole tiles");

typedef struct {
  double kl, kl_rev, mean_ratio; /**< r - 1 - log r, r log r - r + 1, r */
  double chi2;                   /**< (r - 1)^2, unbiased */
  double kl_bias, kl_rev_bias;   /**< J_3 - J_2 of the two */
  double variance;               /**< unbiased estimates of s^2 = Var(w | x), */
  double variance2;              /**< of s^4 and */
  double signal_noise;           /**< of (r - 1)^2 s^2, from two halves of the weights */
} dcs_divergences;

/** a [count] = w - 1, count a positive multiple of DCS_JACKKNIFE_GROUPS. */
void dcs_jackknife(int count, const double *a, dcs_divergences *out);

/** The same numbers when w is not random: one weight, no bias. */
void dcs_divergences_exact(double log_w, dcs_divergences *out);

#endif
