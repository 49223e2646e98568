#include "run/provenance.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/agree.h"
#include "base/build.h"
#include "base/memory.h"

typedef struct {
  char *text;
  size_t length, capacity;
} builder;

static dcs_status append(builder *b, const char *format, ...) DCS_PRINTF(2, 3);
static dcs_status append(builder *b, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  int n = vsnprintf(NULL, 0, format, args);
  va_end(args);
  if (n < 0) return DCS_EARG;
  dcs_status st = dcs_reserve(&b->text, &b->capacity, b->length + (size_t)n + 1, 1);
  if (st != DCS_OK) return st;
  va_start(args, format);
  vsnprintf(b->text + b->length, (size_t)n + 1, format, args);
  va_end(args);
  b->length += (size_t)n;
  return DCS_OK;
}

/** A value is one line without tabs, whatever a user's argument or environment contains. */
static dcs_status append_clean(builder *b, const char *value)
{
  size_t from = b->length;
  dcs_status st = append(b, "%s", value);
  for (size_t i = from; st == DCS_OK && i < b->length; i++)
    if ((unsigned char)b->text[i] < ' ') b->text[i] = ' ';
  return st;
}

static dcs_status append_time(builder *b, const char *key, int64_t seconds)
{
  time_t t = (time_t)seconds;
  struct tm utc;
  char text[32] = "unknown";
  if (gmtime_r(&t, &utc) != NULL) strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return append(b, "%s\t%s\n", key, text);
}

/** The hosts in rank order, each run of equal names as "name*ranks". */
static dcs_status append_hosts(builder *b, int size, const char *hosts)
{
  dcs_status st = DCS_OK;
  DCS_TRY(append(b, "hosts\t"));
  for (int i = 0, next; i < size; i = next) {
    const char *host = hosts + (size_t)i * MPI_MAX_PROCESSOR_NAME;
    for (next = i + 1; next < size && strcmp(hosts + (size_t)next * MPI_MAX_PROCESSOR_NAME, host) == 0;) next++;
    if (i > 0) DCS_TRY(append(b, " "));
    DCS_TRY(append_clean(b, host));
    if (next - i > 1) DCS_TRY(append(b, "*%d", next - i));
  }
  DCS_TRY(append(b, "\n"));
done:
  return st;
}

static dcs_status write_all(builder *b, const dcs_study *study, int argc, char *const *argv, int64_t start, int size,
                            const char *hosts)
{
  static const char *const variables[] = {"SLURM_JOB_ID",       "SLURM_ARRAY_JOB_ID",  "SLURM_ARRAY_TASK_ID",
                                          "SLURM_JOB_NAME",     "SLURM_JOB_PARTITION", "SLURM_JOB_NODELIST",
                                          "SLURM_RESTART_COUNT"};
  dcs_status st = DCS_OK;
  char *build = NULL;
  DCS_TRY(dcs_build_describe(&build));
  DCS_TRY(
      append(b, "%srng\tphilox4x32-10\nseed\t%llu\nranks\t%d\nargv\t", build, (unsigned long long)study->seed, size));
  for (int i = 0; i < argc; i++) {
    if (i > 0) DCS_TRY(append(b, " "));
    DCS_TRY(append_clean(b, argv[i]));
  }
  DCS_TRY(append(b, "\n"));
  DCS_TRY(append_hosts(b, size, hosts));
  for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
    const char *value = getenv(variables[i]);
    if (value == NULL) continue;
    DCS_TRY(append(b, "%s\t", variables[i]));
    DCS_TRY(append_clean(b, value));
    DCS_TRY(append(b, "\n"));
  }
  DCS_TRY(append_time(b, "start", start));
  DCS_TRY(append_time(b, "end", (int64_t)time(NULL)));
done:
  dcs_free(&build);
  return st;
}

dcs_status dcs_provenance_here(const dcs_study *study, int argc, char *const *argv, int64_t start, char **text,
                               dcs_error *err)
{
  builder b = {0};
  char host[MPI_MAX_PROCESSOR_NAME] = "";
  if (gethostname(host, sizeof host - 1) != 0) strcpy(host, "unknown");
  dcs_status st = write_all(&b, study, argc, argv, start, 1, host);
  if (st == DCS_OK) {
    *text = b.text;
    return DCS_OK;
  }
  dcs_free(&b.text);
  return dcs_fail(err, st, "provenance: %s", dcs_status_text(st));
}

dcs_status dcs_provenance_collect(MPI_Comm comm, const dcs_study *study, int argc, char *const *argv, int64_t start,
                                  char **text, dcs_error *err)
{
  dcs_status st = DCS_OK;
  builder b = {0};
  char host[MPI_MAX_PROCESSOR_NAME] = "", *hosts = NULL;
  int rank = 0, size = 1, n = 0;
  MPI_Comm_rank(comm, &rank);
  MPI_Comm_size(comm, &size);
  MPI_Get_processor_name(host, &n);
  *text = NULL;
  if (rank == 0) st = dcs_alloc((size_t)size, sizeof host, &hosts);
  if (st != DCS_OK) dcs_fail(err, st, "provenance of %d ranks: %s", size, dcs_status_text(st));
  DCS_TRY(dcs_agree(comm, st, err));
  MPI_Gather(host, (int)sizeof host, MPI_CHAR, hosts, (int)sizeof host, MPI_CHAR, 0, comm);
  if (rank == 0) {
    st = write_all(&b, study, argc, argv, start, size, hosts);
    if (st != DCS_OK) dcs_fail(err, st, "provenance: %s", dcs_status_text(st));
  }
  DCS_TRY(dcs_agree(comm, st, err));
  *text = b.text;
  b.text = NULL;
done:
  dcs_free(&b.text);
  dcs_free(&hosts);
  return st;
}
