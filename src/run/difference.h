#ifndef DCS_RUN_DIFFERENCE_H
#define DCS_RUN_DIFFERENCE_H
#include <stddef.h>

/** "'KEY: there' against 'KEY: here'", the first lines in which two canonical studies differ, each cut to 150 bytes; ""
 *  when they are equal. */
void dcs_difference(const char *there, const char *here, size_t n, char *out);

#endif
