#ifndef DCS_TARGET_MIXTURE_WORK_H
#define DCS_TARGET_MIXTURE_WORK_H
/** What mixture_posterior.c and mixture_factor.c share; nobody else includes it. */
#include "numerics/lanes.h"
#include "target/mixture.h"

typedef dcs_vec row[DCS_VECS]; /**< one coordinate (or component) of a tile */

typedef struct {
  double sigma;                          /**< level the constants below belong to */
  double *offset, *inv_v, *alpha, *beta; /**< [k]: log w - d/2 log 2 pi v - |mu|^2/2v; 1/v; s^2/v; sigma^2/v */
  double negligible;                     /**< log of the largest responsibility that is left out */
  int n;                                 /**< active components */
  int *active;                           /**< [k] their numbers */
  row *xc;                               /**< [d] x - centre */
  row *y;                                /**< [max(64, n_gram)] mu_j . x */
  row *r;                                /**< [k] responsibilities, in the order of `active` */
  row *scratch;                          /**< [max(k, order)] */
  row *g;                                /**< [n_gram] */
  row *direction;                        /**< [d] */
  row noise_variance;                    /**< D */
  row x2;                                /**< |x - centre|^2 */
  double b;                              /**< of the last factorisation */
  bool gram_form;
  row inverse_scale;         /**< 1/(a + bD) */
  row *u;                    /**< [n_gram] sqrt(r_j b / (a + bD)) */
  int order;                 /**< of the factor, padded */
  double *gathered;          /**< [n_gram][d] means of the active components; NULL when their products are tabulated */
  double *table;             /**< [n_gram][n_gram] mu_i . mu_k of the active components */
  dcs_vec *factor[DCS_VECS]; /**< [order][order] */
} work;

/** out_i = (m_j - m) . v for the active components j. */
void dcs_mixture_project(const dcs_posterior *post, const row *v, row *out);
/** out = sum_i c_i (m_j - m) over the active components; c is overwritten. */
void dcs_mixture_expand(const dcs_posterior *post, row *c, row *out);
/** Largest numbers that a factorisation needs: of components in the Gram form, and the padded order of the matrix. */
void dcs_mixture_factor_sizes(int k, int d, size_t *n_gram, size_t *order);

#endif
