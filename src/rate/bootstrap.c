#include "rate/bootstrap.h"

#include <math.h>
#include <string.h>

enum { BATCHES = 32, BATCHES_MIN = 8 };

static const double two_pi = 6.283185307179586;

/** Sums of consecutive blocks: n and n (mean - mean over all). */
typedef struct {
  int count;
  double n[BATCHES], deviation[BATCHES];
} batches;

/** First record that does not come before (point, estimator). */
static int64_t lower_bound(const dcs_records *records, uint64_t point, uint64_t estimator)
{
  int64_t lo = 0, hi = records->count;
  while (lo < hi) {
    int64_t mid = lo + (hi - lo) / 2;
    const dcs_record *record = &records->record[mid];
    if (record->point < point || (record->point == point && record->estimator < estimator))
      lo = mid + 1;
    else
      hi = mid;
  }
  return lo;
}

/** Batches of quantity q over the blocks of the last phase of the estimator at this point. */
static void batches_collect(const dcs_records *records, uint64_t point, uint64_t estimator, int q, batches *out)
{
  int64_t begin = lower_bound(records, point, estimator), end = begin;
  while (end < records->count && records->record[end].point == point && records->record[end].estimator == estimator) {
    if (records->record[end].phase != records->record[begin].phase) begin = end;
    end++;
  }
  int64_t blocks = end - begin;
  *out = (batches){.count = blocks < BATCHES ? (int)blocks : BATCHES};
  double n = 0, mean = 0;
  for (int g = 0; g < out->count; g++) {
    double batch_mean = 0;
    for (int64_t j = begin + blocks * g / out->count; j < begin + blocks * (g + 1) / out->count; j++) {
      const dcs_sums *sums = &records->record[j].sums;
      if (sums->n <= 0) continue;
      out->n[g] += (double)sums->n;
      batch_mean += (sums->mean[q] - batch_mean) * (double)sums->n / out->n[g];
    }
    n += out->n[g];
    if (n > 0) mean += (batch_mean - mean) * out->n[g] / n;
    out->deviation[g] = batch_mean; /* the mean over all batches is known after the loop */
  }
  for (int g = 0; g < out->count; g++) out->deviation[g] = out->n[g] * (out->deviation[g] - mean);
}

dcs_status dcs_bootstrap_values(const dcs_result *result, int metric, int64_t point, double *value, dcs_error *err)
{
  const dcs_result_metric *row = &result->metric[metric];
  const dcs_estimate estimate = row->estimate[point];
  if (estimate.std_error == 0) {
    for (int r = 0; r < DCS_REPLICATES; r++) value[r] = estimate.value;
    return DCS_OK;
  }

  const char *method = row->method[point];
  const dcs_metric *definition = dcs_metric_find(row->name);
  const dcs_estimator *estimator = dcs_estimator_find(method);
  int q = 0, count = definition == NULL || estimator == NULL ? 0 : estimator->count;
  while (q < count && strcmp(estimator->quantity[q], definition->quantity) != 0) q++;
  if (q == count)
    return dcs_fail(err, DCS_ECORRUPT,
                    "point %lld: method '%s' does not measure '%s'; was the file written by another "
                    "version of dcs?",
                    (long long)point, method, row->name);

  batches blocks;
  batches_collect(&result->records, result->hash[point], dcs_hash_bytes(method, strlen(method)), q, &blocks);
  double n = 0, square = 0;
  for (int g = 0; g < blocks.count; g++) {
    n += blocks.n[g];
    square += blocks.deviation[g] * blocks.deviation[g];
  }
  double s = sqrt(square) / n;
  bool normal = estimator->groups != NULL || blocks.count < BATCHES_MIN || !(s > 0) || !isfinite(s);

  dcs_stream stream = dcs_stream_create(result->seed, DCS_PURPOSE_BOOTSTRAP, result->hash[point]);
  for (int r = 0; r < DCS_REPLICATES; r++) {
    double u[2];
    if (normal) { /* Box-Muller */
      dcs_stream_uniform2_ref(stream, (uint64_t)r, 0, 0, 0, u);
      value[r] = estimate.value + estimate.std_error * sqrt(-2 * log(u[0])) * cos(two_pi * u[1]);
      continue;
    }
    double drawn = 0, deviation = 0;
    for (int j = 0; j < blocks.count; j++) {
      if (j % 2 == 0) dcs_stream_uniform2_ref(stream, (uint64_t)r, 0, 0, (uint32_t)j, u);
      int g = (int)(u[j % 2] * blocks.count);
      drawn += blocks.n[g];
      deviation += blocks.deviation[g];
    }
    value[r] = estimate.value + (drawn > 0 ? deviation / drawn : 0) * estimate.std_error / s;
  }
  return DCS_OK;
}
