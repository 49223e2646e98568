#ifndef DCS_TARGET_COMPONENT_H
#define DCS_TARGET_COMPONENT_H
/** The hidden component of a mixture: its weights, and its choice by weight or by responsibility. */
#include "base/params.h"
#include "random/stream.h"

/** Stream index of the component choice; normals use those from 0. */
enum { DCS_COMPONENT_INDEX = 0x40000000 };

typedef struct {
  int k;
  double *weight, *log_weight; /**< [k], summing to 1 up to rounding */
  double *cumulative;          /**< [k] weight[0] + ... + weight[j] */
} dcs_weights;

/** The numbers of the list parameter `weights`, NULL when it is absent. DCS_EUSAGE, in the name of `law`, when there
 *  are not k of them. */
DCS_NODISCARD dcs_status dcs_weights_param(const char *law, const dcs_params *params, int k, const double **given,
                                           dcs_error *err);

/** Weights as given, or equal when that is NULL. DCS_EUSAGE when one is not positive or they do not sum to 1. */
DCS_NODISCARD dcs_status dcs_weights_create(const char *law, int k, const double *given, dcs_weights *out,
                                            dcs_error *err);
void dcs_weights_destroy(dcs_weights *weights);

/** component[lane] = j with probability weight[j]. O(log k). */
void dcs_weights_draw(const dcs_weights *weights, dcs_stream stream, const dcs_lane_ids *ids, uint32_t step,
                      int component[DCS_LANES]);

/** component[lane] = number[i] with probability r[i][lane], i < n; r [n] tile rows that sum to 1 up to rounding. */
void dcs_component_choose(int n, const int *number, const dcs_vec (*r)[DCS_VECS], dcs_stream stream,
                          const dcs_lane_ids *ids, uint32_t step, int component[DCS_LANES]);

#endif
