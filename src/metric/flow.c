#include "metric/flow.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "numerics/vmath.h"

typedef dcs_vec row[DCS_VECS];

enum { STAGES = 7, MAX_STEPS = 20000 };

#define TRIAL_TOLERANCE 1e-3 /**< of the run that finds the size of Phi(x) - other */
#define ROUNDING (8 * DBL_EPSILON)

struct dcs_flow {
  int d;
  dcs_posterior *post;
  row *x, *y;        /**< [d] place at the start of a step; of a stage, and at the step's end */
  row *k[STAGES];    /**< [d] dx/ds at the stages */
  row *step, *error; /**< [d] estimated error of one step; of the run */
  int64_t evaluations;
};

/** Dormand and Prince, J. Comput. Appl. Math. 6 (1980), RK5(4)7M. The last stage is the fifth-order result, and the
 *  first stage of the next step. */
static const double node[STAGES] = {0, 1. / 5, 3. / 10, 4. / 5, 8. / 9, 1, 1};
static const double coefficient[STAGES][STAGES - 1] = {
    {0},
    {1. / 5},
    {3. / 40, 9. / 40},
    {44. / 45, -56. / 15, 32. / 9},
    {19372. / 6561, -25360. / 2187, 64448. / 6561, -212. / 729},
    {9017. / 3168, -355. / 33, 46732. / 5247, 49. / 176, -5103. / 18656},
    {35. / 384, 0, 500. / 1113, 125. / 192, -2187. / 6784, 11. / 84}};
static const double difference[STAGES] = {71. / 57600,      0,         -71. / 16695, 71. / 1920,
                                          -17253. / 339200, 22. / 525, -1. / 40};

dcs_status dcs_flow_create(const dcs_target *target, dcs_flow **out)
{
  dcs_status st = DCS_OK;
  dcs_flow *flow = NULL;
  size_t d = (size_t)dcs_target_dimension(target);
  DCS_TRY(dcs_alloc(1, sizeof *flow, &flow));
  flow->d = (int)d;
  DCS_TRY(dcs_posterior_create(target, &flow->post));
  DCS_TRY(dcs_alloc(d, sizeof(row), &flow->x));
  DCS_TRY(dcs_alloc(d, sizeof(row), &flow->y));
  DCS_TRY(dcs_alloc(d, sizeof(row), &flow->step));
  DCS_TRY(dcs_alloc(d, sizeof(row), &flow->error));
  for (int s = 0; s < STAGES; s++) DCS_TRY(dcs_alloc(d, sizeof(row), &flow->k[s]));
done:
  if (st != DCS_OK) dcs_flow_destroy(&flow);
  *out = flow;
  return st;
}

void dcs_flow_destroy(dcs_flow **flow)
{
  if (*flow == NULL) return;
  dcs_posterior_destroy(&(*flow)->post);
  dcs_free(&(*flow)->x);
  dcs_free(&(*flow)->y);
  dcs_free(&(*flow)->step);
  dcs_free(&(*flow)->error);
  for (int s = 0; s < STAGES; s++) dcs_free(&(*flow)->k[s]);
  dcs_free(flow);
}

const double *dcs_flow_error(const dcs_flow *flow) { return (const double *)flow->error; }
int64_t dcs_flow_evaluations(const dcs_flow *flow) { return flow->evaluations; }

/** k = (x - m)/s, m the posterior mean at (x, s). */
static void velocity(int d, double s, const row *x, const row *m, row *k)
{
  double inverse = 1 / s;
  for (int i = 0; i < d; i++)
    for (int v = 0; v < DCS_VECS; v++) k[i][v] = (x[i][v] - m[i][v]) * inverse;
}

static void evaluate(dcs_flow *flow, double s, const row *x, row *k)
{
  dcs_posterior_at(flow->post, s, (const double *)x);
  velocity(flow->d, s, x, (const row *)dcs_posterior_mean(flow->post), k);
  flow->evaluations++;
}

/** Stages 2 to 7 of a step of length h from (x, s) to `end`: y is the fifth-order result. */
static void advance(dcs_flow *flow, double s, double h, double end)
{
  for (int stage = 1; stage < STAGES; stage++) {
    const double *a = coefficient[stage];
    for (int i = 0; i < flow->d; i++)
      for (int v = 0; v < DCS_VECS; v++) {
        dcs_vec sum = a[0] * flow->k[0][i][v];
        for (int j = 1; j < stage; j++) sum += a[j] * flow->k[j][i][v];
        flow->y[i][v] = flow->x[i][v] + h * sum;
      }
    evaluate(flow, node[stage] == 1 ? end : s + node[stage] * h, flow->y, flow->k[stage]);
  }
}

static double largest(const row *a)
{
  double worst = 0;
  for (int l = 0; l < DCS_LANES; l++) worst = fmax(worst, ((const double *)*a)[l]);
  return worst;
}

/** Estimated error of the step, and the largest over the lanes of |e|/(allowed + rounding of |y|); NAN when a number is
 *  not finite. */
static double excess(dcs_flow *flow, double h, double allowed)
{
  row e2 = {}, y2 = {};
  for (int i = 0; i < flow->d; i++)
    for (int v = 0; v < DCS_VECS; v++) {
      dcs_vec sum = difference[0] * flow->k[0][i][v];
      for (int j = 2; j < STAGES; j++) sum += difference[j] * flow->k[j][i][v];
      flow->step[i][v] = h * sum;
      e2[v] += flow->step[i][v] * flow->step[i][v];
      y2[v] += flow->y[i][v] * flow->y[i][v];
    }
  row over;
  for (int v = 0; v < DCS_VECS; v++) {
    over[v] = dcs_vec_sqrt(e2[v]) / (allowed + ROUNDING * dcs_vec_sqrt(y2[v]) + DBL_MIN); /* 0/0 is 0 */
    if (dcs_mask_any(~(over[v] < INFINITY))) return NAN;
  }
  return largest(&over);
}

static void swap(row **a, row **b)
{
  row *t = *a;
  *a = *b;
  *b = t;
}

static void accept(dcs_flow *flow)
{
  for (int i = 0; i < flow->d; i++)
    for (int v = 0; v < DCS_VECS; v++) flow->error[i][v] += flow->step[i][v];
  swap(&flow->x, &flow->y);
  swap(&flow->k[0], &flow->k[STAGES - 1]);
}

dcs_status dcs_flow_run(dcs_flow *flow, double sigma, double u, double tolerance, const double *mean, const double *x,
                        double *out)
{
  size_t bytes = (size_t)flow->d * sizeof(row);
  double s = sigma, pieces = 1; /* of equal length to go, if the next ones are as long as this one may be */
  memcpy(flow->x, x, bytes);
  memset(flow->error, 0, bytes);
  if (mean == NULL)
    evaluate(flow, sigma, flow->x, flow->k[0]);
  else
    velocity(flow->d, sigma, flow->x, (const row *)mean, flow->k[0]);
  for (int n = 0; n < MAX_STEPS; n++) {
    double h = (u - s) / pieces, end = pieces == 1 ? u : s + h;
    advance(flow, s, h, end);
    double over = excess(flow, h, tolerance * fmin(s, end) * sqrt(flow->d));
    if (isnan(over)) return DCS_ENUMERIC;
    if (over <= 1) {
      accept(flow);
      if (end == u) {
        memcpy(out, flow->x, bytes);
        return DCS_OK;
      }
      s = end;
    }
    double factor = fmin(fmax(0.9 * pow(over, -0.2), 0.2), 5); /* order five in h */
    pieces = fmax(ceil((u - s) / (h * factor)), 1);
  }
  return DCS_ENUMERIC;
}

dcs_status dcs_flow_against(dcs_flow *flow, double sigma, double u, double fraction, const double *mean,
                            const double *x, const double *other, double *out)
{
  dcs_status st = dcs_flow_run(flow, sigma, u, TRIAL_TOLERANCE, mean, x, out);
  if (st != DCS_OK) return st;
  const row *phi = (const row *)out, *f = (const row *)other;
  row e2 = {}, gap2 = {};
  for (int i = 0; i < flow->d; i++)
    for (int v = 0; v < DCS_VECS; v++) {
      e2[v] += flow->error[i][v] * flow->error[i][v];
      gap2[v] += (phi[i][v] - f[i][v]) * (phi[i][v] - f[i][v]);
    }
  double sum = 0;
  for (int l = 0; l < DCS_LANES; l++) sum += ((const double *)gap2)[l];
  double allowed = fraction * sqrt(sum / DCS_LANES);
  if (sqrt(largest(&e2)) <= allowed) return DCS_OK;
  return dcs_flow_run(flow, sigma, u, allowed / (fmin(sigma, u) * sqrt(flow->d)), mean, x, out);
}
