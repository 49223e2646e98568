/** Posterior of X_0 ~ sum_j w_j N(mu_j, s_j^2 I) given X_sigma = x, for one tile of particles.
 *
 *  With v_j = s_j^2 + sigma^2, responsibilities r_j ~ w_j N(x; mu_j, v_j I), component means and variances given x
 *      m_j = (s_j^2 x + sigma^2 mu_j) / v_j,      s_j^2 sigma^2 / v_j,
 *      m = sum r_j m_j,      C = D I + sum r_j (m_j - m)(m_j - m)^T,      D = sum r_j s_j^2 sigma^2 / v_j.
 *  A component is active when its responsibility exceeds e^-40 (below rounding) in some lane of the tile; near the data
 *  only one is.
 *
 *  Cost of _at per particle: d K + d K_active multiply-adds and K_active exponentials; all else takes the active
 *  components alone. Work space: about 300 bytes for each component. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "numerics/vmath.h"
#include "target/mixture_work.h"
#include "target/tile.h"

#define LOG_TWO_PI 1.8378770664093454835606594728112
#define LOG_NEGLIGIBLE (-40.0)

enum {
  NEGLIGIBLE_COMPONENTS = 4096, /**< so many negligible ones may be left out: 4096 e^-40 = 1.7e-14 of log q at most */
  CHUNK = 64                    /**< components whose inner products with x are taken at once: 8 kB */
};

void dcs_mixture_posterior_destroy(dcs_posterior *post)
{
  work *w = post->data;
  if (w == NULL) return;
  dcs_free(&w->offset);
  dcs_free(&w->inv_v);
  dcs_free(&w->alpha);
  dcs_free(&w->beta);
  dcs_free(&w->active);
  dcs_free(&w->xc);
  dcs_free(&w->y);
  dcs_free(&w->r);
  dcs_free(&w->scratch);
  dcs_free(&w->g);
  dcs_free(&w->direction);
  dcs_free(&w->u);
  dcs_free(&w->gathered);
  dcs_free(&w->table);
  for (int v = 0; v < DCS_VECS; v++) dcs_free(&w->factor[v]);
  dcs_free(&post->data);
}

dcs_status dcs_mixture_posterior_create(dcs_posterior *post)
{
  dcs_status st = DCS_OK;
  const dcs_mixture *mix = post->target->data;
  work *w = NULL;
  size_t k = (size_t)mix->k, d = (size_t)post->target->d, n = 0, order = 0;
  dcs_mixture_factor_sizes(mix->k, post->target->d, &n, &order);
  DCS_TRY(dcs_alloc(1, sizeof *w, &w));
  post->data = w;
  w->negligible = LOG_NEGLIGIBLE - fmax(0, log((double)mix->k / NEGLIGIBLE_COMPONENTS));
  DCS_TRY(dcs_alloc(k, sizeof(double), &w->offset));
  DCS_TRY(dcs_alloc(k, sizeof(double), &w->inv_v));
  DCS_TRY(dcs_alloc(k, sizeof(double), &w->alpha));
  DCS_TRY(dcs_alloc(k, sizeof(double), &w->beta));
  DCS_TRY(dcs_alloc(k, sizeof(int), &w->active));
  DCS_TRY(dcs_alloc(d, sizeof(row), &w->xc));
  DCS_TRY(dcs_alloc(n > CHUNK ? n : CHUNK, sizeof(row), &w->y));
  DCS_TRY(dcs_alloc(k, sizeof(row), &w->r));
  DCS_TRY(dcs_alloc(k > order ? k : order, sizeof(row), &w->scratch));
  DCS_TRY(dcs_alloc(n, sizeof(row), &w->g));
  DCS_TRY(dcs_alloc(d, sizeof(row), &w->direction));
  DCS_TRY(dcs_alloc(n, sizeof(row), &w->u));
  if (mix->gram == NULL) DCS_TRY(dcs_alloc(n * d, sizeof(double), &w->gathered));
  DCS_TRY(dcs_alloc(n * n, sizeof(double), &w->table));
  for (int v = 0; v < DCS_VECS; v++) DCS_TRY(dcs_alloc(order * order, sizeof(dcs_vec), &w->factor[v]));
done:
  return st;
}

/** Constants that depend on the level alone; a tile usually asks for the same level several times. */
static void set_level(const dcs_target *target, double sigma, work *w)
{
  const dcs_mixture *mix = target->data;
  double half_d = 0.5 * target->d, sigma2 = sigma * sigma;
  double v = mix->s2[0] + sigma2, log_v = log(v), inv_v = 1 / v, alpha = mix->s2[0] / v, beta = sigma2 / v;
  w->sigma = sigma;
  for (int j = 0; j < mix->k; j++) {
    if (!mix->same_s2) {
      v = mix->s2[j] + sigma2;
      log_v = log(v);
      inv_v = 1 / v;
      alpha = mix->s2[j] / v;
      beta = sigma2 / v;
    }
    w->inv_v[j] = inv_v;
    w->alpha[j] = alpha;
    w->beta[j] = beta;
    w->offset[j] = mix->weights.log_weight[j] - half_d * (LOG_TWO_PI + log_v) - 0.5 * mix->norm2[j] / v;
  }
}

/** Append component j to the list when its logarithm l is not negligible against `top` in some lane. */
static inline void keep(work *w, int j, const row l, const row top)
{
  dcs_mask any = {};
  for (int v = 0; v < DCS_VECS; v++) any |= l[v] - top[v] > w->negligible;
  if (!dcs_mask_any(any)) return;
  for (int v = 0; v < DCS_VECS; v++) w->r[w->n][v] = l[v];
  w->active[w->n++] = j;
}

/** Responsibilities of the active components, and log q. A component that is negligible against the largest one so far
 *  is so against the largest of all, so the logarithms of the others alone are ever stored. */
static void respond(const dcs_target *target, work *w, row *log_q)
{
  const dcs_mixture *mix = target->data;
  int d = target->d;
  row top, sum = {};
  for (int v = 0; v < DCS_VECS; v++) top[v] = dcs_vec_set(-INFINITY);
  w->n = 0;
  for (int first = 0; first < mix->k; first += CHUNK) {
    int count = mix->k - first < CHUNK ? mix->k - first : CHUNK;
    dcs_tile_dots(count, NULL, d, mix->mu + first * d, w->xc, w->y);
    for (int i = 0; i < count; i++)
      for (int v = 0; v < DCS_VECS; v++) {
        w->y[i][v] = w->offset[first + i] + w->inv_v[first + i] * (w->y[i][v] - 0.5 * w->x2[v]);
        top[v] = dcs_vec_max(top[v], w->y[i][v]);
      }
    for (int i = 0; i < count; i++) keep(w, first + i, w->y[i], top);
  }
  int candidates = w->n;
  w->n = 0;
  for (int i = 0; i < candidates; i++) keep(w, w->active[i], w->r[i], top);
  for (int i = 0; i < w->n; i++)
    for (int v = 0; v < DCS_VECS; v++) {
      w->r[i][v] = dcs_vec_exp(w->r[i][v] - top[v]);
      sum[v] += w->r[i][v];
    }
  for (int v = 0; v < DCS_VECS; v++) {
    (*log_q)[v] = top[v] + dcs_vec_log(sum[v]);
    dcs_vec inverse = 1.0 / sum[v];
    for (int i = 0; i < w->n; i++) w->r[i][v] *= inverse;
  }
}

void dcs_mixture_at(dcs_posterior *post)
{
  const dcs_target *target = post->target;
  const dcs_mixture *mix = target->data;
  work *w = post->data;
  int d = target->d;
  const row *x = (const row *)post->x;
  row *m = (row *)post->m;
  if (w->sigma != post->sigma) set_level(target, post->sigma, w);
  memset(w->x2, 0, sizeof w->x2);
  for (int i = 0; i < d; i++)
    for (int v = 0; v < DCS_VECS; v++) {
      w->xc[i][v] = x[i][v] - target->mean[i];
      w->x2[v] += w->xc[i][v] * w->xc[i][v];
    }
  respond(target, w, (row *)post->log_q);

  double sigma2 = post->sigma * post->sigma;
  row alpha;
  memset(alpha, 0, sizeof alpha);
  for (int i = 0; i < w->n; i++) {
    int j = w->active[i];
    for (int v = 0; v < DCS_VECS; v++) {
      alpha[v] += w->r[i][v] * w->alpha[j];
      w->scratch[i][v] = w->r[i][v] * w->beta[j];
    }
  }
  dcs_tile_combine(w->n, w->active, d, mix->mu, w->scratch, m);
  for (int i = 0; i < d; i++)
    for (int v = 0; v < DCS_VECS; v++) m[i][v] += alpha[v] * w->xc[i][v] + target->mean[i];
  for (int v = 0; v < DCS_VECS; v++) w->noise_variance[v] = sigma2 * alpha[v];
}

void dcs_mixture_project(const dcs_posterior *post, const row *v, row *out)
{
  const dcs_mixture *mix = post->target->data;
  work *w = post->data;
  const row *m = (const row *)post->m;
  row xv, mv;
  memset(xv, 0, sizeof xv);
  memset(mv, 0, sizeof mv);
  for (int i = 0; i < post->target->d; i++)
    for (int p = 0; p < DCS_VECS; p++) {
      xv[p] += w->xc[i][p] * v[i][p];
      mv[p] += (m[i][p] - post->target->mean[i]) * v[i][p];
    }
  dcs_tile_dots(w->n, w->active, post->target->d, mix->mu, v, out);
  for (int i = 0; i < w->n; i++) {
    int j = w->active[i];
    for (int p = 0; p < DCS_VECS; p++) out[i][p] = w->alpha[j] * xv[p] + w->beta[j] * out[i][p] - mv[p];
  }
}

void dcs_mixture_expand(const dcs_posterior *post, row *c, row *out)
{
  const dcs_mixture *mix = post->target->data;
  work *w = post->data;
  const row *m = (const row *)post->m;
  row alpha, sum;
  memset(alpha, 0, sizeof alpha);
  memset(sum, 0, sizeof sum);
  for (int i = 0; i < w->n; i++)
    for (int p = 0; p < DCS_VECS; p++) {
      alpha[p] += c[i][p] * w->alpha[w->active[i]];
      sum[p] += c[i][p];
      c[i][p] *= w->beta[w->active[i]];
    }
  dcs_tile_combine(w->n, w->active, post->target->d, mix->mu, c, out);
  for (int i = 0; i < post->target->d; i++)
    for (int p = 0; p < DCS_VECS; p++) out[i][p] += alpha[p] * w->xc[i][p] - sum[p] * (m[i][p] - post->target->mean[i]);
}

void dcs_mixture_apply(dcs_posterior *post, const double *v, double *out)
{
  work *w = post->data;
  dcs_mixture_project(post, (const row *)v, w->scratch);
  for (int i = 0; i < w->n; i++)
    for (int p = 0; p < DCS_VECS; p++) w->scratch[i][p] *= w->r[i][p];
  dcs_mixture_expand(post, w->scratch, (row *)out);
  for (int i = 0; i < post->target->d; i++)
    for (int p = 0; p < DCS_VECS; p++) ((row *)out)[i][p] += w->noise_variance[p] * ((const row *)v)[i][p];
}

void dcs_mixture_trace(dcs_posterior *post, double *trace)
{
  const dcs_mixture *mix = post->target->data;
  const work *w = post->data;
  const row *m = (const row *)post->m;
  row *t = (row *)trace;
  int d = post->target->d;
  for (int p = 0; p < DCS_VECS; p++) (*t)[p] = d * w->noise_variance[p];
  for (int n = 0; n < w->n; n++) {
    int j = w->active[n];
    for (int p = 0; p < DCS_VECS; p++) {
      dcs_vec square = {};
      for (int i = 0; i < d; i++) {
        dcs_vec e = w->alpha[j] * w->xc[i][p] + w->beta[j] * mix->mu[j * d + i] - (m[i][p] - post->target->mean[i]);
        square += e * e;
      }
      (*t)[p] += w->r[n][p] * square;
    }
  }
}

/** sum_j r_j [(m_j - m)^3 + 3 (m_j - m) v_j], v_j = s_j^2 sigma^2/(s_j^2 + sigma^2) the component's variance. */
void dcs_mixture_third(dcs_posterior *post, double *third)
{
  const dcs_mixture *mix = post->target->data;
  const work *w = post->data;
  row *out = (row *)third;
  const row *m = (const row *)post->m;
  double sigma2 = post->sigma * post->sigma;
  for (int p = 0; p < DCS_VECS; p++) {
    out[0][p] = dcs_vec_set(0);
    for (int n = 0; n < w->n; n++) {
      int j = w->active[n];
      dcs_vec e = w->alpha[j] * w->xc[0][p] + w->beta[j] * mix->mu[j] - (m[0][p] - post->target->mean[0]);
      out[0][p] += w->r[n][p] * e * (e * e + 3 * sigma2 * w->alpha[j]);
    }
  }
}

/** sqrt(D) z + sum_j sqrt(r_j) (m_j - m) eta_j has covariance C: d normals of the stream, and one
 *  of its fork for each active component. */
void dcs_mixture_noise(dcs_posterior *post, dcs_stream stream, const dcs_lane_ids *ids, uint32_t step, double *out)
{
  work *w = post->data;
  int d = post->target->d;
  row *x = (row *)out;
  if (w->n > 1) {
    dcs_stream_normal(dcs_stream_fork(stream, 0), ids, step, w->n, (double *)w->scratch);
    for (int i = 0; i < w->n; i++)
      for (int p = 0; p < DCS_VECS; p++) w->scratch[i][p] *= dcs_vec_sqrt(w->r[i][p]);
    dcs_mixture_expand(post, w->scratch, w->direction);
  }
  dcs_stream_normal(stream, ids, step, d, out);
  for (int i = 0; i < d; i++)
    for (int p = 0; p < DCS_VECS; p++) {
      x[i][p] *= dcs_vec_sqrt(w->noise_variance[p]);
      if (w->n > 1) x[i][p] += w->direction[i][p];
    }
}

/** X_u given component j and X_sigma = x: N(mu_j + rho (x - mu_j), rho (sigma^2 - u^2) I), rho = (s_j^2 + u^2)/v_j. */
void dcs_mixture_bridge(dcs_posterior *post, double u, dcs_stream stream, const dcs_lane_ids *ids, uint32_t step,
                        double *out)
{
  const dcs_mixture *mix = post->target->data;
  work *w = post->data;
  int d = post->target->d, component[DCS_LANES];
  double gap = (post->sigma - u) * (post->sigma + u);
  dcs_component_choose(w->n, w->active, (const row *)w->r, stream, ids, step, component);
  dcs_stream_normal(stream, ids, step, d, out);
  row rho, spread;
  for (int l = 0; l < DCS_LANES; l++) {
    int j = component[l];
    ((double *)rho)[l] = (mix->s2[j] + u * u) * w->inv_v[j];
  }
  for (int p = 0; p < DCS_VECS; p++) spread[p] = dcs_vec_sqrt(rho[p] * gap);
  row *x = (row *)out;
  for (int i = 0; i < d; i++) {
    row mu;
    for (int l = 0; l < DCS_LANES; l++) ((double *)mu)[l] = mix->mu[component[l] * d + i];
    for (int p = 0; p < DCS_VECS; p++)
      x[i][p] = spread[p] * x[i][p] + (mu[p] + rho[p] * (w->xc[i][p] - mu[p])) + post->target->mean[i];
  }
}
