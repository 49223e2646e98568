/** Journals: what was appended comes back bit for bit; whatever happens to the end of a file, the good records before
 *  it stay and nothing false is read. Every comparison is exact. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "archive/journal.h"

enum { HEADER = 32, FRAME = 8 + sizeof(dcs_record) };
static const uint64_t study = 0x1234;
#define LOG "j/r00003.log"

/** The journal's syncs come here: counted, and failing when told to. Whether a disk keeps its word no test can see. */
static int n_syncs, sync_error;
int fdatasync(int fd);
int fdatasync(int fd)
{
  (void)fd;
  n_syncs++;
  errno = sync_error;
  return sync_error == 0 ? 0 : -1;
}

static dcs_record record_at(int64_t block)
{
  dcs_record r = {.point = 11, .estimator = 5, .block = block, .outer = 64, .inner = 2, .phase = 1, .wall_s = 0.5};
  r.sums.n = 64;
  for (int q = 0; q < DCS_SUMS_MAX; q++) r.sums.mean[q] = sin((double)(block * 100 + q));
  r.sums.m2[3] = NAN;
  return r;
}

static void append(int rank, int64_t from, int64_t to)
{
  dcs_journal *journal = NULL;
  dcs_error err = {""};
  if (dcs_journal_open("j", rank, study, &journal, &err) != DCS_OK) fail_msg("%s", err.text);
  for (int64_t b = from; b < to; b++) {
    dcs_record r = record_at(b);
    assert_int_equal(dcs_journal_append(journal, &r, &err), DCS_OK);
  }
  assert_int_equal(dcs_journal_close(&journal, &err), DCS_OK);
  assert_null(journal);
}

/** The directory holds exactly blocks 0 .. n-1, whole, and `cut` files with a bad end. */
static void assert_holds(int64_t n, int cut)
{
  dcs_records records = {0};
  dcs_error err = {""};
  int n_cut = -1;
  if (dcs_journal_read("j", study, &records, &n_cut, &err) != DCS_OK) fail_msg("%s", err.text);
  assert_int_equal(n_cut, cut);
  assert_int_equal(dcs_records_unique(&records, &err), DCS_OK);
  assert_int_equal(records.count, n);
  for (int64_t b = 0; b < n; b++) {
    dcs_record r = record_at(b);
    assert_memory_equal(&records.record[b], &r, sizeof r);
  }
  dcs_records_destroy(&records);
}

static void add_bytes(const char *path, const void *bytes, size_t n)
{
  FILE *file = fopen(path, "ab");
  assert_non_null(file);
  assert_int_equal(fwrite(bytes, 1, n, file), n);
  assert_int_equal(fclose(file), 0);
}

static void flip(const char *path, off_t at)
{
  unsigned char byte = 0;
  int fd = open(path, O_RDWR);
  assert_true(fd >= 0);
  assert_int_equal(pread(fd, &byte, 1, at), 1);
  byte ^= 4;
  assert_int_equal(pwrite(fd, &byte, 1, at), 1);
  close(fd);
}

static off_t size_of(const char *path)
{
  struct stat info;
  return stat(path, &info) == 0 ? info.st_size : -1;
}

static int remove_journal(void **state)
{
  (void)state;
  dcs_error err = {""};
  return dcs_journal_remove("j", &err) == DCS_OK && access("j", F_OK) != 0 ? 0 : -1;
}

static void test_round_trip(void **state)
{
  (void)state;
  assert_holds(0, 0); /* no directory: no records */
  append(0, 0, 5);
  append(3, 5, 60);
  append(0, 60, 61);
  append(100000, 61, 62);
  assert_holds(62, 0);
  assert_int_equal(size_of(LOG), HEADER + 55 * FRAME);
}

/** Each length a crash can leave: the whole records stay, appending goes on behind them, nothing is kept as damage. */
static void test_torn_tail(void **state)
{
  (void)state;
  for (off_t length = 0; length < HEADER + 2 * FRAME; length += 7) {
    append(3, 0, 3);
    assert_int_equal(truncate(LOG, length), 0);
    int64_t whole = length < HEADER ? 0 : (length - HEADER) / FRAME;
    off_t good = length < HEADER ? 0 : HEADER + whole * FRAME;
    assert_holds(whole, length != good);
    append(3, whole, 4);
    assert_holds(4, 0);
    assert_int_equal(access(LOG ".cut-1", F_OK), -1);
    assert_int_equal(unlink(LOG), 0);
  }
}

static void test_garbage_is_cut_and_kept(void **state)
{
  (void)state;
  char garbage[1000];
  memset(garbage, 0x5a, sizeof garbage);
  append(3, 0, 2);
  add_bytes(LOG, garbage, sizeof garbage);
  assert_holds(2, 1);
  append(3, 2, 3);
  assert_holds(3, 0);
  assert_int_equal(size_of(LOG ".cut-1"), sizeof garbage);
  memset(garbage, 0, sizeof garbage); /* what some file systems leave after a power cut */
  add_bytes(LOG, garbage, sizeof garbage);
  append(3, 3, 4);
  assert_holds(4, 0);
  assert_int_equal(size_of(LOG ".cut-2"), sizeof garbage);
}

/** A flipped bit anywhere in a record ends the list there; in the header, it loses the file but not its bytes. */
static void test_flipped_bits(void **state)
{
  (void)state;
  for (off_t at = 0; at < HEADER + 2 * FRAME; at += 13) {
    append(3, 0, 3);
    flip(LOG, at);
    int64_t whole = at < HEADER ? 0 : (at - HEADER) / FRAME;
    assert_holds(whole, 1);
    append(3, whole, 3);
    assert_holds(3, 0);
    assert_int_equal(size_of(LOG ".cut-1"), at < HEADER ? HEADER + 3 * FRAME : (3 - whole) * FRAME);
    assert_int_equal(unlink(LOG), 0);
    assert_int_equal(unlink(LOG ".cut-1"), 0);
  }
}

/** Right checksum, impossible content: not believed. */
static void test_invalid_record(void **state)
{
  (void)state;
  dcs_journal *journal = NULL;
  dcs_error err = {""};
  append(3, 0, 1);
  dcs_record bad[3] = {record_at(1), record_at(1), record_at(1)};
  bad[0].sums.n = -1;
  bad[1].status = 99;
  memset(bad[2].reason, 'x', sizeof bad[2].reason);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(dcs_journal_open("j", 3, study, &journal, &err), DCS_OK);
    assert_int_equal(dcs_journal_append(journal, &bad[i], &err), DCS_OK);
    assert_int_equal(dcs_journal_close(&journal, &err), DCS_OK);
    assert_holds(1, 1);
  }
}

static void test_other_study(void **state)
{
  (void)state;
  dcs_records records = {0};
  dcs_journal *journal = NULL;
  dcs_error err = {""};
  append(3, 0, 2);
  assert_int_equal(dcs_journal_read("j", study + 1, &records, NULL, &err), DCS_EMISMATCH);
  assert_true(strncmp(err.text, LOG ": ", strlen(LOG) + 2) == 0);
  assert_int_equal(dcs_journal_open("j", 3, study + 1, &journal, &err), DCS_EMISMATCH);
  assert_null(journal);
  dcs_records_destroy(&records);
  assert_holds(2, 0);
}

static void test_duplicates(void **state)
{
  (void)state;
  dcs_records records = {0};
  dcs_error err = {""};
  append(0, 0, 10);
  append(1, 5, 15);
  assert_holds(15, 0);
  dcs_record r = record_at(7);
  r.wall_s = 99; /* time is not data */
  assert_int_equal(dcs_records_add(&records, &r), DCS_OK);
  r.wall_s = 1;
  assert_int_equal(dcs_records_add(&records, &r), DCS_OK);
  assert_int_equal(dcs_records_unique(&records, &err), DCS_OK);
  assert_int_equal(records.count, 1);
  r.sums.mean[DCS_SUMS_MAX - 1] = nextafter(r.sums.mean[DCS_SUMS_MAX - 1], 2);
  assert_int_equal(dcs_records_add(&records, &r), DCS_OK);
  assert_int_equal(dcs_records_unique(&records, &err), DCS_ECORRUPT);
  assert_non_null(strstr(err.text, "block 7"));
  dcs_records_destroy(&records);
}

static void test_order(void **state)
{
  (void)state;
  dcs_record a = record_at(3), b = record_at(4);
  assert_true(dcs_record_compare(&a, &b) < 0 && dcs_record_compare(&b, &a) > 0 && dcs_record_compare(&a, &a) == 0);
  a.phase = 2;
  assert_true(dcs_record_compare(&a, &b) > 0);
  b.estimator = 6;
  assert_true(dcs_record_compare(&a, &b) < 0);
  a.point = 12;
  assert_true(dcs_record_compare(&a, &b) > 0);
}

/** No room for half a record: it is cut off again, the message says what to do, and appending goes on once there is
 *  room. */
static void test_disk_full(void **state)
{
  (void)state;
  dcs_journal *journal = NULL;
  dcs_error err = {""};
  struct rlimit old, small;
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
  small = (struct rlimit){.rlim_cur = HEADER + 20 * FRAME + FRAME / 2, .rlim_max = old.rlim_max};
  signal(SIGXFSZ, SIG_IGN);
  assert_int_equal(dcs_journal_open("j", 3, study, &journal, &err), DCS_OK);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
  int64_t written = 0;
  dcs_status st = DCS_OK;
  while (written < 100 && st == DCS_OK) {
    dcs_record r = record_at(written);
    st = dcs_journal_append(journal, &r, &err);
    if (st == DCS_OK) written++;
  }
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
  assert_int_equal(st, DCS_EIO);
  assert_int_equal(written, 20);
  assert_non_null(strstr(err.text, "free space and run again; 20 finished blocks of this log are safe"));
  assert_int_equal(size_of(LOG), HEADER + 20 * FRAME);
  dcs_record r = record_at(20);
  assert_int_equal(dcs_journal_append(journal, &r, &err), DCS_OK);
  assert_int_equal(dcs_journal_close(&journal, &err), DCS_OK);
  assert_holds(21, 0);
}

/** However many records there are, a sync a second; none is left without one for longer than the next append takes. */
static void test_syncs_by_time(void **state)
{
  (void)state;
  dcs_journal *journal = NULL;
  dcs_error err = {""};
  dcs_record r = record_at(0);
  assert_int_equal(dcs_journal_open("j", 3, study, &journal, &err), DCS_OK);
  n_syncs = 0;
  for (int i = 0; i < 4; i++) {
    nanosleep(&(struct timespec){.tv_nsec = 550000000}, NULL);
    assert_int_equal(dcs_journal_append(journal, &r, &err), DCS_OK);
  }
  assert_true(n_syncs >= 2); /* after 1.1 and 2.2 s; more where the machine stood still */
  assert_true(n_syncs <= 4);
  struct timespec start, end;
  int slow = n_syncs;
  clock_gettime(CLOCK_MONOTONIC, &start);
  for (int i = 0; i < 1000; i++) assert_int_equal(dcs_journal_append(journal, &r, &err), DCS_OK);
  clock_gettime(CLOCK_MONOTONIC, &end);
  assert_true(n_syncs - slow <= end.tv_sec - start.tv_sec + 2);
  int before = n_syncs;
  assert_int_equal(dcs_journal_close(&journal, &err), DCS_OK);
  assert_int_equal(n_syncs, before + 1);
}

/** After a failed sync the kernel may forget what it could not write: back to what an earlier one covered. */
static void test_failed_sync(void **state)
{
  (void)state;
  dcs_journal *journal = NULL;
  dcs_error err = {""};
  append(3, 0, 2);
  assert_int_equal(dcs_journal_open("j", 3, study, &journal, &err), DCS_OK);
  dcs_record r = record_at(2);
  assert_int_equal(dcs_journal_append(journal, &r, &err), DCS_OK);
  sync_error = EIO;
  assert_int_equal(dcs_journal_flush(journal, &err), DCS_EIO);
  assert_non_null(strstr(err.text, "look after the disk, then run again; 2 finished blocks of this log are safe"));
  sync_error = 0;
  assert_holds(2, 0);
  assert_int_equal(dcs_journal_close(&journal, &err), DCS_OK);
}

static void test_lock(void **state)
{
  (void)state;
  int first, second;
  dcs_error err = {""};
  assert_int_equal(dcs_journal_lock("j", &first, &err), DCS_OK);
  assert_int_equal(dcs_journal_lock("j", &second, &err), DCS_EBUSY);
  assert_int_equal(second, -1);
  dcs_journal_unlock(&first);
  assert_int_equal(first, -1);
  assert_int_equal(dcs_journal_lock("j", &first, &err), DCS_OK);
  dcs_journal_unlock(&first);
}

static void test_bad_places(void **state)
{
  (void)state;
  dcs_journal *journal = NULL;
  dcs_records records = {0};
  dcs_error err = {""};
  assert_int_equal(dcs_journal_open("no/such/j", 0, study, &journal, &err), DCS_EIO);
  assert_non_null(strstr(err.text, strerror(ENOENT)));
  add_bytes("plain", "x", 1);
  assert_int_equal(dcs_journal_open("plain", 0, study, &journal, &err), DCS_EIO);
  assert_int_equal(dcs_journal_read("plain", study, &records, NULL, &err), DCS_EIO);
  assert_int_equal(unlink("plain"), 0);
  append(0, 0, 1);
  assert_int_equal(mkdir(LOG, 0777), 0); /* a directory where a log should be */
  assert_int_equal(dcs_journal_read("j", study, &records, NULL, &err), DCS_EIO);
  assert_int_equal(rmdir(LOG), 0);
  dcs_records_destroy(&records);
}

/** Removing leaves what is not ours. */
static void test_remove(void **state)
{
  (void)state;
  dcs_error err = {""};
  append(3, 0, 1);
  add_bytes("j/notes.log", "mine", 4);
  assert_int_equal(dcs_journal_remove("j", &err), DCS_OK);
  assert_int_equal(access(LOG, F_OK), -1);
  assert_int_equal(size_of("j/notes.log"), 4);
  assert_holds(0, 0);
  assert_int_equal(unlink("j/notes.log"), 0);
  assert_int_equal(dcs_journal_remove("j", &err), DCS_OK);
  assert_int_equal(dcs_journal_remove("j", &err), DCS_OK); /* nothing there is not an error */
}

#define TEST(name) cmocka_unit_test_teardown(name, remove_journal)

int main(void)
{
  char directory[] = "/tmp/dcs_test_journal_XXXXXX";
  if (mkdtemp(directory) == NULL || chdir(directory) != 0) return 1;
  const struct CMUnitTest tests[] = {
      TEST(test_round_trip),    TEST(test_torn_tail),      TEST(test_garbage_is_cut_and_kept),
      TEST(test_flipped_bits),  TEST(test_invalid_record), TEST(test_other_study),
      TEST(test_duplicates),    TEST(test_order),          TEST(test_disk_full),
      TEST(test_lock),          TEST(test_bad_places),     TEST(test_remove),
      TEST(test_syncs_by_time), TEST(test_failed_sync),
  };
  int failed = cmocka_run_group_tests_name("journal", tests, NULL, NULL);
  if (chdir("/") != 0 || rmdir(directory) != 0) perror(directory);
  return failed;
}
