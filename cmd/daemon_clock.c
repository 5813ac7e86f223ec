/* daemon_clock.c - the node's deadline on a timerfd of CLOCK_BOOTTIME (suspend counts), and the two
 * signs that this machine may be a copy of itself: somebody set the wall clock, or it went apart
 * from BOOTTIME. Then keys are dropped, so that no counter is used twice (DESIGN 12.13). */
#include "cmd/daemon_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define APART_MAX 2000000 /* microseconds */

static void clocks_parted(struct daemon *d, usec_t now)
{
	d->difference = boot_difference();
	node_set_wall(d->node, boot_wall(), now);
	node_clocks_parted(d->node, now);
}

static void check_apart(struct daemon *d, usec_t now)
{
	int64_t apart = boot_difference() - d->difference;

	if (apart >= -APART_MAX && apart <= APART_MAX)
		return;
	log_warn(d->log, "the clocks went apart by %lld ms: keys are made anew",
		 (long long)(apart / 1000));
	clocks_parted(d, now);
}

static void on_timer(uv_poll_t *p, int status, int events)
{
	struct daemon *d = p->data;
	usec_t now = boot_now();
	uint64_t fired;

	(void)status;
	(void)events;
	if (read(d->timer, &fired, sizeof(fired)) < 0)
		return;
	d->armed = USEC_NEVER;
	check_apart(d, now);
	node_tick(d->node, now);
}

/* Never fires by itself: it is there to be cancelled when the clock is set. */
static int arm_clock(struct daemon *d)
{
	struct itimerspec far = { .it_value.tv_sec = (time_t)boot_wall() + 10L * 365 * 86400 };

	return timerfd_settime(d->clock, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &far, NULL) < 0 ?
		       -errno :
		       0;
}

static void on_clock(uv_poll_t *p, int status, int events)
{
	struct daemon *d = p->data;
	uint64_t fired;

	(void)status;
	(void)events;
	if (read(d->clock, &fired, sizeof(fired)) < 0 && errno == ECANCELED) {
		log_info(d->log, "the clock was set: keys are made anew");
		clocks_parted(d, boot_now());
	}
	arm_clock(d);
}

int daemon_open_clocks(struct daemon *d)
{
	int r;

	d->armed = USEC_NEVER;
	d->difference = boot_difference();
	d->timer = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	d->clock = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (d->timer < 0 || d->clock < 0)
		return -errno;
	r = daemon_watch(d, &d->timer_poll, d->timer, on_timer, d);
	if (r == 0)
		r = arm_clock(d);
	return r < 0 ? r : daemon_watch(d, &d->clock_poll, d->clock, on_clock, d);
}

void daemon_arm(struct daemon *d)
{
	usec_t at = list_is_empty(&d->notices) ? node_deadline(d->node) : 1;
	struct itimerspec t = { 0 };

	if (at == 0)
		at = 1; /* zero would disarm */
	if (at == d->armed)
		return;
	d->armed = at;
	if (at != USEC_NEVER) {
		t.it_value.tv_sec = (time_t)(at / 1000000);
		t.it_value.tv_nsec = (long)(at % 1000000) * 1000;
	}
	if (timerfd_settime(d->timer, TFD_TIMER_ABSTIME, &t, NULL) < 0)
		log_error(d->log, "timer: %s", strerror(errno));
}
