/** Random codebook: X_0 is one of M words of {-1, 1}^d, drawn once with a seed, plus N(0, stddev^2 I). The number of
 *  words sets how rough the law is: a relaxed smoothness constant of about log M. */
#include <string.h>

#include "base/memory.h"
#include "target/mixture.h"

enum { BITS = 64 /**< of a word, packed into one uint64_t and taken from one call of the generator */ };

static const dcs_param_def params[] = {
    {"d", DCS_PARAM_INT, NULL, 1, 1e6, NULL, "1", "dimension: the length of the words"},
    {"words", DCS_PARAM_INT, NULL, 1, DCS_MIXTURE_MOST, NULL, "1", "number of words, equally likely"},
    {"words_seed", DCS_PARAM_INT, "1", 0, 2147483647, NULL, NULL, "seed of the words"},
    {"distinct", DCS_PARAM_BOOL, "true", 0, 0, NULL, NULL, "draw a word again when it is there already"},
    {"stddev", DCS_PARAM_REAL, "0", 0, 1e9, NULL, "data units", "standard deviation about each word; 0: point masses"},
    DCS_LAW_COMMON_PARAMS};

typedef struct {
  int d, units;   /**< units of 64 bits in a word */
  uint64_t *bits; /**< [words][units] */
  size_t slots;   /**< a power of two, at least twice the number of words */
  int *slot;      /**< [slots] 1 + number of the word there, 0 when empty: open addressing */
} book;

/** Bits of a word: 32 from each of two uniform numbers for coordinates 64 unit ... 64 unit + 63. */
static void draw_word(const book *b, dcs_stream stream, int word, uint32_t attempt)
{
  uint64_t *bits = b->bits + (size_t)word * (size_t)b->units;
  for (int unit = 0; unit < b->units; unit++) {
    double u[2];
    dcs_stream_uniform2_ref(stream, (uint64_t)word, 0, attempt, (uint32_t)unit, u);
    int used = b->d - BITS * unit;
    bits[unit] = (uint64_t)(u[0] * 0x1p32) << 32 | (uint64_t)(u[1] * 0x1p32);
    if (used < BITS) bits[unit] &= ((uint64_t)1 << used) - 1;
  }
}

/** Enter a word; false when an earlier one is equal. */
static bool enter(book *b, int word)
{
  size_t bytes = (size_t)b->units * sizeof *b->bits;
  const uint64_t *bits = b->bits + (size_t)word * (size_t)b->units;
  size_t s = dcs_hash_bytes(bits, bytes) & (b->slots - 1);
  for (; b->slot[s] != 0; s = (s + 1) & (b->slots - 1))
    if (memcmp(b->bits + (size_t)(b->slot[s] - 1) * (size_t)b->units, bits, bytes) == 0) return false;
  b->slot[s] = word + 1;
  return true;
}

static dcs_status create(const dcs_params *p, dcs_target *target, dcs_error *err)
{
  dcs_status st = DCS_OK;
  book b = {.d = dcs_params_int(p, "d"), .slots = 1};
  bool distinct = dcs_params_flag(p, "distinct");
  double stddev = dcs_params_real(p, "stddev"), *means = NULL;
  int words = dcs_params_int(p, "words");
  dcs_stream stream =
      dcs_stream_create((uint64_t)dcs_params_int(p, "words_seed"), DCS_PURPOSE_TARGET, DCS_LAW_STREAM_WORDS);
  DCS_TRY(dcs_mixture_check_size("codebook", words, b.d, err));
  if (distinct && b.d < 31 && words > 1 << b.d) {
    st = dcs_fail(err, DCS_EUSAGE, "codebook: %d words, but only %d differ in d = %d (or set distinct: false)", words,
                  1 << b.d, b.d);
    goto done;
  }
  b.units = (b.d + BITS - 1) / BITS;
  while (b.slots < 2 * (size_t)words) b.slots *= 2;
  DCS_TRY(dcs_alloc((size_t)words * (size_t)b.units, sizeof *b.bits, &b.bits));
  DCS_TRY(dcs_alloc(b.slots, sizeof *b.slot, &b.slot));
  DCS_TRY(dcs_alloc((size_t)words * (size_t)b.d, sizeof *means, &means));
  for (int w = 0; w < words; w++) {
    uint32_t attempt = 0;
    do draw_word(&b, stream, w, attempt++);
    while (distinct && !enter(&b, w));
    for (int i = 0; i < b.d; i++)
      means[w * b.d + i] = b.bits[(size_t)w * (size_t)b.units + (size_t)(i / BITS)] >> i % BITS & 1 ? 1 : -1;
  }
  DCS_TRY(dcs_mixture_build_equal(target, words, b.d, means, NULL, stddev * stddev, err));
done:
  dcs_free(&b.bits);
  dcs_free(&b.slot);
  dcs_free(&means);
  return st;
}

const dcs_law dcs_law_codebook = {
    .name = "codebook",
    .help = "random words of -1 and 1, equally likely; their number sets how rough the law is",
    .params = params,
    .create = create,
    DCS_MIXTURE_OPS,
};
