#ifndef DCS_METRIC_QUADRATURE_SNR_H
#define DCS_METRIC_QUADRATURE_SNR_H
/** The posterior variance of a one-dimensional law over one step's interval of gamma = 1/sigma^2. */
#include "metric/line.h"

typedef struct {
  dcs_line line;
  dcs_grid grid, next; /**< of the interval's first level and of its last, which is the first of the next interval */
  double next_sigma;
  double length;  /**< gamma' - gamma */
  double mmse[2]; /**< at the first level; [0] on the grid, [1] on every other node */
  double fall[2]; /**< int [mmse(gamma) - mmse(.)] over the interval, the same; [1] with fewer nodes in gamma, too */
} dcs_snr;

/** Evaluations of mmse in a short interval, in units of one on the finer grid. */
#define DCS_SNR_EVALUATIONS 9.5

DCS_NODISCARD dcs_status dcs_snr_create(const dcs_target *part, dcs_snr *snr);
void dcs_snr_destroy(dcs_snr *snr);

/** Go to the interval from sigma down to sigma_next. Gauss-Legendre in gamma, in panels over which gamma grows by a tenth
 *  at most. All posterior variances of an interval come from one grid, fine enough for both its ends, so that what a
 *  grid leaves out nearly cancels from the fall, of which a relative (gamma' - gamma)/gamma is left. */
DCS_NODISCARD dcs_status dcs_snr_interval(dcs_snr *snr, double sigma, double sigma_next);

#endif
