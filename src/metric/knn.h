#ifndef DCS_METRIC_KNN_H
#define DCS_METRIC_KNN_H
/** Divergence from nearest neighbours (Wang, Kulkarni and Verdu, IEEE Trans. Inf. Theory 55, 2009, equation (5)):
 *      KL(q || p) ~ (d/n) sum_i log(nu_k(i)/rho_k(i)) + log(m/(n-1)),    x_i ~ q, y_j ~ p, k = DCS_NEIGHBOURS,
 *  rho_k(i) the distance of x_i to the k-th nearest other x, nu_k(i) to the k-th nearest y. */
#include "base/status.h"

/** The sum from squared distances rho2, nu2 [n]. */
double dcs_knn_divergence(int n, int m, int d, const double *rho2, const double *nu2);

#endif
