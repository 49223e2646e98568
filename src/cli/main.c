#include <cblas.h>
#include <errno.h>
#include <gsl/gsl_errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/build.h"
#include "base/memory.h"
#include "base/plain.h"
#include "cli/cli.h"
#include "study/nearest.h"

static const dcs_command commands[] = {
    {"plan", "points, blocks, memory, core-hours; runs nothing", dcs_cli_plan},
    {"run", "run or resume a study", dcs_cli_run},
    {"merge", "put the results of shards together", dcs_cli_merge},
    {"fit", "convergence rates with intervals", dcs_cli_fit},
    {"check", "the study's claims with verdicts", dcs_cli_check},
    {"show", "a result as a table for people", dcs_cli_show},
    {"export", "a result as a table for tools", dcs_cli_export},
    {"verify", "checksums, completeness and identities of a result", dcs_cli_verify},
    {"list", "targets, samplers, schedules, metrics and their parameters", dcs_cli_list},
    {"bench", "speed of the kernels on this machine", dcs_cli_bench},
};
enum { N_COMMANDS = sizeof commands / sizeof *commands };

int dcs_cli_fail(dcs_status status, const dcs_error *err)
{
  dcs_print_line(stderr, "dcs: error: %s", err->text[0] != '\0' ? err->text : dcs_status_text(status));
  return status == DCS_EUSAGE ? DCS_EXIT_USAGE : DCS_EXIT_ERROR;
}

bool dcs_cli_is_first_rank(void)
{
  static const char *const variables[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK"};
  for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
    const char *rank = getenv(variables[i]);
    if (rank != NULL) return strcmp(rank, "0") == 0;
  }
  return true;
}

static void print_help(void)
{
  printf("Usage: dcs COMMAND [ARGUMENTS]\n\nMeasures how fast diffusion samplers converge to their target.\n\n");
  for (int i = 0; i < N_COMMANDS; i++) printf("  %-8s %s\n", commands[i].name, commands[i].summary);
  printf("\nExample:\n"
         "  dcs plan studies/quick/study.yaml\n"
         "  mpirun -n 4 dcs run studies/quick/study.yaml -o quick.h5\n"
         "  dcs check quick.h5\n\n"
         "`dcs COMMAND --help` tells more; `dcs --version` how this program was built.\n"
         "Exit codes: 0 ok; 1 error; 2 usage or bad study file; 3 a claim failed;\n"
         "4 incomplete; 85 stopped at a checkpoint: run it again.\n");
}

static int print_version(void)
{
  char *text = NULL;
  dcs_status st = dcs_build_describe(&text);
  if (st != DCS_OK) return dcs_cli_fail(st, &(dcs_error){{0}});
  printf("dcs %s\n", dcs_build_version());
  for (const char *c = text; *c != '\0'; c++) fputs(*c == '\t' ? ": " : (char[]){*c, '\0'}, stdout);
  dcs_free(&text);
  return DCS_EXIT_OK;
}

/** A program built for a newer processor dies of SIGILL without a word; this says it in words. */
static bool processor_fits(void)
{
#ifdef __AVX512F__
  if (!__builtin_cpu_supports("avx512f")) return false;
#endif
#ifdef __AVX512DQ__
  if (!__builtin_cpu_supports("avx512dq")) return false;
#endif
#ifdef __AVX2__
  if (!__builtin_cpu_supports("avx2")) return false;
#endif
#ifdef __FMA__
  if (!__builtin_cpu_supports("fma")) return false;
#endif
  return true;
}

static int usage_error(const char *name)
{
  if (!dcs_cli_is_first_rank()) return DCS_EXIT_OK;
  dcs_nearest nearest = {.word = name};
  for (int i = 0; i < N_COMMANDS; i++) dcs_nearest_offer(&nearest, commands[i].name);
  if (nearest.distance <= 2)
    fprintf(stderr, "dcs: error: no command '%s'; nearest valid name: '%s'\n", name, nearest.name);
  else
    fprintf(stderr, "dcs: error: no command '%s'; `dcs --help` lists them\n", name);
  return DCS_EXIT_USAGE;
}

int main(int argc, char **argv)
{
  if (!processor_fits()) {
    fprintf(stderr,
            "dcs: error: built for another processor than this one; build it here, or with -DDCS_ARCH=x86-64\n");
    return DCS_EXIT_ERROR;
  }
  openblas_set_num_threads(1); /* one thread per rank, and bits that do not depend on the number of cores */
  gsl_set_error_handler_off(); /* codes are checked instead */

  char *help[] = {argv[0], argc > 2 ? argv[2] : NULL, "--help", NULL};
  if (argc > 2 && strcmp(argv[1], "help") == 0) {
    argv = help;
    argc = 3;
  }
  if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
    print_help();
    return argc < 2 ? DCS_EXIT_USAGE : DCS_EXIT_OK;
  }
  if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) return print_version();
  for (int i = 0; i < N_COMMANDS; i++) {
    if (strcmp(argv[1], commands[i].name) != 0) continue;
    char name[64];
    snprintf(name, sizeof name, "dcs %s", commands[i].name);
    argv[1] = name; /* what the subcommand's messages and help call it */
    int code = commands[i].main(argc - 1, argv + 1);
    errno = 0;
    if (fflush(stdout) == 0 && ferror(stdout) == 0) return code;
    fprintf(stderr, "dcs: error: standard output: %s\n", errno != 0 ? strerror(errno) : "writing failed");
    return DCS_EXIT_ERROR;
  }
  return usage_error(argv[1]);
}
