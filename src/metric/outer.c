#include "metric/outer.h"

#include <math.h>

#include "base/memory.h"

dcs_status dcs_outer_create(const dcs_target *target, double sigma, dcs_stream stream, dcs_posterior *post,
                            double *restrict z, dcs_outer *out)
{
  enum { TILES = 4, HALVINGS = 20 };
  dcs_status st = DCS_OK;
  double *x = NULL, d = dcs_target_dimension(target);
  double s2 = 1 + 8 / d, goal = 0.5 * d * (log(s2) + 1 / s2 - 1), log_q = 0, lo = 0, hi = log(64);
  size_t tile = (size_t)dcs_target_dimension(target) * DCS_LANES;
  DCS_TRY(dcs_alloc(TILES * tile, sizeof *x, &x));
  for (size_t t = 0; t < TILES; t++) {
    dcs_lane_ids ids = {0};
    for (size_t l = 0; l < DCS_LANES; l++) ids.path[l] = t * DCS_LANES + l;
    dcs_sampler_draw(target, sigma, stream, &ids, x + t * tile, z);
    dcs_posterior_at(post, sigma, x + t * tile);
    for (int l = 0; l < DCS_LANES; l++) log_q += dcs_posterior_log_q(post)[l] / (TILES * DCS_LANES);
  }
  for (int n = 0; n < HALVINGS; n++) {
    double middle = 0.5 * (lo + hi), distance = log_q;
    for (size_t t = 0; t < TILES; t++) {
      dcs_posterior_at(post, sigma * exp(middle), x + t * tile);
      for (int l = 0; l < DCS_LANES; l++) distance -= dcs_posterior_log_q(post)[l] / (TILES * DCS_LANES);
    }
    if (distance < goal)
      lo = middle;
    else
      hi = middle;
  }
  *out = (dcs_outer){sigma, sigma * exp(lo)};
done:
  dcs_free(&x);
  return st;
}

void dcs_outer_draw(const dcs_target *target, const dcs_outer *outer, dcs_stream draw, const dcs_lane_ids *ids,
                    dcs_posterior *narrow, dcs_posterior *wide, double *restrict x, double *restrict z,
                    double *restrict weight)
{
  _Alignas(DCS_ALIGN) double coin[DCS_LANES], unused[DCS_LANES];
  double level[DCS_LANES];
  dcs_stream_uniform2(draw, ids, DCS_DRAW_FREE, 0, coin, unused);
  for (int l = 0; l < DCS_LANES; l++) level[l] = coin[l] < 0.5 ? outer->sigma : outer->wide;
  dcs_sampler_draw_lanes(target, level, draw, ids, x, z);
  dcs_posterior_at(narrow, outer->sigma, x);
  dcs_posterior_at(wide, outer->wide, x);
  for (int l = 0; l < DCS_LANES; l++)
    weight[l] = 2 / (1 + exp(dcs_posterior_log_q(wide)[l] - dcs_posterior_log_q(narrow)[l]));
}
