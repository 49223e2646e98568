#ifndef DCS_METRIC_LINE_H
#define DCS_METRIC_LINE_H
/** One-dimensional laws on uniform grids.
 *
 *  For a function that is analytic in a strip around the real line and falls fast, the trapezoid sum on a uniform grid
 *  converges faster than any power of the spacing h: the error of a normal density of standard deviation s is 2
 *  exp(-2 pi^2 s^2/h^2), that of a function with a pole at distance a about exp(-2 pi a/h); both square, at least, when h
 *  halves. Everything here is an integral of such functions: densities of noisy data and their posterior moments. */
#include "target/target.h"

/** Nodes first + i h, 0 <= i < n. */
typedef struct {
  double first, h;
  int64_t n;
} dcs_grid;

static inline double dcs_grid_node(const dcs_grid *grid, int64_t i) { return grid->first + (double)i * grid->h; }

/** A law on the line and the work space to look at it. */
typedef struct {
  const dcs_target *target; /**< borrowed; d = 1 */
  dcs_posterior *post;
} dcs_line;

DCS_NODISCARD dcs_status dcs_line_create(const dcs_target *target, dcs_line *line);
void dcs_line_destroy(dcs_line *line);

/** Densities below e^-DEPTH times that of a normal law of the same variance are left out: 1e-33 of the mass. */
#define DCS_LINE_DEPTH 76.0

/** Interval that holds {log q_sigma > -depth - log(s sqrt(2 pi))}, s^2 = Var X_sigma, to half a sigma. Looks for modes
 *  within 1000 standard deviations of the mean, 8 sigma apart at most (no mode is narrower than sigma). */
void dcs_line_range(dcs_line *line, double sigma, double depth, double *lo, double *hi);

/** Grid of spacing at most h that covers [lo, hi]. */
dcs_grid dcs_grid_over(double lo, double hi, double h);
/** x[lane] <- node i + lane of the grid, a tile of them; nodes past the end repeat the last one. */
void dcs_grid_tile(const dcs_grid *grid, int64_t i, double *x);
/** Number of lanes of the tile that starts at node i. */
int dcs_grid_lanes(const dcs_grid *grid, int64_t i);

/** Sum over the nodes of h q_sigma(x) C(x), C the posterior variance: mmse at sigma when the grid resolves it. */
double dcs_line_mmse(dcs_line *line, double sigma, const dcs_grid *grid);

/** Grid over the range of q_sigma whose mmse agrees with that on every other node to a relative 1e-9, which then is the
 *  square root of its own error; mmse (may be NULL) gets both. DCS_ENUMERIC when 2^20 nodes are too few. */
DCS_NODISCARD dcs_status dcs_line_resolve(dcs_line *line, double sigma, dcs_grid *grid, double mmse[2]);

/** Every other node. */
dcs_grid dcs_grid_coarse(const dcs_grid *grid);

#endif
