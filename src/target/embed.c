/** A law on a random k-dimensional subspace of R^d: X = Q Y, Q^T Q = I, Y of the base law.
 *
 *  Noise is isotropic, so y = Q^T x is the base law with noise and x_perp = x - Q y is N(0, sigma^2 (I - Q Q^T)),
 *  independent of it:
 *      log q(x) = log q_base(y) + log N(x_perp; 0, sigma^2 I_{d-k}),      m = Q m_base(y),      C = Q C_base(y) Q^T,
 *      J = a I + b C:  J^{-1} v = v/a + Q (J_base^{-1} - I/a) Q^T v,      log det J = (d - k) log a + log det J_base.
 *  Cost beside the base's: 2 d k multiply-adds per particle for each product with Q or Q^T. */
#include <cblas.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "target/law.h"
#include "target/tile.h"

#define LOG_TWO_PI 1.8378770664093454835606594728112

enum { BLOCK = 32 /**< rows made orthogonal to all earlier ones by one matrix product */ };

typedef dcs_vec row[DCS_VECS];

typedef struct {
  dcs_target *base, *null; /**< the null part is a point mass at 0 in one dimension; NULL when d = k */
  int k;
  double *q, *q_t;           /**< [d][k] Q; [k][d] its transpose: both products then read whole rows */
  double *variances, *means; /**< [d] in the eigenbasis when the base is Gaussian, else NULL */
} subspace;

typedef struct {
  dcs_posterior *base;
  row *y, *z; /**< [k] */
  row *full;  /**< [d] */
  double a;   /**< of the last factorisation */
} work;

static void destroy(dcs_target *target)
{
  subspace *s = target->data;
  if (s == NULL) return;
  dcs_target_destroy(&s->base);
  dcs_target_destroy(&s->null);
  dcs_free(&s->q);
  dcs_free(&s->q_t);
  dcs_free(&s->variances);
  dcs_free(&s->means);
  dcs_free(&target->data);
}

/** y = Q^T x */
static void project(const dcs_target *target, const row *x, row *y)
{
  const subspace *s = target->data;
  dcs_tile_dots(s->k, NULL, target->d, s->q_t, x, y);
}

/** x = Q y */
static void expand(const dcs_target *target, const row *y, row *x)
{
  const subspace *s = target->data;
  dcs_tile_dots(target->d, NULL, s->k, s->q, y, x);
}

static void draw(const dcs_target *target, dcs_stream stream, const dcs_lane_ids *ids, uint32_t step, double *x)
{
  row y[DCS_EMBED_MOST]; /* 128 kB: a draw has no work space */
  dcs_target_draw(((const subspace *)target->data)->base, stream, ids, step, (double *)y);
  expand(target, (const row *)y, (row *)x);
}

static double flops(const dcs_target *target, bool factor)
{
  const subspace *s = target->data;
  return dcs_target_flops(s->base, factor) + (factor ? 0 : 6.0 * s->k * target->d);
}

static void characteristic(const dcs_target *target, const double *omega, double *re, double *im)
{
  const subspace *s = target->data;
  double inside[DCS_EMBED_MOST];
  for (int j = 0; j < s->k; j++) {
    inside[j] = 0;
    for (int i = 0; i < target->d; i++) inside[j] += s->q_t[j * target->d + i] * omega[i];
  }
  dcs_target_characteristic(s->base, inside, re, im);
}

static const double *gaussian(const dcs_target *target, const double **mean)
{
  const subspace *s = target->data;
  *mean = s->means;
  return s->variances;
}

static int parts(const dcs_target *target, dcs_part part[DCS_PARTS_MAX])
{
  const subspace *s = target->data;
  int n = dcs_target_parts(s->base, part);
  if (s->null != NULL) part[n++] = (dcs_part){s->null, target->d - s->k};
  return n;
}

static void posterior_destroy(dcs_posterior *post)
{
  work *w = post->data;
  if (w == NULL) return;
  dcs_posterior_destroy(&w->base);
  dcs_free(&w->y);
  dcs_free(&w->z);
  dcs_free(&w->full);
  dcs_free(&post->data);
}

static dcs_status posterior_create(dcs_posterior *post)
{
  dcs_status st = DCS_OK;
  const subspace *s = post->target->data;
  work *w = NULL;
  DCS_TRY(dcs_alloc(1, sizeof *w, &w));
  post->data = w;
  DCS_TRY(dcs_posterior_create(s->base, &w->base));
  DCS_TRY(dcs_alloc((size_t)s->k, sizeof(row), &w->y));
  DCS_TRY(dcs_alloc((size_t)s->k, sizeof(row), &w->z));
  DCS_TRY(dcs_alloc((size_t)post->target->d, sizeof(row), &w->full));
done:
  return st;
}

static void at(dcs_posterior *post)
{
  const dcs_target *target = post->target;
  const subspace *s = target->data;
  work *w = post->data;
  const row *x = (const row *)post->x, *log_base = (const row *)w->base->log_q;
  double sigma2 = post->sigma * post->sigma;
  row apart = {};
  project(target, x, w->y);
  expand(target, (const row *)w->y, w->full);
  for (int i = 0; i < target->d; i++)
    for (int p = 0; p < DCS_VECS; p++) {
      dcs_vec e = x[i][p] - w->full[i][p];
      apart[p] += e * e;
    }
  dcs_posterior_at(w->base, post->sigma, (const double *)w->y);
  for (int p = 0; p < DCS_VECS; p++)
    ((row *)post->log_q)[0][p] =
        (*log_base)[p] - 0.5 * ((target->d - s->k) * (LOG_TWO_PI + log(sigma2)) + apart[p] / sigma2);
  expand(target, (const row *)w->base->m, (row *)post->m);
}

static void apply(dcs_posterior *post, const double *v, double *out)
{
  work *w = post->data;
  project(post->target, (const row *)v, w->y);
  dcs_posterior_apply(w->base, (const double *)w->y, (double *)w->z);
  expand(post->target, (const row *)w->z, (row *)out);
}

static void trace(dcs_posterior *post, double *out) { dcs_posterior_trace(((work *)post->data)->base, out); }

static void factor(dcs_posterior *post, double a, double b, double *log_det)
{
  const subspace *s = post->target->data;
  work *w = post->data;
  double rest = (post->target->d - s->k) * log(a);
  w->a = a;
  dcs_posterior_factor(w->base, a, b, log_det);
  for (int l = 0; l < DCS_LANES; l++) log_det[l] += rest;
}

static void solve(dcs_posterior *post, const double *v, double *out)
{
  const subspace *s = post->target->data;
  work *w = post->data;
  project(post->target, (const row *)v, w->y);
  dcs_posterior_solve(w->base, (const double *)w->y, (double *)w->z);
  for (int j = 0; j < s->k; j++)
    for (int p = 0; p < DCS_VECS; p++) w->z[j][p] -= w->y[j][p] / w->a;
  expand(post->target, (const row *)w->z, (row *)out);
  for (int i = 0; i < post->target->d * DCS_LANES; i++) out[i] += v[i] / w->a;
}

static void noise(dcs_posterior *post, dcs_stream stream, const dcs_lane_ids *ids, uint32_t step, double *out)
{
  work *w = post->data;
  dcs_posterior_noise(w->base, stream, ids, step, (double *)w->y);
  expand(post->target, (const row *)w->y, (row *)out);
}

/** Q (base bridge) + P (rho x + s z), P = I - Q Q^T, rho = u^2/sigma^2, s = u sqrt(1 - rho): the base takes a fork of
 *  the stream, z the stream itself. */
static void bridge(dcs_posterior *post, double u, dcs_stream stream, const dcs_lane_ids *ids, uint32_t step,
                   double *out)
{
  const dcs_target *target = post->target;
  const subspace *s = target->data;
  work *w = post->data;
  double sigma = post->sigma, rho = u * u / (sigma * sigma), spread = u / sigma * sqrt((sigma - u) * (sigma + u));
  dcs_stream_normal(stream, ids, step, target->d, out);
  for (int i = 0; i < target->d * DCS_LANES; i++) out[i] = rho * post->x[i] + spread * out[i];
  project(target, (const row *)out, w->y);
  dcs_posterior_bridge(w->base, u, dcs_stream_fork(stream, 0), ids, step, (double *)w->z);
  for (int j = 0; j < s->k; j++)
    for (int p = 0; p < DCS_VECS; p++) w->z[j][p] -= w->y[j][p];
  expand(target, (const row *)w->z, w->full);
  for (int i = 0; i < target->d * DCS_LANES; i++) out[i] += ((const double *)w->full)[i];
}

static const dcs_law law_embed = {
    .name = "embed",
    .destroy = destroy,
    .draw = draw,
    .flops = flops,
    .characteristic = characteristic,
    .gaussian = gaussian,
    .parts = parts,
    .posterior_create = posterior_create,
    .posterior_destroy = posterior_destroy,
    .at = at,
    .apply = apply,
    .trace = trace,
    .factor = factor,
    .solve = solve,
    .noise = noise,
    .bridge = bridge,
};

/** one <- what is left of it after its components along the n orthonormal rows of q, scaled to length 1. */
static void orthonormalise_row(int n, int d, const double *q, double *one, double *coefficient)
{
  if (n > 0) {
    cblas_dgemv(CblasRowMajor, CblasNoTrans, n, d, 1, q, d, one, 1, 0, coefficient, 1);
    cblas_dgemv(CblasRowMajor, CblasTrans, n, d, -1, q, d, coefficient, 1, 1, one, 1);
  }
  cblas_dscal(d, 1 / cblas_dnrm2(d, one, 1), one, 1);
}

/** Orthonormal rows q [k][d] by Gram-Schmidt in blocks, every block twice, which leaves them orthogonal to rounding
 *  (Giraud, Langou, Rozloznik, Comput. Math. Appl. 50, 2005). coefficient [BLOCK][k] is scratch. */
static void orthonormalise(int k, int d, double *q, double *coefficient)
{
  for (int first = 0; first < k; first += BLOCK) {
    int count = k - first < BLOCK ? k - first : BLOCK;
    double *block = q + first * d;
    for (int pass = 0; pass < 2; pass++) {
      if (first > 0) {
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, count, first, d, 1, block, d, q, d, 0, coefficient, first);
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, count, d, first, -1, coefficient, first, q, d, 1, block,
                    d);
      }
      for (int j = 0; j < count; j++) orthonormalise_row(j, d, block, block + j * d, coefficient);
    }
  }
}

static dcs_status rotation(int k, int d, uint64_t seed, double **q, double **q_t)
{
  dcs_status st = DCS_OK;
  double *coefficient = NULL;
  dcs_stream stream = dcs_stream_create(seed, DCS_PURPOSE_TARGET, DCS_LAW_STREAM_ROTATION);
  DCS_TRY(dcs_alloc((size_t)k * (size_t)d, sizeof(double), q));
  DCS_TRY(dcs_alloc((size_t)k * (size_t)d, sizeof(double), q_t));
  DCS_TRY(dcs_alloc((size_t)k * BLOCK, sizeof(double), &coefficient));
  for (int j = 0; j < k; j++) dcs_law_normals(stream, (uint64_t)j, d, 1, *q_t + j * d);
  orthonormalise(k, d, *q_t, coefficient);
  for (int j = 0; j < k; j++)
    for (int i = 0; i < d; i++) (*q)[i * k + j] = (*q_t)[j * d + i];
done:
  dcs_free(&coefficient);
  return st;
}

/** A point mass at 0 in one dimension. */
static dcs_status null_create(dcs_target **out, dcs_error *err)
{
  dcs_status st = DCS_OK;
  dcs_params params = {0};
  double zero = 0;
  DCS_TRY(dcs_params_create(dcs_law_params(&dcs_law_gaussian), &params));
  DCS_TRY(dcs_params_set(&params, "variance", 1, 1, &zero));
  DCS_TRY(dcs_params_default(&params, err));
  DCS_TRY(dcs_target_create(&dcs_law_gaussian, &params, out, err));
done:
  dcs_params_destroy(&params);
  return st;
}

/** What follows from the base and Q: mean Q mean, and the spectrum when the base is Gaussian. */
static dcs_status fill(dcs_target *target)
{
  dcs_status st = DCS_OK;
  subspace *s = target->data;
  const double *means = NULL, *variances = dcs_target_gaussian(s->base, &means);
  size_t d = (size_t)target->d;
  DCS_TRY(dcs_alloc(d, sizeof(double), &target->mean));
  target->variance = s->base->variance;
  cblas_dgemv(CblasRowMajor, CblasNoTrans, target->d, s->k, 1, s->q, s->k, s->base->mean, 1, 0, target->mean, 1);
  if (variances == NULL) goto done;
  DCS_TRY(dcs_alloc(d, sizeof(double), &s->variances));
  DCS_TRY(dcs_alloc(d, sizeof(double), &s->means));
  memcpy(s->variances, variances, (size_t)s->k * sizeof *variances);
  memcpy(s->means, means, (size_t)s->k * sizeof *means);
done:
  return st;
}

dcs_status dcs_embed_create(dcs_target *base, int d, uint64_t seed, dcs_target **out, dcs_error *err)
{
  dcs_status st = DCS_OK;
  dcs_target *target = NULL;
  subspace *s = NULL;
  int k = base->d;
  DCS_TRY(dcs_alloc(1, sizeof *target, &target));
  target->law = &law_embed;
  target->d = d;
  DCS_TRY(dcs_alloc(1, sizeof *s, &s));
  target->data = s;
  s->base = base;
  s->k = k;
  base = NULL;
  if (k > d || k > DCS_EMBED_MOST) {
    st = dcs_fail(err, DCS_EUSAGE, "embed: a law with d = %d cannot be put into %d dimensions (d at most %d)", k, d,
                  d < DCS_EMBED_MOST ? d : DCS_EMBED_MOST);
    goto done;
  }
  DCS_TRY(rotation(k, d, seed, &s->q, &s->q_t));
  if (d > k) DCS_TRY(null_create(&s->null, err));
  DCS_TRY(fill(target));
done:
  dcs_target_destroy(&base);
  if (st != DCS_OK) dcs_target_destroy(&target);
  *out = target;
  return st;
}
