#ifndef DCS_CLI_JSON_H
#define DCS_CLI_JSON_H
/** The two JSON values that printf cannot write by itself, on stdout. */

/** In quotes, escaped; null for NULL. */
void dcs_json_string(const char *text);
/** 17 digits; null when not finite, which JSON cannot say. */
void dcs_json_number(double number);

#endif
