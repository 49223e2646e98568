#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>

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
    va_list args;
    va_start(args, format);
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
  }
  return status;
}
