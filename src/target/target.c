#include "target/target.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "target/law.h"

enum { MAX_DIMENSION = 1000000 /**< keeps every int index of a tile row in range */ };

/** The registry: a new law is one new file and one line here. */
static const dcs_law *const laws[] = {&dcs_law_gaussian, &dcs_law_mixture, &dcs_law_atoms, &dcs_law_codebook,
                                      &dcs_law_radial};

const dcs_law *dcs_law_at(int index)
{
  return index >= 0 && index < (int)(sizeof laws / sizeof *laws) ? laws[index] : NULL;
}

const dcs_law *dcs_law_find(const char *name)
{
  for (int i = 0; dcs_law_at(i) != NULL; i++)
    if (strcmp(laws[i]->name, name) == 0) return laws[i];
  return NULL;
}

const char *dcs_law_name(const dcs_law *law) { return law->name; }
const char *dcs_law_help(const dcs_law *law) { return law->help; }
const dcs_param_def *dcs_law_params(const dcs_law *law) { return law->params; }

void dcs_law_normals(dcs_stream stream, uint64_t path, int n, double scale, double *out)
{
  for (int i = 0; i < n; i += 2) {
    double u[2];
    dcs_stream_uniform2_ref(stream, path, 0, 0, (uint32_t)i / 2, u);
    double radius = scale * sqrt(-2 * log(u[0])), angle = 2 * acos(-1) * u[1];
    out[i] = radius * cos(angle);
    if (i + 1 < n) out[i + 1] = radius * sin(angle);
  }
}

/** `product: true`: the law is one-dimensional and d counts its copies. */
static dcs_status factor_params(const dcs_params *params, dcs_params *one, int *copies, dcs_error *err)
{
  dcs_status st = DCS_OK;
  double unit = 1;
  DCS_TRY(dcs_params_copy(params, one));
  *copies = dcs_params_int(params, "copies");
  if (!dcs_params_flag(params, "product")) goto done;
  if (!dcs_params_is_set(params, "d")) {
    st = dcs_fail(err, DCS_EUSAGE, "product: true needs d, the number of coordinates");
    goto done;
  }
  if (dcs_params_int(params, "d") > MAX_DIMENSION / *copies) {
    st = dcs_fail(err, DCS_EUSAGE, "product: d times copies is above %d", MAX_DIMENSION);
    goto done;
  }
  *copies *= dcs_params_int(params, "d");
  DCS_TRY(dcs_params_set(one, "d", 1, 1, &unit));
done:
  return st;
}

dcs_status dcs_target_create(const dcs_law *law, const dcs_params *params, dcs_target **out, dcs_error *err)
{
  dcs_status st = DCS_OK;
  dcs_target *target = NULL;
  dcs_params one = {0};
  int copies = 1;
  DCS_TRY(factor_params(params, &one, &copies, err));
  DCS_TRY(dcs_alloc(1, sizeof *target, &target));
  target->law = law;
  DCS_TRY(law->create(&one, target, err));
  if (dcs_params_flag(params, "product") && target->d != 1) {
    st = dcs_fail(err, DCS_EUSAGE, "product: true needs a one-dimensional law; this one has d = %d", target->d);
    goto done;
  }
  if (target->d > MAX_DIMENSION / copies) {
    st = dcs_fail(err, DCS_EUSAGE, "d times copies is above %d", MAX_DIMENSION);
    goto done;
  }
  if (copies > 1) {
    dcs_target *base = target;
    target = NULL;
    DCS_TRY(dcs_copies_create(base, copies, &target));
  }
  if (dcs_params_is_set(params, "embed")) {
    dcs_target *base = target;
    target = NULL;
    DCS_TRY(dcs_embed_create(base, dcs_params_int(params, "embed"), (uint64_t)dcs_params_int(params, "embed_seed"),
                             &target, err));
  }
done:
  if (st != DCS_OK) dcs_target_destroy(&target);
  dcs_params_destroy(&one);
  *out = target;
  return st;
}

dcs_target *dcs_target_share(dcs_target *target)
{
  target->shares++;
  return target;
}

void dcs_target_destroy(dcs_target **target)
{
  if (*target == NULL) return;
  if ((*target)->shares-- > 0) {
    *target = NULL;
    return;
  }
  (*target)->law->destroy(*target);
  dcs_free(&(*target)->mean);
  dcs_free(target);
}

int dcs_target_dimension(const dcs_target *target) { return target->d; }
const double *dcs_target_mean(const dcs_target *target) { return target->mean; }
double dcs_target_variance(const dcs_target *target) { return target->variance; }

const dcs_target *dcs_target_factor(const dcs_target *target, int *copies) { return dcs_copies_base(target, copies); }

int dcs_target_parts(const dcs_target *target, dcs_part part[DCS_PARTS_MAX])
{
  if (target->law->parts != NULL) return target->law->parts(target, part);
  part[0] = (dcs_part){target, 1};
  return 1;
}

int dcs_target_radial(const dcs_target *target, const double **weight, const double **stddev)
{
  return target->law->radial == NULL ? 0 : target->law->radial(target, weight, stddev);
}

void dcs_target_characteristic(const dcs_target *target, const double *omega, double *re, double *im)
{
  target->law->characteristic(target, omega, re, im);
}

const double *dcs_target_gaussian(const dcs_target *target, const double **mean)
{
  const double *unused = NULL;
  return target->law->gaussian == NULL ? NULL : target->law->gaussian(target, mean != NULL ? mean : &unused);
}

void dcs_target_draw(const dcs_target *target, dcs_stream stream, const dcs_lane_ids *ids, uint32_t step,
                     double *restrict x)
{
  target->law->draw(target, stream, ids, step, x);
}

double dcs_target_flops(const dcs_target *target, bool factor) { return target->law->flops(target, factor); }

dcs_status dcs_posterior_create(const dcs_target *target, dcs_posterior **out)
{
  dcs_status st = DCS_OK;
  dcs_posterior *post = NULL;
  size_t d = (size_t)target->d;
  DCS_TRY(dcs_alloc(1, sizeof *post, &post));
  post->target = target;
  DCS_TRY(dcs_alloc(d * DCS_LANES, sizeof(double), &post->x));
  DCS_TRY(dcs_alloc(d * DCS_LANES, sizeof(double), &post->m));
  DCS_TRY(dcs_alloc(DCS_LANES, sizeof(double), &post->log_q));
  DCS_TRY(target->law->posterior_create(post));
done:
  if (st != DCS_OK) dcs_posterior_destroy(&post);
  *out = post;
  return st;
}

void dcs_posterior_destroy(dcs_posterior **post)
{
  if (*post == NULL) return;
  (*post)->target->law->posterior_destroy(*post);
  dcs_free(&(*post)->x);
  dcs_free(&(*post)->m);
  dcs_free(&(*post)->log_q);
  dcs_free(post);
}

void dcs_posterior_at(dcs_posterior *post, double sigma, const double *restrict x)
{
  post->sigma = sigma;
  memcpy(post->x, x, (size_t)post->target->d * DCS_LANES * sizeof *x);
  post->target->law->at(post);
}

const double *dcs_posterior_log_q(const dcs_posterior *post) { return post->log_q; }
const double *dcs_posterior_mean(const dcs_posterior *post) { return post->m; }
const double *dcs_posterior_x(const dcs_posterior *post) { return post->x; }

void dcs_posterior_apply(dcs_posterior *post, const double *restrict v, double *restrict out)
{
  post->target->law->apply(post, v, out);
}
void dcs_posterior_trace(dcs_posterior *post, double *restrict trace) { post->target->law->trace(post, trace); }
void dcs_posterior_factor(dcs_posterior *post, double a, double b, double *restrict log_det)
{
  post->target->law->factor(post, a, b, log_det);
}
void dcs_posterior_solve(dcs_posterior *post, const double *restrict v, double *restrict out)
{
  post->target->law->solve(post, v, out);
}
void dcs_posterior_third(dcs_posterior *post, double *restrict third) { post->target->law->third(post, third); }
void dcs_posterior_noise(dcs_posterior *post, dcs_stream stream, const dcs_lane_ids *ids, uint32_t step,
                         double *restrict out)
{
  post->target->law->noise(post, stream, ids, step, out);
}
void dcs_posterior_bridge(dcs_posterior *post, double u, dcs_stream stream, const dcs_lane_ids *ids, uint32_t step,
                          double *restrict out)
{
  post->target->law->bridge(post, u, stream, ids, step, out);
}
