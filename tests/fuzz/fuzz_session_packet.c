/* fuzz_session_packet.c - packets from a peer that owns 10.1.0.9 and fd00::9. Whatever comes, what
 * reaches the host is for one of its addresses, from one of the peer's, and no discovery. */
#include <stdlib.h>

#include "tests/fuzz/fuzz.h"
#include "tests/unit/vnet_rig.h"

static void check_arriving(const struct rig *r, const uint8_t *frame, size_t len)
{
	struct ip v4 = rig_ip("10.1.0.9"), v6 = rig_ip("fd00::9");
	struct packet p;

	if (len < ETH_HEADER_LEN ||
	    !packet_read(&p, frame + ETH_HEADER_LEN, len - ETH_HEADER_LEN) ||
	    !vnet_is_own(r->v, &p.dst) || packet_is_nd(&p) ||
	    !(ip_equal(&p.src, &v4) || ip_equal(&p.src, &v6)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct ip to = rig_ip("10.1.0.9"), later = rig_ip("fd00::9");
	struct pubkey k = rig_key(1);
	struct rig *r;

	if (len > FRAME_LEN_MAX)
		return 0;
	r = rig_new();
	rig_peer(r, "10.1.0.9", 1, true);
	vnet_ping(r->v, 1, &to, r->now);
	if (rig_from_session(r, 101, data, len) == FRAME_TO_PORT)
		check_arriving(r, r->frame.data, r->frame.len);
	vnet_bind(r->v, &later, &k, 1, r->now + HOURS(1), r->now);
	for (size_t i = 0; i < r->port_count; i++)
		check_arriving(r, r->port[i].data, r->port[i].len);
	rig_wait(r, SEC(4));
	if (check_failures)
		abort();
	rig_free(r);
	return 0;
}
