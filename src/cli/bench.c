/** `dcs bench`: rates of the kernels on one core, each beside the machine's peak. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "cli/arguments.h"
#include "cli/bench.h"
#include "cli/cli.h"
#include "metric/ratio.h"

typedef struct {
  int d, components, steps;
  double separation, stddev;
  bool forward; /**< sampler steps; else the full ratio estimator */
  const char *sampler;
  double goal; /**< steps/s below which something is wrong with the build or the machine */
} bench_case;

static const bench_case cases[] = {
    {3, 8, 64, 1, 0.2, false, "ddpm-posterior", 4e6},
    {3, 8, 64, 1, 0.2, false, "ddim", 4e6},
    {16, 16, 64, 1, 0.2, false, "ddpm-posterior", 1e6},
    {16, 16, 64, 1, 0.2, false, "ddim", 1e6},
    {64, 64, 64, 1, 0.2, false, "ddpm-posterior", 1e5},
    {64, 64, 64, 1, 0.2, false, "ddim", 1e5},
    {3, 8, 64, 1, 0.2, false, "heun", 3e6},
    {16, 16, 64, 1, 0.2, false, "heun", 3e5},
    {16, 16, 64, 1, 0.2, true, "ddpm-posterior", 1e7},
    {16, 16, 64, 1, 0.2, true, "ddim", 1e7},
};

double dcs_bench_now(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/** Multiply-adds per second of one core on sixteen independent chains, in flop/s: best of five. */
static double peak_flops(void)
{
  enum { CHAINS = 16, ROUNDS = 1000000 };
  double best = 0;
  for (int repeat = 0; repeat < 5; repeat++) {
    dcs_vec chain[CHAINS], factor = dcs_vec_set(0.999999), term = dcs_vec_set(1e-9);
    for (int i = 0; i < CHAINS; i++) chain[i] = dcs_vec_set(1 + i);
    double start = dcs_bench_now();
    for (int n = 0; n < ROUNDS; n++)
      for (int i = 0; i < CHAINS; i++) chain[i] = chain[i] * factor + term;
    double seconds = dcs_bench_now() - start, sum = 0;
    for (int i = 0; i < CHAINS; i++) sum += chain[i][0];
    if (sum != 0) best = fmax(best, 2.0 * CHAINS * DCS_VEC * ROUNDS / seconds);
  }
  return best;
}

static dcs_status make_target(const bench_case *c, dcs_target **target, dcs_error *err)
{
  dcs_status st = DCS_OK;
  dcs_params params = {0};
  const dcs_law *law = dcs_law_find("mixture");
  double d = c->d, k = c->components;
  DCS_TRY(dcs_params_create(dcs_law_params(law), &params));
  DCS_TRY(dcs_params_set(&params, "d", 1, 1, &d));
  DCS_TRY(dcs_params_set(&params, "components", 1, 1, &k));
  DCS_TRY(dcs_params_set(&params, "separation", 1, 1, &c->separation));
  DCS_TRY(dcs_params_set(&params, "stddev", 1, 1, &c->stddev));
  DCS_TRY(dcs_params_default(&params, err));
  DCS_TRY(dcs_target_create(law, &params, target, err));
done:
  dcs_params_destroy(&params);
  return st;
}

static dcs_status make_steps(const bench_case *c, dcs_steps **steps, dcs_error *err)
{
  dcs_status st = DCS_OK;
  dcs_params params = {0};
  dcs_schedule *schedule = NULL;
  const dcs_schedule_rule *rule = dcs_schedule_find("geometric");
  DCS_TRY(dcs_params_create(rule->params, &params));
  DCS_TRY(dcs_params_default(&params, err));
  DCS_TRY(dcs_schedule_create(rule, &params, c->steps, 0.01, &schedule, err));
  DCS_TRY(dcs_steps_create(dcs_sampler_find(c->sampler), NAN, DCS_INIT_EXACT, schedule, steps));
done:
  dcs_schedule_destroy(&schedule);
  dcs_params_destroy(&params);
  return st;
}

/** Median over repeats of steps per second, each repeat at least `seconds` long. */
static dcs_status measure(const bench_case *c, double seconds, double *rate, double *flops, dcs_error *err)
{
  enum { REPEATS = 5 };
  dcs_status st = DCS_OK;
  dcs_target *target = NULL;
  dcs_steps *steps = NULL;
  dcs_inverter inverter = {0};
  double *x = NULL, *z = NULL, rates[REPEATS];
  size_t n = (size_t)c->d * DCS_LANES;
  _Alignas(DCS_ALIGN) double log_w[DCS_LANES];
  dcs_stream draw = dcs_stream_create(1, DCS_PURPOSE_DRAW, 0), noise = dcs_stream_create(1, DCS_PURPOSE_STEP, 0);
  DCS_TRY(make_target(c, &target, err));
  DCS_TRY(make_steps(c, &steps, err));
  DCS_TRY(dcs_inverter_create(target, steps, &inverter));
  DCS_TRY(dcs_alloc(n, sizeof *x, &x));
  DCS_TRY(dcs_alloc(n, sizeof *z, &z));
  dcs_lane_ids ids = {0};
  for (int r = 0; r < REPEATS; r++) {
    double start = dcs_bench_now(), elapsed = 0;
    int64_t tiles = 0;
    for (; elapsed < seconds; elapsed = dcs_bench_now() - start, tiles++) {
      for (int l = 0; l < DCS_LANES; l++) ids.path[l] += DCS_LANES;
      if (c->forward) {
        dcs_sampler_run(target, steps, dcs_inverter_posterior(&inverter), draw, noise, &ids, x, z);
      } else {
        dcs_sampler_draw(target, steps->step[steps->count - 1].sigma_next, draw, &ids, x, z);
        DCS_TRY(dcs_ratio_weights(target, steps, &inverter, noise, &ids, x, log_w, err));
      }
    }
    double value = (double)tiles * DCS_LANES * c->steps / elapsed;
    int at = r; /* insertion sort: the median is what is quoted */
    for (; at > 0 && rates[at - 1] > value; at--) rates[at] = rates[at - 1];
    rates[at] = value;
  }
  *rate = rates[REPEATS / 2];
  bool noisy = steps->step[0].c2 > 0;
  *flops = (c->forward ? 1 : 3) * dcs_map_flops(target, steps, false) + (noisy ? 60 : 6) * c->d;
  if (!c->forward) *flops += 2 * dcs_map_flops(target, steps, true) + (noisy ? dcs_target_flops(target, false) : 0);
done:
  dcs_free(&x);
  dcs_free(&z);
  dcs_inverter_destroy(&inverter);
  dcs_steps_destroy(&steps);
  dcs_target_destroy(&target);
  return st;
}

typedef struct {
  double seconds;
} arguments;

static error_t parse(int key, char *arg, struct argp_state *state)
{
  arguments *a = state->input;
  char *end = NULL;
  switch (key) {
  case 's':
    a->seconds = strtod(arg, &end);
    if (*end != '\0' || !(a->seconds > 0))
      return dcs_cli_usage(state, "--seconds takes a positive number, not '%s'", arg);
    return 0;
  case ARGP_KEY_ARG:
    return dcs_cli_usage(state, "unexpected argument '%s'", arg);
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

int dcs_cli_bench(int argc, char **argv)
{
  static const struct argp_option options[] = {
      {"seconds", 's', "S", 0, "length of each of the five repeats (default 0.3)", 0}, {0}};
  static const struct argp argp = {
      options,
      parse,
      NULL,
      "Rates of the kernels on one core: path-steps per second of the full ratio estimator (draw, inversion, log det) "
      "and steps per second of the forward sampler, on random mixtures in d dimensions with K components; then the "
      "cost of "
      "a path-step of every instrument.\v"
      "Counted flops are those of the algorithm with two factorisations and three (with noise: four) posterior "
      "evaluations per step (heun: twice as many, and Jacobians built column by column), 30 for an exponential and 60 "
      "for a normal number; components whose weight is below "
      "rounding are skipped, so the counted rate can exceed what is executed. The peak is measured with independent "
      "multiply-adds.\n\n"
      "Example:\n  dcs bench --seconds 1\n\nExit codes: 0 ok, 1 error, 2 usage.",
      NULL,
      NULL,
      NULL};
  arguments a = {.seconds = 0.3};
  dcs_error err = {""};
  if (!dcs_cli_parse(&argp, argc, argv, false, &a)) return DCS_EXIT_USAGE;
  double peak = peak_flops();
  printf("peak of one core: %.1f Gflop/s\n\n", peak / 1e9);
  printf("%-16s %-15s %4s %4s %12s %10s %14s %8s\n", "kernel", "sampler", "d", "K", "steps/s", "goal",
         "counted Gflop/s", "of peak");
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    double rate = 0, flops = 0;
    dcs_status st = measure(&cases[i], a.seconds, &rate, &flops, &err);
    if (st != DCS_OK) return dcs_cli_fail(st, &err);
    printf("%-16s %-15s %4d %4d %12.3g %10.0e %14.1f %7.0f%%\n",
           cases[i].forward ? "forward sampler" : "ratio estimator", cases[i].sampler, cases[i].d, cases[i].components,
           rate, cases[i].goal, rate * flops / 1e9, 100 * rate * flops / peak);
    fflush(stdout);
  }
  dcs_status st = dcs_bench_instruments(a.seconds, peak, &err);
  if (st != DCS_OK) return dcs_cli_fail(st, &err);
  return DCS_EXIT_OK;
}
