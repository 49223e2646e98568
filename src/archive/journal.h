#ifndef DCS_ARCHIVE_JOURNAL_H
#define DCS_ARCHIVE_JOURNAL_H
/** Append-only log of finished blocks, one file per rank: DIRECTORY/r00003.log.
 *
 *  File: header (magic "dcsjrnl\n", format version, byte-order mark, sizeof(dcs_record), study hash, CRC-32), then
 *  records (length, CRC-32 over length and payload, payload). One write() per record: what was appended outlives the
 *  process, however it is killed. fdatasync after an append when the last one is a second old, and on close: a machine
 *  that loses power, or a node whose files live elsewhere and that dies, takes with it the block in progress on each
 *  rank and the blocks it finished within the last such second, less than a second of its work. (A sync takes 0.1 to
 *  10 ms on a local disk: one for every 16 blocks of 0.3 ms took 7 to 34% of the time.)
 *  Reading takes every rNUMBER.log in the directory, whatever the rank count was; a torn or damaged tail ends that file's
 *  list, and the bytes after the last good record are cut when the file is next opened for appending (what was cut is
 *  kept as NAME.log.cut-N if it is not a plain torn record of this study). Not collective. */
#include "archive/record.h"

typedef struct dcs_journal dcs_journal;

/** Create the directory if needed and open rank's log for appending. DCS_EMISMATCH: an existing log belongs to another
 *  study (left untouched). DCS_EIO: message with path and strerror. */
DCS_NODISCARD dcs_status dcs_journal_open(const char *directory, int rank, uint64_t study_hash, dcs_journal **out,
                                          dcs_error *err);
/** Append one record. DCS_EIO when the disk is full: the partial record is cut off again, the message says so. */
DCS_NODISCARD dcs_status dcs_journal_append(dcs_journal *journal, const dcs_record *record, dcs_error *err);
DCS_NODISCARD dcs_status dcs_journal_flush(dcs_journal *journal, dcs_error *err);
/** Flush and close; *journal is NULL afterwards even on failure. */
dcs_status dcs_journal_close(dcs_journal **journal, dcs_error *err);

/** Add all good records of all logs in the directory. A missing directory is no records. `n_cut` (may be NULL) counts
 *  files with a bad tail. DCS_EMISMATCH names the log of another study; nothing is changed on disk. */
DCS_NODISCARD dcs_status dcs_journal_read(const char *directory, uint64_t study_hash, dcs_records *records, int *n_cut,
                                          dcs_error *err);
/** Remove all logs, what was cut from them, the lock and the directory (after the result file is safely in place). A
 *  file that is not ours stays, and the directory with it. */
DCS_NODISCARD dcs_status dcs_journal_remove(const char *directory, dcs_error *err);

/** Advisory lock on DIRECTORY/lock (flock: it dies with its owner). DCS_EBUSY: another run holds it. Call with the
 *  directory made if needed. `*fd` stays open until dcs_journal_unlock. */
DCS_NODISCARD dcs_status dcs_journal_lock(const char *directory, int *fd, dcs_error *err);
void dcs_journal_unlock(int *fd);
/** What the last owner of the lock left in it ("" for nothing), and a text for the next one. *text is the caller's. */
DCS_NODISCARD dcs_status dcs_journal_read_note(int fd, char **text, dcs_error *err);
DCS_NODISCARD dcs_status dcs_journal_leave_note(int fd, const char *text, dcs_error *err);

#endif
