/* pace.c - see pace.h. */
#include "dht/pace.h"

void pace_note(struct pace *p, usec_t took) { p->usual = p->usual ? (7 * p->usual + took) / 8 : took; }

usec_t pace_unit(const struct pace *p, usec_t so_far)
{
	usec_t unit = so_far > p->usual ? so_far : p->usual;

	return unit < PACE_MIN ? PACE_MIN : usec_min(unit, PACE_MAX);
}
