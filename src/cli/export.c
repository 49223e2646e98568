#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "archive/guard.h"
#include "archive/print.h"
#include "cli/arguments.h"
#include "cli/cli.h"

typedef struct {
  const char *path, *output;
  bool csv, json, levels;
} options;

static const char doc[] =
    "Write a result file as a table with all coordinates and all metrics, one row per point, numbers with 17 "
    "digits.\n\n"
    "Columns: point_hash, the coordinates, then for each metric NAME, NAME_se (standard error; 0: exact), NAME_bias "
    "(bound on the bias; inf: unknown), NAME_n (samples; 0: exact), NAME_method, and at last status and reason. A "
    "missing number is nan in CSV and null in JSON. Times are not data and are left out: equal results give equal "
    "tables.\n\n"
    "--levels writes the noise levels instead, one row per level of each point: point (row in the other table, from "
    "0), "
    "point_hash, level (0: the largest), sigma, then NAME, NAME_se, NAME_bias and NAME_n of each metric that is "
    "measured "
    "level by level (mmse, smoothness).\v"
    "Examples:\n"
    "  dcs export R.h5 --csv > table.csv\n"
    "  dcs export R.h5 --json -o table.json   refuses to overwrite\n"
    "  dcs export R.h5 --levels > levels.csv\n\n"
    "Exit codes: 0 ok; 1 the file cannot be read or is damaged, or the output cannot be written; 2 usage.";

static const struct argp_option option[] = {
    {"csv", 'c', NULL, 0, "Comma-separated values, quoted as in RFC 4180", 0},
    {"json", 'j', NULL, 0, "One JSON object; infinite numbers are null", 0},
    {"levels", 'l', NULL, 0, "Comma-separated values, one row per noise level of each point", 0},
    {"output", 'o', "FILE", 0, "Write to this new file instead of standard output", 0},
    {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
  options *o = state->input;
  switch (key) {
  case 'c':
    o->csv = true;
    return 0;
  case 'j':
    o->json = true;
    return 0;
  case 'l':
    o->levels = true;
    return 0;
  case 'o':
    o->output = arg;
    return 0;
  case ARGP_KEY_SUCCESS:
    return o->csv + o->json + o->levels != 1 ? dcs_cli_usage(state, "choose one of --csv, --json and --levels") : 0;
  default:
    return dcs_cli_result_file(key, arg, state, &o->path);
  }
}

static dcs_status open_output(const char *path, FILE **out, dcs_error *err)
{
  *out = NULL;
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0 && errno == EEXIST) {
    return dcs_fail(err, DCS_EIO, "%s: exists: remove it or give another name", path);
  }
  if (fd >= 0) *out = fdopen(fd, "w");
  return *out == NULL ? dcs_fail(err, DCS_EIO, "%s: %s", path, strerror(errno)) : DCS_OK;
}

int dcs_cli_export(int argc, char **argv)
{
  static const struct argp argp = {option, parse, "R.h5", doc, NULL, NULL, NULL};
  options o = {0};
  dcs_status st = DCS_OK;
  dcs_error err = {""};
  dcs_result *result = NULL;
  FILE *out = stdout;
  if (!dcs_cli_parse(&argp, argc, argv, false, &o)) return DCS_EXIT_USAGE;

  DCS_TRY(dcs_guard_result(o.path, &result, &err));
  if (o.output != NULL) DCS_TRY(open_output(o.output, &out, &err));
  if (o.csv) dcs_print_csv(result, out);
  if (o.json) dcs_print_json(result, NULL, out);
  if (o.levels) dcs_print_levels(result, out);
  if (o.output == NULL) goto done; /* main looks after standard output */
  bool written = fflush(out) == 0 && ferror(out) == 0;
  if (!written) st = dcs_fail(&err, DCS_EIO, "%s: %s", o.output, strerror(errno));
  if (fclose(out) != 0 && written) st = dcs_fail(&err, DCS_EIO, "%s: %s", o.output, strerror(errno));
  if (st != DCS_OK) unlink(o.output);
done:
  dcs_result_destroy(&result);
  return st == DCS_OK ? DCS_EXIT_OK : dcs_cli_fail(st, &err);
}
