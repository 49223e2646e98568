#include "metric/invert.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "numerics/vmath.h"

typedef dcs_vec row[DCS_VECS];

enum { MAX_EVALUATIONS = 60 };

/** A Jacobian is kept while every step with it makes |residual|^2 this many times smaller. Renewing one that the target
 *  factors costs about an evaluation, one built column by column 2 (d + 1). */
#define EXACT_GAIN2 1e-3
#define ROUGH_GAIN2 0.05

dcs_status dcs_inverter_create(const dcs_target *target, const dcs_steps *steps, dcs_inverter *inv)
{
  dcs_status st = DCS_OK;
  *inv = (dcs_inverter){.steps = steps, .d = dcs_target_dimension(target)};
  size_t n = (size_t)inv->d * DCS_LANES;
  DCS_TRY(dcs_map_create(target, steps, &inv->here));
  DCS_TRY(dcs_map_create(target, steps, &inv->spare));
  DCS_TRY(dcs_map_create(target, steps, &inv->below));
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
  dcs_map_destroy(&inv->here);
  dcs_map_destroy(&inv->spare);
  dcs_map_destroy(&inv->below);
  dcs_free(&inv->x);
  dcs_free(&inv->y);
  dcs_free(&inv->delta);
  dcs_free(&inv->residual);
}

dcs_posterior *dcs_inverter_posterior(const dcs_inverter *inv) { return dcs_map_posterior(inv->here); }

void dcs_inverter_place(dcs_inverter *inv, double sigma, const double *x)
{
  dcs_posterior_at(dcs_inverter_posterior(inv), sigma, x);
}

static void swap(dcs_map **a, dcs_map **b)
{
  dcs_map *t = *a;
  *a = *b;
  *b = t;
}

/** residual = y - F(x) and its squared length in each lane; `here` is at x. */
static void residual_at(const dcs_inverter *inv, row *norm2)
{
  const row *y = (const row *)inv->y, *f = (const row *)dcs_map_value(inv->here);
  row *r = (row *)inv->residual;
  row sum = {};
  for (int i = 0; i < inv->d; i++)
    for (int v = 0; v < DCS_VECS; v++) {
      r[i][v] = y[i][v] - f[i][v];
      sum[v] += r[i][v] * r[i][v];
    }
  memcpy(norm2, sum, sizeof sum);
}

/** First guess: the one-score map with m frozen at its value at (y, u), x = (y - B m)/(1 - B). */
static void guess(const dcs_inverter *inv, const dcs_posterior *at_u, const dcs_step *step)
{
  const double *m = dcs_posterior_mean(at_u);
  for (int i = 0; i < inv->d * DCS_LANES; i++) inv->x[i] = (inv->y[i] - step->b * m[i]) / step->one_minus_b;
}

/** What the Newton iteration of one tile remembers. */
typedef struct {
  row accepted;                                /**< |residual|^2 before the last step */
  row length;                                  /**< part of `delta` that the last step took */
  enum { NO_JACOBIAN, ROUGH, EXACT } jacobian; /**< what `spare` has factored */
  bool renew;                                  /**< factor DF before the next step */
} newton;

/** The last step was too long in the lanes `bad`: go back half of it there. With a rough Jacobian it may have led uphill:
 *  go back all of it, and take the exact one from there. */
static void go_back(dcs_inverter *inv, newton *state, const dcs_mask *bad)
{
  row *x = (row *)inv->x, *delta = (row *)inv->delta;
  bool rough = state->jacobian == ROUGH;
  for (int v = 0; v < DCS_VECS; v++) {
    dcs_vec back = dcs_vec_select(bad[v], (rough ? 1 : 0.5) * state->length[v], dcs_vec_set(0));
    state->length[v] -= back;
    if (rough) state->accepted[v] = dcs_vec_select(bad[v], dcs_vec_set(INFINITY), state->accepted[v]);
    for (int i = 0; i < inv->d; i++) x[i][v] -= back * delta[i][v];
  }
  state->renew = rough;
}

/** Newton's method, with the last Jacobian kept (in `spare`) while it still gains enough; the first one is rough. */
static void go_on(dcs_inverter *inv, newton *state, const row norm2)
{
  row *x = (row *)inv->x, *delta = (row *)inv->delta;
  _Alignas(DCS_ALIGN) double unused[DCS_LANES];
  if (state->jacobian == NO_JACOBIAN) {
    state->jacobian = dcs_map_factor_rough(inv->here) ? EXACT : ROUGH;
    swap(&inv->here, &inv->spare);
  } else if (state->renew) {
    dcs_map_factor(inv->here, unused);
    state->jacobian = EXACT;
    swap(&inv->here, &inv->spare);
  }
  dcs_map_solve(inv->spare, inv->residual, inv->delta);
  for (int v = 0; v < DCS_VECS; v++) {
    state->accepted[v] = norm2[v];
    state->length[v] = dcs_vec_set(1);
    for (int i = 0; i < inv->d; i++) x[i][v] += delta[i][v];
  }
}

/** Solve F(x) = y for all lanes; on return `here` is at x, `residual` is what is left. */
static dcs_status solve(dcs_inverter *inv, int k)
{
  const double tolerance2 = DCS_INVERT_TOLERANCE * DCS_INVERT_TOLERANCE * inv->steps->step[k].u2;
  newton state = {.jacobian = NO_JACOBIAN};
  for (int v = 0; v < DCS_VECS; v++) state.accepted[v] = dcs_vec_set(INFINITY);
  for (int n = 0; n < MAX_EVALUATIONS; n++) {
    row norm2;
    dcs_map_at(inv->here, k, inv->x);
    residual_at(inv, &norm2);
    dcs_mask open = {}, worse = {}, slow = {}, bad[DCS_VECS];
    const double gain2 = state.jacobian == ROUGH ? ROUGH_GAIN2 : EXACT_GAIN2;
    for (int v = 0; v < DCS_VECS; v++) {
      dcs_mask over = ~(norm2[v] <= tolerance2); /* true for NAN, too */
      bad[v] = over & ~(norm2[v] < state.accepted[v]);
      open |= over;
      worse |= bad[v];
      slow |= over & (norm2[v] > gain2 * state.accepted[v]);
    }
    if (!dcs_mask_any(open)) return DCS_OK;
    if (!dcs_mask_any(worse)) {
      state.renew |= dcs_mask_any(slow);
      go_on(inv, &state, norm2);
      state.renew = false;
    } else if (state.jacobian != NO_JACOBIAN) {
      go_back(inv, &state, bad);
    } else {
      return DCS_ENUMERIC; /* the very first evaluation was not finite */
    }
  }
  return DCS_ENUMERIC;
}

dcs_status dcs_invert_step(dcs_inverter *inv, int k, dcs_stream bridge, const dcs_lane_ids *ids, double *log_w,
                           dcs_error *err)
{
  const dcs_step *step = &inv->steps->step[k];
  const double u = sqrt(step->u2);
  _Alignas(DCS_ALIGN) double log_det[DCS_LANES];
  if (step->c2 > 0) {
    dcs_posterior_bridge(dcs_inverter_posterior(inv), u, bridge, ids, (uint32_t)k, inv->y);
    dcs_posterior_at(dcs_map_posterior(inv->below), u, inv->y);
  } else {
    memcpy(inv->y, dcs_posterior_x(dcs_inverter_posterior(inv)), (size_t)inv->d * DCS_LANES * sizeof *inv->y);
    swap(&inv->here, &inv->below);
  }
  const dcs_posterior *below = dcs_map_posterior(inv->below);
  guess(inv, below, step);
  if (solve(inv, k) != DCS_OK)
    return dcs_fail(err, DCS_ENUMERIC, "the map of step %d could not be inverted; use more steps", k + 1);
  dcs_map_factor(inv->here, log_det);
  dcs_mask known = {};
  known = ~known;
  for (int v = 0; v < DCS_VECS; v++) known &= dcs_vec_abs(((const dcs_vec *)log_det)[v]) < INFINITY;
  if (dcs_mask_any(~known))
    return dcs_fail(err, DCS_ENUMERIC,
                    "step %d is too coarse: its map is not one-to-one, the determinant of its Jacobian is not "
                    "positive; use more steps",
                    k + 1);

  /* F(x) = y - residual, so log q_u(F(x)) = log q_u(y) - score . residual up to the square of the tolerance */
  const row *y = (const row *)inv->y, *r = (const row *)inv->residual;
  const row *m = (const row *)dcs_posterior_mean(below);
  row shift = {};
  for (int i = 0; i < inv->d; i++)
    for (int v = 0; v < DCS_VECS; v++) shift[v] += (m[i][v] - y[i][v]) * r[i][v];
  const double *above = dcs_posterior_log_q(dcs_inverter_posterior(inv)), *at_u = dcs_posterior_log_q(below);
  for (int l = 0; l < DCS_LANES; l++)
    log_w[l] += above[l] - log_det[l] - (at_u[l] - ((const double *)shift)[l] / step->u2);
  return DCS_OK;
}
