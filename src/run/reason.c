#include "run/reason.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"

dcs_status dcs_reason_add(char **reason, const char *who, const char *why)
{
  const char *old = *reason != NULL ? *reason : "";
  char *joined = NULL;
  size_t n = strlen(old) + (who != NULL ? strlen(who) : 0) + strlen(why) + sizeof "; : ";
  dcs_status st = dcs_alloc(n, 1, &joined);
  if (st != DCS_OK) return st;
  snprintf(joined, n, "%s%s%s%s%s", old, old[0] != '\0' ? "; " : "", who != NULL ? who : "", who != NULL ? ": " : "",
           why);
  dcs_free(reason);
  *reason = joined;
  return DCS_OK;
}
