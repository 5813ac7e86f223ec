/* time.h - one type for time, and the wall clock as an input.
 *
 * `usec_t` is microseconds of CLOCK_BOOTTIME and is handed in everywhere as `now`; nothing below
 * host/ and cmd/ reads a clock. Wall time is needed only for dates in credentials: whoever owns
 * the modules keeps one `struct wall` up to date and the modules read it through a pointer. */
#ifndef BASE_TIME_H
#define BASE_TIME_H

#include <stdint.h>

typedef uint64_t usec_t;

#define USEC_NEVER UINT64_MAX
#define MSEC(n) ((usec_t)(n) * 1000)
#define SEC(n) ((usec_t)(n) * 1000000)
#define MINUTES(n) SEC(60 * (uint64_t)(n))
#define HOURS(n) SEC(3600 * (uint64_t)(n))
#define DAYS(n) HOURS(24 * (uint64_t)(n))

/* Wall-clock seconds `base` were true at BOOTTIME `at`. */
struct wall {
	uint64_t base; /* seconds since 1970 */
	usec_t at;
};

static inline uint64_t wall_seconds(const struct wall *w, usec_t now)
{
	return w->base + (now > w->at ? (now - w->at) / 1000000 : 0);
}

static inline usec_t usec_min(usec_t a, usec_t b)
{
	return a < b ? a : b;
}

#endif
