#ifndef DCS_FUZZ_H
#define DCS_FUZZ_H
/** What the fuzzing targets share. Each reads bytes as some file of dcs, and must neither crash, nor hang, nor reserve
 *  more memory than the bytes can stand for, nor break what its REQUIRE lines say. They work on files with fixed names
 *  in the current directory (run.sh makes one in memory). */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

/** A finding: libFuzzer keeps the input. */
#define REQUIRE(condition)                                                                                             \
  do {                                                                                                                 \
    if (!(condition)) {                                                                                                \
      fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);                                   \
      abort();                                                                                                         \
    }                                                                                                                  \
  } while (0)

static inline void put_file(const char *path, const void *bytes, size_t n)
{
  FILE *file = fopen(path, "wb");
  REQUIRE(file != NULL);
  REQUIRE(fwrite(bytes, 1, n, file) == n);
  REQUIRE(fclose(file) == 0);
}

#endif
