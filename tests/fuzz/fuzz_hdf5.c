/** Any bytes as a result file, the structures of HDF5 included, read as `dcs show` reads one: in a child first, then here. The child may die of a fault
 *  of HDF5, never of one of dcs. What is read is written again, and is then the same result.
 *
 *  Random bytes do not get past checksums, and a file of somebody who means harm carries right ones. So the mutator
 *  changes bytes in their places, keeps the HDF5 signature and mends the checksum behind the file half of the time; the checksums of HDF5's own
 *  structures and the data digest are taken from the file while it is read (functions here replace those of libhdf5 and
 *  dcs). With DCS_FUZZ_MEND=FILE the input is also written there with HDF5's checksums right, for `dcs` to read. */
#define _GNU_SOURCE /* RTLD_NEXT, memmem */
#include <dlfcn.h>
#include <hdf5.h>
#include <sanitizer/asan_interface.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "archive/guard.h"
#include "archive/layout.h"
#include "fuzz/fuzz.h"
#include "fuzz/use_result.h"

enum { TAIL = 24, SIGNATURE = 8 };

/** What libFuzzer is told of the instrumented code, which is that of dcs, is kept here too (see CMakeLists.txt): the
 *  counts of what was executed, as the child's have to be sent back, and the addresses, to know a frame of dcs. */
static uint8_t *counters, *counters_end;
static uintptr_t code, code_end;
void __wrap___sanitizer_cov_8bit_counters_init(uint8_t *begin, uint8_t *end);
void __real___sanitizer_cov_8bit_counters_init(uint8_t *begin, uint8_t *end);
void __wrap___sanitizer_cov_pcs_init(const uintptr_t *begin, const uintptr_t *end);
void __real___sanitizer_cov_pcs_init(const uintptr_t *begin, const uintptr_t *end);

void __wrap___sanitizer_cov_8bit_counters_init(uint8_t *begin, uint8_t *end)
{
  counters = begin;
  counters_end = end;
  __real___sanitizer_cov_8bit_counters_init(begin, end);
}

void __wrap___sanitizer_cov_pcs_init(const uintptr_t *begin, const uintptr_t *end)
{
  enum { STRIDE = 2 }; /* address, flags */
  code = UINTPTR_MAX;
  for (const uintptr_t *pc = begin; pc < end; pc += STRIDE) {
    code = *pc < code ? *pc : code;
    code_end = *pc > code_end ? *pc : code_end;
  }
  __real___sanitizer_cov_pcs_init(begin, end);
}

/* State of the process: libFuzzer calls without a context. */
static const uint8_t *input; /**< while it is read, else NULL */
static size_t n_input;
static bool checking;   /**< H5F_get_checksums is at work */
static uint8_t *mended; /**< the input with right checksums, where they are wanted */

herr_t H5F_get_checksums(const uint8_t *buffer, size_t n, uint32_t *stored, uint32_t *computed);
uint32_t H5_checksum_metadata(const void *data, size_t n, uint32_t start);
uint64_t __real_dcs_result_digest(const dcs_result *result);
uint64_t __wrap_dcs_result_digest(const dcs_result *result);
const char *__asan_default_options(void);

static void mend_tail(uint8_t *data, size_t size)
{
  uint64_t numbers[2] = {size - TAIL, crc32_z(0, data, size - TAIL)};
  memcpy(data + size - TAIL, "dcs-tail", 8);
  memcpy(data + size - 16, numbers, sizeof numbers);
}

static bool has_tail(const uint8_t *data, size_t size)
{
  return size >= TAIL + SIGNATURE && memcmp(data + size - TAIL, "dcs-tail", 8) == 0;
}

/** The mended checksum goes onto the disk at once: what HDF5 does next may be a crash. */
static void mend(size_t place, uint32_t sum)
{
  memcpy(mended + place, &sum, sizeof sum);
  if (has_tail(input, n_input)) mend_tail(mended, n_input);
  put_file(getenv("DCS_FUZZ_MEND"), mended, n_input);
}

/** Most structures: the checksum is their last four bytes. */
herr_t H5F_get_checksums(const uint8_t *buffer, size_t n, uint32_t *stored, uint32_t *computed)
{
  static herr_t (*real)(const uint8_t *, size_t, uint32_t *, uint32_t *);
  if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, "H5F_get_checksums");
  checking = true;
  herr_t status = real(buffer, n, stored, computed);
  checking = false;
  if (input == NULL || stored == NULL || computed == NULL) return status;
  const uint8_t *at = mended == NULL || n < 4 ? NULL : memmem(input, n_input, buffer, n);
  if (at != NULL) mend((size_t)(at - input) + n - 4, *computed);
  *computed = *stored;
  return status;
}

/** Blocks of a fractal heap: it is inside, behind signature, version, address and an offset of unknown width, and there
 *  are zeros in its place while it is computed. n_input: no such block in the input. */
static size_t place_in_block(const uint8_t *data, size_t n)
{
  enum { ADDRESS_END = 13, OFFSET_MAX = 8, SUM = 4 };
  const uint8_t *at = input;
  if (n < ADDRESS_END + OFFSET_MAX + SUM) return n_input;
  while ((at = memmem(at, n_input - (size_t)(at - input), data, ADDRESS_END)) != NULL) {
    if (n_input - (size_t)(at - input) < n) break;
    for (size_t k = ADDRESS_END; k <= ADDRESS_END + OFFSET_MAX; k++)
      if (memcmp(at, data, k) == 0 && memcmp(at + k + SUM, data + k + SUM, n - k - SUM) == 0)
        return (size_t)(at - input) + k;
    at++;
  }
  return n_input;
}

uint32_t H5_checksum_metadata(const void *data, size_t n, uint32_t start)
{
  static uint32_t (*real)(const void *, size_t, uint32_t);
  if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, "H5_checksum_metadata");
  uint32_t sum = real(data, n, start);
  size_t place = input == NULL || checking ? n_input : place_in_block(data, n);
  if (place == n_input) return sum;
  if (mended != NULL) mend(place, sum);
  memcpy(&sum, input + place, sizeof sum);
  return sum;
}

/** The digest too is what the file says. */
uint64_t __wrap_dcs_result_digest(const dcs_result *result)
{
  enum { WITHIN = 128, DIGITS = 16 };
  static const char key[] = "data_digest";
  const uint8_t *at = input == NULL ? NULL : memmem(input, n_input, key, sizeof key);
  for (size_t i = sizeof key; at != NULL && i < WITHIN && (size_t)(at - input) + i + DIGITS <= n_input; i++) {
    char digits[DIGITS + 1] = "";
    memcpy(digits, at + i, DIGITS);
    if (strspn(digits, "0123456789abcdef") == DIGITS) return strtoull(digits, NULL, 16);
  }
  return __real_dcs_result_digest(result);
}

/** Change a few bytes where there is something, and keep all others where they are: HDF5 is full of offsets. */
static void mutate_inside(uint8_t *data, size_t size, unsigned seed)
{
  enum { WINDOW = 16, TRIES = 64 };
  uint8_t window[WINDOW] = {0};
  size_t at = 0;
  for (unsigned k = 0; k < TRIES && data[at] == 0; k++) {
    seed = seed * 1664525 + 1013904223; /* Numerical Recipes */
    at = (size_t)(((uint64_t)seed * size) >> 32);
  }
  size_t n = size - at < WINDOW ? size - at : WINDOW;
  memcpy(window, data + at, n);
  LLVMFuzzerMutate(window, n, n);
  memcpy(data + at, window, n);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
  static const uint8_t signature[SIGNATURE] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
  bool tail = has_tail(data, size);
  if (size >= TAIL + SIGNATURE && seed % 8 != 7)
    mutate_inside(data, size, seed);
  else
    size = LLVMFuzzerMutate(data, size, max_size);
  if (size < TAIL + SIGNATURE) return size;
  memcpy(data, signature, sizeof signature);
  if (tail && seed % 2 == 0) mend_tail(data, size);
  return size;
}

/** Starting a symbolizer for every crash in HDF5 would take longer than all the rest. */
const char *__asan_default_options(void) { return "symbolize=0"; }

/** The child's sanitizer found something: of dcs and HDF5, whose is the innermost frame? */
static void on_report(const char *report)
{
  for (const char *line = strstr(report, "\n    #"); line != NULL; line = strstr(line + 1, "\n    #")) {
    void *pc = NULL;
    Dl_info info;
    if (sscanf(line, " #%*d %p", &pc) != 1) continue;
    bool ours = (uintptr_t)pc >= code && (uintptr_t)pc <= code_end;
    if (ours) put_file("finding.txt", report, strlen(report));
    if (ours || (dladdr(pc, &info) != 0 && strstr(info.dli_fname, "libhdf5") != NULL)) return;
  }
}

/** Dying without a report of the address sanitizer: undefined behaviour, and only dcs is checked for that. */
static void on_death(void)
{
  static const char text[] = "undefined behaviour, in dcs";
  if (!__asan_report_present()) put_file("finding.txt", text, sizeof text - 1);
}

static dcs_status read_in_child(const char *path, void *data, dcs_error *err)
{
  dcs_status st = DCS_OK;
  dcs_h5 h5;
  dcs_result *result = NULL;
  dcs_table_copy table = {0};
  struct rlimit seconds = {.rlim_cur = 5, .rlim_max = RLIM_INFINITY};
  (void)data;
  setrlimit(RLIMIT_CPU, &seconds); /* not the minute a user grants: libFuzzer would see a hang before */
  signal(SIGABRT, SIG_DFL);        /* libFuzzer's handlers and callbacks would keep the input of every crash in HDF5 */
  signal(SIGXCPU, SIG_DFL);
  __sanitizer_set_death_callback(on_death);
  __asan_set_error_report_callback(on_report);
  DCS_TRY(dcs_h5_open(&h5, path, err));
  DCS_TRY(dcs_result_get(&h5, &result));
  DCS_TRY(dcs_table_get(&h5, "fits", &table));
done:
  dcs_table_copy_destroy(&table);
  dcs_result_destroy(&result);
  dcs_h5_close(&h5);
  return st;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  dcs_error err = {""};
  dcs_result *r = NULL;
  if (getenv("DCS_FUZZ_MEND") != NULL) {
    mended = malloc(size + 1);
    REQUIRE(mended != NULL);
    memcpy(mended, data, size);
    put_file(getenv("DCS_FUZZ_MEND"), data, size);
  }
  unlink("r.h5"); /* a new file, not new bytes in one that HDF5 may know */
  put_file("r.h5", data, size);
  input = data;
  n_input = size;
  dcs_status st = dcs_guard("r.h5", read_in_child, counters, (size_t)(counters_end - counters), &err);
  REQUIRE(access("finding.txt", F_OK) != 0);
  if (st == DCS_OK) st = dcs_result_read("r.h5", &r, &err);
  input = NULL;
  REQUIRE((st == DCS_OK) == (r != NULL));
  REQUIRE(st == DCS_OK || (strncmp(err.text, "r.h5: ", 6) == 0 && strchr(err.text, '\n') == NULL));
  if (r != NULL) {
    print_result(r);
    judge_result(r);
    require_same_when_written(r);
  }
  dcs_result_destroy(&r);
  return 0;
}
