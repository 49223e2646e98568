#ifndef DCS_BASE_WRITE_H
#define DCS_BASE_WRITE_H
#include <stdbool.h>
#include <stddef.h>

/** All n bytes to the descriptor, or false with errno set; interrupted and short writes go on. Not collective. */
bool dcs_write_all(int fd, const void *bytes, size_t n);

#endif
