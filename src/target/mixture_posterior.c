/** Posterior of X_0 ~ sum_j w_j N(mu_j, s_j^2 I) given X_sigma = x, for one tile of particles.
 *
 *  With v_j = s_j^2 + sigma^2, responsibilities r_j ~ w_j N(x; mu_j, v_j I), component means and variances given x
 *      m_j = (s_j^2 x + sigma^2 mu_j) / v_j,      s_j^2 sigma^2 / v_j,
 *      m = sum r_j m_j,      C = D I + sum r_j (m_j - m)(m_j - m)^T,      D = sum r_j s_j^2 sigma^2 / v_j.
 *  J = aI + bC is factored as (a + bD) (I + U U^T), U_j = sqrt(r_j b/(a + bD)) (m_j - m), in the n x n Gram form
 *  I + U^T U or as a d x d matrix, whichever is cheaper. A component is active
 *  when its responsibility exceeds e^-40 (below rounding) in some lane of the tile; near the data only one is.
 *
 *  Cost of _at per particle: 2 d K + 2 d K_active multiply-adds and K_active exponentials. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "numerics/cholesky.h"
#include "numerics/vmath.h"
#include "target/mixture.h"
#include "target/tile.h"

#define LOG_TWO_PI 1.8378770664093454835606594728112
#define LOG_NEGLIGIBLE (-40.0)

typedef dcs_vec row[DCS_VECS]; /**< one coordinate (or component) of a tile */

typedef struct {
  double sigma;                          /**< level the constants below belong to */
  double *offset, *inv_v, *alpha, *beta; /**< [k_padded]: log w - d/2 log 2 pi v; 1/v; s^2/v; sigma^2/v */
  int n;                                 /**< active components */
  int *active;                           /**< [k_padded] their numbers */
  row *xc;                               /**< [d] x - centre */
  row *y;                                /**< [k_padded] mu_j . x; scratch */
  row *r;                                /**< [k_padded] responsibilities, in the order of `active` */
  row *scratch;                          /**< [k_padded] */
  row *g;                                /**< [k_padded] */
  row *direction;                        /**< [d] scratch */
  row noise_variance;                    /**< D */
  row x2;                                /**< |x - centre|^2 */
  double b;                              /**< of the last factorisation */
  bool gram_form;
  row inverse_scale;         /**< 1/(a + bD) */
  row *u;                    /**< [k_padded] sqrt(r_j b / (a + bD)) */
  int order;                 /**< of the factor, padded */
  double *table;             /**< [order][order] m_i . m_k of the active components */
  dcs_vec *factor[DCS_VECS]; /**< [order][order] */
} work;

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
  dcs_free(&w->table);
  for (int v = 0; v < DCS_VECS; v++) dcs_free(&w->factor[v]);
  dcs_free(&post->data);
}

/** Whether the n x n Gram form is cheaper than the d x d form: entries, then the factorisation. */
static bool prefers_gram(double n, double d) { return 6 * n * n + n * n * n / 3 < n * d * d + d * d * d / 3; }

/** Order of the matrix that is factored for n active components; one component needs none. */
static int factor_size(int n, int d) { return n == 1 ? 0 : prefers_gram(n, d) ? n : d; }

dcs_status dcs_mixture_posterior_create(dcs_posterior *post)
{
  dcs_status st = DCS_OK;
  const dcs_mixture *mix = post->target->data;
  work *w = NULL;
  size_t kp = (size_t)mix->k_padded, d = (size_t)post->target->d;
  size_t order = 0;
  for (int n = 1; n <= mix->k; n++) {
    size_t need = (size_t)dcs_chol_order(factor_size(n, post->target->d));
    if (need > order) order = need;
  }
  DCS_TRY(dcs_alloc(1, sizeof *w, &w));
  post->data = w;
  DCS_TRY(dcs_alloc(kp, sizeof(double), &w->offset));
  DCS_TRY(dcs_alloc(kp, sizeof(double), &w->inv_v));
  DCS_TRY(dcs_alloc(kp, sizeof(double), &w->alpha));
  DCS_TRY(dcs_alloc(kp, sizeof(double), &w->beta));
  DCS_TRY(dcs_alloc(kp, sizeof(int), &w->active));
  DCS_TRY(dcs_alloc(d, sizeof(row), &w->xc));
  DCS_TRY(dcs_alloc(kp, sizeof(row), &w->y));
  DCS_TRY(dcs_alloc(kp, sizeof(row), &w->r));
  DCS_TRY(dcs_alloc(kp > order ? kp : order, sizeof(row), &w->scratch));
  DCS_TRY(dcs_alloc(kp, sizeof(row), &w->g));
  DCS_TRY(dcs_alloc(d, sizeof(row), &w->direction));
  DCS_TRY(dcs_alloc(kp, sizeof(row), &w->u));
  DCS_TRY(dcs_alloc((order + 4) * (order + 4), sizeof(double), &w->table));
  for (int v = 0; v < DCS_VECS; v++) DCS_TRY(dcs_alloc(order * order, sizeof(dcs_vec), &w->factor[v]));
done:
  return st;
}

/** Constants that depend on the level alone; a tile usually asks for the same level several times. */
static void set_level(const dcs_target *target, double sigma, work *w)
{
  const dcs_mixture *mix = target->data;
  double half_d = 0.5 * target->d, sigma2 = sigma * sigma, log_v = 0;
  w->sigma = sigma;
  for (int j = 0; j < mix->k_padded; j++) {
    double v = mix->s2[j] + sigma2;
    if (j == 0 || !mix->same_s2) log_v = log(v);
    w->inv_v[j] = 1 / v;
    w->alpha[j] = mix->s2[j] / v;
    w->beta[j] = sigma2 / v;
    w->offset[j] = mix->log_weight[j] - half_d * (LOG_TWO_PI + log_v) - 0.5 * mix->norm2[j] / v;
  }
}

/** Responsibilities of the active components from the inner products y_j = mu_j . x, and log q. */
static void respond(const dcs_mixture *mix, work *w, row *log_q)
{
  row *l = w->scratch;
  row top, sum;
  for (int v = 0; v < DCS_VECS; v++) top[v] = dcs_vec_set(-INFINITY);
  for (int j = 0; j < mix->k; j++)
    for (int v = 0; v < DCS_VECS; v++) {
      l[j][v] = w->offset[j] + w->inv_v[j] * (w->y[j][v] - 0.5 * w->x2[v]);
      top[v] = dcs_vec_max(top[v], l[j][v]);
    }
  memset(sum, 0, sizeof sum);
  w->n = 0;
  for (int j = 0; j < mix->k; j++) {
    row below;
    dcs_mask any = {};
    for (int v = 0; v < DCS_VECS; v++) {
      below[v] = l[j][v] - top[v];
      any |= below[v] > LOG_NEGLIGIBLE;
    }
    if (!dcs_mask_any(any)) continue;
    for (int v = 0; v < DCS_VECS; v++) {
      w->r[w->n][v] = dcs_vec_exp(below[v]);
      sum[v] += w->r[w->n][v];
    }
    w->active[w->n++] = j;
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
  dcs_tile_dots(mix->k_padded, d, mix->mu_t, w->xc, w->y);
  respond(mix, w, (row *)post->log_q);

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

/** out_i = (m_j - m) . v for the active components j. */
static void project(const dcs_posterior *post, const row *v, row *out)
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
  dcs_tile_dots(mix->k_padded, post->target->d, mix->mu_t, v, w->y);
  for (int i = 0; i < w->n; i++) {
    int j = w->active[i];
    for (int p = 0; p < DCS_VECS; p++) out[i][p] = w->alpha[j] * xv[p] + w->beta[j] * w->y[j][p] - mv[p];
  }
}

/** out = sum_i c_i (m_j - m) over the active components; c is overwritten. */
static void expand(const dcs_posterior *post, row *c, row *out)
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
  project(post, (const row *)v, w->scratch);
  for (int i = 0; i < w->n; i++)
    for (int p = 0; p < DCS_VECS; p++) w->scratch[i][p] *= w->r[i][p];
  expand(post, w->scratch, (row *)out);
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

/** m_i . m_k without the part that all pairs share when the component variances are equal. */
static inline dcs_vec inner_product(const dcs_mixture *mix, const work *w, int i, int k, int p)
{
  int a = w->active[i], b = w->active[k];
  return w->beta[a] * w->beta[b] * mix->gram[a * mix->k_padded + b] + w->alpha[a] * w->alpha[b] * w->x2[p] +
         w->alpha[a] * w->beta[b] * w->y[b][p] + w->alpha[b] * w->beta[a] * w->y[a][p];
}

/** g_i = sum_k r_k G_ik for unequal component variances; G goes to the factor's place. */
static void gram_general(const dcs_posterior *post)
{
  const dcs_mixture *mix = post->target->data;
  work *w = post->data;
  dcs_tile_dots(mix->k_padded, post->target->d, mix->mu_t, w->xc, w->y);
  for (int i = 0; i < w->n; i++)
    for (int p = 0; p < DCS_VECS; p++) {
      dcs_vec g = {};
      for (int k = 0; k < w->n; k++) {
        dcs_vec inner = inner_product(mix, w, i, k, p);
        g += w->r[k][p] * inner;
        if (k <= i) w->factor[p][i * w->order + k] = inner;
      }
      w->g[i][p] = g;
    }
}

/** The same for equal variances, where G = beta^2 (mu_i . mu_k) is one table for all particles. */
static void gram_equal(const dcs_posterior *post)
{
  const dcs_mixture *mix = post->target->data;
  work *w = post->data;
  int n = w->n, padded = dcs_tile_padded(n);
  double beta2 = w->beta[0] * w->beta[0];
  for (int i = 0; i < n; i++) {
    const double *gram = &mix->gram[w->active[i] * mix->k_padded];
    for (int k = 0; k < padded; k++) w->table[i * padded + k] = k < n ? beta2 * gram[w->active[k]] : 0;
  }
  dcs_tile_dots(padded, n, w->table, w->r, w->g);
  for (int i = 0; i < n; i++)
    for (int k = 0; k <= i; k++)
      for (int p = 0; p < DCS_VECS; p++) w->factor[p][i * w->order + k] = dcs_vec_set(w->table[i * padded + k]);
}

/** Lower triangle of I + U^T U, [n][n]: U_i . U_j = u_i u_j (G_ij - g_i - g_j + g) with G_ij = m_i . m_j, g_i = sum r_j
 *  G_ij and g = sum r_i g_i. */
static void gram_matrix(const dcs_posterior *post)
{
  work *w = post->data;
  row total = {};
  if (((const dcs_mixture *)post->target->data)->same_s2)
    gram_equal(post);
  else
    gram_general(post);
  for (int i = 0; i < w->n; i++)
    for (int p = 0; p < DCS_VECS; p++) total[p] += w->r[i][p] * w->g[i][p];
  for (int i = 0; i < w->n; i++)
    for (int p = 0; p < DCS_VECS; p++) w->g[i][p] = w->u[i][p] * (w->g[i][p] - 0.5 * total[p]);
  for (int i = 0; i < w->n; i++)
    for (int p = 0; p < DCS_VECS; p++) {
      dcs_vec *restrict f = w->factor[p] + i * w->order, u = w->u[i][p], g = w->g[i][p];
      for (int k = 0; k <= i; k++) f[k] = u * w->u[k][p] * f[k] - (g * w->u[k][p] + u * w->g[k][p]);
      f[i] += 1.0;
    }
}

/** Lower triangle of I + U U^T, [d][d]. */
static void coordinate_matrix(dcs_posterior *post)
{
  const dcs_mixture *mix = post->target->data;
  work *w = post->data;
  const row *m = (const row *)post->m;
  int d = post->target->d, order = w->order;
  for (int i = 0; i < d; i++)
    for (int k = 0; k <= i; k++)
      for (int p = 0; p < DCS_VECS; p++) w->factor[p][i * order + k] = dcs_vec_set(i == k);
  for (int n = 0; n < w->n; n++) {
    int j = w->active[n];
    row weight;
    for (int p = 0; p < DCS_VECS; p++) weight[p] = w->b * w->inverse_scale[p] * w->r[n][p];
    for (int i = 0; i < d; i++)
      for (int p = 0; p < DCS_VECS; p++) {
        w->direction[i][p] =
            w->alpha[j] * w->xc[i][p] + w->beta[j] * mix->mu[j * d + i] - (m[i][p] - post->target->mean[i]);
        dcs_vec scaled = weight[p] * w->direction[i][p];
        for (int k = 0; k <= i; k++) w->factor[p][i * order + k] += scaled * w->direction[k][p];
      }
  }
}

void dcs_mixture_factor(dcs_posterior *post, double a, double b, double *log_det)
{
  work *w = post->data;
  int d = post->target->d, size = factor_size(w->n, d);
  row *out = (row *)log_det, log_factor = {}, scale;
  w->b = b;
  w->gram_form = prefers_gram(w->n, d);
  w->order = dcs_chol_order(size);
  for (int p = 0; p < DCS_VECS; p++) {
    scale[p] = a + b * w->noise_variance[p];
    w->inverse_scale[p] = 1.0 / scale[p];
  }
  if (size > 0) {
    if (w->gram_form) {
      for (int i = 0; i < w->n; i++)
        for (int p = 0; p < DCS_VECS; p++) w->u[i][p] = dcs_vec_sqrt(w->r[i][p] * (b * w->inverse_scale[p]));
      gram_matrix(post);
    } else {
      coordinate_matrix(post);
    }
    for (int i = size; i < w->order; i++)
      for (int k = 0; k <= i; k++)
        for (int p = 0; p < DCS_VECS; p++) w->factor[p][i * w->order + k] = dcs_vec_set(i == k);
    dcs_chol_factor(w->order, w->order, w->factor, log_factor);
  }
  for (int p = 0; p < DCS_VECS; p++) (*out)[p] = d * dcs_vec_log(scale[p]) + log_factor[p];
}

void dcs_mixture_solve(dcs_posterior *post, const double *v, double *out)
{
  work *w = post->data;
  int d = post->target->d;
  const row *in = (const row *)v;
  row *x = (row *)out;
  if (w->order == 0) {
    for (int i = 0; i < d; i++)
      for (int p = 0; p < DCS_VECS; p++) x[i][p] = in[i][p] * w->inverse_scale[p];
    return;
  }
  if (!w->gram_form) { /* the factor is d x d, padded rows must be zero */
    for (int i = 0; i < w->order; i++)
      for (int p = 0; p < DCS_VECS; p++) w->scratch[i][p] = i < d ? in[i][p] * w->inverse_scale[p] : dcs_vec_set(0);
    dcs_chol_solve(w->order, w->order, w->factor, w->scratch);
    memcpy(x, w->scratch, (size_t)d * sizeof *x);
    return;
  }
  /* Woodbury: (I + U U^T)^{-1} = I - U (I + U^T U)^{-1} U^T */
  project(post, in, w->scratch);
  for (int i = 0; i < w->order; i++)
    for (int p = 0; p < DCS_VECS; p++) w->scratch[i][p] = i < w->n ? w->u[i][p] * w->scratch[i][p] : dcs_vec_set(0);
  dcs_chol_solve(w->order, w->order, w->factor, w->scratch);
  for (int i = 0; i < w->n; i++)
    for (int p = 0; p < DCS_VECS; p++) w->scratch[i][p] *= w->u[i][p];
  expand(post, w->scratch, w->direction);
  for (int i = 0; i < d; i++)
    for (int p = 0; p < DCS_VECS; p++) x[i][p] = (in[i][p] - w->direction[i][p]) * w->inverse_scale[p];
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
    expand(post, w->scratch, w->direction);
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
  row left, unused, chosen;
  if (w->n == 1) {
    for (int l = 0; l < DCS_LANES; l++) component[l] = w->active[0];
  } else {
    dcs_stream_uniform2(stream, ids, step, DCS_MIXTURE_INDEX_COMPONENT, (double *)left, (double *)unused);
    for (int p = 0; p < DCS_VECS; p++) {
      dcs_mask open = {};
      open = ~open;
      chosen[p] = dcs_vec_set(0);
      for (int i = 0; i < w->n; i++) { /* the last component of positive weight takes what rounding leaves over */
        chosen[p] = dcs_vec_select(open & (w->r[i][p] > 0.0), dcs_vec_set(w->active[i]), chosen[p]);
        left[p] -= w->r[i][p];
        open &= left[p] >= 0.0;
      }
    }
    for (int l = 0; l < DCS_LANES; l++) component[l] = (int)((double *)chosen)[l];
  }
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
