#include "cli/arguments.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "study/nearest.h"

error_t dcs_cli_usage(const struct argp_state *state, const char *format, ...)
{
  if ((state->flags & ARGP_NO_ERRS) != 0) return EINVAL;
  va_list list;
  va_start(list, format);
  fputs("dcs: error: ", stderr);
  vfprintf(stderr, format, list);
  fprintf(stderr, "; see `%s --help`\n", state->name);
  va_end(list);
  exit(DCS_EXIT_USAGE);
}

/** What argp adds to every table. */
static const struct argp_option standard[] = {{.name = "help", .key = '?'}, {.name = "usage", .key = -1}, {0}};

/** The option of that name, or the only one that begins with it; NULL when there is none. */
static const struct argp_option *find_long(const struct argp *argp, const char *word, dcs_nearest *nearest)
{
  const struct argp_option *table[] = {argp->options, standard}, *found = NULL;
  int n_found = 0;
  for (size_t t = 0; t < 2; t++) {
    for (const struct argp_option *o = table[t]; o != NULL && o->name != NULL; o++) {
      dcs_nearest_offer(nearest, o->name);
      if (strcmp(o->name, word) == 0) return o;
      if (strncmp(o->name, word, strlen(word)) != 0) continue;
      found = o;
      n_found++;
    }
  }
  return n_found == 1 ? found : NULL;
}

static const struct argp_option *find_short(const struct argp *argp, char letter)
{
  if (letter == '?') return &standard[0];
  for (const struct argp_option *o = argp->options; o != NULL && o->name != NULL; o++)
    if (o->key == letter) return o;
  return NULL;
}

/** Is argv[i], which begins with "--", a valid option? Sets whether the next argument is its value. */
static error_t check_long(const struct argp_state *state, const char *argument, bool *takes_next)
{
  char word[64];
  const char *equals = strchr(argument, '=');
  int length = equals != NULL ? (int)(equals - argument) : (int)strlen(argument);
  snprintf(word, sizeof word, "%.*s", length - 2, argument + 2);
  dcs_nearest nearest = {.word = word};
  const struct argp_option *o = find_long(state->root_argp, word, &nearest);
  if (o == NULL && nearest.distance <= 2)
    return dcs_cli_usage(state, "no option '--%s'; nearest valid name: '--%s'", word, nearest.name);
  if (o == NULL) return dcs_cli_usage(state, "no option '--%s'", word);
  if (o->arg == NULL && equals != NULL) return dcs_cli_usage(state, "--%s takes no value", o->name);
  *takes_next = o->arg != NULL && equals == NULL;
  if (*takes_next && state->next == state->argc) return dcs_cli_usage(state, "--%s wants a value: %s", o->name, o->arg);
  return 0;
}

/** The same for one or more letters after one dash. */
static error_t check_short(const struct argp_state *state, const char *argument, bool *takes_next)
{
  for (const char *c = argument + 1; *c != '\0'; c++) {
    const struct argp_option *o = find_short(state->root_argp, *c);
    if (o == NULL) return dcs_cli_usage(state, "no option '-%c'", *c);
    if (o->arg == NULL) continue;
    *takes_next = c[1] == '\0';
    if (*takes_next && state->next == state->argc) return dcs_cli_usage(state, "-%c wants a value: %s", *c, o->arg);
    return 0;
  }
  return 0;
}

/** Says what getopt would say, but in one line and with a proposal. */
static error_t check_options(const struct argp *argp, int argc, char **argv, unsigned flags)
{
  struct argp_state state = {.root_argp = argp, .argc = argc, .argv = argv, .next = 1, .flags = flags, .name = argv[0]};
  while (state.next < argc) {
    const char *argument = argv[state.next++];
    bool takes_next = false;
    error_t wrong = 0;
    if (strcmp(argument, "--") == 0) return 0;
    if (strncmp(argument, "--", 2) == 0)
      wrong = check_long(&state, argument, &takes_next);
    else if (argument[0] == '-' && argument[1] != '\0')
      wrong = check_short(&state, argument, &takes_next);
    if (wrong != 0) return wrong;
    if (takes_next) state.next++;
  }
  return 0;
}

bool dcs_cli_parse(const struct argp *argp, int argc, char **argv, bool silent, void *input)
{
  unsigned flags = silent ? ARGP_SILENT : 0;
  setenv("ARGP_HELP_FMT", "no-dup-args-note", 0); /* --help without a paragraph that helps nobody */
  return check_options(argp, argc, argv, flags) == 0 && argp_parse(argp, argc, argv, flags, NULL, input) == 0;
}

static dcs_status unknown(const dcs_nearest *nearest, const char *path, const char *what, dcs_error *err)
{
  return dcs_fail(err, DCS_EUSAGE, "%s: no %s '%s' in it; nearest valid name: '%s'", path, what, nearest->word,
                  nearest->name != NULL ? nearest->name : "none");
}

error_t dcs_cli_add_set(const struct argp_state *state, const char *arg, dcs_cli_set *set)
{
  if (strchr(arg, '=') == NULL) return dcs_cli_usage(state, "--set %s: write KEY=VALUE", arg);
  if (set->count == DCS_SET_MAX) return dcs_cli_usage(state, "--set at most %d times", DCS_SET_MAX);
  set->value[set->count++] = arg;
  return 0;
}

/** An empty name is a shell variable that is not set. */
static error_t only_file(const char *what, char *arg, const struct argp_state *state, const char **path)
{
  if (*path != NULL) return dcs_cli_usage(state, "one %s at a time, not also '%s'", what, arg);
  if (*arg == '\0') return dcs_cli_usage(state, "the name of the %s is empty", what);
  *path = arg;
  return 0;
}

error_t dcs_cli_study_file(char *arg, const struct argp_state *state, const char **path)
{
  return only_file("study file", arg, state, path);
}

error_t dcs_cli_result_file(int key, char *arg, const struct argp_state *state, const char **path)
{
  if (key == ARGP_KEY_NO_ARGS) return dcs_cli_usage(state, "no result file given");
  if (key != ARGP_KEY_ARG) return ARGP_ERR_UNKNOWN;
  return only_file("result file", arg, state, path);
}

dcs_status dcs_cli_check_metric(const dcs_result *result, const char *path, const char *name, dcs_error *err)
{
  dcs_nearest nearest = {.word = name};
  if (dcs_result_metric_find(result, name) >= 0) return DCS_OK;
  for (int i = 0; i < result->n_metrics; i++) dcs_nearest_offer(&nearest, result->metric[i].name);
  return unknown(&nearest, path, "metric", err);
}

dcs_status dcs_cli_check_column(const dcs_result *result, const char *path, const char *name, dcs_error *err)
{
  dcs_nearest nearest = {.word = name};
  if (dcs_result_column_find(result, name) >= 0) return DCS_OK;
  for (int i = 0; i < result->n_columns; i++) dcs_nearest_offer(&nearest, result->column[i].name);
  return unknown(&nearest, path, "coordinate", err);
}
