#include "metric/quadrature_snr.h"

#include <math.h>

enum { FINE = 5, COARSE = 3 };

/** Nodes in (0, 1), symmetric about 1/2. */
static const double fine_node[FINE] = {0.046910077030668004, 0.23076534494715845, 0.5, 0.76923465505284155,
                                       0.95308992296933200};
static const double fine_weight[FINE] = {0.11846344252809454, 0.23931433524968324, 0.28444444444444444,
                                         0.23931433524968324, 0.11846344252809454};
static const double coarse_node[COARSE] = {0.11270166537925831, 0.5, 0.88729833462074169};
static const double coarse_weight[COARSE] = {0.27777777777777778, 0.44444444444444444, 0.27777777777777778};

dcs_status dcs_snr_create(const dcs_target *part, dcs_snr *snr)
{
  *snr = (dcs_snr){0};
  return dcs_line_create(part, &snr->line);
}

void dcs_snr_destroy(dcs_snr *snr) { dcs_line_destroy(&snr->line); }

/** The grid of a level: the one that ended the last interval, when it is the same level. */
static dcs_status grid_at(dcs_snr *snr, double sigma, dcs_grid *grid)
{
  if (snr->next_sigma == sigma) {
    *grid = snr->next;
    return DCS_OK;
  }
  return dcs_line_resolve(&snr->line, sigma, grid, NULL);
}

/** int over one panel from `from` of mmse_top - mmse(gamma), where gamma and `from` count from the first level gamma0. */
static double panel(dcs_snr *snr, const dcs_grid *grid, double gamma0, double from, double length, double top,
                    int nodes, const double *node, const double *weight)
{
  double sum = 0;
  for (int g = 0; g < nodes; g++) {
    double gamma = gamma0 + from + length * node[g];
    sum += weight[g] * (top - dcs_line_mmse(&snr->line, 1 / sqrt(gamma), grid));
  }
  return length * sum;
}

dcs_status dcs_snr_interval(dcs_snr *snr, double sigma, double sigma_next)
{
  dcs_status st = DCS_OK;
  dcs_grid *grid = &snr->grid;
  double gamma = 1 / (sigma * sigma);
  DCS_TRY(grid_at(snr, sigma, grid));
  DCS_TRY(dcs_line_resolve(&snr->line, sigma_next, &snr->next, NULL));
  snr->next_sigma = sigma_next;
  while (grid->h > snr->next.h) {
    grid->h /= 2;
    grid->n = 2 * grid->n - 1;
  }
  dcs_grid coarse = dcs_grid_coarse(grid);
  snr->length = (sigma - sigma_next) * (sigma + sigma_next) / (sigma * sigma * sigma_next * sigma_next);
  snr->mmse[0] = dcs_line_mmse(&snr->line, sigma, grid);
  snr->mmse[1] = dcs_line_mmse(&snr->line, sigma, &coarse);
  snr->fall[0] = snr->fall[1] = 0;
  int panels = (int)ceil(log1p(snr->length / gamma) / 0.1);
  for (int p = 0; p < panels; p++) {
    double from = gamma * expm1(log1p(snr->length / gamma) * p / panels);
    double to = gamma * expm1(log1p(snr->length / gamma) * (p + 1) / panels);
    snr->fall[0] += panel(snr, grid, gamma, from, to - from, snr->mmse[0], FINE, fine_node, fine_weight);
    snr->fall[1] += panel(snr, &coarse, gamma, from, to - from, snr->mmse[1], COARSE, coarse_node, coarse_weight);
  }
done:
  return st;
}
