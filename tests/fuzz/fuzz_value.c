/* fuzz_value.c - register values, what stands inside them, and REGISTER messages: one encoding
 * each. First byte: which decoder gets the rest. */
#include <string.h>

#include "dht/payload.h"
#include "dht/regmsg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void same(const struct wr *w, const uint8_t *data, size_t len)
{
	if (!wr_ok(w) || wr_len(w) != len || memcmp(w->start, data, len) != 0)
		__builtin_trap();
}

static void value(struct wr *w, const uint8_t *data, size_t len)
{
	struct rd r = rd_of(data, len);
	struct reg_value v;

	if (!rd_reg_value(&r, &v) || !rd_done(&r))
		return;
	wr_reg_value(w, &v);
	same(w, data, len);
}

static void message(struct wr *w, const uint8_t *data, size_t len)
{
	struct regmsg m;

	if (!regmsg_read(&m, data, len))
		return;
	w->p += regmsg_write(w->p, (size_t)(w->end - w->p), &m);
	same(w, data, len);
}

#define PAYLOAD(name) \
	static void name(struct wr *w, const uint8_t *data, size_t len) \
	{ \
		struct name##_payload p; \
\
		if (!name##_payload_read(&p, data, len)) \
			return; \
		wr_##name##_payload(w, &p); \
		same(w, data, len); \
	}

PAYLOAD(owned)
PAYLOAD(token)
PAYLOAD(member)
PAYLOAD(revocation)
PAYLOAD(start)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static void (*const decoders[])(struct wr *w, const uint8_t *data, size_t len) = {
		value, message, owned, token, member, revocation, start
	};
	uint8_t out[REGMSG_MAX];
	struct wr w = wr_of(out, sizeof(out));

	if (len && len < sizeof(out) && data[0] < sizeof(decoders) / sizeof(decoders[0]))
		decoders[data[0]](&w, data + 1, len - 1);
	return 0;
}
