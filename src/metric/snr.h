#ifndef DCS_METRIC_SNR_H
#define DCS_METRIC_SNR_H
/** Sums over steps of integrals over the signal-to-noise ratio gamma = 1/sigma^2, by random steps and random gamma.
 *
 *  A sample visits every *stratum*, a run of neighbouring steps, and in it one step at random, weighted by the length of
 *  the run. Up to DCS_SNR_STRATA steps that is every step once; beyond, a sample costs no more, and neighbouring steps
 *  differ too little for the choice to add to its variance. */
#include "metric/metric.h"

enum { DCS_SNR_STRATA = 256 };

/** A step to visit. */
typedef struct {
  int step;
  double weight; /**< steps in its stratum */
  double u;      /**< uniform on (0, 1): chooses gamma inside the step */
} dcs_snr_pick;

int dcs_snr_strata(int steps);

/** The step that sample `path` visits in a stratum. */
dcs_snr_pick dcs_snr_choose(dcs_stream choice, uint64_t path, int steps, int stratum);

/** gamma' - gamma of a step = (sigma^2 - sigma'^2)/(sigma sigma')^2. */
double dcs_snr_length(const dcs_step *step);

/** Level whose snr is t above that of sigma. */
double dcs_snr_level(double sigma, double t);

/** E|X_0|^2. */
double dcs_snr_second_moment(const dcs_target *target);

/** Bound on the relative rounding error of a posterior variance: the log-odds of the components are numbers up to
 *  E|X_0|^2/sigma_N^2. */
double dcs_snr_rounding(const dcs_target *target, const dcs_steps *steps);

#endif
