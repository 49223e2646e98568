/** What the reader of results makes of the answers of HDF5. fuzz_hdf5 changes the bytes of a file; HDF5 then crashes so
 *  often that every input needs a process of its own, and few of them get as far as dcs. Here there is no HDF5: all that
 *  src/archive/h5_get.c answers while the results in TEMPLATES are read is written down once, and an input changes these
 *  answers: numbers, texts, names, kinds and shapes. Hundreds of times as many inputs reach dcs, and more of it.
 *
 *  An input is one byte for the template, then patches: number of the answer (2 bytes), offset in its data (2), length - 1 (1), bytes.
 *  At the offset SHAPE the bytes are kind, rows and columns. The digest is taken for right. DCS_FUZZ_SAY=1 TARGET FILE
 *  tells what becomes of an input. */
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "archive/layout.h"
#include "fuzz/fuzz.h"
#include "fuzz/use_result.h"

enum {
  HEAD = 5 /**< bytes of a patch before those it brings */,
  ANSWERS = 512,
  NAME = 64,
  TEMPLATES_MOST = 8,
  ROWS_MOST = 40
};
static const uint16_t SHAPE = UINT16_MAX;

typedef enum { GROUP, NAMES, DATA, STRING, ATTRIBUTE, NUMBER, LINES } question;

typedef struct {
  question question;
  hid_t where; /**< 0: the root group; others: 1 + number of the answer that opened them */
  char name[NAME], key[NAME];
  dcs_h5_kind kind;
  int64_t rows, cols;
  size_t width, n; /**< bytes of an entry; of all */
  uint8_t *bytes;  /**< texts: each with its zero */
} answer;

typedef struct {
  int n;
  answer answer[ANSWERS];
} script;

/* State of the process: libFuzzer calls without a context. */
static script scripts[TEMPLATES_MOST];
static int n_scripts;
static script *recording, *replaying; /**< at most one of them */
static hid_t real_id[ANSWERS];        /**< recording: [1 + answer] the group as HDF5 knows it */
static uint64_t told;                 /**< replaying: the digest that the result says it has */

#define WRAP(type, name, parameters)                                                                                   \
  type __real_##name parameters;                                                                                       \
  type __wrap_##name parameters
WRAP(uint64_t, dcs_result_digest, (const dcs_result *result));
WRAP(void, dcs_h5_release, (hid_t id));
WRAP(bool, dcs_h5_has, (hid_t where, const char *name));
WRAP(bool, dcs_h5_has_attribute, (hid_t where, const char *name, const char *key));
WRAP(dcs_status, dcs_h5_group_open, (dcs_h5 * h5, const char *name, hid_t *group));
WRAP(dcs_status, dcs_h5_names, (dcs_h5 * h5, hid_t group, int64_t *count, char ***names));
WRAP(dcs_status, dcs_h5_look, (dcs_h5 * h5, hid_t where, const char *name, dcs_h5_kind *kind, int64_t *rows));
WRAP(dcs_status, dcs_h5_get,
     (dcs_h5 * h5, hid_t where, const char *name, dcs_h5_kind kind, size_t width, int64_t rows, int64_t cols,
      void *out));
WRAP(dcs_status, dcs_h5_get_text, (dcs_h5 * h5, hid_t where, const char *name, int64_t rows, char ***out));
WRAP(dcs_status, dcs_h5_get_string, (dcs_h5 * h5, hid_t where, const char *name, char **text));
WRAP(dcs_status, dcs_h5_get_attribute, (dcs_h5 * h5, hid_t where, const char *name, const char *key, char **text));
WRAP(dcs_status, dcs_h5_get_attribute_u64, (dcs_h5 * h5, hid_t where, const char *key, uint64_t *value));
WRAP(dcs_status, dcs_h5_get_attribute_i32, (dcs_h5 * h5, hid_t where, const char *key, int32_t *value));
WRAP(dcs_status, dcs_h5_get_attributes, (dcs_h5 * h5, hid_t group, char **lines));
int LLVMFuzzerInitialize(int *argc, char ***argv);

/** Groups are numbered in a script; the root is 0 there, and the file for HDF5. */
static hid_t real_where(hid_t where) { return recording == NULL || where >= ANSWERS ? where : real_id[where]; }

static answer *find(script *s, question q, hid_t where, const char *name, const char *key)
{
  for (int i = 0; i < s->n; i++) {
    answer *a = &s->answer[i];
    if (a->question == q && a->where == where && strcmp(a->name, name) == 0 && strcmp(a->key, key) == 0) return a;
  }
  return NULL;
}

/** Write an answer down; one that was given before stays. */
static answer *record(question q, hid_t where, const char *name, const char *key, const void *bytes, size_t n)
{
  answer *a = find(recording, q, where, name, key);
  if (a != NULL) return a;
  REQUIRE(recording->n < ANSWERS - 1 && strlen(name) < NAME && strlen(key) < NAME);
  a = &recording->answer[recording->n++];
  *a = (answer){.question = q, .where = where, .n = n, .rows = 1, .width = n};
  snprintf(a->name, NAME, "%s", name);
  snprintf(a->key, NAME, "%s", key);
  a->bytes = malloc(n + 1);
  REQUIRE(a->bytes != NULL);
  if (n > 0) memcpy(a->bytes, bytes, n);
  a->bytes[n] = 0;
  return a;
}

static void record_texts(question q, hid_t where, const char *name, int64_t count, char *const *texts)
{
  uint8_t buffer[1 << 14];
  size_t n = 0;
  for (int64_t i = 0; i < count; i++) {
    size_t length = strlen(texts[i]) + 1;
    REQUIRE(n + length <= sizeof buffer);
    memcpy(buffer + n, texts[i], length);
    n += length;
  }
  answer *a = record(q, where, name, "", buffer, n);
  a->kind = DCS_H5_STRING;
  a->rows = count;
}

static dcs_status no_answer(dcs_h5 *h5, const char *name)
{
  return dcs_fail(h5->err, DCS_ECORRUPT, "%s: %s: the data set is missing or of another kind", h5->path, name);
}

/** Text number `row` of an answer; "" behind the last. */
static dcs_status text_of(const answer *a, int64_t row, char **out)
{
  const char *text = (const char *)a->bytes, *end = text + a->n;
  for (; row > 0 && text < end; row--) text += strnlen(text, (size_t)(end - text)) + 1;
  return dcs_strdup(text < end ? text : "", out); /* there is a zero at the end */
}

static dcs_status texts_of(const answer *a, int64_t rows, char ***out)
{
  dcs_status st = dcs_alloc((size_t)rows, sizeof **out, out);
  for (int64_t i = 0; st == DCS_OK && i < rows; i++) st = text_of(a, i, &(*out)[i]);
  return st;
}

uint64_t __wrap_dcs_result_digest(const dcs_result *result)
{
  uint64_t digest = __real_dcs_result_digest(result); /* it too has to get along with the result */
  return replaying != NULL ? told : digest;
}

void __wrap_dcs_h5_release(hid_t id)
{
  if (replaying != NULL || (recording != NULL && id < ANSWERS)) return;
  __real_dcs_h5_release(id);
}

bool __wrap_dcs_h5_has(hid_t where, const char *name)
{
  if (replaying == NULL) return __real_dcs_h5_has(real_where(where), name);
  return find(replaying, DATA, where, name, "") != NULL || find(replaying, GROUP, where, name, "") != NULL;
}

bool __wrap_dcs_h5_has_attribute(hid_t where, const char *name, const char *key)
{
  if (replaying == NULL) return __real_dcs_h5_has_attribute(real_where(where), name, key);
  return find(replaying, ATTRIBUTE, where, name, key) != NULL;
}

dcs_status __wrap_dcs_h5_group_open(dcs_h5 *h5, const char *name, hid_t *group)
{
  if (replaying == NULL) {
    hid_t file = h5->file;
    h5->file = real_where(file);
    dcs_status st = __real_dcs_h5_group_open(h5, name, group);
    h5->file = file;
    if (st != DCS_OK || recording == NULL) return st;
    hid_t number = 1 + (record(GROUP, 0, name, "", "", 0) - recording->answer);
    if (real_id[number] > 0) __real_dcs_h5_release(real_id[number]);
    real_id[number] = *group;
    *group = number;
    return DCS_OK;
  }
  const answer *a = find(replaying, GROUP, 0, name, "");
  *group = a == NULL ? H5I_INVALID_HID : 1 + (a - replaying->answer);
  return a == NULL ? no_answer(h5, name) : DCS_OK;
}

dcs_status __wrap_dcs_h5_names(dcs_h5 *h5, hid_t group, int64_t *count, char ***names)
{
  if (replaying == NULL) {
    dcs_status st = __real_dcs_h5_names(h5, real_where(group), count, names);
    if (st == DCS_OK && recording != NULL) record_texts(NAMES, group, "", *count, *names);
    return st;
  }
  const answer *a = find(replaying, NAMES, group, "", "");
  if (a == NULL) return no_answer(h5, "names");
  *count = a->rows;
  return texts_of(a, a->rows, names);
}

dcs_status __wrap_dcs_h5_look(dcs_h5 *h5, hid_t where, const char *name, dcs_h5_kind *kind, int64_t *rows)
{
  if (replaying == NULL) {
    dcs_status st = __real_dcs_h5_look(h5, real_where(where), name, kind, rows);
    if (st == DCS_OK && recording != NULL && find(recording, DATA, where, name, "") == NULL) {
      answer *a = record(DATA, where, name, "", "", 0);
      a->kind = *kind;
      a->rows = *rows;
    }
    return st;
  }
  const answer *a = find(replaying, DATA, where, name, "");
  if (a == NULL || a->cols != 0) return no_answer(h5, name);
  *kind = a->kind;
  *rows = a->rows;
  return DCS_OK;
}

dcs_status __wrap_dcs_h5_get(dcs_h5 *h5, hid_t where, const char *name, dcs_h5_kind kind, size_t width, int64_t rows,
                             int64_t cols, void *out)
{
  size_t entry = dcs_h5_size(kind, width), n = entry * (size_t)rows * (size_t)(cols == 0 ? 1 : cols);
  if (replaying == NULL) {
    dcs_status st = __real_dcs_h5_get(h5, real_where(where), name, kind, width, rows, cols, out);
    if (st != DCS_OK || recording == NULL) return st;
    void *data = NULL;
    memcpy(&data, out, sizeof data);
    answer *a = find(recording, DATA, where, name, "");
    if (a != NULL) { /* looked at before */
      free(a->bytes);
      a->bytes = malloc(n + 1);
      REQUIRE(a->bytes != NULL);
      if (n > 0) memcpy(a->bytes, data, n);
      a->bytes[n] = 0;
      a->n = n;
    } else {
      a = record(DATA, where, name, "", data, n);
    }
    a->kind = kind;
    a->width = entry;
    a->rows = rows;
    a->cols = cols;
    return DCS_OK;
  }
  const answer *a = find(replaying, DATA, where, name, "");
  void *data = NULL;
  memcpy(out, &data, sizeof data);
  if (a == NULL || a->kind != kind || a->width != entry || a->rows != rows || a->cols != cols)
    return no_answer(h5, name);
  dcs_status st = dcs_alloc(n, 1, &data);
  if (st != DCS_OK) return dcs_fail(h5->err, st, "%s: no memory", h5->path);
  memcpy(data, a->bytes, n < a->n ? n : a->n);
  memcpy(out, &data, sizeof data);
  return DCS_OK;
}

dcs_status __wrap_dcs_h5_get_text(dcs_h5 *h5, hid_t where, const char *name, int64_t rows, char ***out)
{
  if (replaying == NULL) {
    dcs_status st = __real_dcs_h5_get_text(h5, real_where(where), name, rows, out);
    if (st != DCS_OK || recording == NULL) return st;
    answer *a = find(recording, DATA, where, name, "");
    if (a != NULL) a->where = -1; /* looked at before: what follows takes its place */
    record_texts(DATA, where, name, rows, *out);
    return st;
  }
  const answer *a = find(replaying, DATA, where, name, "");
  *out = NULL;
  if (a == NULL || a->kind != DCS_H5_STRING || a->rows != rows || a->cols != 0) return no_answer(h5, name);
  return texts_of(a, rows, out);
}

/** One text, however it is asked for. */
static dcs_status one_text(dcs_h5 *h5, question q, hid_t where, const char *name, const char *key, char **text)
{
  const answer *a = find(replaying, q, where, name, key);
  *text = NULL;
  return a == NULL ? no_answer(h5, name[0] == '\0' ? key : name) : text_of(a, 0, text);
}

dcs_status __wrap_dcs_h5_get_string(dcs_h5 *h5, hid_t where, const char *name, char **text)
{
  if (replaying != NULL) return one_text(h5, STRING, where, name, "", text);
  dcs_status st = __real_dcs_h5_get_string(h5, real_where(where), name, text);
  if (st == DCS_OK && recording != NULL) record(STRING, where, name, "", *text, strlen(*text));
  return st;
}

dcs_status __wrap_dcs_h5_get_attribute(dcs_h5 *h5, hid_t where, const char *name, const char *key, char **text)
{
  const char *object = name == NULL ? "" : name;
  if (replaying != NULL) return one_text(h5, ATTRIBUTE, where, object, key, text);
  dcs_status st = __real_dcs_h5_get_attribute(h5, real_where(where), name, key, text);
  if (st == DCS_OK && recording != NULL) record(ATTRIBUTE, where, object, key, *text, strlen(*text));
  return st;
}

dcs_status __wrap_dcs_h5_get_attributes(dcs_h5 *h5, hid_t group, char **lines)
{
  if (replaying != NULL) return one_text(h5, LINES, group, "", "", lines);
  dcs_status st = __real_dcs_h5_get_attributes(h5, real_where(group), lines);
  if (st == DCS_OK && recording != NULL) record(LINES, group, "", "", *lines, strlen(*lines));
  return st;
}

static dcs_status one_number(dcs_h5 *h5, hid_t where, const char *key, size_t n, void *value)
{
  const answer *a = find(replaying, NUMBER, where, "", key);
  if (a == NULL || a->n != n) return no_answer(h5, key);
  memcpy(value, a->bytes, n);
  return DCS_OK;
}

dcs_status __wrap_dcs_h5_get_attribute_u64(dcs_h5 *h5, hid_t where, const char *key, uint64_t *value)
{
  if (replaying != NULL) return one_number(h5, where, key, sizeof *value, value);
  dcs_status st = __real_dcs_h5_get_attribute_u64(h5, real_where(where), key, value);
  if (st == DCS_OK && recording != NULL) record(NUMBER, where, "", key, value, sizeof *value);
  return st;
}

dcs_status __wrap_dcs_h5_get_attribute_i32(dcs_h5 *h5, hid_t where, const char *key, int32_t *value)
{
  if (replaying != NULL) return one_number(h5, where, key, sizeof *value, value);
  dcs_status st = __real_dcs_h5_get_attribute_i32(h5, real_where(where), key, value);
  if (st == DCS_OK && recording != NULL) record(NUMBER, where, "", key, value, sizeof *value);
  return st;
}

/** Result and tables. */
static dcs_status read_all(dcs_h5 *h5, dcs_result **r)
{
  dcs_table_copy table = {0};
  dcs_status st = dcs_result_get(h5, r);
  for (int i = 0; st == DCS_OK && i < 2; i++) {
    st = dcs_table_get(h5, i == 0 ? "fits" : "claims", &table);
    dcs_table_copy_destroy(&table);
  }
  return st;
}

static void unpack(const char *name)
{
  enum { MOST = 1 << 20 };
  char path[1024];
  uint8_t *bytes = malloc(MOST);
  snprintf(path, sizeof path, "%s%s", TEMPLATES, name);
  gzFile in = gzopen(path, "rb");
  REQUIRE(bytes != NULL && in != NULL);
  int n = gzread(in, bytes, MOST);
  REQUIRE(n > 0 && n < MOST);
  gzclose(in);
  unlink("r.h5");
  put_file("r.h5", bytes, (size_t)n);
  free(bytes);
}

static void add_template(const char *name)
{
  dcs_error err = {""};
  dcs_h5 h5;
  dcs_result *r = NULL;
  unpack(name);
  REQUIRE(dcs_h5_open(&h5, "r.h5", &err) == DCS_OK && n_scripts < TEMPLATES_MOST);
  hid_t file = h5.file;
  real_id[0] = file;
  h5.file = 0;
  recording = &scripts[n_scripts++];
  dcs_status st = read_all(&h5, &r);
  if (st != DCS_OK) fprintf(stderr, "%s\n", err.text);
  REQUIRE(st == DCS_OK);
  recording = NULL;
  h5.file = file;
  dcs_result_destroy(&r);
  for (hid_t i = 1; i < ANSWERS; i++) { /* groups, or HDF5 would take the next r.h5 for this one */
    if (real_id[i] > 0) __real_dcs_h5_release(real_id[i]);
    real_id[i] = 0;
  }
  dcs_h5_close(&h5);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
  (void)argc;
  (void)argv;
  static const char *const names[] = {"rich.h5.gz", "plain.h5.gz", "one.h5.gz", "empty.h5.gz"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) add_template(names[i]);
  return 0;
}

/** A number that is at the edge of something. */
static void put_wild(uint8_t *to, unsigned which)
{
  static const uint64_t integers[] = {0,          1,
                                      2,          3,
                                      4,          5,
                                      255,        1U << 31,
                                      0x7fffffff, 1ULL << 36,
                                      1ULL << 48, 1ULL << 53,
                                      INT64_MAX,  (uint64_t)INT64_MIN,
                                      UINT64_MAX, UINT64_MAX - 1};
  static const double reals[] = {-0.0, 1.0, -1.0, 0.5, 1e-320, 1e-300, 1e300, 1.7e308, -1e300, 1e18, 1e19, 0x1p53};
  enum { INTEGERS = sizeof integers / sizeof *integers, REALS = sizeof reals / sizeof *reals };
  const double special[] = {__builtin_nan(""), -__builtin_nan(""), __builtin_inf(), -__builtin_inf()};
  which %= INTEGERS + REALS + 4;
  if (which < INTEGERS)
    memcpy(to, &integers[which], 8);
  else if (which < INTEGERS + REALS)
    memcpy(to, &reals[which - INTEGERS], 8);
  else
    memcpy(to, &special[which - INTEGERS - REALS], 8);
}

/** Half of the time one more patch: a wild number in the place of another. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
  enum { EIGHT = 8 };
  if (seed % 2 == 0 || size == 0 || size + HEAD + EIGHT > max_size) return LLVMFuzzerMutate(data, size, max_size);
  const script *s = &scripts[data[0] % n_scripts];
  uint64_t random = seed;
  unsigned draw[3];
  for (int i = 0; i < 3; i++) {
    random = random * 6364136223846793005UL + 1442695040888963407UL; /* Knuth's MMIX */
    draw[i] = (unsigned)(random >> 33);
  }
  unsigned k = draw[0] % (unsigned)s->n;
  size_t most = s->answer[k].n / EIGHT, offset = most == 0 ? 0 : draw[1] % most * EIGHT;
  uint16_t number[2] = {(uint16_t)k, draw[1] % 8 == 0 ? SHAPE : (uint16_t)offset};
  uint8_t *to = data + size;
  memcpy(to, number, sizeof number);
  to[HEAD - 1] = EIGHT - 1;
  put_wild(to + HEAD, draw[2]);
  if (seed % 4 == 1) LLVMFuzzerMutate(to + HEAD, EIGHT, EIGHT);
  return size + HEAD + EIGHT;
}

/** Kind, rows and columns; the data stay, and zeros follow them. */
static void reshape(answer *a, const uint8_t *bytes, size_t n)
{
  if (a->question == NAMES || a->question == DATA) {
    a->kind = (dcs_h5_kind)(bytes[0] % (DCS_H5_STRING + 1));
    if (n > 1) a->rows = bytes[1] % ROWS_MOST;
    if (n > 2) a->cols = bytes[2] % 3 == 0 ? bytes[2] : 0;
    if (a->kind != DCS_H5_TEXT) a->width = dcs_h5_size(a->kind, 0);
  } else {
    a->name[bytes[0] % (NAME - 1)] = '\0'; /* or it is gone, or another one's */
  }
}

/** A copy of the script with the patches of an input. */
static script *patched(const script *s, const uint8_t *data, size_t size)
{
  script *out = malloc(sizeof *out);
  REQUIRE(out != NULL);
  memcpy(out, s, sizeof *out);
  for (int i = 0; i < out->n; i++) {
    out->answer[i].bytes = malloc(s->answer[i].n + 1);
    REQUIRE(out->answer[i].bytes != NULL);
    memcpy(out->answer[i].bytes, s->answer[i].bytes, s->answer[i].n + 1);
  }
  for (size_t i = 1; i + HEAD < size;) {
    uint16_t number[2];
    memcpy(number, data + i, sizeof number);
    answer *a = &out->answer[number[0] % out->n];
    size_t n = data[i + HEAD - 1] + 1U;
    if (n > size - i - HEAD) n = size - i - HEAD;
    if (number[1] == SHAPE) {
      reshape(a, data + i + HEAD, n);
    } else if (a->n > 0) {
      size_t offset = number[1] % a->n, fits = n < a->n - offset ? n : a->n - offset;
      memcpy(a->bytes + offset, data + i + HEAD, fits);
    }
    i += HEAD + n;
  }
  return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  enum { RARELY = 64 };
  dcs_error err = {""};
  dcs_result *r = NULL;
  dcs_h5 h5 = {.path = "r.h5", .file = 0, .file_size = 1 << 20, .err = &err};
  if (size == 0) return 0;
  script *s = patched(&scripts[data[0] % n_scripts], data, size);
  const answer *digest = find(s, ATTRIBUTE, 0, "", "data_digest");
  told = digest == NULL ? 0 : strtoull((const char *)digest->bytes, NULL, 16);
  replaying = s;
  dcs_status st = read_all(&h5, &r);
  replaying = NULL;
  if (getenv("DCS_FUZZ_SAY") != NULL) fprintf(stderr, "%s\n", st == DCS_OK ? "read" : err.text);
  REQUIRE(st == DCS_OK || (strncmp(err.text, "r.h5: ", 6) == 0 && strchr(err.text, '\n') == NULL));
  REQUIRE(st != DCS_OK || r != NULL);
  if (st == DCS_OK) {
    uint32_t lot = (uint32_t)crc32_z(0, data, size) % RARELY;
    print_result(r);
    if (lot == 0) judge_result(r); /* thousands of replicates of every fit */
    if (lot == 1) require_same_when_written(r);
  }
  dcs_result_destroy(&r);
  for (int i = 0; i < s->n; i++) free(s->answer[i].bytes);
  free(s);
  return 0;
}
