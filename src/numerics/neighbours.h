#ifndef DCS_NUMERICS_NEIGHBOURS_H
#define DCS_NUMERICS_NEIGHBOURS_H
/** Nearest neighbours by looking at all pairs: candidates from |y|^2 - 2 x.y (a matrix product in blocks that stay in
 *  the second-level cache), their distances from differences of coordinates. Not collective; bitwise repeatable. */
#include "base/status.h"

enum { DCS_NEIGHBOURS = 5 };

typedef struct dcs_neighbours dcs_neighbours; /**< work space */

/** For up to `n` points on either side. */
DCS_NODISCARD dcs_status dcs_neighbours_create(int n, int d, dcs_neighbours **out);
void dcs_neighbours_destroy(dcs_neighbours **neighbours);

/** Squared distances of every x_i [n][d] to the nearest and the DCS_NEIGHBOURS-th nearest of y [m][d]: nearest [n], last
 *  [n]. With y == x a point is not its own neighbour. INFINITY where there are fewer neighbours. A relative error of
 *  `last` beyond rounding, from candidates that come in the wrong order, is at most 1e-15 |y|^2/last with y measured
 *  from its mean. 2 n m d flops. */
void dcs_neighbours_find(dcs_neighbours *neighbours, int n, const double *x, int m, const double *y,
                         double *restrict nearest, double *restrict last);

#endif
