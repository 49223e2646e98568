#ifndef DCS_SAMPLER_SAMPLER_H
#define DCS_SAMPLER_SAMPLER_H
/** Samplers as a table of steps.
 *
 *      x' = F(x) + c z,   F(x) = x + B (m(x, sigma) - x),   z ~ N(0, I)          [theory (1)]
 *  for those of one score; dcs_map_kind names what others do beside it. F has the Jacobian J = (1-B) I + (B/sigma^2)
 *  C(x), symmetric positive definite for B < 1. The step's law is that of "F, then noise from level u up to sigma'",
 *  u^2 = sigma'^2 - c^2. With a score error every m is m + sigma^2 grad phi; the posterior moments that moment-2 and
 *  moment-3 match stay exact. */
#include "schedule/schedule.h"
#include "target/target.h"

typedef struct {
  double sigma, sigma_next; /**< level before and after, data units */
  double b;                 /**< B, dimensionless */
  double one_minus_b;       /**< 1 - B without cancellation */
  double c2;                /**< c^2, variance of the added noise */
  double u2;                /**< sigma_next^2 - c^2 without cancellation; <= 0: too coarse for the ratio estimator */
} dcs_step;

/** What a step does beside (1). */
typedef enum {
  DCS_MAP_ONE_SCORE, /**< x' = F(x) + c z, F(x) = x + B (m - x) */
  DCS_MAP_MOMENT_2,  /**< x' = F(x) + B xi + c z, E xi = 0, xi normal with Cov xi = C(x) */
  DCS_MAP_MOMENT_3,  /**< the same in d = 1, xi on two points, with the posterior's third cumulant as well */
  DCS_MAP_HEUN       /**< F has a second score at sigma' (sampler/map.h); c = 0; B is that of the first stage */
} dcs_map_kind;

typedef struct {
  const char *name, *help, *source;
  dcs_map_kind kind;
  bool deterministic; /**< c = 0 for every step */
  bool takes_lambda;
  /** Coefficients of the step sigma -> sigma_next; sigma_after is the level after that. */
  dcs_step (*step)(double sigma, double sigma_next, double sigma_after, double lambda);
} dcs_sampler;

const dcs_sampler *dcs_sampler_find(const char *name);
const dcs_sampler *dcs_sampler_at(int index);

/** Law the sampler starts from: q_sigma_max itself; N(0, (1 + sigma_max^2) I); N(E X_0, sigma_max^2 I). */
typedef enum { DCS_INIT_EXACT, DCS_INIT_PRIOR, DCS_INIT_MEAN } dcs_init;
#define DCS_INIT_CHOICES "exact|prior|mean"

typedef struct dcs_score_error dcs_score_error; /**< sampler/score_error.h */

typedef struct {
  const dcs_sampler *sampler;
  dcs_init init;
  double lambda; /**< of a sampler that takes it */
  int count;
  dcs_step *step;         /**< [count]; owned */
  dcs_score_error *error; /**< what the sampler's score is wrong by; NULL: it is exact; owned */
} dcs_steps;

DCS_NODISCARD dcs_status dcs_steps_create(const dcs_sampler *sampler, double lambda, dcs_init init,
                                          const dcs_schedule *schedule, dcs_steps **out);
void dcs_steps_destroy(dcs_steps **steps);

/** `step` words of a draw stream: X_0, the noise on it, and the first one that dcs_sampler_draw leaves to its caller. */
enum { DCS_DRAW_DATA, DCS_DRAW_NOISE, DCS_DRAW_FREE };

/** x [d][DCS_LANES] <- exact draws of X_sigma = X_0 + sigma Z; z [d][DCS_LANES] is scratch. */
void dcs_sampler_draw(const dcs_target *target, double sigma, dcs_stream draw, const dcs_lane_ids *ids,
                      double *restrict x, double *restrict z);
/** The same with a level of its own for every lane: sigma [DCS_LANES]. */
void dcs_sampler_draw_lanes(const dcs_target *target, const double *sigma, dcs_stream draw, const dcs_lane_ids *ids,
                            double *restrict x, double *restrict z);

/** DCS_EREFUSED with the reason when the sampler cannot run on this target: moment-3 needs d = 1 (the factors of a
 *  product are one by one within its reach, see dcs_target_parts). */
DCS_NODISCARD dcs_status dcs_sampler_check(const dcs_target *target, const dcs_steps *steps, dcs_error *err);

/** Run the sampler forward for one tile: x [d][DCS_LANES] <- X_N ~ p_N. `post` is a posterior of `target`, used as work
 *  space; z [d][DCS_LANES] is scratch; dcs_sampler_check has said yes. z of step k is `noise` at step k, xi a fork of
 *  it. One posterior evaluation per step, two with Heun. */
void dcs_sampler_run(const dcs_target *target, const dcs_steps *steps, dcs_posterior *post, dcs_stream draw,
                     dcs_stream noise, const dcs_lane_ids *ids, double *restrict x, double *restrict z);

#endif
