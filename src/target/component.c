#include "target/component.h"

#include <math.h>

#include "base/memory.h"

dcs_status dcs_weights_param(const char *law, const dcs_params *params, int k, const double **given, dcs_error *err)
{
  const dcs_param *weights = dcs_params_find(params, "weights");
  *given = weights->is_set ? weights->values : NULL;
  if (weights->is_set && weights->rows != k)
    return dcs_fail(err, DCS_EUSAGE, "%s: %d weights for %d components", law, weights->rows, k);
  return DCS_OK;
}

dcs_status dcs_weights_create(const char *law, int k, const double *given, dcs_weights *out, dcs_error *err)
{
  dcs_status st = DCS_OK;
  double sum = 0, running = 0;
  *out = (dcs_weights){.k = k};
  DCS_TRY(dcs_alloc((size_t)k, sizeof(double), &out->weight));
  DCS_TRY(dcs_alloc((size_t)k, sizeof(double), &out->log_weight));
  DCS_TRY(dcs_alloc((size_t)k, sizeof(double), &out->cumulative));
  for (int j = 0; j < k; j++) {
    out->weight[j] = given != NULL ? given[j] : 1.0 / k;
    if (!(out->weight[j] > 0)) {
      st = dcs_fail(err, DCS_EUSAGE, "%s: weight %d is not positive", law, j + 1);
      goto done;
    }
    sum += out->weight[j];
  }
  if (!(fabs(sum - 1) <= 1e-9)) {
    st = dcs_fail(err, DCS_EUSAGE, "%s: weights sum to %.12g, not 1", law, sum);
    goto done;
  }
  for (int j = 0; j < k; j++) {
    out->weight[j] /= sum; /* exactly normalised up to rounding: 1e-9 would be a bias of every KL */
    out->log_weight[j] = log(out->weight[j]);
    out->cumulative[j] = running += out->weight[j];
  }
done:
  return st;
}

void dcs_weights_destroy(dcs_weights *weights)
{
  dcs_free(&weights->weight);
  dcs_free(&weights->log_weight);
  dcs_free(&weights->cumulative);
}

/** Number of the first component whose cumulative weight exceeds u; the last takes what rounding leaves over. */
static int pick(const dcs_weights *weights, double u)
{
  int low = 0, high = weights->k - 1;
  while (low < high) {
    int middle = low + (high - low) / 2;
    if (weights->cumulative[middle] > u)
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

void dcs_weights_draw(const dcs_weights *weights, dcs_stream stream, const dcs_lane_ids *ids, uint32_t step,
                      int component[DCS_LANES])
{
  _Alignas(DCS_ALIGN) double u[DCS_LANES], unused[DCS_LANES];
  dcs_stream_uniform2(stream, ids, step, DCS_COMPONENT_INDEX, u, unused);
  for (int l = 0; l < DCS_LANES; l++) component[l] = pick(weights, u[l]);
}

void dcs_component_choose(int n, const int *number, const dcs_vec (*r)[DCS_VECS], dcs_stream stream,
                          const dcs_lane_ids *ids, uint32_t step, int component[DCS_LANES])
{
  dcs_vec left[DCS_VECS], unused[DCS_VECS], chosen[DCS_VECS];
  if (n == 1) {
    for (int l = 0; l < DCS_LANES; l++) component[l] = number[0];
    return;
  }
  dcs_stream_uniform2(stream, ids, step, DCS_COMPONENT_INDEX, (double *)left, (double *)unused);
  for (int p = 0; p < DCS_VECS; p++) {
    dcs_mask open = {};
    open = ~open;
    chosen[p] = dcs_vec_set(0);
    for (int i = 0; i < n; i++) { /* the last component of positive weight takes what rounding leaves over */
      chosen[p] = dcs_vec_select(open & (r[i][p] > 0.0), dcs_vec_set(number[i]), chosen[p]);
      left[p] -= r[i][p];
      open &= left[p] >= 0.0;
    }
  }
  for (int l = 0; l < DCS_LANES; l++) component[l] = (int)((double *)chosen)[l];
}
