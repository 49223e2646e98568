#ifndef DCS_TARGET_LAW_H
#define DCS_TARGET_LAW_H
/** What a new target law must provide: one file with one dcs_law, plus one line in the registry of target.c.
 *  Only laws, the wrappers in target.c and tests include this header. */
#include "target/target.h"

struct dcs_target {
  const dcs_law *law;
  int d;
  double *mean;    /**< [d], owned */
  double variance; /**< tr Cov X_0 */
  void *data;      /**< the law's own, owned, freed by law->destroy */
  int shares;      /**< owners beside the first */
};

struct dcs_posterior {
  const dcs_target *target; /**< borrowed, outlives the posterior */
  double sigma;             /**< level of the last _at */
  double *x;                /**< [d][DCS_LANES] */
  double *log_q;            /**< [DCS_LANES] */
  double *m;                /**< [d][DCS_LANES] */
  void *data;               /**< the law's own work space, owned, freed by law->posterior_destroy */
};

struct dcs_law {
  const char *name, *help;
  const dcs_param_def *params;
  dcs_status (*create)(const dcs_params *params, dcs_target *target,
                       dcs_error *err); /**< fills d, mean, variance, data */
  void (*destroy)(dcs_target *target);
  void (*draw)(const dcs_target *target, dcs_stream stream, const dcs_lane_ids *ids, uint32_t step, double *x);
  double (*flops)(const dcs_target *target, bool factor);
  void (*characteristic)(const dcs_target *target, const double *omega, double *re, double *im);
  const double *(*gaussian)(const dcs_target *target, const double **mean); /**< NULL: never Gaussian */
  int (*radial)(const dcs_target *target, const double **weight,
                const double **stddev);                                 /**< NULL: not rotation-invariant */
  int (*parts)(const dcs_target *target, dcs_part part[DCS_PARTS_MAX]); /**< NULL: one part, the law itself */
  dcs_status (*posterior_create)(dcs_posterior *post);
  void (*posterior_destroy)(dcs_posterior *post);
  void (*at)(dcs_posterior *post); /**< x and sigma are set; fill log_q and m */
  void (*apply)(dcs_posterior *post, const double *v, double *out);
  void (*trace)(dcs_posterior *post, double *trace);
  void (*factor)(dcs_posterior *post, double a, double b, double *log_det);
  void (*solve)(dcs_posterior *post, const double *v, double *out);
  void (*third)(dcs_posterior *post, double *third); /**< may be NULL when the law is never one-dimensional */
  void (*noise)(dcs_posterior *post, dcs_stream stream, const dcs_lane_ids *ids, uint32_t step, double *out);
  void (*bridge)(dcs_posterior *post, double u, dcs_stream stream, const dcs_lane_ids *ids, uint32_t step, double *out);
};

/** Parameters every law takes: the last rows of its table, and the zero row that ends it. */
#define DCS_LAW_COMMON_PARAMS                                                                                          \
  {"product", DCS_PARAM_BOOL, "false", 0,                                                                              \
   0,         NULL,           NULL,    "one independent copy of the one-dimensional law per coordinate"},              \
      {"copies", DCS_PARAM_INT, "1", 1, 1e6, NULL, "1", "independent copies of the law, side by side"},                \
      {"embed", DCS_PARAM_INT,                                                                                         \
       "",      2,                                                                                                     \
       1e6,     NULL,                                                                                                  \
       "1",     "dimension of the space into which a random rotation puts all of that; none when left out"},           \
      {"embed_seed", DCS_PARAM_INT, "1", 0, 2147483647, NULL, NULL, "embed: seed of the rotation"},                    \
  {                                                                                                                    \
    0                                                                                                                  \
  }

extern const dcs_law dcs_law_gaussian, dcs_law_mixture, dcs_law_atoms, dcs_law_codebook, dcs_law_radial;

/** Streams of DCS_PURPOSE_TARGET, by `point`: two random parameters of one law never share a number. */
enum { DCS_LAW_STREAM_MEANS, DCS_LAW_STREAM_ROTATION, DCS_LAW_STREAM_WORDS };

/** out [n] <- scale times independent N(0,1), a pure function of (stream, path, i). For a law's own parameters. */
void dcs_law_normals(dcs_stream stream, uint64_t path, int n, double scale, double *out);

/** Wrapper: `copies` independent copies of `base` (owned from now on, also on failure). Not in the registry. */
dcs_status dcs_copies_create(dcs_target *base, int copies, dcs_target **out);
/** The base of a dcs_copies_create target and how many; the target itself and 1 for any other. */
const dcs_target *dcs_copies_base(const dcs_target *target, int *copies);

/** Wrapper: X = Q Y in R^d, Y the base law (owned from now on, also on failure) in R^k, Q a random [d][k] matrix with
 *  orthonormal columns, a pure function of (seed, d, k). Not in the registry. DCS_EUSAGE when d < k or k is above
 *  DCS_EMBED_MOST. O(k^2 d) and 16 k d bytes. */
enum { DCS_EMBED_MOST = 1024 };
DCS_NODISCARD dcs_status dcs_embed_create(dcs_target *base, int d, uint64_t seed, dcs_target **out, dcs_error *err);

#endif
