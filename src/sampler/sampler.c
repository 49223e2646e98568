#include "sampler/sampler.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "sampler/score_error.h"

static double square(double x) { return x * x; }

/** sigma^2 - tau^2 without cancellation. */
static double gap(double sigma, double tau) { return (sigma - tau) * (sigma + tau); }

/** OU length between two levels, 1/2 log((1 + sigma^2)/(1 + tau^2)). */
static double ou_length(double sigma, double tau) { return 0.5 * log1p(gap(sigma, tau) / (1 + square(tau))); }

/** sigma^2/(1 + sigma^2), the variance-preserving noise variance. */
static double vp_variance(double sigma) { return square(sigma) / (1 + square(sigma)); }

/** B* = 1 - sigma'^2/sigma^2, the coefficient for which F(x) + noise has the right conditional mean. */
static dcs_step ancestral(double sigma, double tau, double c2, double u2)
{
  double ratio = square(tau / sigma);
  return (dcs_step){sigma, tau, gap(sigma, tau) / square(sigma), ratio, c2, u2};
}

static dcs_step ddpm_posterior(double sigma, double tau, double after, double lambda)
{
  (void)after, (void)lambda;
  double u2 = square(square(tau) / sigma);
  return ancestral(sigma, tau, square(tau) * gap(sigma, tau) / square(sigma), u2);
}

/** c^2 = (1 - e^{-2h})(1 + sigma'^2) = (sigma^2 - sigma'^2)(1 + sigma'^2)/(1 + sigma^2). */
static dcs_step ddpm_beta(double sigma, double tau, double after, double lambda)
{
  (void)after, (void)lambda;
  double c2 = gap(sigma, tau) * (1 + square(tau)) / (1 + square(sigma));
  return ancestral(sigma, tau, c2, square(tau) - c2);
}

static dcs_step ddpm_big(double sigma, double tau, double after, double lambda)
{
  (void)after, (void)lambda;
  return ancestral(sigma, tau, gap(sigma, tau), square(tau) - gap(sigma, tau));
}

/** Exponential-integrator ODE over this interval and the next, then exact OU noising over the next: u = sigma_{k+2}. */
static dcs_step jain_zhang(double sigma, double tau, double after, double lambda)
{
  (void)lambda;
  double h = ou_length(sigma, tau) + ou_length(tau, after), b = -expm1(-h) / vp_variance(sigma);
  return (dcs_step){sigma, tau, b, 1 - b, gap(tau, after), square(after)};
}

static dcs_step ei_sde(double sigma, double tau, double after, double lambda)
{
  (void)after, (void)lambda;
  double b = -2 * expm1(-ou_length(sigma, tau)) / vp_variance(sigma), c2 = gap(sigma, tau);
  return (dcs_step){sigma, tau, b, 1 - b, c2, square(tau) - c2};
}

static dcs_step ei_ode(double sigma, double tau, double after, double lambda)
{
  (void)after, (void)lambda;
  double b = -expm1(-ou_length(sigma, tau)) / vp_variance(sigma);
  return (dcs_step){sigma, tau, b, 1 - b, 0, square(tau)};
}

static dcs_step ddim(double sigma, double tau, double after, double lambda)
{
  (void)after, (void)lambda;
  return (dcs_step){sigma, tau, (sigma - tau) / sigma, tau / sigma, 0, square(tau)};
}

/** ODE past sigma' down to u = sigma' (sigma'/sigma)^lambda, then noise back up. lambda = 0 is ddim, 1 is
 *  ddpm-posterior. */
static dcs_step churn(double sigma, double tau, double after, double lambda)
{
  (void)after;
  double log_ratio = log1p((tau - sigma) / sigma), fall = tau / sigma * exp(lambda * log_ratio);
  double c2 = -square(tau) * expm1(2 * lambda * log_ratio);
  return (dcs_step){sigma, tau, -expm1((1 + lambda) * log_ratio), fall, c2, square(fall * sigma)};
}

/** The registry: a new sampler of one score is one function and one line here. */
static const dcs_sampler samplers[] = {
    {.name = "ddpm-posterior",
     .help = "ancestral step with the posterior variance; in SNR time the first-order step of Reeves and Pfister",
     .source = "Ho et al. arXiv:2006.11239 (beta-tilde); Li and Yan; Reeves and Pfister arXiv:2502.02305",
     .step = ddpm_posterior},
    {.name = "ddpm-beta",
     .help = "ancestral step with variance beta",
     .source = "Ho et al. arXiv:2006.11239 (beta)",
     .step = ddpm_beta},
    {.name = "ddpm-big",
     .help = "ancestral step with variance sigma^2 - sigma'^2",
     .source = "Li and Yan, Theorem 1 (our reading)",
     .step = ddpm_big},
    {.name = "jain-zhang",
     .help = "probability-flow step over two intervals, then exact noising over the second",
     .source = "Jain and Zhang arXiv:2508.16306, Algorithm 1 (our reading)",
     .step = jain_zhang},
    {.name = "ei-sde",
     .help = "exponential integrator of the reverse SDE",
     .source = "Chen, Lee and Lu; Benton et al. arXiv:2308.03686",
     .step = ei_sde},
    {.name = "ei-ode",
     .help = "exponential integrator of the probability-flow ODE",
     .source = "Zhang and Chen arXiv:2204.13902",
     .deterministic = true,
     .step = ei_ode},
    {.name = "ddim",
     .help = "deterministic step, Euler in sigma",
     .source = "Song, Meng and Ermon arXiv:2010.02502",
     .deterministic = true,
     .step = ddim},
    {.name = "churn",
     .help = "ODE step past sigma' by the power lambda, then noise back up",
     .source = "after Karras et al. arXiv:2206.00364",
     .takes_lambda = true,
     .step = churn},
    {.name = "moment-2",
     .help = "ancestral step with extra normal noise, so that mean and covariance of the reverse step are exact",
     .source = "Reeves and Pfister arXiv:2502.02305 (our reading)",
     .kind = DCS_MAP_MOMENT_2,
     .step = ddpm_posterior},
    {.name = "moment-3",
     .help = "the same with two-point noise that matches the third moment as well; one-dimensional factors only",
     .source = "Reeves and Pfister arXiv:2502.02305 (our reading)",
     .kind = DCS_MAP_MOMENT_3,
     .step = ddpm_posterior},
    {.name = "heun",
     .help = "Heun's method on the probability flow, two scores a step",
     .source = "Karras et al. arXiv:2206.00364, Algorithm 1",
     .kind = DCS_MAP_HEUN,
     .deterministic = true,
     .step = ddim},
};

const dcs_sampler *dcs_sampler_at(int index)
{
  return index >= 0 && index < (int)(sizeof samplers / sizeof *samplers) ? &samplers[index] : NULL;
}

const dcs_sampler *dcs_sampler_find(const char *name)
{
  for (int i = 0; dcs_sampler_at(i) != NULL; i++)
    if (strcmp(samplers[i].name, name) == 0) return &samplers[i];
  return NULL;
}

dcs_status dcs_steps_create(const dcs_sampler *sampler, double lambda, dcs_init init, const dcs_schedule *schedule,
                            dcs_steps **out)
{
  dcs_status st = DCS_OK;
  dcs_steps *steps = NULL;
  DCS_TRY(dcs_alloc(1, sizeof *steps, &steps));
  *steps = (dcs_steps){.sampler = sampler, .init = init, .lambda = lambda, .count = schedule->steps};
  DCS_TRY(dcs_alloc((size_t)steps->count, sizeof *steps->step, &steps->step));
  for (int k = 0; k < steps->count; k++)
    steps->step[k] = sampler->step(schedule->sigma[k], schedule->sigma[k + 1], schedule->sigma[k + 2], lambda);
done:
  if (st != DCS_OK) dcs_steps_destroy(&steps);
  *out = steps;
  return st;
}

void dcs_steps_destroy(dcs_steps **steps)
{
  if (*steps == NULL) return;
  dcs_score_error_destroy(&(*steps)->error);
  dcs_free(&(*steps)->step);
  dcs_free(steps);
}

void dcs_sampler_draw_lanes(const dcs_target *target, const double *sigma, dcs_stream draw, const dcs_lane_ids *ids,
                            double *restrict x, double *restrict z)
{
  int d = dcs_target_dimension(target);
  dcs_target_draw(target, draw, ids, DCS_DRAW_DATA, x);
  dcs_stream_normal(draw, ids, DCS_DRAW_NOISE, d, z);
  for (int i = 0; i < d; i++)
    for (int l = 0; l < DCS_LANES; l++) x[i * DCS_LANES + l] += sigma[l] * z[i * DCS_LANES + l];
}

void dcs_sampler_draw(const dcs_target *target, double sigma, dcs_stream draw, const dcs_lane_ids *ids,
                      double *restrict x, double *restrict z)
{
  double same[DCS_LANES];
  for (int l = 0; l < DCS_LANES; l++) same[l] = sigma;
  dcs_sampler_draw_lanes(target, same, draw, ids, x, z);
}

static void start(const dcs_target *target, const dcs_steps *steps, dcs_stream draw, const dcs_lane_ids *ids, double *x,
                  double *z)
{
  double sigma = steps->step[0].sigma;
  int d = dcs_target_dimension(target);
  if (steps->init == DCS_INIT_EXACT) {
    dcs_sampler_draw(target, sigma, draw, ids, x, z);
    return;
  }
  double spread = steps->init == DCS_INIT_PRIOR ? sqrt(1 + square(sigma)) : sigma;
  dcs_stream_normal(draw, ids, DCS_DRAW_NOISE, d, x);
  for (int i = 0; i < d; i++)
    for (int l = 0; l < DCS_LANES; l++)
      x[i * DCS_LANES + l] =
          spread * x[i * DCS_LANES + l] + (steps->init == DCS_INIT_MEAN ? dcs_target_mean(target)[i] : 0);
}

dcs_status dcs_sampler_check(const dcs_target *target, const dcs_steps *steps, dcs_error *err)
{
  if (steps->sampler->kind != DCS_MAP_MOMENT_3 || dcs_target_dimension(target) == 1) return DCS_OK;
  return dcs_fail(err, DCS_EREFUSED,
                  "%s: matches a third cumulant, which takes d = 1, and the target has d = %d; use moment-2",
                  steps->sampler->name, dcs_target_dimension(target));
}

/** xi[lane] of mean 0, variance C and third cumulant k3 on two points a > 0 > b: a b = -C, a + b = k3/C, P(a) =
 *  -b/(a - b). The point of larger size has no cancellation in it, and gives the other one. */
static void two_point_noise(dcs_posterior *post, dcs_stream stream, const dcs_lane_ids *ids, uint32_t step, double *xi)
{
  _Alignas(DCS_ALIGN) double c[DCS_LANES], third[DCS_LANES], coin[DCS_LANES], unused[DCS_LANES];
  dcs_posterior_trace(post, c);
  dcs_posterior_third(post, third);
  dcs_stream_uniform2(stream, ids, step, 0, coin, unused);
  for (int l = 0; l < DCS_LANES; l++) {
    if (c[l] == 0) {
      xi[l] = 0;
      continue;
    }
    double skew = third[l] / c[l], large = 0.5 * (fabs(skew) + sqrt(skew * skew + 4 * c[l])), small = c[l] / large;
    double a = skew > 0 ? large : small, b = skew > 0 ? -small : -large;
    xi[l] = coin[l] < -b / (a - b) ? a : b;
  }
}

/** x += B (m^ - x) with m^ at (x, sigma_k), where `post` is; m^ is exact or goes to z. Returns it. */
static const double *move(const dcs_steps *steps, int k, const dcs_posterior *post, int n, double *restrict x,
                          double *restrict z)
{
  const double *m = dcs_posterior_mean(post);
  const double b = steps->step[k].b;
  if (steps->error != NULL) {
    memcpy(z, m, (size_t)n * sizeof *m);
    dcs_score_error_shift(steps->error, k, x, z);
    m = z;
  }
  for (int i = 0; i < n; i++) x[i] += b * (m[i] - x[i]);
  return m;
}

/** Heun's step in the form of sampler/map.h: x_e = x + B (m^ - x), then x = x_e + g (m^(x_e, sigma') - m^). */
static void heun(const dcs_steps *steps, int k, dcs_posterior *post, int n, double *restrict x, double *restrict z)
{
  const dcs_step *s = &steps->step[k];
  const double g = 0.5 * s->b / s->one_minus_b;
  const double *m = move(steps, k, post, n, x, z);
  if (m != z) memcpy(z, m, (size_t)n * sizeof *m);
  dcs_posterior_at(post, s->sigma_next, x);
  m = dcs_posterior_mean(post);
  for (int i = 0; i < n; i++) z[i] = m[i] - z[i];
  if (steps->error != NULL) dcs_score_error_shift(steps->error, k + 1, x, z);
  for (int i = 0; i < n; i++) x[i] += g * z[i];
}

static void add(int n, double factor, const double *restrict z, double *restrict x)
{
  for (int i = 0; i < n; i++) x[i] += factor * z[i];
}

void dcs_sampler_run(const dcs_target *target, const dcs_steps *steps, dcs_posterior *post, dcs_stream draw,
                     dcs_stream noise, const dcs_lane_ids *ids, double *restrict x, double *restrict z)
{
  const int d = dcs_target_dimension(target), n = d * DCS_LANES;
  const dcs_map_kind kind = steps->sampler->kind;
  const dcs_stream xi = dcs_stream_fork(noise, 0);
  start(target, steps, draw, ids, x, z);
  for (int k = 0; k < steps->count; k++) {
    const dcs_step *s = &steps->step[k];
    dcs_posterior_at(post, s->sigma, x);
    if (kind == DCS_MAP_HEUN) {
      heun(steps, k, post, n, x, z);
      continue;
    }
    move(steps, k, post, n, x, z);
    if (s->c2 > 0) {
      dcs_stream_normal(noise, ids, (uint32_t)k, d, z);
      add(n, sqrt(s->c2), z, x);
    }
    if (kind == DCS_MAP_ONE_SCORE) continue;
    if (kind == DCS_MAP_MOMENT_2)
      dcs_posterior_noise(post, xi, ids, (uint32_t)k, z);
    else
      two_point_noise(post, xi, ids, (uint32_t)k, z);
    add(n, s->b, z, x);
  }
}
