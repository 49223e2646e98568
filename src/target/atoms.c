/** The empirical law of a point cloud, smoothed or not: X_0 is one of the points plus N(0, stddev^2 I). It is a mixture
 *  with a component for each point. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "target/mixture.h"

static const dcs_param_def params[] = {
    {"points", DCS_PARAM_TABLE, "", 0, 0, NULL, "data units", "the points, one row for each; or file and dataset"},
    {"file", DCS_PARAM_TEXT, "", 0, 0, NULL, NULL, "HDF5 file that holds the points"},
    {"dataset", DCS_PARAM_TEXT, "", 0, 0, NULL, NULL, "its data set, [points][coordinates]"},
    {"weights", DCS_PARAM_LIST, "", 0, 1, NULL, "1", "weights of the points, summing to 1; equal when left out"},
    {"stddev", DCS_PARAM_REAL, "0", 0, 1e9, NULL, "data units",
     "smoothing: every point becomes a Gaussian of this standard deviation, after standardising"},
    {"standardise", DCS_PARAM_WORD, "none", 0, 0, "none|isotropic|coordinates", NULL,
     "shift and scale the points: all by one factor to variance 1 per coordinate on average, or each coordinate to "
     "mean 0 and variance 1"},
    DCS_LAW_COMMON_PARAMS};

static dcs_status check_finite(const dcs_param *points, dcs_error *err)
{
  for (int j = 0; j < points->rows; j++)
    for (int i = 0; i < points->cols; i++)
      if (!isfinite(points->values[(size_t)j * (size_t)points->cols + (size_t)i]))
        return dcs_fail(err, DCS_EUSAGE, "atoms: row %d, column %d of points is not a finite number", j + 1, i + 1);
  return DCS_OK;
}

/** Mean and variance of every coordinate, [d], under the weights (NULL: equal). */
static void moments(int n, int d, const double *points, const double *weights, double *mean, double *variance)
{
  for (int j = 0; j < n; j++) {
    double w = weights == NULL ? 1.0 / n : weights[j];
    for (int i = 0; i < d; i++) mean[i] += w * points[j * d + i];
  }
  for (int j = 0; j < n; j++) { /* about the mean: no difference of large numbers */
    double w = weights == NULL ? 1.0 / n : weights[j];
    for (int i = 0; i < d; i++) {
      double e = points[j * d + i] - mean[i];
      variance[i] += w * e * e;
    }
  }
}

/** Rounding leaves a constant coordinate with a variance of about (4 DBL_EPSILON mean)^2 instead of 0. */
static bool is_constant(int n, int d, const double *points, int i)
{
  for (int j = 1; j < n; j++)
    if (points[j * d + i] != points[i]) return false;
  return true;
}

/** out <- (points - mean) / scale, one scale for all coordinates or one for each. */
static dcs_status standardise(int n, int d, const double *points, const double *weights, bool each, double *out,
                              dcs_error *err)
{
  dcs_status st = DCS_OK;
  double *mean = NULL, *scale = NULL, total = 0;
  int constant = 0;
  DCS_TRY(dcs_alloc((size_t)d, sizeof *mean, &mean));
  DCS_TRY(dcs_alloc((size_t)d, sizeof *scale, &scale));
  moments(n, d, points, weights, mean, scale);
  for (int i = 0; i < d; i++) {
    total += scale[i];
    if (!is_constant(n, d, points, i)) continue;
    constant++;
    if (!each) continue;
    st = dcs_fail(err, DCS_EUSAGE, "atoms: coordinate %d is the same in all points, it cannot be standardised", i + 1);
    goto done;
  }
  if (constant == d) {
    st = dcs_fail(err, DCS_EUSAGE, "atoms: all points are the same, they cannot be standardised");
    goto done;
  }
  for (int i = 0; i < d; i++) scale[i] = sqrt(each ? scale[i] : total / d);
  for (int j = 0; j < n; j++)
    for (int i = 0; i < d; i++) out[j * d + i] = (points[j * d + i] - mean[i]) / scale[i];
done:
  dcs_free(&mean);
  dcs_free(&scale);
  return st;
}

static dcs_status create(const dcs_params *p, dcs_target *target, dcs_error *err)
{
  dcs_status st = DCS_OK;
  const dcs_param *points = dcs_params_find(p, "points");
  const char *how = dcs_params_find(p, "standardise")->word;
  const double *weights = NULL;
  double stddev = dcs_params_real(p, "stddev"), *moved = NULL;
  int n = points->rows, d = points->cols;
  if (!points->is_set) return dcs_fail(err, DCS_EUSAGE, "atoms: give points, or file and dataset");
  DCS_TRY(dcs_mixture_check_size("atoms", n, d, err));
  DCS_TRY(check_finite(points, err));
  DCS_TRY(dcs_weights_param("atoms", p, n, &weights, err));
  if (strcmp(how, "none") != 0) {
    DCS_TRY(dcs_alloc((size_t)n * (size_t)d, sizeof *moved, &moved));
    DCS_TRY(standardise(n, d, points->values, weights, strcmp(how, "coordinates") == 0, moved, err));
  }
  DCS_TRY(dcs_mixture_build_equal(target, n, d, moved != NULL ? moved : points->values, weights, stddev * stddev, err));
done:
  dcs_free(&moved);
  return st;
}

const dcs_law dcs_law_atoms = {
    .name = "atoms",
    .help = "the empirical law of given points, or of a data set in an HDF5 file",
    .params = params,
    .create = create,
    DCS_MIXTURE_OPS,
};
