#include "metric/invert.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "numerics/vmath.h"

typedef dcs_vec row[DCS_VECS];

enum { MAX_EVALUATIONS = 60 };

dcs_status dcs_inverter_create(const dcs_target *target, dcs_inverter *inv)
{
  dcs_status st = DCS_OK;
  *inv = (dcs_inverter){.d = dcs_target_dimension(target)};
  size_t n = (size_t)inv->d * DCS_LANES;
  DCS_TRY(dcs_posterior_create(target, &inv->here));
  DCS_TRY(dcs_posterior_create(target, &inv->spare));
  DCS_TRY(dcs_posterior_create(target, &inv->below));
  DCS_TRY(dcs_alloc(n, sizeof(double), &inv->x));
  DCS_TRY(dcs_alloc(n, sizeof(double), &inv->y));
  DCS_TRY(dcs_alloc(n, sizeof(double), &inv->delta));
  DCS_TRY(dcs_alloc(n, sizeof(double), &inv->residual));
done:
  if (st != DCS_OK) dcs_inverter_destroy(inv);
  return st;
}

void dcs_inverter_destroy(dcs_inverter *inv)
{
  dcs_posterior_destroy(&inv->here);
  dcs_posterior_destroy(&inv->spare);
  dcs_posterior_destroy(&inv->below);
  dcs_free(&inv->x);
  dcs_free(&inv->y);
  dcs_free(&inv->delta);
  dcs_free(&inv->residual);
}

void dcs_inverter_place(dcs_inverter *inv, double sigma, const double *x) { dcs_posterior_at(inv->here, sigma, x); }

static void swap(dcs_posterior **a, dcs_posterior **b)
{
  dcs_posterior *t = *a;
  *a = *b;
  *b = t;
}

/** residual = y - F(x) and its squared length in each lane; `post` is at (x, sigma). */
static void residual_at(const dcs_inverter *inv, const dcs_posterior *post, const dcs_step *step, row *norm2)
{
  const row *x = (const row *)inv->x, *y = (const row *)inv->y, *m = (const row *)dcs_posterior_mean(post);
  row *r = (row *)inv->residual;
  row sum = {};
  for (int i = 0; i < inv->d; i++)
    for (int v = 0; v < DCS_VECS; v++) {
      r[i][v] = y[i][v] - step->one_minus_b * x[i][v] - step->b * m[i][v];
      sum[v] += r[i][v] * r[i][v];
    }
  memcpy(norm2, sum, sizeof sum);
}

/** First guess: the map with m frozen at its value at (y, u), x = (y - B m)/(1 - B). */
static void guess(const dcs_inverter *inv, const dcs_posterior *at_u, const dcs_step *step)
{
  const double *m = dcs_posterior_mean(at_u);
  for (int i = 0; i < inv->d * DCS_LANES; i++) inv->x[i] = (inv->y[i] - step->b * m[i]) / step->one_minus_b;
}

/** Solve F(x) = y for all lanes; on return `here` is at (x, sigma), `residual` is what is left. */
static dcs_status solve(dcs_inverter *inv, const dcs_step *step)
{
  const double tolerance2 = DCS_INVERT_TOLERANCE * DCS_INVERT_TOLERANCE * step->u2;
  const double slope = step->b / (step->sigma * step->sigma);
  row *x = (row *)inv->x, *delta = (row *)inv->delta;
  _Alignas(DCS_ALIGN) double unused[DCS_LANES];
  row norm2, accepted, length;
  bool factored = false;
  for (int v = 0; v < DCS_VECS; v++) {
    accepted[v] = dcs_vec_set(INFINITY);
    length[v] = dcs_vec_set(1);
  }
  for (int n = 0; n < MAX_EVALUATIONS; n++) {
    dcs_posterior_at(inv->here, step->sigma, inv->x);
    residual_at(inv, inv->here, step, &norm2);
    dcs_mask open = {}, worse = {}, slow = {}, bad[DCS_VECS];
    for (int v = 0; v < DCS_VECS; v++) {
      dcs_mask over = ~(norm2[v] <= tolerance2); /* true for NAN, too */
      dcs_mask up = over & ~(norm2[v] < accepted[v]);
      open |= over;
      worse |= up;
      slow |= over & (norm2[v] > 1e-3 * accepted[v]);
      bad[v] = up;
    }
    if (!dcs_mask_any(open)) return DCS_OK;
    if (dcs_mask_any(worse)) {
      if (!factored) return DCS_ENUMERIC; /* the very first evaluation was not finite */
      /* the step was too long in some lane: go back half of it there */
      for (int v = 0; v < DCS_VECS; v++) {
        dcs_vec half = dcs_vec_select(bad[v], 0.5 * length[v], dcs_vec_set(0));
        length[v] -= half;
        for (int i = 0; i < inv->d; i++) x[i][v] -= half * delta[i][v];
      }
      continue;
    }
    /* Newton's method, with the last Jacobian kept (in `spare`) while it still gains a factor of 30 */
    if (!factored || dcs_mask_any(slow)) {
      dcs_posterior_factor(inv->here, step->one_minus_b, slope, unused);
      swap(&inv->here, &inv->spare);
      factored = true;
    }
    dcs_posterior_solve(inv->spare, inv->residual, inv->delta);
    for (int v = 0; v < DCS_VECS; v++) {
      accepted[v] = norm2[v];
      length[v] = dcs_vec_set(1);
      for (int i = 0; i < inv->d; i++) x[i][v] += delta[i][v];
    }
  }
  return DCS_ENUMERIC;
}

dcs_status dcs_invert_step(dcs_inverter *inv, const dcs_step *step, dcs_stream bridge, const dcs_lane_ids *ids,
                           uint32_t step_number, double *log_w)
{
  double u = sqrt(step->u2);
  _Alignas(DCS_ALIGN) double log_det[DCS_LANES];
  if (step->c2 > 0) {
    dcs_posterior_bridge(inv->here, u, bridge, ids, step_number, inv->y);
    dcs_posterior_at(inv->below, u, inv->y);
  } else {
    memcpy(inv->y, dcs_posterior_x(inv->here), (size_t)inv->d * DCS_LANES * sizeof *inv->y);
    swap(&inv->here, &inv->below);
  }
  guess(inv, inv->below, step);
  dcs_status st = solve(inv, step);
  if (st != DCS_OK) return st;
  dcs_posterior_factor(inv->here, step->one_minus_b, step->b / (step->sigma * step->sigma), log_det);

  /* F(x) = y - residual, so log q_u(F(x)) = log q_u(y) - score . residual up to the square of the tolerance */
  const row *y = (const row *)inv->y, *r = (const row *)inv->residual;
  const row *m = (const row *)dcs_posterior_mean(inv->below);
  row shift = {};
  for (int i = 0; i < inv->d; i++)
    for (int v = 0; v < DCS_VECS; v++) shift[v] += (m[i][v] - y[i][v]) * r[i][v];
  const double *above = dcs_posterior_log_q(inv->here), *at_u = dcs_posterior_log_q(inv->below);
  for (int l = 0; l < DCS_LANES; l++)
    log_w[l] += above[l] - log_det[l] - (at_u[l] - ((const double *)shift)[l] / step->u2);
  return DCS_OK;
}
