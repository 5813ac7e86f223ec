/* roster_impl.h - what the two files of roster.h share. Not for others. */
#ifndef DHT_ROSTER_IMPL_H
#define DHT_ROSTER_IMPL_H

#include "base/time.h"
#include "dht/roster.h"

#define ROSTER_AWAY MINUTES(10) /* a keeper that is away so long gives way to a spare */

struct roster_entry {
	struct pubkey node;
	bool right, present;
	bool fell;	/* this absence has been counted */
	usec_t since;	/* when it came or went */
	usec_t unfit;	/* when it lost the right, or was first seen without it */
	usec_t heard;	/* last word; 0 = none */
	uint32_t score; /* of ROSTER_FULL: share of time that it was there */
	uint8_t falls;	/* long absences of late, halved every day */
};

struct roster {
	struct roster_entry *entry; /* of `count`; no order */
	size_t count, places;	    /* at most ROSTER_MAX */
	usec_t scored, aged;	    /* when scores and falls were counted last */
	usec_t changed;		    /* the set, or our last attempt at it */
	usec_t pending;		    /* since when something should be changed; USEC_NEVER = nothing */
	struct keeper_set tried;    /* whom our change, not yet in force, would bring in */
};

struct roster_entry *roster_find(const struct roster *r, const struct pubkey *node);
void roster_fall(struct roster_entry *e); /* one more long absence, or what is as bad */

#endif
