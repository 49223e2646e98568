#ifndef DCS_NUMERICS_PANELS_H
#define DCS_NUMERICS_PANELS_H
/** Functions on a line by 16 Gauss-Legendre nodes in each of many adjoining panels: integrals are exact to rounding once
 *  a panel is not wider than a few lengths over which the function changes. */
#include "base/status.h"

enum { DCS_PANEL_NODES = 16 };

typedef struct {
  int count, capacity;
  double *edge;       /**< [count + 1] ascending */
  double *x, *weight; /**< [count][DCS_PANEL_NODES] nodes, ascending, and their weights */
} dcs_panels;

/** Begin anew at `start`: no panel yet. Memory is kept. */
DCS_NODISCARD dcs_status dcs_panels_begin(dcs_panels *panels, double start);
/** Add the panel from the last edge to `end`. */
DCS_NODISCARD dcs_status dcs_panels_add(dcs_panels *panels, double end);
void dcs_panels_destroy(dcs_panels *panels);

/** int f, f [count][DCS_PANEL_NODES]. */
double dcs_panels_integral(const dcs_panels *panels, const double *f);

/** Square of the Wasserstein-2 distance between two probability densities on the line, both given on the same panels:
 *      W2^2 = int q(x) (T(x) - x)^2 dx,   P(T(x)) = Q(x),
 *  on pieces within which neither x nor T(x) crosses an edge, so that jumps of T (modes with other weights) lie between
 *  pieces. P and Q are integrals of the interpolating polynomials, from the nearer end of the line. DCS_ENUMERIC when a
 *  mass is not within 1e-6 of 1 or not finite. */
DCS_NODISCARD dcs_status dcs_panels_w2_squared(const dcs_panels *panels, const double *p, const double *q, double *out);

#endif
