/** Factorisation of J = aI + bC for the posterior of a mixture (mixture_posterior.c has the notation).
 *
 *  J = (a + bD) (I + U U^T), U_j = sqrt(r_j b/(a + bD)) (m_j - m), in the n x n Gram form I + U^T U or as a d x d
 *  matrix, whichever is cheaper for the n active components. The Gram form never is above n = 2d, so the work space is
 *  bounded by d, however many components there are. */
#include <cblas.h>
#include <string.h>

#include "numerics/cholesky.h"
#include "numerics/vmath.h"
#include "target/mixture_work.h"
#include "target/tile.h"

/** Whether the n x n Gram form is cheaper than the d x d form: entries, then the factorisation. */
static bool prefers_gram(double n, double d) { return 6 * n * n + n * n * n / 3 < n * d * d + d * d * d / 3; }

/** Order of the matrix that is factored for n active components; one component needs none. */
static int factor_size(int n, int d) { return n == 1 ? 0 : prefers_gram(n, d) ? n : d; }

/** Largest number of components for which the Gram form is taken; it is below 2 d because 8/3 > 2 + 1/3. */
static int largest_gram(int k, int d)
{
  int most = k / 2 < d ? k : 2 * d;
  while (most > 0 && !prefers_gram(most, d)) most--;
  return most;
}

void dcs_mixture_factor_sizes(int k, int d, size_t *n_gram, size_t *order)
{
  int n = largest_gram(k, d), gram = dcs_chol_order(n), coordinates = dcs_chol_order(d);
  *n_gram = (size_t)n;
  *order = (size_t)(n < k && gram < coordinates ? coordinates : gram);
}

/** mu_i . mu_k of the active components, [n][n], from the table of all or from the means themselves. */
static void active_products(const dcs_posterior *post)
{
  const dcs_mixture *mix = post->target->data;
  work *w = post->data;
  int n = w->n, d = post->target->d;
  if (mix->gram != NULL) {
    for (int i = 0; i < n; i++)
      for (int k = 0; k < n; k++) w->table[i * n + k] = mix->gram[w->active[i] * mix->k + w->active[k]];
    return;
  }
  for (int i = 0; i < n; i++) memcpy(w->gathered + i * d, mix->mu + w->active[i] * d, (size_t)d * sizeof *w->gathered);
  cblas_dsyrk(CblasRowMajor, CblasLower, CblasNoTrans, n, d, 1, w->gathered, d, 0, w->table, n);
  for (int i = 0; i < n; i++)
    for (int k = 0; k < i; k++) w->table[k * n + i] = w->table[i * n + k];
}

/** m_i . m_k, i and k counting active components. */
static inline dcs_vec inner_product(const work *w, int i, int k, int p)
{
  int a = w->active[i], b = w->active[k];
  return w->beta[a] * w->beta[b] * w->table[i * w->n + k] + w->alpha[a] * w->alpha[b] * w->x2[p] +
         w->alpha[a] * w->beta[b] * w->y[k][p] + w->alpha[b] * w->beta[a] * w->y[i][p];
}

/** g_i = sum_k r_k G_ik for unequal component variances; G goes to the factor's place. */
static void gram_general(const dcs_posterior *post)
{
  const dcs_mixture *mix = post->target->data;
  work *w = post->data;
  dcs_tile_dots(w->n, w->active, post->target->d, mix->mu, w->xc, w->y);
  for (int i = 0; i < w->n; i++)
    for (int p = 0; p < DCS_VECS; p++) {
      dcs_vec g = {};
      for (int k = 0; k < w->n; k++) {
        dcs_vec inner = inner_product(w, i, k, p);
        g += w->r[k][p] * inner;
        if (k <= i) w->factor[p][i * w->order + k] = inner;
      }
      w->g[i][p] = g;
    }
}

/** The same for equal variances, where the part of m_i . m_k that pairs do not share, G = beta^2 (mu_i . mu_k), is one
 *  table for all particles. */
static void gram_equal(const dcs_posterior *post)
{
  work *w = post->data;
  int n = w->n;
  double beta2 = w->beta[0] * w->beta[0];
  for (int i = 0; i < n * n; i++) w->table[i] *= beta2;
  dcs_tile_dots(n, NULL, n, w->table, w->r, w->g);
  for (int i = 0; i < n; i++)
    for (int k = 0; k <= i; k++)
      for (int p = 0; p < DCS_VECS; p++) w->factor[p][i * w->order + k] = dcs_vec_set(w->table[i * n + k]);
}

/** Lower triangle of I + U^T U, [n][n]: U_i . U_j = u_i u_j (G_ij - g_i - g_j + g) with G_ij = m_i . m_j, g_i = sum r_j
 *  G_ij and g = sum r_i g_i. */
static void gram_matrix(const dcs_posterior *post)
{
  work *w = post->data;
  row total = {};
  active_products(post);
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
  dcs_mixture_project(post, in, w->scratch);
  for (int i = 0; i < w->order; i++)
    for (int p = 0; p < DCS_VECS; p++) w->scratch[i][p] = i < w->n ? w->u[i][p] * w->scratch[i][p] : dcs_vec_set(0);
  dcs_chol_solve(w->order, w->order, w->factor, w->scratch);
  for (int i = 0; i < w->n; i++)
    for (int p = 0; p < DCS_VECS; p++) w->scratch[i][p] *= w->u[i][p];
  dcs_mixture_expand(post, w->scratch, w->direction);
  for (int i = 0; i < d; i++)
    for (int p = 0; p < DCS_VECS; p++) x[i][p] = (in[i][p] - w->direction[i][p]) * w->inverse_scale[p];
}
