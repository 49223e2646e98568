#ifndef DCS_TESTS_CONFORMANCE_H
#define DCS_TESTS_CONFORMANCE_H
/** What every target law must satisfy at every level, whatever it is.
 *
 *  A check returns its worst deviation divided by the tolerance of that deviation: at most 1 passes, anything that is
 *  not a number counts as INFINITY. It sees the law through target/target.h only, so it runs on a deliberately wrong
 *  law just as well. */
#include "target/target.h"

enum {
  CONFORMANCE_D_MAX = 40,
  CONFORMANCE_ROWS = CONFORMANCE_D_MAX * DCS_LANES, /**< numbers in a tile */
  CONFORMANCE_DRAWS = 6144 * DCS_LANES
};

typedef struct {
  const char *name;
  bool draws; /**< statistical: CONFORMANCE_DRAWS draws at a fixed seed; otherwise one tile, to rounding */
  double (*worst)(const dcs_target *target, double sigma);
} conformance_check;

/** NULL after the last. */
const conformance_check *conformance_at(int index);
/** By name; aborts when there is no such check. */
const conformance_check *conformance_find(const char *name);

/** The check "bridge of draws" with given streams: X_sigma is drawn with `draw`, X_u with `bridge`. */
double conformance_bridge(const dcs_target *target, double sigma, dcs_stream draw, dcs_stream bridge);

/** Raise *worst to |deviation| / tolerance when that is larger or not a number. */
void conformance_note(double *worst, double deviation, double tolerance);

/** a I + b C of one lane as a dense row-major [d][d] matrix, column by column from dcs_posterior_apply. */
void conformance_dense(dcs_posterior *post, int d, int lane, double a, double b, double *matrix);
/** log det, smallest and largest eigenvalue of a dense symmetric matrix, by GSL's eigenvalues. */
double conformance_log_det(int d, const double *matrix, double *smallest, double *largest);

#endif
