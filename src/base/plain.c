#include "base/plain.h"

#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include "base/memory.h"

/** Bytes of the character at `s` (RFC 3629: shortest form, no surrogates, up to U+10FFFF); 0 when it is none. */
static int decode(const unsigned char *s, uint32_t *code)
{
  static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  int n = s[0] < 0x80 ? 1 : s[0] < 0xc0 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf8 ? 4 : 0;
  if (n <= 1) {
    *code = s[0];
    return n;
  }
  *code = s[0] & (0x7fU >> n);
  for (int i = 1; i < n; i++) {
    if ((s[i] & 0xc0) != 0x80) return 0; /* the end of the text too */
    *code = *code << 6 | (s[i] & 0x3fU);
  }
  return *code < least[n] || *code > 0x10ffff || (*code >= 0xd800 && *code < 0xe000) ? 0 : n;
}

static bool is_plain(uint32_t c)
{
  return c >= 0x20 && !(c >= 0x7f && c < 0xa0) && !(c >= 0x2028 && c <= 0x202e) && !(c >= 0x2066 && c <= 0x2069);
}

enum { UNIT = 17 /**< four bytes as \xNN and a zero */ };

/** The character or byte at *s as it is shown; *s moves on. */
static size_t show(const char **s, char unit[UNIT])
{
  const unsigned char *at = (const unsigned char *)*s;
  uint32_t code = 0;
  size_t length = 0;
  int n = decode(at, &code);
  *s += n > 0 ? n : 1;
  if (n > 0 && is_plain(code)) {
    memcpy(unit, at, (size_t)n);
    unit[n] = '\0';
    return (size_t)n;
  }
  for (int i = 0; i < (n > 0 ? n : 1); i++) length += (size_t)snprintf(unit + length, UNIT - length, "\\x%02x", at[i]);
  return length;
}

char *dcs_plain(const char *text, size_t size, char *out)
{
  char unit[UNIT];
  size_t used = 0;
  while (*text != '\0') {
    size_t n = show(&text, unit);
    if (used + n >= size) break;
    memcpy(out + used, unit, n);
    used += n;
  }
  if (size > 0) out[used] = '\0';
  return out;
}

void dcs_print_line(FILE *out, const char *format, ...)
{
  char small[512], *text = small, unit[UNIT];
  va_list args;
  va_start(args, format);
  int n = vsnprintf(small, sizeof small, format, args);
  va_end(args);
  if (n >= (int)sizeof small && dcs_alloc((size_t)n + 1, 1, &text) == DCS_OK) {
    va_start(args, format);
    vsnprintf(text, (size_t)n + 1, format, args);
    va_end(args);
  } else if (n >= (int)sizeof small) {
    text = small; /* no memory: its beginning */
  }
  for (const char *s = text; *s != '\0';) {
    show(&s, unit);
    fputs(unit, out);
  }
  fputc('\n', out);
  if (text != small) dcs_free(&text);
}

void dcs_print_json_string(FILE *out, const char *text)
{
  fputc('"', out);
  for (const char *s = text == NULL ? "" : text; *s != '\0';) {
    uint32_t code = 0;
    int n = decode((const unsigned char *)s, &code);
    if (n == 0)
      fputs("\\ufffd", out);
    else if (!is_plain(code)) /* all of them below U+10000 */
      fprintf(out, "\\u%04x", (unsigned)code);
    else
      fprintf(out, "%s%.*s", code == '"' || code == '\\' ? "\\" : "", n, s);
    s += n > 0 ? n : 1;
  }
  fputc('"', out);
}
