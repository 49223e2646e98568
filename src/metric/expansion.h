#ifndef DCS_METRIC_EXPANSION_H
#define DCS_METRIC_EXPANSION_H
/** Divergences of r(x) = E[w | x] from a few independent weights w_1 ... w_M at one x, without the bias of a plug-in.
 *
 *  Put a_i = w_i - 1. The mean of log or of x log x at the mean weight is biased by about Var(w)/2M, which is often
 *  many times the divergence. Instead the weights are split into four groups. For each group g, the other three
 *  quarters expand the divergence around a point kappa_g that only depends on group g, hence is independent of them:
 *  with b = r/kappa_g - 1 and U_k the U-statistic (elementary symmetric polynomial over its number of terms) of the
 *  b_i, E U_k = b^k exactly, so that
 *      r - 1 - log r     = kappa - 1 - log kappa + (kappa - 1) b + sum_{k=2}^m (-1)^k b^k / k + R
 *      r log r - r + 1   = kappa log kappa - kappa + 1 + kappa log kappa b + kappa sum_{k=2}^m (-1)^k b^k/(k(k-1)) + R'
 *  is estimated without bias but for the remainders. Since m is even, |R| <= b^m/(m+1) and |R'| <= kappa b^m/(m(m+1))
 *  for b in [-1/2, 1], and E U_m = b^m: the remainder bounds are themselves estimated without bias. Averaging over g
 *  costs 4% more variance than a single U-statistic over all pairs.
 *
 *  kappa_g = 1 + A_g^3/(A_g^2 + v_g), A_g the mean of a over the group and v_g its squared standard error: the mean
 *  where it is significant, 1 where it is noise. The order m is 8, and falls to 4 and 2 where the noise
 *  sqrt(v_g)/kappa_g is above 0.3 and 0.6, because there higher powers add noise faster than they remove bias; both are
 *  functions of group g. Cost: 4 m M multiply-adds. */
#include "numerics/lanes.h"

enum { DCS_EXPANSION_ORDER = 8, DCS_EXPANSION_GROUPS = 4, DCS_EXPANSION_MULTIPLE = 8 };

typedef struct {
  double kl, kl_rev, chi2, mean_ratio;   /**< unbiased up to the remainders */
  double kl_remainder, kl_rev_remainder; /**< bounds on |R|, |R'|: unbiased estimates, may be negative */
  double variance;                       /**< unbiased estimates of s^2 = Var(w | x), */
  double variance2, signal_noise;        /**< of s^4 and of (r - 1)^2 s^2 (from two halves of the weights) */
} dcs_expansion;

/** a [count], count a positive multiple of DCS_EXPANSION_MULTIPLE. */
void dcs_expand(int count, const double *a, dcs_expansion *out);

/** The same numbers when w is not random (count = 1): a = w - 1 = expm1(log_w), no remainder. */
void dcs_expand_exact(double log_w, dcs_expansion *out);

#endif
