#ifndef DCS_BASE_PLAIN_H
#define DCS_BASE_PLAIN_H
/** Texts of files that others wrote, on their way to a terminal: nothing in them may act on it.
 *
 *  Plain text is valid UTF-8 without control characters (C0, DEL, C1) and without those that break lines or turn their
 *  direction (U+2028 to U+202E, U+2066 to U+2069). Every byte of anything else is shown as \xNN. Plain text stays as it
 *  is; a backslash too, so that showing twice is showing once. */
#include <stdio.h>

#include "base/status.h"

/** Show `text` in out[size], cut behind a whole character where it does not fit. Returns `out`. No overlap. */
char *dcs_plain(const char *text, size_t size, char *out);

/** The formatted text as one plain line, and a newline. For whatever holds a text that a file brought along. */
void dcs_print_line(FILE *out, const char *format, ...) DCS_PRINTF(2, 3);

/** A JSON string in quotes: what is not plain as \uNNNN, and U+FFFD for what is not UTF-8. NULL is "". */
void dcs_print_json_string(FILE *out, const char *text);

#endif
