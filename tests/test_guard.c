/** A reader that dies, hangs or wants all memory takes only its child with it, and the caller is told in one line. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "archive/guard.h"

typedef struct {
  int64_t asked, answered;
} numbers;

static dcs_status answer(const char *path, void *data, dcs_error *err)
{
  numbers *n = data;
  (void)err;
  assert_string_equal(path, "some.h5");
  n->answered = 2 * n->asked;
  return DCS_OK;
}

static dcs_status refuse(const char *path, void *data, dcs_error *err)
{
  (void)data;
  return dcs_fail(err, DCS_EMISMATCH, "%s: of another study", path);
}

static dcs_status crash(const char *path, void *data, dcs_error *err)
{
  (void)path;
  (void)data;
  (void)err;
  fprintf(stderr, "free(): invalid pointer\n"); /* what a dying library says is not for the user */
  fflush(stderr);
  signal(SIGSEGV, SIG_DFL); /* sanitizers would report it */
  raise(SIGSEGV);
  return DCS_OK;
}

/** Ends without an answer and without a signal, as a sanitizer ends a process. */
static dcs_status leave(const char *path, void *data, dcs_error *err)
{
  (void)path;
  (void)data;
  (void)err;
  _exit(0);
}

static dcs_status spin(const char *path, void *data, dcs_error *err)
{
  struct rlimit limit;
  (void)path;
  (void)data;
  (void)err;
  if (getrlimit(RLIMIT_CPU, &limit) != 0 || limit.rlim_cur > 61) return DCS_EARG; /* a minute, and a bit for the size */
  limit.rlim_cur = 1;                                                             /* which is long for a test */
  setrlimit(RLIMIT_CPU, &limit);
  for (volatile int i = 0;;) i = i + 1;
}

/** Blocks of 64 MiB until there is no more: 1 GiB and what the file's size adds. */
static dcs_status hoard(const char *path, void *data, dcs_error *err)
{
  enum { BLOCK = 64 << 20, MOST = 1000 };
  numbers *n = data;
  (void)path;
  (void)err;
  while (n->answered < MOST && malloc(BLOCK) != NULL) n->answered++;
  return n->answered == MOST ? DCS_OK : DCS_ENOMEM;
}

static void test_answers(void **state)
{
  (void)state;
  dcs_error err = {""};
  numbers n = {.asked = 21};
  assert_int_equal(dcs_guard("some.h5", answer, &n, sizeof n, &err), DCS_OK);
  assert_int_equal(n.answered, 42);
  assert_int_equal(dcs_guard("some.h5", refuse, NULL, 0, &err), DCS_EMISMATCH);
  assert_string_equal(err.text, "some.h5: of another study");
}

static void test_deaths(void **state)
{
  (void)state;
  dcs_error err = {""};
  assert_int_equal(dcs_guard("some.h5", crash, NULL, 0, &err), DCS_ECORRUPT);
  assert_string_equal(err.text, "some.h5: damaged: HDF5 crashed on it");
  assert_int_equal(dcs_guard("some.h5", leave, NULL, 0, &err), DCS_ECORRUPT);
  assert_string_equal(err.text, "some.h5: damaged: HDF5 crashed on it");
  assert_int_equal(dcs_guard("some.h5", spin, NULL, 0, &err), DCS_ECORRUPT);
  assert_string_equal(err.text, "some.h5: damaged: HDF5 came to no end with it");
  assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* none is left behind */
}

static void test_memory(void **state)
{
  (void)state;
  dcs_error err = {""};
  numbers n = {0};
  assert_int_equal(dcs_guard("some.h5", hoard, &n, sizeof n, &err), DCS_ENOMEM);
  assert_in_range(n.answered, 8, 16); /* 1 GiB in blocks of 64 MiB, less what holds them */
}

/** Output that waits in a buffer when the child is made is written once. */
static void test_output_once(void **state)
{
  (void)state;
  dcs_error err = {""};
  numbers n = {.asked = 1};
  FILE *file = tmpfile();
  assert_non_null(file);
  fputs("once", file);
  assert_int_equal(dcs_guard("some.h5", answer, &n, sizeof n, &err), DCS_OK);
  fflush(file);
  assert_int_equal(ftell(file), 4);
  assert_int_equal(fseek(file, 0, SEEK_END), 0);
  assert_int_equal(ftell(file), 4);
  fclose(file);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_answers), cmocka_unit_test(test_deaths),
                                     cmocka_unit_test(test_memory), cmocka_unit_test(test_output_once)};
  return cmocka_run_group_tests_name("guard", tests, NULL, NULL);
}
