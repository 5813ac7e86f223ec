/* test_vnet_owner.c - who owns an address: moves, the fence, unproven sources, revocation. */
#include "tests/unit/vnet_rig.h"

static void test_vnet_owner_change_moves_the_flow_at_once(void)
{
	struct rig *r = rig_new();
	struct ip ip = rig_ip("10.1.0.9");
	struct pubkey a = rig_key(1), b = rig_key(2);

	rig_peer(r, "10.1.0.9", 1, true);
	vnet_peer_up(r->v, &b, 102, 202, r->now);
	CHECK(vnet_bind(r->v, &ip, &b, 2, r->now + HOURS(1), r->now));
	CHECK_EQ_INT(rig_send(r, "10.1.0.5", "10.1.0.9", 1), FRAME_TO_PEER);
	CHECK_EQ_INT(r->frame.session, 102);
	CHECK_EQ_INT(rig_receive(r, 102, "10.1.0.9", "10.1.0.5", 1), FRAME_TO_PORT);
	CHECK_EQ_INT(rig_receive(r, 101, "10.1.0.9", "10.1.0.5", 1), FRAME_UPCALL);
	CHECK(!vnet_bind(r->v, &ip, &a, 1, r->now + HOURS(1), r->now));
	vnet_resolved(r->v, &ip, &a, 1, r->now + HOURS(1), r->now);
	CHECK_EQ_INT(rig_send(r, "10.1.0.5", "10.1.0.9", 1), FRAME_TO_PEER);
	CHECK_EQ_INT(r->frame.session, 102);
	rig_free(r);
}

static void test_vnet_fence_outlives_the_flow(void)
{
	struct rig *r = rig_new();
	struct ip ip = rig_ip("10.1.0.9");
	struct pubkey a = rig_key(1), b = rig_key(2);
	size_t at = 0;
	struct vnet_flow_info info;

	vnet_resolved(r->v, &ip, &b, 2, r->now + HOURS(1), r->now);
	rig_wait(r, MINUTES(5) + SEC(1));
	CHECK(!vnet_flow_next(r->v, &at, &info, r->now));
	CHECK(!vnet_bind(r->v, &ip, &a, 1, r->now + HOURS(1), r->now));
	CHECK(vnet_bind(r->v, &ip, &b, 2, r->now + HOURS(1), r->now));
	rig_free(r);
}

static void test_vnet_two_owners_of_one_generation_are_believed_neither(void)
{
	struct rig *r = rig_new();
	struct ip ip = rig_ip("10.1.0.9");
	struct pubkey b = rig_key(2);

	rig_peer(r, "10.1.0.9", 1, true);
	CHECK(!vnet_bind(r->v, &ip, &b, 1, r->now + HOURS(1), r->now));
	CHECK_EQ_INT(r->log_lines, 1);
	CHECK_EQ_INT(rig_send(r, "10.1.0.5", "10.1.0.9", 1), FRAME_UPCALL);
	CHECK_EQ_INT(r->peer_count, 0);
	CHECK_EQ_INT(rig_receive(r, 101, "10.1.0.9", "10.1.0.5", 1), FRAME_UPCALL);
	CHECK(vnet_bind(r->v, &ip, &b, 2, r->now + HOURS(1), r->now));
	rig_free(r);
}

static void test_vnet_replayed_old_grant_loses_once_the_lookup_answers(void)
{
	struct rig *r = rig_new();
	struct ip ip = rig_ip("10.1.0.9");
	struct pubkey a = rig_key(1), b = rig_key(2);

	vnet_peer_up(r->v, &a, 101, 201, r->now);
	CHECK(vnet_bind(r->v, &ip, &a, 1, r->now + HOURS(24), r->now));
	CHECK_EQ_INT(rig_receive(r, 101, "10.1.0.9", "10.1.0.5", 1), FRAME_TO_PORT);
	CHECK_EQ_INT(rig_events(r, VNET_RESOLVE), 0);
	rig_wait(r, SEC(1));
	CHECK_EQ_INT(rig_events(r, VNET_RESOLVE), 1);
	vnet_resolved(r->v, &ip, &b, 2, r->now + HOURS(24), r->now);
	CHECK_EQ_INT(rig_receive(r, 101, "10.1.0.9", "10.1.0.5", 1), FRAME_UPCALL);
	CHECK(!vnet_bind(r->v, &ip, &a, 1, r->now + HOURS(24), r->now));
	CHECK_EQ_INT(rig_receive(r, 101, "10.1.0.9", "10.1.0.5", 1), FRAME_UPCALL);
	rig_free(r);
}

static void test_vnet_shown_grant_is_looked_up_once_and_only_when_used(void)
{
	struct rig *r = rig_new();
	struct ip ip = rig_ip("10.1.0.9"), unused = rig_ip("10.1.0.10");
	struct pubkey a = rig_key(1);

	vnet_peer_up(r->v, &a, 101, 201, r->now);
	CHECK(vnet_bind(r->v, &ip, &a, 1, r->now + HOURS(24), r->now));
	CHECK(vnet_bind(r->v, &unused, &a, 1, r->now + HOURS(24), r->now));
	rig_wait(r, SEC(100));
	CHECK_EQ_INT(rig_events(r, VNET_RESOLVE), 0);
	for (int i = 0; i < 100; i++) {
		CHECK_EQ_INT(rig_receive(r, 101, "10.1.0.9", "10.1.0.5", 1), FRAME_TO_PORT);
		rig_wait(r, SEC(10));
	}
	CHECK_EQ_INT(rig_events(r, VNET_RESOLVE), 1);
	rig_free(r);
}

static void test_vnet_what_a_lookup_told_is_not_looked_up_again_when_shown(void)
{
	struct rig *r = rig_new();
	struct ip ip = rig_ip("10.1.0.9");
	struct pubkey a = rig_key(1);

	rig_peer(r, "10.1.0.9", 1, true);
	CHECK(vnet_bind(r->v, &ip, &a, 1, r->now + HOURS(24), r->now));
	rig_forget(r);
	CHECK_EQ_INT(rig_receive(r, 101, "10.1.0.9", "10.1.0.5", 1), FRAME_TO_PORT);
	rig_wait(r, MINUTES(1));
	CHECK_EQ_INT(rig_events(r, VNET_RESOLVE), 0);
	rig_free(r);
}

static void test_vnet_nobody_does_not_end_a_binding_that_holds(void)
{
	struct rig *r = rig_new();
	struct ip ip = rig_ip("10.1.0.9");

	rig_peer(r, "10.1.0.9", 1, true);
	vnet_resolved(r->v, &ip, NULL, 0, 0, r->now);
	CHECK_EQ_INT(rig_send(r, "10.1.0.5", "10.1.0.9", 1), FRAME_TO_PEER);
	vnet_resolved(r->v, &ip, NULL, 1, 0, r->now);
	CHECK_EQ_INT(rig_send(r, "10.1.0.5", "10.1.0.9", 1), FRAME_UPCALL);
	rig_free(r);
}

static void test_vnet_unproven_source_is_held_asked_for_and_delivered_in_order(void)
{
	struct rig *r = rig_new();
	struct ip ip = rig_ip("10.1.0.9");
	struct pubkey k = rig_key(1);

	vnet_peer_up(r->v, &k, 101, 201, r->now);
	for (uint8_t i = 0; i < 3; i++)
		CHECK_EQ_INT(rig_receive(r, 101, "10.1.0.9", "10.1.0.5", i), FRAME_UPCALL);
	rig_receive(r, 101, "10.1.0.8", "10.1.0.5", 9);
	CHECK_EQ_INT(rig_events(r, VNET_WANT_GRANT), 1);
	CHECK_EQ_INT(r->events[0].session, 101);
	CHECK(key_equal(&r->events[0].peer, &k) && ip_equal(&r->events[0].ip, &ip));
	CHECK_EQ_INT(r->port_count, 0);
	CHECK(vnet_bind(r->v, &ip, &k, 1, r->now + HOURS(1), r->now));
	CHECK_EQ_INT(r->port_count, 3);
	for (int i = 0; i < 3; i++)
		CHECK_EQ_INT(rig_mark(&r->port[i]), i);
	rig_wait(r, MSEC(200)); /* the other address is asked for in its turn */
	CHECK_EQ_INT(rig_events(r, VNET_WANT_GRANT), 2);
	ip = rig_ip("10.1.0.8");
	CHECK(ip_equal(&r->events[1].ip, &ip));
	rig_wait(r, MSEC(300));
	CHECK_EQ_INT(rig_drops(r, DROP_SPOOF_PEER), 1);
	CHECK_EQ_INT(r->port_count, 3);
	CHECK_EQ_INT(rig_receive(r, 101, "10.1.0.9", "10.1.0.5", 1), FRAME_TO_PORT);
	rig_free(r);
}

static void test_vnet_grant_of_another_key_does_not_free_held_packets(void)
{
	struct rig *r = rig_new();
	struct ip ip = rig_ip("10.1.0.9");
	struct pubkey k = rig_key(1), other = rig_key(2);

	vnet_peer_up(r->v, &k, 101, 201, r->now);
	vnet_peer_up(r->v, &other, 102, 202, r->now);
	rig_receive(r, 101, "10.1.0.9", "10.1.0.5", 1);
	CHECK(vnet_bind(r->v, &ip, &other, 1, r->now + HOURS(1), r->now));
	CHECK_EQ_INT(r->port_count, 0);
	rig_wait(r, MSEC(500));
	CHECK_EQ_INT(rig_drops(r, DROP_SPOOF_PEER), 1);
	CHECK_EQ_INT(r->port_count, 0);
	rig_free(r);
}

static void test_vnet_unproven_packets_are_bounded_and_asked_for_rarely(void)
{
	struct rig *r = rig_new();
	struct pubkey k = rig_key(1);

	vnet_peer_up(r->v, &k, 101, 201, r->now);
	for (uint8_t i = 0; i < 50; i++)
		rig_receive(r, 101, "10.1.0.9", "10.1.0.5", i);
	CHECK_EQ_INT(rig_drops(r, DROP_SPOOF_PEER), 34);
	rig_wait(r, MSEC(500));
	CHECK_EQ_INT(rig_events(r, VNET_WANT_GRANT), 3); /* at 0, 200 and 400 ms */
	CHECK_EQ_INT(rig_drops(r, DROP_SPOOF_PEER), 50);
	rig_wait(r, SEC(5));
	CHECK_EQ_INT(rig_events(r, VNET_WANT_GRANT), 3);
	rig_free(r);
}

static void test_vnet_sources_no_member_can_own_are_spoofing_at_once(void)
{
	static const char *const sources[] = { "10.1.0.5", "10.1.0.1", "192.0.2.1", "10.1.255.255",
					       "127.0.0.1", "0.0.0.0", "224.0.0.1" };
	struct rig *r = rig_new();
	struct pubkey k = rig_key(1);

	vnet_peer_up(r->v, &k, 101, 201, r->now);
	for (size_t i = 0; i < ARRAY_LEN(sources); i++)
		rig_receive(r, 101, sources[i], "10.1.0.5", 1);
	CHECK_EQ_INT(rig_drops(r, DROP_SPOOF_PEER), ARRAY_LEN(sources));
	CHECK_EQ_INT(r->event_count, 0);
	rig_free(r);
}

static void test_vnet_older_copy_of_a_grant_does_not_shorten_it(void)
{
	struct rig *r = rig_new();
	struct ip ip = rig_ip("10.1.0.9");
	struct pubkey k = rig_key(1);

	rig_peer(r, "10.1.0.9", 1, true);
	CHECK(vnet_bind(r->v, &ip, &k, 1, r->now + SEC(1), r->now));
	r->now += SEC(10);
	CHECK_EQ_INT(rig_send(r, "10.1.0.5", "10.1.0.9", 1), FRAME_TO_PEER);
	rig_free(r);
}

static void test_vnet_revoked_peer_loses_its_bindings(void)
{
	struct rig *r = rig_new();
	struct pubkey k = rig_key(1);
	struct vnet_flow_info info;
	size_t at = 0;

	rig_peer(r, "10.1.0.9", 1, true);
	rig_peer(r, "fd00::9", 1, true);
	vnet_peer_forget(r->v, &k, r->now);
	CHECK(!vnet_flow_next(r->v, &at, &info, r->now));
	rig_receive(r, 101, "10.1.0.9", "10.1.0.5", 1);
	CHECK_EQ_INT(rig_drops(r, DROP_SPOOF_PEER), 1);
	rig_free(r);
}

static void test_vnet_address_that_becomes_ours_has_no_flow_any_more(void)
{
	struct rig *r = rig_new();
	struct ip ip = rig_ip("10.1.0.9"), own = rig_ip("10.1.0.5");
	struct pubkey k = rig_key(1);

	rig_peer(r, "10.1.0.9", 1, true);
	vnet_own(r->v, &ip, r->now);
	CHECK_EQ_INT(rig_receive(r, 101, "10.1.0.9", "10.1.0.5", 1), FRAME_UPCALL);
	CHECK_EQ_INT(rig_drops(r, DROP_SPOOF_PEER), 1);
	CHECK(!vnet_bind(r->v, &ip, &k, 9, r->now + HOURS(1), r->now));
	vnet_disown(r->v, &own, r->now);
	CHECK_EQ_INT(rig_send(r, "10.1.0.5", "10.1.0.8", 1), FRAME_DROP);
	CHECK_EQ_INT(r->frame.drop, DROP_SPOOF_PORT);
	CHECK_EQ_INT(rig_send(r, "10.1.0.9", "10.1.0.8", 1), FRAME_UPCALL);
	rig_free(r);
}

int main(void)
{
	static const struct test tests[] = {
		TEST(test_vnet_owner_change_moves_the_flow_at_once),
		TEST(test_vnet_fence_outlives_the_flow),
		TEST(test_vnet_two_owners_of_one_generation_are_believed_neither),
		TEST(test_vnet_replayed_old_grant_loses_once_the_lookup_answers),
		TEST(test_vnet_shown_grant_is_looked_up_once_and_only_when_used),
		TEST(test_vnet_what_a_lookup_told_is_not_looked_up_again_when_shown),
		TEST(test_vnet_nobody_does_not_end_a_binding_that_holds),
		TEST(test_vnet_unproven_source_is_held_asked_for_and_delivered_in_order),
		TEST(test_vnet_grant_of_another_key_does_not_free_held_packets),
		TEST(test_vnet_unproven_packets_are_bounded_and_asked_for_rarely),
		TEST(test_vnet_sources_no_member_can_own_are_spoofing_at_once),
		TEST(test_vnet_older_copy_of_a_grant_does_not_shorten_it),
		TEST(test_vnet_revoked_peer_loses_its_bindings),
		TEST(test_vnet_address_that_becomes_ours_has_no_flow_any_more),
	};

	return run_tests(tests, ARRAY_LEN(tests));
}
