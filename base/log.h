/* log.h - levelled lines to a sink the owner gives. Never log a secret. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

#include "base/limit.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

struct log {
	void *ctx;
	void (*sink)(void *ctx, enum log_level level, const char *line);
	enum log_level level; /* lines above it are not made */
};

__attribute__((format(printf, 3, 4))) void log_line(const struct log *l, enum log_level level,
						    const char *fmt, ...);
#define log_error(l, ...) log_line(l, LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(l, ...) log_line(l, LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(l, ...) log_line(l, LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(l, ...) log_line(l, LOG_LEVEL_DEBUG, __VA_ARGS__)

const char *log_level_text(enum log_level level);
bool log_level_parse(enum log_level *out, const char *text);

#endif
