/* log.c - makes one line of at most LINE_LEN bytes and hands it to the sink.
 *
 * Names and texts from peers end up in lines, so control characters become '?': nobody outside
 * writes escape sequences or second lines into a terminal or a journal. */
#include "base/log.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/list.h"

#define LINE_LEN 512

static const char *const level_texts[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARN] = "warn",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

void log_line(const struct log *l, enum log_level level, const char *fmt, ...)
{
	char line[LINE_LEN];
	va_list args;

	if (!l || !l->sink || level > l->level)
		return;
	va_start(args, fmt);
	if (vsnprintf(line, sizeof(line), fmt, args) < 0)
		line[0] = 0;
	va_end(args);
	for (char *c = line; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	l->sink(l->ctx, level, line);
}

const char *log_level_text(enum log_level level)
{
	return (size_t)level < ARRAY_LEN(level_texts) ? level_texts[level] : "?";
}

bool log_level_parse(enum log_level *out, const char *text)
{
	for (size_t i = 0; i < ARRAY_LEN(level_texts); i++) {
		if (strcmp(text, level_texts[i]) == 0) {
			*out = (enum log_level)i;
			return true;
		}
	}
	return false;
}
