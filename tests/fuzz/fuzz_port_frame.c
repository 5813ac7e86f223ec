/* fuzz_port_frame.c - Ethernet frames from the host: first byte = is the flow there, rest = frame.
 * Whatever comes, what leaves for a peer has a source of our own. */
#include <stdlib.h>

#include "tests/fuzz/fuzz.h"
#include "tests/unit/vnet_rig.h"

static void check_leaving(const struct rig *r, const uint8_t *pkt, size_t len)
{
	struct packet p;

	if (!packet_read(&p, pkt, len) || p.len != len || !vnet_is_own(r->v, &p.src) ||
	    !vnet_is_remote(r->v, &p.dst))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct rig *r;

	if (len < 1 || len > FRAME_LEN_MAX)
		return 0;
	r = rig_new();
	rig_peer(r, "10.1.0.9", 1, data[0] & 1);
	rig_peer(r, "fd00::9", 1, data[0] & 1);
	if (rig_from_port(r, data + 1, len - 1) == FRAME_TO_PEER)
		check_leaving(r, r->frame.data, r->frame.len);
	rig_peer(r, "10.1.0.9", 1, true);
	for (size_t i = 0; i < r->peer_count; i++)
		check_leaving(r, r->peer[i].data, r->peer[i].len);
	rig_wait(r, SEC(4));
	if (check_failures)
		abort();
	rig_free(r);
	return 0;
}
