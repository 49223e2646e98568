#include "metric/gaussian_steps.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"

static int compare(const void *a, const void *b)
{
  const dcs_gaussian_coordinate *p = a, *q = b;
  if (p->lambda != q->lambda) return p->lambda < q->lambda ? -1 : 1;
  return (p->mean > q->mean) - (p->mean < q->mean);
}

dcs_status dcs_gaussian_coordinates(const dcs_problem *problem, int *count, dcs_gaussian_coordinate **out)
{
  dcs_status st = DCS_OK;
  dcs_gaussian_coordinate *c = NULL;
  int copies = 1, n = 0;
  const dcs_target *target = dcs_target_factor(problem->target, &copies);
  int d = dcs_target_dimension(target);
  const double *mean = NULL, *lambda = dcs_target_gaussian(target, &mean);
  DCS_TRY(dcs_alloc((size_t)d, sizeof *c, &c));
  for (int i = 0; i < d; i++)
    c[i] = (dcs_gaussian_coordinate){lambda[i], problem->steps->init == DCS_INIT_PRIOR ? mean[i] : 0, copies};
  qsort(c, (size_t)d, sizeof *c, compare);
  for (int i = 1; i < d; i++)
    if (compare(&c[n], &c[i]) == 0)
      c[n].weight += copies;
    else
      c[++n] = c[i];
  *count = n + 1;
done:
  *out = c;
  return st;
}

/** 1 - g of one step of Heun's method from s to t, F = x + (t - s)/2 [(x - m(x, s))/s + (y - m(y, t))/t] with the Euler
 *  point y = x + (t - s)(x - m(x, s))/s, where (x - m(x, s))/s = s x/Q(s). */
static long double heun_fall(long double s, long double t, long double q, long double q_next)
{
  return (s - t) / 2 * (s / q + (1 - (s - t) * s / q) * t / q_next);
}

dcs_linear_step dcs_linear_step_at(dcs_map_kind kind, const dcs_step *step, double lambda)
{
  long double s = step->sigma, t = step->sigma_next, b = step->b, lost = (s - t) * (s + t), fall;
  dcs_linear_step l = {.q = lambda + s * s, .q_next = lambda + t * t, .noise2 = step->c2};
  if (kind == DCS_MAP_HEUN)
    fall = heun_fall(s, t, l.q, l.q_next);
  else
    fall = b * s * s / l.q;
  if (kind == DCS_MAP_MOMENT_2) l.noise2 += b * b * lambda * s * s / l.q;
  l.g = 1 - fall;
  l.own2 = l.noise2 < l.q_next ? l.noise2 : l.q_next;
  l.phi = sqrtl((l.q_next - l.own2) / l.q);
  l.miss = fall - (lost + l.own2) / (l.q * (1 + l.phi)); /* 1 - phi^2 = (Q - Q' + own2)/Q */
  return l;
}

long double dcs_gaussian_start_kl(const dcs_steps *steps, const dcs_gaussian_coordinate *coordinate)
{
  if (steps->init == DCS_INIT_EXACT) return 0;
  bool prior = steps->init == DCS_INIT_PRIOR;
  long double s0 = steps->step[0].sigma, v = s0 * s0 + (prior ? 1 : 0), mean = prior ? coordinate->mean : 0;
  long double e = (coordinate->lambda - (prior ? 1 : 0)) / v; /* Q/V - 1 */
  return (e - log1pl(e) + mean * mean / v) / 2;
}

dcs_status dcs_gaussian_check(const dcs_problem *problem, dcs_error *err)
{
  if (dcs_target_gaussian(problem->target, NULL) == NULL) return dcs_fail(err, DCS_EARG, "the target is not Gaussian");
  if (problem->steps->error != NULL) return dcs_fail(err, DCS_EARG, "the score is not that of a Gaussian");
  if (problem->steps->sampler->kind == DCS_MAP_MOMENT_3)
    return dcs_fail(err, DCS_EARG, "the noise of %s is not normal", problem->steps->sampler->name);
  return DCS_OK;
}

double dcs_gaussian_flops(const dcs_problem *problem, double per_step)
{
  int copies = 1;
  return per_step * problem->steps->count * dcs_target_dimension(dcs_target_factor(problem->target, &copies));
}
