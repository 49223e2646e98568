#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/plain.h"

const char *dcs_status_text(dcs_status status)
{
  static const char *const text[] = {
#define X(name, text) [DCS_##name] = text,
      DCS_STATUS_LIST(X)
#undef X
  };
  return (unsigned)status < sizeof text / sizeof *text ? text[status] : "unknown status";
}

dcs_status dcs_fail(dcs_error *err, dcs_status status, const char *format, ...)
{
  if (err != NULL) {
    char text[2 * sizeof err->text]; /* so long that what is cut off it has no room in the message either */
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    dcs_plain(text, sizeof err->text, err->text);
  }
  return status;
}
