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

#include <hdf5.h>
#include <mpi.h>

#include "archive/guard.h"
#include "study/points_file.h"

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

/** Waits for what never comes, and takes no processor time. */
static dcs_status wait_for_ever(const char *path, void *data, dcs_error *err)
{
  (void)path;
  (void)data;
  (void)err;
  if (alarm(1) < 500) return DCS_EARG; /* ten minutes and more; a second is long for a test */
  for (;;) pause();
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
  assert_int_equal(dcs_guard("some.h5", wait_for_ever, NULL, 0, &err), DCS_ECORRUPT);
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

/** A cloud that claims 1.3 GB, of which nothing is in the file: the child has no memory for it, and so it stays there. */
static void test_cloud_that_is_not_there(void **state)
{
  (void)state;
  enum { ROWS = 160000000 };
  dcs_error err = {""};
  int rows = 0, cols = 0;
  double *values = NULL;
  hsize_t size = ROWS;
  hid_t file = H5Fcreate("cloud.h5", H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  hid_t space = H5Screate_simple(1, &size, NULL), create = H5Pcreate(H5P_DATASET_CREATE);
  assert_true(H5Pset_external(create, "nowhere.bin", 0, size * 8) >= 0);
  hid_t data = H5Dcreate2(file, "points", H5T_IEEE_F64LE, space, H5P_DEFAULT, create, H5P_DEFAULT);
  assert_true(data >= 0);
  H5Dclose(data);
  H5Sclose(space);
  H5Pclose(create);
  assert_true(H5Fclose(file) >= 0);
  assert_int_equal(dcs_points_file_read("cloud.h5", "points", &rows, &cols, &values, &err), DCS_ENOMEM);
  assert_string_equal(err.text, "cloud.h5: no memory for 'points'");
  assert_null(values);
}

/** Last of all: it cannot be undone. */
static void test_not_under_mpi(void **state)
{
  (void)state;
  dcs_error err = {""};
  numbers n = {.asked = 21};
  assert_true(dcs_guard_is_possible());
  MPI_Init(NULL, NULL);
  assert_false(dcs_guard_is_possible());
  assert_int_equal(dcs_guard("some.h5", answer, &n, sizeof n, &err), DCS_EMPI);
  assert_int_equal(n.answered, 0);
  MPI_Finalize();
  assert_false(dcs_guard_is_possible());
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_answers),
                                     cmocka_unit_test(test_deaths),
                                     cmocka_unit_test(test_memory),
                                     cmocka_unit_test(test_output_once),
                                     cmocka_unit_test(test_cloud_that_is_not_there),
                                     cmocka_unit_test(test_not_under_mpi)};
  return cmocka_run_group_tests_name("guard", tests, NULL, NULL);
}
