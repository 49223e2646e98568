/** B independent copies of a law side by side: every quantity splits over the copies. */
#include "base/memory.h"
#include "target/law.h"

typedef struct {
  dcs_target *base;
  int copies;
  double *variances, *means; /**< [d] in the eigenbasis when the base is Gaussian, else NULL */
} product;

typedef struct {
  dcs_posterior **part; /**< [copies] */
} work;

static void destroy(dcs_target *target)
{
  product *p = target->data;
  if (p == NULL) return;
  dcs_target_destroy(&p->base);
  dcs_free(&p->variances);
  dcs_free(&p->means);
  dcs_free(&target->data);
}

static void draw(const dcs_target *target, dcs_stream stream, const dcs_lane_ids *ids, uint32_t step, double *x)
{
  const product *p = target->data;
  for (int c = 0; c < p->copies; c++)
    dcs_target_draw(p->base, dcs_stream_fork(stream, (uint32_t)c), ids, step, x + c * p->base->d * DCS_LANES);
}

static double flops(const dcs_target *target, bool factor)
{
  const product *p = target->data;
  return p->copies * dcs_target_flops(p->base, factor);
}

static void characteristic(const dcs_target *target, const double *omega, double *re, double *im)
{
  const product *p = target->data;
  double x = 1, y = 0;
  for (int c = 0; c < p->copies; c++) {
    double a, b;
    dcs_target_characteristic(p->base, omega + c * p->base->d, &a, &b);
    double kept = x;
    x = x * a - y * b;
    y = kept * b + y * a;
  }
  *re = x;
  *im = y;
}

static const double *gaussian(const dcs_target *target, const double **mean)
{
  const product *p = target->data;
  *mean = p->means;
  return p->variances;
}

static int parts(const dcs_target *target, dcs_part part[DCS_PARTS_MAX])
{
  const product *p = target->data;
  int n = dcs_target_parts(p->base, part);
  for (int i = 0; i < n; i++) part[i].copies *= p->copies;
  return n;
}

static void posterior_destroy(dcs_posterior *post)
{
  const product *p = post->target->data;
  work *w = post->data;
  if (w != NULL && w->part != NULL)
    for (int c = 0; c < p->copies; c++) dcs_posterior_destroy(&w->part[c]);
  if (w != NULL) dcs_free(&w->part);
  dcs_free(&post->data);
}

static dcs_status posterior_create(dcs_posterior *post)
{
  dcs_status st = DCS_OK;
  const product *p = post->target->data;
  work *w = NULL;
  DCS_TRY(dcs_alloc(1, sizeof *w, &w));
  post->data = w;
  DCS_TRY(dcs_alloc((size_t)p->copies, sizeof(dcs_posterior *), &w->part));
  for (int c = 0; c < p->copies; c++) DCS_TRY(dcs_posterior_create(p->base, &w->part[c]));
done:
  return st;
}

static void at(dcs_posterior *post)
{
  const product *p = post->target->data;
  work *w = post->data;
  int rows = p->base->d * DCS_LANES;
  for (int l = 0; l < DCS_LANES; l++) post->log_q[l] = 0;
  for (int c = 0; c < p->copies; c++) {
    dcs_posterior_at(w->part[c], post->sigma, post->x + c * rows);
    for (int i = 0; i < rows; i++) post->m[c * rows + i] = w->part[c]->m[i];
    for (int l = 0; l < DCS_LANES; l++) post->log_q[l] += w->part[c]->log_q[l];
  }
}

static void apply(dcs_posterior *post, const double *v, double *out)
{
  const product *p = post->target->data;
  work *w = post->data;
  int rows = p->base->d * DCS_LANES;
  for (int c = 0; c < p->copies; c++) dcs_posterior_apply(w->part[c], v + c * rows, out + c * rows);
}

static void trace(dcs_posterior *post, double *out)
{
  const product *p = post->target->data;
  work *w = post->data;
  double part[DCS_LANES] __attribute__((aligned(DCS_ALIGN)));
  for (int l = 0; l < DCS_LANES; l++) out[l] = 0;
  for (int c = 0; c < p->copies; c++) {
    dcs_posterior_trace(w->part[c], part);
    for (int l = 0; l < DCS_LANES; l++) out[l] += part[l];
  }
}

static void factor(dcs_posterior *post, double a, double b, double *log_det)
{
  const product *p = post->target->data;
  work *w = post->data;
  double part[DCS_LANES] __attribute__((aligned(DCS_ALIGN)));
  for (int l = 0; l < DCS_LANES; l++) log_det[l] = 0;
  for (int c = 0; c < p->copies; c++) {
    dcs_posterior_factor(w->part[c], a, b, part);
    for (int l = 0; l < DCS_LANES; l++) log_det[l] += part[l];
  }
}

static void solve(dcs_posterior *post, const double *v, double *out)
{
  const product *p = post->target->data;
  work *w = post->data;
  int rows = p->base->d * DCS_LANES;
  for (int c = 0; c < p->copies; c++) dcs_posterior_solve(w->part[c], v + c * rows, out + c * rows);
}

static void noise(dcs_posterior *post, dcs_stream stream, const dcs_lane_ids *ids, uint32_t step, double *out)
{
  const product *p = post->target->data;
  work *w = post->data;
  int rows = p->base->d * DCS_LANES;
  for (int c = 0; c < p->copies; c++)
    dcs_posterior_noise(w->part[c], dcs_stream_fork(stream, (uint32_t)c), ids, step, out + c * rows);
}

static void bridge(dcs_posterior *post, double u, dcs_stream stream, const dcs_lane_ids *ids, uint32_t step,
                   double *out)
{
  const product *p = post->target->data;
  work *w = post->data;
  int rows = p->base->d * DCS_LANES;
  for (int c = 0; c < p->copies; c++)
    dcs_posterior_bridge(w->part[c], u, dcs_stream_fork(stream, (uint32_t)c), ids, step, out + c * rows);
}

static const dcs_law law_copies = {
    .name = "copies",
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

dcs_status dcs_copies_create(dcs_target *base, int copies, dcs_target **out)
{
  dcs_status st = DCS_OK;
  dcs_target *target = NULL;
  product *p = NULL;
  st = dcs_alloc(1, sizeof *target, &target);
  if (st == DCS_OK) st = dcs_alloc(1, sizeof *p, &p);
  if (st != DCS_OK) {
    dcs_target_destroy(&base);
    dcs_free(&target);
    return st;
  }
  *p = (product){.base = base, .copies = copies};
  *target = (dcs_target){.law = &law_copies, .d = base->d * copies, .data = p, .variance = copies * base->variance};
  const double *means = NULL, *variances = dcs_target_gaussian(base, &means);
  DCS_TRY(dcs_alloc((size_t)target->d, sizeof(double), &target->mean));
  if (variances != NULL) DCS_TRY(dcs_alloc((size_t)target->d, sizeof(double), &p->variances));
  if (variances != NULL) DCS_TRY(dcs_alloc((size_t)target->d, sizeof(double), &p->means));
  for (int i = 0; i < target->d; i++) {
    target->mean[i] = base->mean[i % base->d];
    if (variances != NULL) {
      p->variances[i] = variances[i % base->d];
      p->means[i] = means[i % base->d];
    }
  }
done:
  if (st != DCS_OK) dcs_target_destroy(&target);
  *out = target;
  return st;
}

const dcs_target *dcs_copies_base(const dcs_target *target, int *copies)
{
  const product *p = target->data;
  *copies = target->law == &law_copies ? p->copies : 1;
  return target->law == &law_copies ? p->base : target;
}
