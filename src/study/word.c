#include "study/word.h"

#include <string.h>

#include "sampler/sampler.h"
#include "study/nearest.h"
#include "target/target.h"

/** Name number i of the kind that `key` asks for, NULL after the last. */
static const char *name_at(const dcs_node *targets, const char *key, int i)
{
  static const char *const init[] = {"exact", "prior", "mean", NULL};
  bool is_target = strcmp(key, "target") == 0;
  if (is_target && targets != NULL) return (size_t)i < targets->count ? targets->child[i].key : NULL;
  if (is_target || strcmp(key, "law") == 0) return dcs_law_at(i) != NULL ? dcs_law_name(dcs_law_at(i)) : NULL;
  if (strcmp(key, "sampler") == 0) return dcs_sampler_at(i) != NULL ? dcs_sampler_at(i)->name : NULL;
  if (strcmp(key, "init") == 0) return init[i];
  if (strcmp(key, "levels") == 0 || strcmp(key, "schedule") == 0)
    return dcs_schedule_at(i) != NULL ? dcs_schedule_at(i)->name : NULL;
  return NULL;
}

dcs_status dcs_word_check(const dcs_node *targets, const char *key, const dcs_node *value, dcs_error *err)
{
  dcs_nearest nearest = {.word = value->text};
  const char *name = NULL;
  for (int i = 0; (name = name_at(targets, key, i)) != NULL; i++) {
    if (strcmp(name, value->text) == 0) return DCS_OK;
    dcs_nearest_offer(&nearest, name);
  }
  if (nearest.name == NULL) return DCS_OK;
  return dcs_node_fail(value, err, "%s: unknown word '%s'; nearest valid name: '%s'", key, value->text, nearest.name);
}
