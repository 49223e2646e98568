#include "random/stream.h"

#include <Random123/philox.h>

#include "numerics/vmath.h"

enum { ROUNDS = 10 };

#define TWO_PI 6.283185307179586476925286766559

/** Keys are derived under this constant counter word, which no path number reaches (paths are below 2^48). */
#define KEY_TAG 0xffffffffu

static dcs_stream derive(uint32_t a, uint32_t b, uint32_t c, uint32_t key0, uint32_t key1)
{
  philox4x32_ctr_t counter = {{a, b, c, KEY_TAG}};
  philox4x32_key_t key = {{key0, key1}};
  philox4x32_ctr_t r = philox4x32(counter, key);
  return (dcs_stream){.key = {r.v[0], r.v[1]}};
}

dcs_stream dcs_stream_create(uint64_t seed, dcs_purpose purpose, uint64_t point)
{
  return derive((uint32_t)point, (uint32_t)(point >> 32), (uint32_t)purpose, (uint32_t)seed, (uint32_t)(seed >> 32));
}

dcs_stream dcs_stream_fork(dcs_stream stream, uint32_t n)
{
  return derive(n, 0, DCS_PURPOSE_KEY, stream.key[0], stream.key[1]);
}

static double uniform_from(uint32_t high, uint32_t low)
{
  uint64_t bits = ((uint64_t)high << 32 | low) >> 12;
  return ((double)bits + 0.5) * 0x1p-52;
}

void dcs_stream_uniform2_ref(dcs_stream stream, uint64_t path, uint32_t inner, uint32_t step, uint32_t index,
                             double u[2])
{
  philox4x32_ctr_t counter = {{(uint32_t)path, (uint32_t)(path >> 32) << 16 | inner, step, index}};
  philox4x32_key_t key = {{stream.key[0], stream.key[1]}};
  philox4x32_ctr_t r = philox4x32(counter, key);
  u[0] = uniform_from(r.v[0], r.v[1]);
  u[1] = uniform_from(r.v[2], r.v[3]);
}

/** Product of the low 32 bits of each lane with a constant, all 64 bits of it. */
static inline dcs_word multiply_low(dcs_word a, uint32_t constant)
{
#if defined __AVX512F__
  return (dcs_word)_mm512_mul_epu32((__m512i)a, _mm512_set1_epi64((int64_t)constant));
#else
  return (a & 0xffffffffu) * (uint64_t)constant;
#endif
}

static inline dcs_vec uniform_vec(dcs_word high, dcs_word low)
{
  dcs_word bits = (high << 32 | (low & 0xffffffffu)) >> 12;
  return (__builtin_convertvector((dcs_mask)bits, dcs_vec) + 0.5) * 0x1p-52;
}

/** Philox4x32-10 on eight counters (c0, c1, step, index) at once. The words live in the low halves of 64-bit lanes;
 *  their high halves carry rubbish until the end, because the multiplication ignores them. */
static inline void uniform2_vec(dcs_stream stream, dcs_word c0, dcs_word c1, uint32_t step, uint32_t index, dcs_vec *u1,
                                dcs_vec *u2)
{
  dcs_word c2 = (dcs_word){} + step, c3 = (dcs_word){} + index;
  uint32_t k0 = stream.key[0], k1 = stream.key[1];
  for (int round = 0; round < ROUNDS; round++) {
    dcs_word p0 = multiply_low(c0, PHILOX_M4x32_0), p1 = multiply_low(c2, PHILOX_M4x32_1);
    c0 = p1 >> 32 ^ c1 ^ (uint64_t)k0;
    c2 = p0 >> 32 ^ c3 ^ (uint64_t)k1;
    c1 = p1;
    c3 = p0;
    k0 += PHILOX_W32_0;
    k1 += PHILOX_W32_1;
  }
  *u1 = uniform_vec(c0, c1);
  *u2 = uniform_vec(c2, c3);
}

static inline void counters(const dcs_lane_ids *ids, int v, dcs_word *c0, dcs_word *c1)
{
  for (int l = 0; l < DCS_VEC; l++) {
    uint64_t path = ids->path[v * DCS_VEC + l];
    (*c0)[l] = path & 0xffffffffu;
    (*c1)[l] = (path >> 32) << 16 | ids->inner[v * DCS_VEC + l];
  }
}

void dcs_stream_uniform2(dcs_stream stream, const dcs_lane_ids *ids, uint32_t step, uint32_t index, double *restrict u1,
                         double *restrict u2)
{
  for (int v = 0; v < DCS_VECS; v++) {
    dcs_word c0, c1;
    counters(ids, v, &c0, &c1);
    uniform2_vec(stream, c0, c1, step, index, (dcs_vec *)u1 + v, (dcs_vec *)u2 + v);
  }
}

void dcs_stream_normal(dcs_stream stream, const dcs_lane_ids *ids, uint32_t step, int d, double *restrict z)
{
  dcs_vec(*row)[DCS_VECS] = (dcs_vec(*)[DCS_VECS])z;
  dcs_word c0[DCS_VECS], c1[DCS_VECS];
  for (int v = 0; v < DCS_VECS; v++) counters(ids, v, &c0[v], &c1[v]);
  for (int i = 0; i < d; i += 2) {
    for (int v = 0; v < DCS_VECS; v++) {
      dcs_vec u1, u2, s, c;
      uniform2_vec(stream, c0[v], c1[v], step, (uint32_t)i / 2, &u1, &u2);
      dcs_vec radius = dcs_vec_sqrt(-2.0 * dcs_vec_log_fast(u1));
      dcs_vec_sincos(TWO_PI * u2, &s, &c);
      row[i][v] = radius * c;
      if (i + 1 < d) row[i + 1][v] = radius * s;
    }
  }
}

uint64_t dcs_hash_bytes(const void *bytes, size_t n)
{
  const unsigned char *p = bytes;
  uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */
  for (size_t i = 0; i < n; i++) h = (h ^ p[i]) * 0x100000001b3u;
  h ^= h >> 30; /* the finaliser of splitmix64: every input bit reaches every output bit */
  h *= 0xbf58476d1ce4e5b9u;
  h ^= h >> 27;
  h *= 0x94d049bb133111ebu;
  return h ^ h >> 31;
}
