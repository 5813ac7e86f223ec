/* fuzz_keeper_disk.c - a keeper that finds anything on its disk: one of three starts with it.
 *
 * Input: one byte, bits 0 to 2: its own records of keys, incarnation, set served are there, too; then
 * records: length of the key 1, key, length of the value 2, value. What is refused stays away. What it
 * writes itself afterwards can always be restored. */
#include <assert.h>
#include <malloc.h>

#include "dht/keeper_impl.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/keeper_ops.h"

static const char own[] = { 'e', 'k', 'i' };

static void forget(struct kit_keeper *kk, uint8_t keep)
{
	for (size_t i = 0; i < sizeof(own); i++) {
		struct kit_record none = { .key = { (uint8_t)own[i] }, .key_len = 1 };

		if (!(keep >> i & 1))
			kit_record_put(kk, &none);
	}
}

/* Of one key the last good value, as on a disk. */
static void restore(struct kit_keeper *kk, struct rd *in)
{
	size_t key_len = rd_u8(in), len;
	struct kit_record r = { .key_len = key_len };
	const uint8_t *key = rd_bytes(in, key_len), *value;

	len = rd_u16(in);
	len = len < rd_left(in) ? len : rd_left(in);
	value = rd_bytes(in, len);
	if (!key || !value || !keeper_restore(kk->k, key, key_len, value, len))
		return;
	assert(key_len > 0 && key_len <= sizeof(r.key) && len > 0);
	memcpy(r.key, key, key_len);
	r.len = len;
	r.value = mem_copy(value, len);
	kit_record_put(kk, &r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct rd in = rd_of(data, len);
	uint8_t keep = rd_u8(&in);
	struct kit_keeper *kk;
	struct kit *t;

	mallopt(M_MMAP_THRESHOLD, 1 << 20); /* a kit is large, and zero when it is new */
	t = kit_new(3);
	kk = &t->keepers[0];
	forget(kk, keep);
	for (size_t i = 0; i < kk->write_count; i++)
		free(kk->writes[i].r.value);
	kk->write_count = 0;
	keeper_free(kk->k);
	kit_keeper_new(kk);
	for (size_t i = 0; i < kk->record_count; i++)
		assert(keeper_restore(kk->k, kk->records[i].key, kk->records[i].key_len,
				      kk->records[i].value, kk->records[i].len));
	for (size_t i = 0; i < 64 && rd_left(&in); i++)
		restore(kk, &in);
	keeper_started(kk->k, t->now);
	kit_run(t, SEC(1));
	kit_crash(kk);
	kit_run(t, SEC(1));
	assert(kk->k->peer_count <= PEERS_MAX && kk->record_count <= 64 + 3);
	kit_free(t);
	assert(check_failures == 0);
	return 0;
}
