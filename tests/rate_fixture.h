#ifndef DCS_TESTS_RATE_FIXTURE_H
#define DCS_TESTS_RATE_FIXTURE_H
/** Results built in memory, with true rates that are known, and claims on them. */
#include "rate/rate.h"

enum { POINTS_MAX = 64, METRICS = 2, COLUMNS = 5, SAMPLES = 64 /**< per block */ };
enum { SAMPLER, D, COPIES, STEPS, DELTA };

/** A result and the arrays it points into. */
typedef struct {
  dcs_result result;
  uint64_t hash[POINTS_MAX];
  dcs_column column[COLUMNS];
  double number[COLUMNS][POINTS_MAX];
  char *text[POINTS_MAX];
  dcs_result_metric metric[METRICS];
  dcs_estimate estimate[METRICS][POINTS_MAX];
  char *method[METRICS][POINTS_MAX];
  int status[POINTS_MAX];
  char *reason[POINTS_MAX];
} fixture;

void fixture_create(fixture *f, uint64_t seed);
void fixture_destroy(fixture *f);

/** New point with an exact value of kl, and kl_path twice as large. */
int64_t add_exact(fixture *f, char *name, double dim, double n_steps, double value);

/** New point whose kl is measured: `blocks` blocks of SAMPLES normal samples of mean `value` such that the standard
 *  error of the mean is rel_error * value. kl is 3 times the raw mean, as for a product of 3 copies. */
int64_t add_measured(fixture *f, char *name, double dim, double n_steps, double value, double rel_error, int blocks);

/** A claim on kl (below: kl_path) without per, where and factors. */
dcs_claim claim_create(dcs_claim_kind kind, char *versus, double lo, double hi);

/** Check one claim; returns the verdict of the row (-1 when there are several) and its first row, without what it
 *  owns. */
int verdict(const fixture *f, const dcs_claim *claim, dcs_check_row *copy);

#endif
