#include "sampler/score_error.h"

#include "base/memory.h"

struct dcs_score_error {
  double eps;
};

void dcs_score_error_destroy(dcs_score_error **error)
{
  if (*error == NULL) return;
  dcs_free(error);
}

double dcs_score_error_eps(const dcs_score_error *error) { return error->eps; }
