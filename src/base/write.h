#ifndef DCS_BASE_WRITE_H
#define DCS_BASE_WRITE_H
#include <stdbool.h>
#include <stddef.h>

/** All n bytes to the descriptor, or false with errno set; interrupted and short writes go on. Not collective. */
bool dcs_write_all(int fd, const void *bytes, size_t n);

/** The directory of `path` to the disk: a new name is safe only then. False with errno set. Not collective. */
bool dcs_sync_parent(const char *path);

#endif
