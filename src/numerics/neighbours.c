#include "numerics/neighbours.h"

#include <cblas.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "numerics/lanes.h"
#include "numerics/smallest.h"

enum {
  ROWS = 128, /**< of x, and columns of y, in one product: 512 KiB */
  COLUMNS = 512,
  GROUP = 4, /**< vectors between two looks at the limit */
  VECTORS = COLUMNS / DCS_VEC,
  K = DCS_NEIGHBOURS
};

struct dcs_neighbours {
  int n, d;
  double *x, *y;         /**< [n][d] measured from the mean of y */
  dcs_vec *square;       /**< |y|^2; INFINITY beyond the last one */
  dcs_vec *product;      /**< [ROWS][VECTORS] -2 x.y */
  double value[ROWS][K]; /**< |y|^2 - 2 x.y of the best candidates */
  int index[ROWS][K];
};

dcs_status dcs_neighbours_create(int n, int d, dcs_neighbours **out)
{
  dcs_status st = DCS_OK;
  dcs_neighbours *w = NULL;
  size_t numbers = (size_t)n * (size_t)d, blocks = ((size_t)n + COLUMNS - 1) / COLUMNS;
  DCS_TRY(dcs_alloc(1, sizeof *w, &w));
  w->n = n;
  w->d = d;
  DCS_TRY(dcs_alloc(numbers, sizeof *w->x, &w->x));
  DCS_TRY(dcs_alloc(numbers, sizeof *w->y, &w->y));
  DCS_TRY(dcs_alloc(blocks * VECTORS, sizeof *w->square, &w->square));
  DCS_TRY(dcs_alloc((size_t)ROWS * VECTORS, sizeof *w->product, &w->product));
done:
  if (st != DCS_OK) dcs_neighbours_destroy(&w);
  *out = w;
  return st;
}

void dcs_neighbours_destroy(dcs_neighbours **neighbours)
{
  if (*neighbours == NULL) return;
  dcs_free(&(*neighbours)->x);
  dcs_free(&(*neighbours)->y);
  dcs_free(&(*neighbours)->square);
  dcs_free(&(*neighbours)->product);
  dcs_free(neighbours);
}

/** Coordinates from the mean of y, which keeps |y|^2 - 2 x.y of the size of the spread; |y|^2. */
static void centre(dcs_neighbours *w, int n, const double *x, int m, const double *y)
{
  size_t d = (size_t)w->d;
  for (size_t k = 0; k < d; k++) {
    double mean = 0;
    for (size_t j = 0; j < (size_t)m; j++) mean += y[j * d + k] / m;
    for (size_t i = 0; i < (size_t)n; i++) w->x[i * d + k] = x[i * d + k] - mean;
    for (size_t j = 0; j < (size_t)m; j++) w->y[j * d + k] = y[j * d + k] - mean;
  }
  for (int j = 0; j < (m + COLUMNS - 1) / COLUMNS * COLUMNS; j++) {
    double square = j < m ? 0 : INFINITY;
    for (size_t k = 0; k < d && j < m; k++) square += w->y[(size_t)j * d + k] * w->y[(size_t)j * d + k];
    w->square[j / DCS_VEC][j % DCS_VEC] = square;
  }
}

/** Candidates among the columns of one block for row r of the block, which is point `self` of y or none (-1). */
static void scan(dcs_neighbours *w, int r, int first, int self)
{
  double *value = w->value[r];
  const dcs_vec *product = w->product + r * VECTORS, *square = w->square + first / DCS_VEC;
  for (int p = 0; p < VECTORS; p += GROUP) {
    dcs_vec s[GROUP], least = dcs_vec_set(INFINITY);
    for (int q = 0; q < GROUP; q++) {
      s[q] = product[p + q] + square[p + q];
      least = dcs_vec_select(s[q] < least, s[q], least);
    }
    if (!dcs_mask_any(least < value[K - 1])) continue;
    for (int q = 0; q < GROUP; q++)
      for (int l = 0; l < DCS_VEC; l++) {
        int j = first + (p + q) * DCS_VEC + l;
        if (s[q][l] < value[K - 1] && j != self) dcs_smallest_insert(K, value, w->index[r], s[q][l], j);
      }
  }
}

static double distance2(int d, const double *x, const double *y)
{
  double sum = 0;
  for (int k = 0; k < d; k++) sum += (x[k] - y[k]) * (x[k] - y[k]);
  return sum;
}

void dcs_neighbours_find(dcs_neighbours *w, int n, const double *x, int m, const double *y, double *restrict nearest,
                         double *restrict last)
{
  size_t d = (size_t)w->d;
  centre(w, n, x, m, y);
  for (int top = 0; top < n; top += ROWS) {
    int rows = n - top < ROWS ? n - top : ROWS;
    for (int r = 0; r < rows; r++) dcs_smallest_begin(K, INFINITY, w->value[r], w->index[r]);
    for (int first = 0; first < m; first += COLUMNS) {
      int columns = m - first < COLUMNS ? m - first : COLUMNS;
      cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, rows, columns, w->d, -2, w->x + (size_t)top * d, w->d,
                  w->y + (size_t)first * d, w->d, 0, (double *)w->product, COLUMNS);
      for (int r = 0; r < rows; r++) scan(w, r, first, x == y ? top + r : -1);
    }
    for (int r = 0; r < rows; r++) {
      double least = INFINITY, most = 0;
      for (int k = 0; k < K; k++) {
        int j = w->index[r][k];
        double s = j < 0 ? INFINITY : distance2(w->d, x + (size_t)(top + r) * d, y + (size_t)j * d);
        least = fmin(least, s);
        most = fmax(most, s);
      }
      nearest[top + r] = least;
      last[top + r] = most;
    }
  }
}
