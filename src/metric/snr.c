#include "metric/snr.h"

#include <float.h>
#include <math.h>

static double square(double x) { return x * x; }

int dcs_snr_strata(int steps) { return steps < DCS_SNR_STRATA ? steps : DCS_SNR_STRATA; }

dcs_snr_pick dcs_snr_choose(dcs_stream choice, uint64_t path, int steps, int stratum)
{
  double u[2];
  int strata = dcs_snr_strata(steps);
  int64_t first = (int64_t)steps * stratum / strata, end = (int64_t)steps * (stratum + 1) / strata;
  dcs_stream_uniform2_ref(choice, path, 0, (uint32_t)stratum, 0, u);
  return (dcs_snr_pick){
      .step = (int)(first + (int64_t)(u[0] * (double)(end - first))), .weight = (double)(end - first), .u = u[1]};
}

double dcs_snr_length(const dcs_step *step)
{
  double s = step->sigma, t = step->sigma_next;
  return (s - t) * (s + t) / square(s * t);
}

double dcs_snr_level(double sigma, double t) { return sigma / sqrt(1 + t * square(sigma)); }

double dcs_snr_second_moment(const dcs_target *target)
{
  const double *mean = dcs_target_mean(target);
  double sum = dcs_target_variance(target);
  for (int i = 0; i < dcs_target_dimension(target); i++) sum += square(mean[i]);
  return sum;
}

double dcs_snr_rounding(const dcs_target *target, const dcs_steps *steps)
{
  return 16 * DBL_EPSILON * (1 + dcs_snr_second_moment(target) / square(steps->step[steps->count - 1].sigma_next));
}
