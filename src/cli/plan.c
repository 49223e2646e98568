#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "archive/record.h"
#include "base/memory.h"
#include "cli/arguments.h"
#include "cli/cli.h"
#include "cli/columns.h"
#include "cli/json.h"
#include "cli/plan_notes.h"
#include "metric/forecast.h"

enum { ESTIMATORS_MAX = 32, REFUSALS_SHOWN = 20 };

typedef struct {
  const char *path;
  dcs_cli_set set;
  double gflops; /**< assumed rate of one core, 10^9 operations per second */
  bool json;
} options;

/** Work of one estimator over all its points. `first`: the first designs alone; `most`: every point goes to max_paths.
 */
typedef struct {
  const dcs_estimator *estimator;
  int64_t points;
  double first, most; /**< floating-point operations */
  double first_blocks, most_blocks;
  double largest;   /**< operations per path and step of the heaviest point */
  int64_t heaviest; /**< that point */
} share;

typedef struct {
  int64_t point;
  const dcs_metric *metric;
  char *reason; /**< owned */
} refusal;

typedef struct {
  int n_shares;
  share share[ESTIMATORS_MAX];
  int64_t n_refusals;
  size_t capacity;
  refusal *refusal;
  dcs_plan_items items; /**< all that is asked for and not refused */
  dcs_plan_notes notes;
  double levels; /**< noise levels of all points */
  double memory; /**< bytes of one rank */
} budget;

static const char doc[] =
    "Show what a study would compute, and what it would cost. Runs nothing.\n\n"
    "STUDY.yaml is parsed and checked as `dcs run` would. Printed are the points, the work of each estimator, "
    "core-hours, "
    "the size of the result file, the memory of a rank, the points that no instrument can measure, with the reason, "
    "those few that make nearly all of the cost, and those that another estimator measures than their likes. "
    "How many paths a point needs is known only after its pilot, so costs are ranges: from the first designs alone to "
    "every point going on to stop.max_paths. The rate of a core is an assumption (--gflops), not a measurement.\v"
    "Examples:\n"
    "  dcs plan studies/quick/study.yaml\n"
    "  dcs plan studies/quick/study.yaml --set 'grid.steps=[32, 64]'\n"
    "  dcs plan studies/quick/study.yaml --json\n\n"
    "Exit codes: 0 planned (also when points would be refused); 1 error; 2 usage or bad study file.";

static const struct argp_option option[] = {
    {"set", 's', "KEY=VALUE", 0, "Override a key of the study; dotted key, YAML value; may be repeated", 0},
    {"gflops", 'g', "RATE", 0, "Assumed rate of one core in Gflop/s (default: 10)", 0},
    {"json", 'j', NULL, 0, "Print JSON", 0},
    {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
  options *o = state->input;
  char *end = NULL;
  switch (key) {
  case 's':
    return dcs_cli_add_set(state, arg, &o->set);
  case 'g':
    o->gflops = strtod(arg, &end);
    if (end == arg || *end != '\0' || !(o->gflops > 0.0 && o->gflops < 1e9))
      return dcs_cli_usage(state, "--gflops wants a positive number, not '%s'", arg);
    return 0;
  case 'j':
    o->json = true;
    return 0;
  case ARGP_KEY_ARG:
    return dcs_cli_study_file(arg, state, &o->path);
  case ARGP_KEY_NO_ARGS:
    return dcs_cli_usage(state, "no study file given");
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static share *find_share(budget *b, const dcs_estimator *estimator)
{
  for (int i = 0; i < b->n_shares; i++)
    if (b->share[i].estimator == estimator) return &b->share[i];
  if (b->n_shares == ESTIMATORS_MAX) return NULL;
  b->share[b->n_shares] = (share){.estimator = estimator};
  return &b->share[b->n_shares++];
}

static dcs_status add_work(share *s, int64_t point, const dcs_problem *problem, const dcs_stop *stop)
{
  dcs_design design = {0};
  dcs_forecast first, most;
  dcs_status st = dcs_forecast_of(s->estimator, problem, stop, &first, &most);
  if (st != DCS_OK) return st;
  s->points++;
  if (s->estimator->plan(problem, stop, NULL, NULL, &design) != DCS_NEXT_RUN) return DCS_OK;
  double flops = s->estimator->flops(problem, &design);
  double paths = fmax((double)design.outer * fmax(design.inner, 1), 1.0);
  s->first += first.flops;
  s->most += most.flops;
  s->first_blocks += first.blocks;
  s->most_blocks += most.blocks;
  double per_step = flops / paths / problem->steps->count;
  if (s->points > 1 && per_step <= s->largest) return DCS_OK;
  s->largest = per_step;
  s->heaviest = point;
  return DCS_OK;
}

static dcs_status refuse(budget *b, int64_t point, const dcs_metric *metric, const char *reason)
{
  dcs_status st = dcs_reserve(&b->refusal, &b->capacity, (size_t)b->n_refusals + 1, sizeof *b->refusal);
  if (st != DCS_OK) return st;
  refusal *r = &b->refusal[b->n_refusals];
  *r = (refusal){.point = point, .metric = metric};
  st = dcs_strdup(reason, &r->reason);
  if (st == DCS_OK) b->n_refusals++;
  return st;
}

/** A point that cannot be built is out of reach of every metric. */
static dcs_status refuse_all(const dcs_study *study, budget *b, int64_t point, const char *reason)
{
  dcs_status st = DCS_OK;
  for (int m = 0; st == DCS_OK && m < study->n_metrics; m++)
    if (dcs_study_asks(study, m, point)) st = refuse(b, point, study->metric[m], reason);
  return st;
}

static dcs_status plan_point(const dcs_study *study, dcs_targets *targets, int64_t point, budget *b, dcs_error *err)
{
  dcs_problem *problem = NULL;
  double flop[ESTIMATORS_MAX]; /* at most, of each share at this point; below 0: not counted yet */
  for (int i = 0; i < ESTIMATORS_MAX; i++) flop[i] = -1;
  dcs_status st = dcs_targets_problem(targets, point, &problem, err);
  if (st == DCS_EREFUSED) return refuse_all(study, b, point, err->text);
  if (st != DCS_OK) return st;
  b->levels += problem->schedule->steps + 2;
  for (int m = 0; m < study->n_metrics; m++) {
    if (!dcs_study_asks(study, m, point)) continue;
    const dcs_estimator *estimator = NULL;
    int quantity = 0;
    dcs_error why = {0};
    st = dcs_metric_choose(study->metric[m], problem, &estimator, &quantity, &why);
    if (st == DCS_EREFUSED) {
      DCS_TRY(refuse(b, point, study->metric[m], why.text));
      continue;
    }
    if (st != DCS_OK) *err = why;
    DCS_TRY(st);
    share *s = find_share(b, estimator);
    if (s == NULL) DCS_TRY(dcs_fail(err, DCS_EARG, "more than %d estimators", ESTIMATORS_MAX));
    double *own = &flop[s - b->share], before = s->most;
    bool shared = *own >= 0;
    if (!shared) DCS_TRY(add_work(s, point, problem, &study->stop));
    if (!shared) *own = s->most - before;
    DCS_TRY(dcs_reserve(&b->items.item, &b->items.capacity, b->items.count + 1, sizeof *b->items.item));
    b->items.item[b->items.count++] = (dcs_plan_item){point, m, estimator, *own, shared};
  }
done:
  dcs_problem_destroy(problem);
  dcs_free(&problem);
  return st;
}

/** Build the heaviest problem of each estimator with its work space, then ask the system for this process's peak. */
static dcs_status measure_memory(const dcs_study *study, budget *b, dcs_error *err)
{
  for (int i = 0; i < b->n_shares; i++) {
    dcs_problem *problem = NULL;
    dcs_block_work *work = NULL;
    dcs_status st = dcs_study_problem(study, b->share[i].heaviest, &problem, err);
    if (st != DCS_OK) return st;
    st = b->share[i].estimator->work_create(problem, &work);
    if (st == DCS_OK) b->share[i].estimator->work_destroy(&work);
    dcs_problem_destroy(problem);
    dcs_free(&problem);
    if (st != DCS_OK)
      return dcs_fail(err, st, "point %" PRId64 ": work space: %s", b->share[i].heaviest, dcs_status_text(st));
  }
  struct rusage usage;
  if (getrusage(RUSAGE_SELF, &usage) == 0) b->memory = (double)usage.ru_maxrss * 1024.0;
  return DCS_OK;
}

/** Columns, metrics (value, error, bias, n, method), levels, and one record for each block. */
static double file_bytes(const dcs_study *study, const budget *b, double blocks)
{
  double per_point = 16.0 * study->n_columns + 48.0 * study->n_metrics + 200.0;
  double per_level = 8.0;
  for (int m = 0; m < study->n_metrics; m++) per_level += study->metric[m]->has_profile ? 32.0 : 0.0;
  return 65536.0 + per_point * (double)study->n_points + per_level * b->levels + (double)sizeof(dcs_record) * blocks;
}

typedef struct {
  double flops[2], blocks[2], hours[2], bytes[2];
  double records[2]; /**< bytes that rank 0 needs for them beside what every rank needs: an array that doubles */
} total;

static total add_up(const dcs_study *study, const options *o, const budget *b)
{
  total t = {0};
  for (int i = 0; i < b->n_shares; i++) {
    t.flops[0] += b->share[i].first;
    t.flops[1] += b->share[i].most;
    t.blocks[0] += b->share[i].first_blocks;
    t.blocks[1] += b->share[i].most_blocks;
  }
  for (int k = 0; k < 2; k++) {
    t.hours[k] = t.flops[k] / (o->gflops * 1e9) / 3600.0;
    t.bytes[k] = file_bytes(study, b, t.blocks[k]);
    t.records[k] = 2.0 * (double)sizeof(dcs_record) * t.blocks[k];
  }
  return t;
}

/** Refusals of one metric for one reason, with the first point's coordinates; the rest is left to --json. */
static void print_refusals(const dcs_study *study, const budget *b)
{
  const refusal *kind[REFUSALS_SHOWN];
  int64_t count[REFUSALS_SHOWN] = {0}, more = b->n_refusals;
  int n = 0;
  for (int64_t i = 0; i < b->n_refusals; i++) {
    const refusal *r = &b->refusal[i];
    int k = 0;
    while (k < n && (kind[k]->metric != r->metric || strcmp(kind[k]->reason, r->reason) != 0)) k++;
    if (k == REFUSALS_SHOWN) continue;
    if (k == n) kind[n++] = r;
    count[k]++;
    more--;
  }
  for (int k = 0; k < n; k++) {
    printf("  %s: %s\n    %" PRId64 " point%s, the first:", kind[k]->metric->name, kind[k]->reason, count[k],
           count[k] == 1 ? "" : "s");
    dcs_columns_print(study, kind[k]->point);
  }
  if (more > 0) printf("  ... and %" PRId64 " more; --json prints all\n", more);
}

static void print_text(const dcs_study *study, const options *o, const budget *b, const total *t)
{
  const double mib = 1024.0 * 1024.0;
  printf("study %s: %" PRId64 " points, seed %" PRIu64 ", rel_error %.4g, max_paths %.4g\nmetrics:", study->name,
         study->n_points, study->seed, study->stop.rel_error, study->stop.max_paths);
  for (int m = 0; m < study->n_metrics; m++) printf(" %s", study->metric[m]->name);
  printf("\n\n%-22s %8s %6s %15s %15s\n", "estimator", "points", "exact", "flop, first", "flop, at most");
  for (int i = 0; i < b->n_shares; i++) {
    const share *s = &b->share[i];
    printf("%-22s %8" PRId64 " %6s %15.3e %15.3e\n", s->estimator->name, s->points, s->estimator->exact ? "yes" : "no",
           s->first, s->most);
  }
  printf("\ncore-hours   %.3g (first designs) to %.3g (all points to max_paths), if a core does %.4g Gflop/s\n",
         t->hours[0], t->hours[1], o->gflops);
  printf("result file  about %.2f to at most %.2f MiB\n", t->bytes[0] / mib, t->bytes[1] / mib);
  printf("memory       about %.0f MiB per rank, without what MPI takes; rank 0: %.0f to at most %.0f MiB more for "
         "blocks\n",
         ceil(b->memory / mib), ceil(t->records[0] / mib), ceil(t->records[1] / mib));
  printf("refused      %" PRId64 "\n", b->n_refusals);
  print_refusals(study, b);
  dcs_plan_notes_print(study, &b->notes, o->gflops);
}

static void print_range(const char *key, const double range[2])
{
  printf(",\n \"%s\": [", key);
  dcs_json_number(range[0]);
  fputs(", ", stdout);
  dcs_json_number(range[1]);
  putchar(']');
}

static void print_json(const dcs_study *study, const options *o, const budget *b, const total *t)
{
  fputs("{\"study\": ", stdout);
  dcs_json_string(study->name);
  printf(",\n \"points\": %" PRId64 ",\n \"seed\": %" PRIu64 ",\n \"metrics\": [", study->n_points, study->seed);
  for (int m = 0; m < study->n_metrics; m++) {
    fputs(m > 0 ? ", " : "", stdout);
    dcs_json_string(study->metric[m]->name);
  }
  fputs("],\n \"estimators\": [", stdout);
  for (int i = 0; i < b->n_shares; i++) {
    const share *s = &b->share[i];
    const double flops[2] = {s->first, s->most};
    fputs(i > 0 ? ",\n  {\"name\": " : "\n  {\"name\": ", stdout);
    dcs_json_string(s->estimator->name);
    printf(", \"points\": %" PRId64 ", \"exact\": %s", s->points, s->estimator->exact ? "true" : "false");
    print_range("flop", flops);
    putchar('}');
  }
  fputs("],\n \"gflops_per_core\": ", stdout);
  dcs_json_number(o->gflops);
  print_range("core_hours", t->hours);
  print_range("file_bytes", t->bytes);
  fputs(",\n \"memory_bytes_per_rank\": ", stdout);
  dcs_json_number(b->memory);
  print_range("blocks", t->blocks);
  print_range("memory_bytes_for_blocks_on_rank_0", t->records);
  fputs(",\n \"refused\": [", stdout);
  for (int64_t i = 0; i < b->n_refusals; i++) {
    const refusal *r = &b->refusal[i];
    printf("%s\n  {\"point\": %" PRId64 ", \"metric\": ", i > 0 ? "," : "", r->point);
    dcs_json_string(r->metric->name);
    fputs(", \"reason\": ", stdout);
    dcs_json_string(r->reason);
    fputs(", \"physics\": ", stdout);
    dcs_json_string(study->point[r->point].canonical);
    putchar('}');
  }
  putchar(']');
  dcs_plan_notes_json(study, &b->notes, o->gflops);
  fputs("}\n", stdout);
}

int dcs_cli_plan(int argc, char **argv)
{
  static const struct argp argp = {option, parse, "STUDY.yaml", doc, NULL, NULL, NULL};
  dcs_status st = DCS_OK;
  dcs_error err = {0};
  dcs_study *study = NULL;
  dcs_targets *targets = NULL;
  char *text = NULL;
  size_t n_text = 0;
  budget b = {0};
  options o = {.gflops = 10.0};
  if (!dcs_cli_parse(&argp, argc, argv, false, &o)) return DCS_EXIT_USAGE;

  DCS_TRY(dcs_study_read(o.path, &text, &n_text, &err));
  DCS_TRY(dcs_study_parse(o.path, text, n_text, o.set.count, o.set.value, &study, &err));
  DCS_TRY(dcs_targets_create(study, &targets));
  for (int64_t i = 0; i < study->n_points; i++) DCS_TRY(plan_point(study, targets, i, &b, &err));
  DCS_TRY(measure_memory(study, &b, &err));
  DCS_TRY(dcs_plan_notes_find(study, &b.items, o.gflops, &b.notes));
  total t = add_up(study, &o, &b);
  if (o.json)
    print_json(study, &o, &b, &t);
  else
    print_text(study, &o, &b, &t);
done:
  for (int64_t i = 0; i < b.n_refusals; i++) dcs_free(&b.refusal[i].reason);
  dcs_free(&b.refusal);
  dcs_free(&b.items.item);
  dcs_free(&b.notes.change);
  dcs_targets_destroy(&targets);
  dcs_study_destroy(&study);
  dcs_free(&text);
  return st == DCS_OK ? DCS_EXIT_OK : dcs_cli_fail(st, &err);
}
