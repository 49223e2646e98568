#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

dcs_status dcs_alloc(size_t count, size_t size, void *out)
{
  void *p = NULL;
  size_t bytes = 0;
  memcpy(out, &p, sizeof p);
  if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX - DCS_ALIGN) return DCS_ENOMEM;
  bytes = (bytes / DCS_ALIGN + 1) * DCS_ALIGN; /* aligned_alloc wants a multiple; never zero */
  p = aligned_alloc(DCS_ALIGN, bytes);
  if (p == NULL) return DCS_ENOMEM;
  memset(p, 0, bytes);
  memcpy(out, &p, sizeof p);
  return DCS_OK;
}

dcs_status dcs_reserve(void *array, size_t *capacity, size_t need, size_t size)
{
  if (need <= *capacity) return DCS_OK;
  size_t grown = *capacity < 8 ? 8 : *capacity;
  while (grown < need) {
    if (grown > SIZE_MAX / 2) return DCS_ENOMEM;
    grown *= 2;
  }
  void *old = NULL, *fresh = NULL;
  memcpy(&old, array, sizeof old);
  dcs_status st = dcs_alloc(grown, size, &fresh);
  if (st != DCS_OK) return st;
  if (old != NULL) memcpy(fresh, old, *capacity * size);
  free(old);
  memcpy(array, &fresh, sizeof fresh);
  *capacity = grown;
  return DCS_OK;
}

dcs_status dcs_strdup(const char *text, char **out)
{
  size_t n = strlen(text) + 1;
  dcs_status st = dcs_alloc(n, 1, out);
  if (st == DCS_OK) memcpy(*out, text, n);
  return st;
}

void dcs_free(void *address)
{
  void *p = NULL;
  memcpy(&p, address, sizeof p);
  free(p);
  p = NULL;
  memcpy(address, &p, sizeof p);
}
