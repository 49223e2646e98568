#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/arguments.h"
#include "cli/cli.h"
#include "cli/json.h"
#include "metric/metric.h"
#include "study/nearest.h"

typedef struct {
  const char *section; /**< NULL: all */
  bool json;
} options;

enum { WIDTH = 110 /**< of the lists for people */ };

/** One more word on the line, or on the next one, which begins at column `indent`; returns the column after it. */
static int put_word(int at, int indent, int n, const char *word)
{
  if (at > indent && at + 1 + n > WIDTH) {
    putchar('\n');
    at = 0;
  }
  if (at < indent) at += printf("%*s", indent - at, "");
  return at + printf("%s%.*s", at > indent ? " " : "", n, word);
}

/** Text from column `at` on, broken between words. */
static void folded(int at, int indent, const char *text)
{
  while (*text != '\0') {
    size_t n = strcspn(text, " ");
    at = put_word(at, indent, (int)n, text);
    text += n + strspn(text + n, " ");
  }
  putchar('\n');
}

static const char *param_type(dcs_param_type type)
{
  static const char *const text[] = {
      [DCS_PARAM_BOOL] = "flag", [DCS_PARAM_INT] = "integer", [DCS_PARAM_REAL] = "number", [DCS_PARAM_WORD] = "word",
      [DCS_PARAM_TEXT] = "text", [DCS_PARAM_LIST] = "list",   [DCS_PARAM_TABLE] = "table"};
  return text[type];
}

static void param_default(const dcs_param_def *def, char *out, size_t n)
{
  snprintf(out, n, "%s", def->fallback == NULL ? "required" : *def->fallback == '\0' ? "none" : def->fallback);
}

static void param_range(const dcs_param_def *def, char *out, size_t n)
{
  if (def->type == DCS_PARAM_WORD)
    snprintf(out, n, "one of %s", def->choices);
  else if (def->type == DCS_PARAM_BOOL)
    snprintf(out, n, "true|false");
  else if (def->type == DCS_PARAM_TEXT)
    snprintf(out, n, "any text");
  else if (def->lo == 0.0 && def->hi == 0.0)
    snprintf(out, n, "any number");
  else
    snprintf(out, n, "from %.10g to %.10g", def->lo, def->hi);
}

static void params_text(const dcs_param_def *def)
{
  for (; def->key != NULL; def++) {
    char fallback[64], range[128];
    param_default(def, fallback, sizeof fallback);
    param_range(def, range, sizeof range);
    printf("      %-11s %s; default %s; %s", def->key, param_type(def->type), fallback, range);
    if (def->unit != NULL) printf(" [%s]", def->unit);
    putchar('\n');
    folded(0, 18, def->help);
  }
}

static void params_json(const dcs_param_def *def)
{
  fputs(", \"parameters\": [", stdout);
  for (const char *comma = ""; def->key != NULL; def++, comma = ", ") {
    printf("%s{\"key\": ", comma);
    dcs_json_string(def->key);
    printf(", \"type\": \"%s\", \"required\": %s, \"default\": ", param_type(def->type),
           def->fallback == NULL ? "true" : "false");
    dcs_json_string(def->fallback != NULL && *def->fallback != '\0' ? def->fallback : NULL);
    bool bounded = def->lo != 0.0 || def->hi != 0.0;
    if (bounded) {
      fputs(", \"range\": [", stdout);
      dcs_json_number(def->lo);
      fputs(", ", stdout);
      dcs_json_number(def->hi);
      putchar(']');
    }
    if (def->choices != NULL) {
      fputs(", \"choices\": ", stdout);
      dcs_json_string(def->choices);
    }
    fputs(", \"unit\": ", stdout);
    dcs_json_string(def->unit);
    fputs(", \"help\": ", stdout);
    dcs_json_string(def->help);
    putchar('}');
  }
  putchar(']');
}

static void text(const options *o, const char *key, const char *value)
{
  if (!o->json) {
    folded(printf("      %s:", key), 8, value);
    return;
  }
  printf(", \"%s\": ", key);
  dcs_json_string(value);
}

/** What all rows have: name, help, and (NULL to leave out) source and unit. */
static void head(const options *o, int i, const char *name, const char *help, const char *source, const char *unit)
{
  if (!o->json) {
    printf("  %s%s%s%s\n", name, unit != NULL ? " [" : "", unit != NULL ? unit : "", unit != NULL ? "]" : "");
    folded(0, 6, help);
    if (source != NULL) text(o, "source", source);
    return;
  }
  fputs(i > 0 ? ",\n  {\"name\": " : "\n  {\"name\": ", stdout);
  dcs_json_string(name);
  fputs(", \"help\": ", stdout);
  dcs_json_string(help);
  if (source != NULL) {
    fputs(", \"source\": ", stdout);
    dcs_json_string(source);
  }
  if (unit != NULL) {
    fputs(", \"unit\": ", stdout);
    dcs_json_string(unit);
  }
}

static void words(const options *o, const char *key, const char *const *word, int count)
{
  int at = printf(o->json ? ", \"%s\": [" : "      %s:", key);
  for (int i = 0; i < count && word[i] != NULL; i++) {
    if (!o->json) {
      at = put_word(at, 8, (int)strlen(word[i]), word[i]);
      continue;
    }
    if (i > 0) fputs(", ", stdout);
    dcs_json_string(word[i]);
  }
  fputs(o->json ? "]" : "\n", stdout);
}

static void flag(const options *o, const char *key, bool value)
{
  if (o->json)
    printf(", \"%s\": %s", key, value ? "true" : "false");
  else
    printf("      %s: %s\n", key, value ? "yes" : "no");
}

static void params(const options *o, const dcs_param_def *def)
{
  if (o->json)
    params_json(def);
  else
    params_text(def);
}

static bool list_target(const options *o, int i)
{
  const dcs_law *law = dcs_law_at(i);
  if (law == NULL) return false;
  head(o, i, dcs_law_name(law), dcs_law_help(law), NULL, NULL);
  params(o, dcs_law_params(law));
  return true;
}

static const char *map_kind(dcs_map_kind kind)
{
  static const char *const text[] = {[DCS_MAP_ONE_SCORE] = "one score a step",
                                     [DCS_MAP_MOMENT_2] = "moment-matched, order 2",
                                     [DCS_MAP_MOMENT_3] = "moment-matched, order 3",
                                     [DCS_MAP_HEUN] = "two scores a step"};
  return text[kind];
}

static bool list_sampler(const options *o, int i)
{
  const dcs_sampler *sampler = dcs_sampler_at(i);
  if (sampler == NULL) return false;
  head(o, i, sampler->name, sampler->help, sampler->source, NULL);
  text(o, "kind", map_kind(sampler->kind));
  flag(o, "deterministic", sampler->deterministic);
  flag(o, "takes_lambda", sampler->takes_lambda);
  return true;
}

static bool list_schedule(const options *o, int i)
{
  const dcs_schedule_rule *rule = dcs_schedule_at(i);
  if (rule == NULL) return false;
  head(o, i, rule->name, rule->help, NULL, NULL);
  flag(o, "takes_delta", rule->takes_delta);
  params(o, rule->params);
  return true;
}

/** Estimators of a metric, the preferred first; which of them are exact. */
static void list_choice(const options *o, const dcs_metric *metric)
{
  const char *exact[16] = {NULL};
  int count = 0, n_exact = 0;
  for (; metric->estimators[count] != NULL; count++) {
    const dcs_estimator *estimator = dcs_estimator_find(metric->estimators[count]);
    if (estimator != NULL && estimator->exact && n_exact < 16) exact[n_exact++] = metric->estimators[count];
  }
  words(o, "estimators", metric->estimators, count);
  if (n_exact > 0 || o->json) words(o, "exact", exact, n_exact);
}

static bool list_metric(const options *o, int i)
{
  const dcs_metric *metric = dcs_metric_at(i);
  if (metric == NULL) return false;
  head(o, i, metric->name, metric->long_name, metric->source, metric->unit);
  text(o, "instrument", metric->help);
  list_choice(o, metric);
  if (metric->has_profile) flag(o, "profile", true);
  if (metric->companion != NULL) text(o, "companion", metric->companion);
  return true;
}

static bool list_estimator(const options *o, int i)
{
  const dcs_estimator *estimator = dcs_estimator_at(i);
  if (estimator == NULL) return false;
  head(o, i, estimator->name, estimator->help, estimator->source, NULL);
  flag(o, "exact", estimator->exact);
  words(o, "quantities", estimator->quantity, estimator->count);
  return true;
}

static const struct {
  const char *name;
  bool (*row)(const options *o, int i); /**< print row i; false when there is none */
} sections[] = {{"targets", list_target},
                {"samplers", list_sampler},
                {"schedules", list_schedule},
                {"metrics", list_metric},
                {"estimators", list_estimator}};
enum { N_SECTIONS = sizeof sections / sizeof *sections };

static const char doc[] =
    "List what a study file may name: target laws, samplers, schedules, metrics and estimators, with the parameters of "
    "each (key, type, default, range, unit) and the source of each formula. Without SECTION, everything.\n\n"
    "SECTION is targets, samplers, schedules, metrics or estimators.\v"
    "Examples:\n"
    "  dcs list                     everything\n"
    "  dcs list targets             laws and their parameters\n"
    "  dcs list metrics --json      for a program\n\n"
    "Exit codes: 0 listed; 2 usage.";

static const struct argp_option option[] = {
    {"json", 'j', NULL, 0, "Print JSON: one object, a list for each section", 0}, {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
  options *o = state->input;
  dcs_nearest nearest = {.word = arg};
  switch (key) {
  case 'j':
    o->json = true;
    return 0;
  case ARGP_KEY_ARG:
    if (state->arg_num > 0) return dcs_cli_usage(state, "one section at a time, not also '%s'", arg);
    for (int s = 0; s < N_SECTIONS; s++) dcs_nearest_offer(&nearest, sections[s].name);
    if (nearest.distance > 0)
      return dcs_cli_usage(state, "no section '%s'; nearest valid name: '%s'", arg, nearest.name);
    o->section = nearest.name;
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

int dcs_cli_list(int argc, char **argv)
{
  static const struct argp argp = {option, parse, "[SECTION]", doc, NULL, NULL, NULL};
  options o = {0};
  if (!dcs_cli_parse(&argp, argc, argv, false, &o)) return DCS_EXIT_USAGE;
  const char *comma = "";
  if (o.json) putchar('{');
  for (int s = 0; s < N_SECTIONS; s++) {
    if (o.section != NULL && strcmp(o.section, sections[s].name) != 0) continue;
    printf(o.json ? "%s\"%s\": [" : "%s%s\n", comma, sections[s].name);
    for (int i = 0; sections[s].row(&o, i); i++) fputs(o.json ? "}" : "", stdout);
    if (o.json) putchar(']');
    comma = o.json ? ",\n" : "\n";
  }
  fputs(o.json ? "}\n" : "", stdout);
  return DCS_EXIT_OK;
}
