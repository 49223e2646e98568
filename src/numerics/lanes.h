#ifndef DCS_NUMERICS_LANES_H
#define DCS_NUMERICS_LANES_H
/** Vector lanes hold particles.
 *
 *  A *tile* is DCS_LANES particles. An array over a tile is stored coordinate-major, [d][DCS_LANES], so that one vector
 *  instruction advances several particles and no kernel ever reduces across lanes. A dcs_vec is a GNU vector of eight
 *  doubles (one AVX-512 register; the compiler splits it where registers are shorter), DCS_VECS of them make a tile
 *  row. Which particles share a tile follows from the block number alone, so results do not depend on how blocks are
 *  spread. */
#include <stdint.h>

enum { DCS_VEC = 8, DCS_VECS = 2, DCS_LANES = DCS_VEC * DCS_VECS };

/** Vector types share the alias set of their element in gcc and alias everything in clang, so a double array may be
 *  read as dcs_vec. */
typedef double dcs_vec __attribute__((vector_size(64), aligned(64)));
typedef int64_t dcs_mask __attribute__((vector_size(64), aligned(64))); /**< 0 or -1 in each lane */
typedef uint64_t dcs_word __attribute__((vector_size(64), aligned(64)));

static inline dcs_vec dcs_vec_set(double a) { return (dcs_vec){a, a, a, a, a, a, a, a}; }

/** mask ? a : b, lane by lane. */
static inline dcs_vec dcs_vec_select(dcs_mask mask, dcs_vec a, dcs_vec b)
{
  return (dcs_vec)(((dcs_mask)a & mask) | ((dcs_mask)b & ~mask));
}
static inline int dcs_mask_any(dcs_mask m)
{
  int64_t any = 0;
  for (int l = 0; l < DCS_VEC; l++) any |= m[l];
  return any != 0;
}
static inline dcs_vec dcs_vec_max(dcs_vec a, dcs_vec b) { return dcs_vec_select(a > b, a, b); }
static inline dcs_vec dcs_vec_abs(dcs_vec a) { return (dcs_vec)((dcs_mask)a & (int64_t)0x7fffffffffffffff); }

#endif
