#ifndef DCS_TARGET_MIXTURE_H
#define DCS_TARGET_MIXTURE_H
/** Mixtures of K isotropic Gaussians: the tables (mixture.c makes them), the posterior (mixture_posterior.c and
 *  mixture_factor.c), and what a law that is such a mixture (mixture, atoms, codebook) is made of. */
#include "target/component.h"
#include "target/law.h"

enum {
  DCS_MIXTURE_MOST = 1000000,         /**< components */
  DCS_MIXTURE_MOST_NUMBERS = 1 << 30, /**< numbers in the table of means; keeps every int index in range */
  DCS_MIXTURE_GRAM_MOST = 1024        /**< components for which all inner products are kept: 8 K^2 = 8 MB */
};

typedef struct {
  int k; /**< components */
  dcs_weights weights;
  double *s2; /**< [k] component variances */
  bool same_s2;
  double *stddev; /**< [k] their roots when every mean is zero, a rotation-invariant law; else NULL */
  double *mu;     /**< [k][d], centred: the mean of the mixture is the origin */
  double *norm2;  /**< [k] |mu_j|^2 */
  double *gram;   /**< [k][k] mu_i . mu_j; NULL above DCS_MIXTURE_GRAM_MOST components */
} dcs_mixture;

/** DCS_EUSAGE, in the name of `law`, when a mixture of k components in dimension d is too large. */
DCS_NODISCARD dcs_status dcs_mixture_check_size(const char *law, int k, int d, dcs_error *err);

/** Fill d, mean, variance and data of a target whose law (for messages) is set:
 *      X_0 ~ sum_j weights_j N(means_j, s2_j I),
 *  means [k][d] in data units, weights [k] (NULL: equal), s2 [k]; all are copied. DCS_EUSAGE for too many numbers or
 *  weights that are none. O(k d), and O(k^2 d) up to DCS_MIXTURE_GRAM_MOST components. */
DCS_NODISCARD dcs_status dcs_mixture_build(dcs_target *target, int k, int d, const double *means, const double *weights,
                                           const double *s2, dcs_error *err);
/** The same with one variance for all components. */
DCS_NODISCARD dcs_status dcs_mixture_build_equal(dcs_target *target, int k, int d, const double *means,
                                                 const double *weights, double s2, dcs_error *err);

void dcs_mixture_destroy(dcs_target *target);
void dcs_mixture_draw(const dcs_target *target, dcs_stream stream, const dcs_lane_ids *ids, uint32_t step, double *x);
double dcs_mixture_flops(const dcs_target *target, bool factor);
void dcs_mixture_characteristic(const dcs_target *target, const double *omega, double *re, double *im);
int dcs_mixture_radial(const dcs_target *target, const double **weight, const double **stddev);

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

/** All operations of a law except its name, help, parameters and create. */
#define DCS_MIXTURE_OPS                                                                                                \
  .destroy = dcs_mixture_destroy, .draw = dcs_mixture_draw, .flops = dcs_mixture_flops,                                \
  .characteristic = dcs_mixture_characteristic, .radial = dcs_mixture_radial,                                          \
  .posterior_create = dcs_mixture_posterior_create, .posterior_destroy = dcs_mixture_posterior_destroy,                \
  .at = dcs_mixture_at, .apply = dcs_mixture_apply, .trace = dcs_mixture_trace, .factor = dcs_mixture_factor,          \
  .solve = dcs_mixture_solve, .third = dcs_mixture_third, .noise = dcs_mixture_noise, .bridge = dcs_mixture_bridge

#endif
