#ifndef DCS_METRIC_FORECAST_H
#define DCS_METRIC_FORECAST_H
/** What an estimator will do at a point, before anything is measured. */
#include "metric/metric.h"

typedef struct {
  double blocks, flops; /**< of all phases together */
} dcs_forecast;

/** `first`: the first design alone. `most`: the plans of a point so noisy that it goes on to stop->max_paths. DCS_ENOMEM. */
DCS_NODISCARD dcs_status dcs_forecast_of(const dcs_estimator *estimator, const dcs_problem *problem,
                                         const dcs_stop *stop, dcs_forecast *first, dcs_forecast *most);

#endif
