/** Any bytes as the log of a journal. Reading finds good records, and no more than there is room for; opening for
 *  appending keeps exactly those, and what is appended then comes after them. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "archive/journal.h"
#include "fuzz/fuzz.h"

static const uint64_t study = 0x1234; /* as in make_corpus.c */

enum { HEADER = 32, FRAME = 8 + sizeof(dcs_record) };

/** Read; false when the log is refused. */
static bool read_all(dcs_records *records, int *n_cut)
{
  dcs_error err = {""};
  *records = (dcs_records){0};
  dcs_status st = dcs_journal_read("j", study, records, n_cut, &err);
  REQUIRE(st == DCS_OK || (st == DCS_EMISMATCH && err.text[0] != '\0'));
  for (int64_t k = 0; k < records->count; k++) REQUIRE(dcs_record_is_valid(&records->record[k]));
  return st == DCS_OK;
}

/** The directory holds the records of `before`, then those of `more`, and no bad end. */
static void require_holds(const dcs_records *before, const dcs_record *more, int64_t n_more)
{
  dcs_records after;
  int n_cut = -1;
  REQUIRE(read_all(&after, &n_cut));
  REQUIRE(n_cut == 0 && after.count == before->count + n_more);
  if (before->count > 0) REQUIRE(memcmp(after.record, before->record, (size_t)before->count * sizeof *more) == 0);
  if (n_more > 0) REQUIRE(memcmp(&after.record[before->count], more, (size_t)n_more * sizeof *more) == 0);
  dcs_records_destroy(&after);
}

static dcs_status append(const dcs_record *record)
{
  dcs_journal *journal = NULL;
  dcs_error err = {""};
  dcs_status st = dcs_journal_open("j", 0, study, &journal, &err);
  REQUIRE((st == DCS_OK) == (journal != NULL));
  if (st != DCS_OK) return st;
  if (record != NULL) REQUIRE(dcs_journal_append(journal, record, &err) == DCS_OK);
  REQUIRE(dcs_journal_close(&journal, &err) == DCS_OK);
  return DCS_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  dcs_error err = {""};
  dcs_records before;
  int n_cut = -1;
  dcs_record record = {.point = 1, .estimator = 2, .block = 3, .outer = 4};
  REQUIRE(mkdir("j", 0777) == 0 || errno == EEXIST);
  put_file("j/r00000.log", data, size);

  bool good = read_all(&before, &n_cut);
  REQUIRE(before.count == 0 || (size_t)before.count * FRAME + HEADER <= size);
  REQUIRE((append(NULL) == DCS_OK) == good);
  if (good) {
    require_holds(&before, NULL, 0);
    REQUIRE(append(&record) == DCS_OK);
    require_holds(&before, &record, 1);
    (void)!dcs_records_unique(&before, &err); /* hostile records may contradict each other; they are bounded anyway */
  }
  dcs_records_destroy(&before);
  REQUIRE(dcs_journal_remove("j", &err) == DCS_OK);
  return 0;
}
