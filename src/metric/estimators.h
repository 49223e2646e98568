#ifndef DCS_METRIC_ESTIMATORS_H
#define DCS_METRIC_ESTIMATORS_H
#include "metric/metric.h"

extern const dcs_estimator dcs_estimator_gaussian;
extern const dcs_estimator dcs_estimator_gaussian_path, dcs_estimator_gaussian_chain, dcs_estimator_gaussian_constant;
extern const dcs_estimator dcs_estimator_constant;
extern const dcs_estimator dcs_estimator_information;
extern const dcs_estimator dcs_estimator_mmse;
extern const dcs_estimator dcs_estimator_path;
extern const dcs_estimator dcs_estimator_quadrature, dcs_estimator_quadrature_path, dcs_estimator_quadrature_chain,
    dcs_estimator_quadrature_mmse, dcs_estimator_quadrature_information;
extern const dcs_estimator dcs_estimator_ratio;
extern const dcs_estimator dcs_estimator_radial;
extern const dcs_estimator dcs_estimator_ratio_factor;
extern const dcs_estimator dcs_estimator_smoothness;
extern const dcs_estimator dcs_estimator_chain, dcs_estimator_coupling;
extern const dcs_estimator dcs_estimator_sliced;
extern const dcs_estimator dcs_estimator_assignment;
extern const dcs_estimator dcs_estimator_knn;

#endif
