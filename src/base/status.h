#ifndef DCS_BASE_STATUS_H
#define DCS_BASE_STATUS_H
/** Status codes and the one error message that goes with a failure.
 *
 *  A fallible function returns a dcs_status. A function whose failure a user can cause also takes a dcs_error: whoever
 *  detects the failure writes one line there (which file, line, key or point, and what to do); whoever is at the top
 *  (src/cli, src/run) prints it once. Nothing in between prints. Not collective. */
#include <stdbool.h>
#include <stdint.h>

#define DCS_STATUS_LIST(X)                                                                                             \
  X(OK, "ok")                                                                                                          \
  X(EUSAGE, "bad command line or study file")                                                                          \
  X(EARG, "argument out of range")                                                                                     \
  X(ENOMEM, "out of memory")                                                                                           \
  X(EIO, "input or output failed")                                                                                     \
  X(ECORRUPT, "file is damaged or not of this kind")                                                                   \
  X(EMISMATCH, "file belongs to another study")                                                                        \
  X(EBUSY, "output is in use by another run")                                                                          \
  X(ENUMERIC, "not a finite number")                                                                                   \
  X(EREFUSED, "this instrument cannot measure this point")                                                             \
  X(EMPI, "message passing failed")

typedef enum {
#define X(name, text) DCS_##name,
  DCS_STATUS_LIST(X)
#undef X
} dcs_status;

#define DCS_NODISCARD __attribute__((warn_unused_result))
#define DCS_PRINTF(string, first) __attribute__((format(printf, string, first)))

typedef struct {
  char text[512]; /**< one line, no newline at its end */
} dcs_error;

/** Text of a code, from DCS_STATUS_LIST. */
const char *dcs_status_text(dcs_status status);

/** Write the message (err may be NULL) and return `status`, so that a failure is one statement. What a file brought into
 *  it is shown as plain text (base/plain.h). */
dcs_status dcs_fail(dcs_error *err, dcs_status status, const char *format, ...) DCS_PRINTF(3, 4);

/** Evaluate a call that returns a dcs_status; on failure keep the code in the local `st` and go to the label `done`. */
#define DCS_TRY(call)                                                                                                  \
  do {                                                                                                                 \
    st = (call);                                                                                                       \
    if (st != DCS_OK) goto done;                                                                                       \
  } while (0)

#endif
