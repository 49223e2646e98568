#ifndef DCS_TARGET_MIXTURE_H
#define DCS_TARGET_MIXTURE_H
/** Tables of a mixture (mixture.c makes them) and its posterior (mixture_posterior.c). */
#include "target/law.h"

typedef struct {
  int k, k_padded;             /**< components; rounded up, see dcs_tile_padded */
  double *weight, *log_weight; /**< [k_padded]; padding has weight 0 */
  double *s2;                  /**< [k_padded] component variances */
  bool same_s2;
  double *mu;    /**< [k_padded][d], centred: the mean of the mixture is the origin */
  double *mu_t;  /**< [d][k_padded] */
  double *gram;  /**< [k_padded][k_padded] mu_i . mu_j */
  double *norm2; /**< [k_padded] |mu_j|^2 */
} dcs_mixture;

/** Stream index of the component choice; normals use those from 0. */
enum { DCS_MIXTURE_INDEX_COMPONENT = 0x40000000 };

dcs_status dcs_mixture_posterior_create(dcs_posterior *post);
void dcs_mixture_posterior_destroy(dcs_posterior *post);
void dcs_mixture_at(dcs_posterior *post);
void dcs_mixture_apply(dcs_posterior *post, const double *v, double *out);
void dcs_mixture_trace(dcs_posterior *post, double *trace);
void dcs_mixture_factor(dcs_posterior *post, double a, double b, double *log_det);
void dcs_mixture_solve(dcs_posterior *post, const double *v, double *out);
void dcs_mixture_third(dcs_posterior *post, double *third);
void dcs_mixture_noise(dcs_posterior *post, dcs_stream stream, const dcs_lane_ids *ids, uint32_t step, double *out);
void dcs_mixture_bridge(dcs_posterior *post, double u, dcs_stream stream, const dcs_lane_ids *ids, uint32_t step,
                        double *out);

#endif
