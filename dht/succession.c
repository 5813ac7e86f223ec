/* succession.c - one change of the keeper set, as its coordinator drives it (rules R2, R11).
 *
 *   STANDS   everybody wanted is asked to stand, again every 500 ms: a candidate answers with its
 *            entry (an epoch key of its own for the next epoch, certified with its node key) and how
 *            much it still has to copy. Old members are told as well, so that they let it copy.
 *   READY    all of them were heard lately and have little left: the configuration made of their
 *            entries is proposed as a value of the register of successors.
 *   FAILED   one of them said nothing for 15 s, or 10 minutes are over.
 *
 * Nothing here matters for safety. Before the proposal nothing has changed but that candidates hold
 * copies and keys of no use, which they drop by themselves; any number of coordinators may try. From
 * the proposal on, the register decides, and whoever is sealed finishes what is half-done. Waiting for
 * all candidates to have copied only makes it likely that the new set can serve at once. */
#include "dht/succession.h"

#include <errno.h>

#include "base/mem.h"

#define SILENCE SEC(15)	   /* a candidate that is not heard for so long is given up */
#define LATELY SEC(3)
#define BEHIND_FEW 256 /* positions: what is copied while the registers stand still */

static bool size_is_allowed(const struct keeper_set *want)
{
	return want->count >= 1 && want->count <= KEEPERS_MAX && want->count != 2 &&
	       want->quorum <= want->count && 2 * want->quorum > want->count;
}

static bool has_node(const struct keeper_set *want, const struct pubkey *node, size_t before)
{
	for (size_t i = 0; i < before; i++)
		if (key_equal(&want->node[i], node))
			return true;
	return false;
}

static bool is_same(const struct keeper_set *want, const struct config *present)
{
	if (want->count != present->count || want->quorum != present->quorum)
		return false;
	for (size_t i = 0; i < want->count; i++)
		if (config_member(present, &want->node[i]) < 0)
			return false;
	return true;
}

int succession_check(struct keeper_set *want, const struct config *present, bool fresh)
{
	if (want->quorum == 0)
		want->quorum = (uint8_t)(want->count / 2 + 1);
	if (!size_is_allowed(want) || (!fresh && is_same(want, present)))
		return -EINVAL;
	for (size_t i = 0; i < want->count; i++)
		if (has_node(want, &want->node[i], i))
			return -EINVAL;
	return 0;
}

struct succession *succession_new(const struct keeper_set *want, const struct crypto *crypto,
				  usec_t now)
{
	struct succession *s = mem_new(sizeof(*s));

	s->crypto = crypto;
	s->want = *want;
	s->begun = s->next = now;
	for (size_t i = 0; i < want->count; i++)
		s->seat[i].heard = now;
	return s;
}

void succession_stands(struct succession *s, const struct config *present,
		       const struct keeper *entry, uint64_t behind, usec_t now)
{
	struct config next = { .root = present->root, .era = present->era,
			       .epoch = present->epoch + 1 };

	for (size_t i = 0; i < s->want.count; i++)
		if (key_equal(&s->want.node[i], &entry->node) &&
		    keeper_certified(entry, &next, s->crypto))
			s->seat[i] = (struct succession_seat){ *entry, true, behind, now };
}

enum succession_phase succession_phase(const struct succession *s, usec_t now)
{
	bool ready = true;

	if (now >= s->begun + SUCCESSION_MAX)
		return SUCCESSION_FAILED;
	for (size_t i = 0; i < s->want.count; i++) {
		const struct succession_seat *seat = &s->seat[i];

		if (now >= seat->heard + SILENCE)
			return SUCCESSION_FAILED;
		ready &= seat->stands && seat->behind <= BEHIND_FEW && now <= seat->heard + LATELY;
	}
	return ready ? SUCCESSION_READY : SUCCESSION_STANDS;
}

size_t succession_body(const struct succession *s, const struct config *present, uint8_t *out,
		       size_t size)
{
	struct config next = { .root = present->root, .era = present->era,
			       .epoch = present->epoch + 1, .quorum = s->want.quorum,
			       .count = s->want.count };

	memcpy(next.previous, present->hash, sizeof(next.previous));
	for (size_t i = 0; i < next.count; i++)
		next.members[i] = s->seat[i].entry;
	return config_body_write(out, size, &next);
}
