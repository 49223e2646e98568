#ifndef DCS_BASE_MEMORY_H
#define DCS_BASE_MEMORY_H
/** Allocation: zeroed, overflow-checked, aligned to a vector register, with a status instead of a bare NULL. */
#include <stddef.h>

#include "base/status.h"

enum { DCS_ALIGN = 64 /**< bytes; one AVX-512 register, one cache line */ };

/** `*out` = `count` zeroed elements of `size` bytes. count = 0 gives a valid pointer. DCS_ENOMEM on overflow or lack of
 *  memory, then `*out` is NULL. `out` is the address of a pointer to any object type. Free with dcs_free. */
DCS_NODISCARD dcs_status dcs_alloc(size_t count, size_t size, void *out);

/** Grow a dcs_alloc'd array to hold `need` elements (capacity doubles; the new part is zeroed). `*array` may be NULL.
 */
DCS_NODISCARD dcs_status dcs_reserve(void *array, size_t *capacity, size_t need, size_t size);

/** Copy of a string, DCS_ENOMEM when there is no room. */
DCS_NODISCARD dcs_status dcs_strdup(const char *text, char **out);

/** Free the pointer whose address is given and set it to NULL. */
void dcs_free(void *address);

#endif
