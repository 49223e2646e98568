/* Module random: known answers of Philox, the vector code against the scalar one, separation of streams, and the laws
 *  of uniforms and normals at a fixed seed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* needs the headers above */

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "random/stream.h"
#include "support.h"

#define TWO_PI 6.283185307179586476925286766559
/** P(|z| > 5) = 6e-7 for each of some hundred numbers; seeds are fixed and never retried. */
#define Z_LIMIT 5.0

/** The double made of 64 bits, as stream.h says: their upper 52 plus one half, times 2^-52. */
static double uniform_of(uint64_t bits) { return ((double)(bits >> 12) + 0.5) * 0x1p-52; }

/** Philox4x32-10 vectors of Random123 1.14 (kat_vectors). Counter words are path | path, inner | step | index. */
static void test_known_answers(void **state)
{
  (void)state;
  static const struct {
    uint64_t path, out[2];
    uint32_t inner, step, index, key[2];
  } known[] = {
      {0, {0x6627e8d5e169c58d, 0xbc57ac4c9b00dbd8}, 0, 0, 0, {0, 0}},
      {0xffffffffffff, {0x408f276d41c83b0e, 0xa20bc7c66d5451fd}, 0xffff, ~0u, ~0u, {~0u, ~0u}},
      {0x85a3243f6a88,
       {0xd16cfe0994fdcceb, 0x5001e42024126ea1},
       0x8d3,
       0x13198a2e,
       0x3707344,
       {0xa4093822, 0x299f31d0}},
  };
  for (int i = 0; i < 3; i++) {
    dcs_stream stream = {{known[i].key[0], known[i].key[1]}};
    dcs_lane_ids ids = {0};
    _Alignas(DCS_ALIGN) double u1[DCS_LANES], u2[DCS_LANES];
    double u[2];
    dcs_stream_uniform2_ref(stream, known[i].path, known[i].inner, known[i].step, known[i].index, u);
    assert_near(u[0], uniform_of(known[i].out[0]), 0);
    assert_near(u[1], uniform_of(known[i].out[1]), 0);
    for (int l = 0; l < DCS_LANES; l++) {
      ids.path[l] = known[i].path;
      ids.inner[l] = known[i].inner;
    }
    dcs_stream_uniform2(stream, &ids, known[i].step, known[i].index, u1, u2);
    for (int l = 0; l < DCS_LANES; l++) {
      assert_near(u1[l], uniform_of(known[i].out[0]), 0);
      assert_near(u2[l], uniform_of(known[i].out[1]), 0);
    }
  }
}

/** Some 48-bit path and 16-bit inner numbers, the extreme ones among them. */
static dcs_lane_ids scattered_ids(uint64_t n)
{
  static const uint64_t paths[] = {0, 1, 0xffffffff, 0x100000000, 0x100000001, 0xffffffffffff};
  dcs_lane_ids ids;
  for (uint64_t l = 0; l < DCS_LANES; l++) {
    uint64_t word[2] = {n, l}, h = dcs_hash_bytes(word, sizeof word);
    ids.path[l] = l < 6 ? paths[l] : h >> 16;
    ids.inner[l] = l == 7 ? 0xffff : (uint32_t)(h & (l % 2 ? 0xffff : 0));
  }
  return ids;
}

static void test_lanes_equal_the_scalar_reference(void **state)
{
  (void)state;
  _Alignas(DCS_ALIGN) double u1[DCS_LANES], u2[DCS_LANES];
  for (uint32_t n = 0; n < 5000; n++) {
    dcs_stream stream = dcs_stream_create(n % 7, DCS_PURPOSE_STEP, n);
    dcs_lane_ids ids = scattered_ids(n);
    uint32_t step = n % 3 == 0 ? 0xffffffff - n : n, index = n % 5 == 0 ? 0x40000000 + n : n / 3;
    dcs_stream_uniform2(stream, &ids, step, index, u1, u2);
    for (int l = 0; l < DCS_LANES; l++) {
      double u[2];
      dcs_stream_uniform2_ref(stream, ids.path[l], ids.inner[l], step, index, u);
      assert_memory_equal(&u[0], &u1[l], sizeof *u);
      assert_memory_equal(&u[1], &u2[l], sizeof *u);
      assert_true(u[0] > 0 && u[0] < 1 && u[1] > 0 && u[1] < 1);
    }
  }
  /* the ends of the range: 52 zero bits and 52 one bits are still inside (0, 1) */
  assert_true(uniform_of(0) > 0);
  assert_true(uniform_of(UINT64_MAX) < 1);
}

static int compare_words(const void *a, const void *b)
{
  uint64_t p = *(const uint64_t *)a, q = *(const uint64_t *)b;
  return (p > q) - (p < q);
}

enum { KEYS = (DCS_PURPOSE_BOOTSTRAP + 1) * 40 * 40 * 3 };

/** Seeds, purposes, points and forks, alone and together, never give the same key. A coincidence of 3e4 keys of 64
 *  bits has probability 3e-11. */
static void test_streams_are_apart(void **state)
{
  (void)state;
  uint64_t *key = NULL;
  size_t n = 0;
  must(dcs_alloc(KEYS, sizeof *key, &key), NULL);
  for (int purpose = DCS_PURPOSE_KEY; purpose <= DCS_PURPOSE_BOOTSTRAP; purpose++)
    for (uint64_t seed = 0; seed < 40; seed++)
      for (uint64_t point = 0; point < 40; point++) {
        /* both halves of the 64-bit numbers must count */
        dcs_stream stream =
            dcs_stream_create(seed < 20 ? seed : seed << 32, (dcs_purpose)purpose, point < 20 ? point : point << 32);
        dcs_stream forks[3] = {stream, dcs_stream_fork(stream, 0), dcs_stream_fork(stream, 1)};
        for (int f = 0; f < 3; f++) key[n++] = (uint64_t)forks[f].key[0] << 32 | forks[f].key[1];
      }
  assert_int_equal(n, KEYS);
  qsort(key, n, sizeof *key, compare_words);
  for (size_t i = 1; i < n; i++) assert_true(key[i] != key[i - 1]);
  dcs_free(&key);
}

/** Every word of the address changes the number. */
static void test_addresses_are_apart(void **state)
{
  (void)state;
  dcs_stream stream = dcs_stream_create(1, DCS_PURPOSE_STEP, 1);
  double base[2], other[2];
  dcs_stream_uniform2_ref(stream, 5, 6, 7, 8, base);
  assert_true(base[0] != base[1]);
  for (int bit = 0; bit < 48; bit++) {
    dcs_stream_uniform2_ref(stream, 5ull ^ 1ull << bit, 6, 7, 8, other);
    assert_true(other[0] != base[0] && other[1] != base[1]);
    dcs_stream_uniform2_ref(stream, 5, 6u ^ 1u << bit % 16, 7, 8, other);
    assert_true(other[0] != base[0] && other[1] != base[1]);
    dcs_stream_uniform2_ref(stream, 5, 6, 7u ^ 1u << bit % 32, 8, other);
    assert_true(other[0] != base[0] && other[1] != base[1]);
    dcs_stream_uniform2_ref(stream, 5, 6, 7, 8u ^ 1u << bit % 32, other);
    assert_true(other[0] != base[0] && other[1] != base[1]);
  }
}

/** Pair j of the normals is Box-Muller of the uniforms of index j: vector log (3.5 ULP), square root, sine and cosine
 *  (3.5 ULP of a value up to 1) and the rounding of 2 pi u. */
static void test_normals_are_box_muller(void **state)
{
  (void)state;
  enum { D = 7 };
  _Alignas(DCS_ALIGN) double z[D * DCS_LANES];
  dcs_stream stream = dcs_stream_create(2, DCS_PURPOSE_STEP, 3);
  for (uint32_t step = 0; step < 500; step++) {
    dcs_lane_ids ids = scattered_ids(step);
    dcs_stream_normal(stream, &ids, step, D, z);
    for (uint32_t i = 0; i < D; i++)
      for (int l = 0; l < DCS_LANES; l++) {
        double u[2];
        dcs_stream_uniform2_ref(stream, ids.path[l], ids.inner[l], step, i / 2, u);
        double radius = sqrt(-2 * log(u[0])), angle = TWO_PI * u[1];
        double expected = radius * (i % 2 == 0 ? cos(angle) : sin(angle));
        assert_near(z[i * DCS_LANES + (uint32_t)l], expected, 8 * DBL_EPSILON * fmax(radius, 1));
      }
  }
}

static void test_odd_dimension_is_a_prefix(void **state)
{
  (void)state;
  _Alignas(DCS_ALIGN) double odd[33 * DCS_LANES], even[34 * DCS_LANES];
  dcs_stream stream = dcs_stream_create(4, DCS_PURPOSE_STEP, 5);
  dcs_lane_ids ids = scattered_ids(1);
  for (int d = 1; d <= 33; d += 2) {
    dcs_stream_normal(stream, &ids, 9, d, odd);
    dcs_stream_normal(stream, &ids, 9, d + 1, even);
    assert_memory_equal(odd, even, (size_t)d * DCS_LANES * sizeof *odd);
  }
}

static int compare(const void *a, const void *b)
{
  double p = *(const double *)a, q = *(const double *)b;
  return (p > q) - (p < q);
}

enum { SAMPLES = 1 << 20 };

/** One-sample Kolmogorov-Smirnov distance from the law with this distribution function; sorts x. */
static double ks_distance(double *x, double (*cdf)(double))
{
  double distance = 0;
  qsort(x, SAMPLES, sizeof *x, compare);
  for (int i = 0; i < SAMPLES; i++) {
    double f = cdf(x[i]);
    distance = fmax(distance, fmax(f - (double)i / SAMPLES, (i + 1.0) / SAMPLES - f));
  }
  return distance;
}

static double normal_cdf(double x) { return 0.5 * erfc(-x / sqrt(2)); }
static double uniform_cdf(double x) { return x; }

/** P(sqrt(n) D > 3) = 2 exp(-18) = 3e-8. */
#define KS_LIMIT 3.0

static void test_law_of_uniforms(void **state)
{
  (void)state;
  double *u = NULL;
  _Alignas(DCS_ALIGN) double second[DCS_LANES];
  must(dcs_alloc(SAMPLES, sizeof *u, &u), NULL);
  dcs_stream stream = dcs_stream_create(11, DCS_PURPOSE_DRAW, 1);
  double product = 0;
  for (uint64_t n = 0; n < SAMPLES; n += DCS_LANES) {
    dcs_lane_ids ids = lane_ids(n);
    dcs_stream_uniform2(stream, &ids, 0, 0, u + n, second);
    for (uint64_t l = 0; l < DCS_LANES; l++) product += (u[n + l] - 0.5) * (second[l] - 0.5);
  }
  assert_near(product * 12 / sqrt(SAMPLES), 0, Z_LIMIT);
  assert_near(ks_distance(u, uniform_cdf) * sqrt(SAMPLES), 0, KS_LIMIT);
  dcs_free(&u);
}

static void test_law_of_normals(void **state)
{
  (void)state;
  double *z = NULL;
  must(dcs_alloc(SAMPLES, sizeof *z, &z), NULL);
  dcs_stream stream = dcs_stream_create(12, DCS_PURPOSE_DRAW, 1);
  for (uint64_t n = 0; n < SAMPLES; n += 4 * DCS_LANES) { /* four coordinates of each path */
    dcs_lane_ids ids = lane_ids(n / 4);
    dcs_stream_normal(stream, &ids, 0, 4, z + n);
  }
  /* E z^k and Var z^k = E z^2k - (E z^k)^2: 0, 1, 0, 3 and 1, 2, 15, 96 */
  static const double moment[] = {0, 1, 0, 3}, variance[] = {1, 2, 15, 96};
  for (int k = 0; k < 4; k++) {
    double sum = 0;
    for (int i = 0; i < SAMPLES; i++) sum += pow(z[i], k + 1) - moment[k];
    assert_near(sum / sqrt(SAMPLES * variance[k]), 0, Z_LIMIT);
  }
  assert_near(ks_distance(z, normal_cdf) * sqrt(SAMPLES), 0, KS_LIMIT);
  dcs_free(&z);
}

/** Independent normals a, b: z = sum a b / sqrt(n) is standard normal, and so is sum (a^2 - 1)(b^2 - 1) / sqrt(4 n). */
typedef struct {
  double product, squares;
} relation;

static void relate(relation *r, const double *a, const double *b, int n)
{
  for (int i = 0; i < n; i++) {
    r->product += a[i] * b[i];
    r->squares += (a[i] * a[i] - 1) * (b[i] * b[i] - 1);
  }
}

static void test_normals_are_independent(void **state)
{
  (void)state;
  enum { D = 4, TILES = 1 << 14, N = TILES * DCS_LANES };
  _Alignas(DCS_ALIGN) double z[D * DCS_LANES], other[5][D * DCS_LANES];
  dcs_stream stream = dcs_stream_create(13, DCS_PURPOSE_DRAW, 1), bridge = dcs_stream_create(13, DCS_PURPOSE_BRIDGE, 1);
  relation coordinates[D][D] = {{{0, 0}}}, others[5] = {{0, 0}};
  for (uint64_t t = 0; t < TILES; t++) {
    dcs_lane_ids ids = lane_ids(t * DCS_LANES), far = lane_ids((t * DCS_LANES) | 1ull << 40), inner = ids;
    for (int l = 0; l < DCS_LANES; l++) inner.inner[l] = 1;
    dcs_lane_ids next = lane_ids((t + TILES) * DCS_LANES);
    dcs_stream_normal(stream, &ids, 0, D, z);
    dcs_stream_normal(stream, &ids, 1, D, other[0]);
    dcs_stream_normal(stream, &next, 0, D, other[1]);
    dcs_stream_normal(stream, &far, 0, D, other[2]);
    dcs_stream_normal(stream, &inner, 0, D, other[3]);
    dcs_stream_normal(bridge, &ids, 0, D, other[4]);
    for (int i = 0; i < D; i++)
      for (int j = 0; j < i; j++) relate(&coordinates[i][j], z + i * DCS_LANES, z + j * DCS_LANES, DCS_LANES);
    for (int k = 0; k < 5; k++) relate(&others[k], z, other[k], D * DCS_LANES);
  }
  for (int i = 0; i < D; i++)
    for (int j = 0; j < i; j++) {
      assert_near(coordinates[i][j].product / sqrt(N), 0, Z_LIMIT);
      assert_near(coordinates[i][j].squares / sqrt(4.0 * N), 0, Z_LIMIT);
    }
  for (int k = 0; k < 5; k++) {
    assert_near(others[k].product / sqrt(1.0 * D * N), 0, Z_LIMIT);
    assert_near(others[k].squares / sqrt(4.0 * D * N), 0, Z_LIMIT);
  }
}

/** FNV-1a of nothing is its offset basis and of "a" 0xaf63dc4c8601ec8c (its authors' test vectors); both then go
 *  through the bijective finaliser. Names in files depend on these numbers. */
static void test_hash(void **state)
{
  (void)state;
  uint64_t expected[2] = {0xcbf29ce484222325, 0xaf63dc4c8601ec8c};
  for (int i = 0; i < 2; i++) {
    uint64_t h = expected[i];
    h = (h ^ h >> 30) * 0xbf58476d1ce4e5b9u;
    h = (h ^ h >> 27) * 0x94d049bb133111ebu;
    assert_true(dcs_hash_bytes("a", (size_t)i) == (h ^ h >> 31));
  }
  assert_true(dcs_hash_bytes("ab", 2) != dcs_hash_bytes("ba", 2));
  assert_true(dcs_hash_bytes("a\0", 2) != dcs_hash_bytes("a", 1));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_known_answers),           cmocka_unit_test(test_lanes_equal_the_scalar_reference),
      cmocka_unit_test(test_streams_are_apart),       cmocka_unit_test(test_addresses_are_apart),
      cmocka_unit_test(test_normals_are_box_muller),  cmocka_unit_test(test_odd_dimension_is_a_prefix),
      cmocka_unit_test(test_law_of_uniforms),         cmocka_unit_test(test_law_of_normals),
      cmocka_unit_test(test_normals_are_independent), cmocka_unit_test(test_hash),
  };
  return cmocka_run_group_tests_name("random", tests, NULL, NULL);
}
