#ifndef DCS_NUMERICS_BESSEL_H
#define DCS_NUMERICS_BESSEL_H
/** Modified Bessel function of the first kind, scaled, in logarithms: for any order from -1/2 to 1e6 and any argument. */
#include "numerics/vmath.h"

enum { DCS_BESSEL_COEFFICIENTS = 40 };

/** Constants of one order. */
typedef struct {
  int down;                              /**< orders from `top` down to nu */
  double nu, top;                        /**< nu + down, large enough for the expansion */
  double here[DCS_BESSEL_COEFFICIENTS];  /**< sum_k U_k(p)/top^k as a polynomial in p */
  double above[DCS_BESSEL_COEFFICIENTS]; /**< the same for top + 1 */
} dcs_bessel;

/** nu >= -1/2. */
void dcs_bessel_create(double nu, dcs_bessel *bessel);

/** log(e^-a I_nu(a)), a > 0.
 *  Debye's expansion, uniform in a (Abramowitz and Stegun 9.7.7), at an order of 30 or more, and the recurrence
 *  I_{mu-1} = I_{mu+1} + (2 mu/a) I_mu, stable downwards, from there. Absolute error about 1e-15 (1 + |result|). Costs
 *  about 100 multiply-adds and 3 logarithms (nu >= 30), twice that below. */
dcs_vec dcs_bessel_log_i(const dcs_bessel *bessel, dcs_vec a);

#endif
