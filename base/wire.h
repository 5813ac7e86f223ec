/* wire.h - cursors over bytes, big-endian, with sticky failure.
 *
 * A parser reads every field in wire order and asks once at the end: a read past the end makes
 * the cursor fail for good, yields zeros, and never touches memory outside it. Writers mirror
 * that. This is the only file where packet bytes are reached by position. */
#ifndef BASE_WIRE_H
#define BASE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct rd {
	const uint8_t *p, *end;
	bool bad;
};

struct wr {
	uint8_t *start, *p, *end;
	bool bad;
};

static inline struct rd rd_of(const void *buf, size_t len)
{
	return (struct rd){ .p = buf, .end = len ? (const uint8_t *)buf + len : buf };
}

static inline size_t rd_left(const struct rd *r)
{
	return r->bad ? 0 : (size_t)(r->end - r->p);
}

/* No failure so far, whatever is left over. */
static inline bool rd_ok(const struct rd *r)
{
	return !r->bad;
}

/* No failure, and nothing left over. */
static inline bool rd_done(const struct rd *r)
{
	return !r->bad && r->p == r->end;
}

/* Whether n bytes are left; fails if not. */
static inline bool rd_need(struct rd *r, size_t n)
{
	if (r->bad || (size_t)(r->end - r->p) < n)
		r->bad = true;
	return !r->bad;
}

/* The next n bytes in place, or NULL. */
static inline const uint8_t *rd_bytes(struct rd *r, size_t n)
{
	const uint8_t *at = r->p;

	if (!rd_need(r, n))
		return NULL;
	if (n) /* NULL + 0 is undefined */
		r->p += n;
	return at;
}

/* Copies n bytes; zeros on failure. */
static inline void rd_copy(struct rd *r, void *out, size_t n)
{
	if (!rd_need(r, n)) {
		memset(out, 0, n);
	} else if (n) {
		memcpy(out, r->p, n);
		r->p += n;
	}
}

static inline uint64_t rd_uint(struct rd *r, size_t n)
{
	uint64_t v = 0;

	if (rd_need(r, n))
		for (size_t i = 0; i < n; i++)
			v = v << 8 | *r->p++;
	return v;
}

static inline uint8_t rd_u8(struct rd *r) { return (uint8_t)rd_uint(r, 1); }
static inline uint16_t rd_u16(struct rd *r) { return (uint16_t)rd_uint(r, 2); }
static inline uint32_t rd_u24(struct rd *r) { return (uint32_t)rd_uint(r, 3); }
static inline uint32_t rd_u32(struct rd *r) { return (uint32_t)rd_uint(r, 4); }
static inline uint64_t rd_u64(struct rd *r) { return rd_uint(r, 8); }

/* A block with a 16-bit length before it: a cursor over its inside. Fails when longer than max. */
static inline struct rd rd_block(struct rd *r, size_t max)
{
	size_t n = rd_u16(r);
	const uint8_t *at;

	if (n > max)
		r->bad = true;
	at = rd_bytes(r, n);
	return at ? rd_of(at, n) : (struct rd){ .bad = true };
}

static inline struct wr wr_of(void *buf, size_t size)
{
	uint8_t *b = buf;

	return (struct wr){ .start = b, .p = b, .end = size ? b + size : b };
}

static inline size_t wr_len(const struct wr *w)
{
	return (size_t)(w->p - w->start);
}

static inline bool wr_ok(const struct wr *w)
{
	return !w->bad;
}

/* Whether n more bytes fit; fails if not. */
static inline bool wr_need(struct wr *w, size_t n)
{
	if (w->bad || (size_t)(w->end - w->p) < n)
		w->bad = true;
	return !w->bad;
}

/* Room for n bytes that the caller fills, or NULL. */
static inline uint8_t *wr_room(struct wr *w, size_t n)
{
	uint8_t *at = w->p;

	if (!wr_need(w, n))
		return NULL;
	if (n)
		w->p += n;
	return at;
}

static inline void wr_copy(struct wr *w, const void *in, size_t n)
{
	if (wr_need(w, n) && n) {
		memcpy(w->p, in, n);
		w->p += n;
	}
}

static inline void wr_zero(struct wr *w, size_t n)
{
	if (wr_need(w, n) && n) {
		memset(w->p, 0, n);
		w->p += n;
	}
}

static inline void wr_uint(struct wr *w, uint64_t v, size_t n)
{
	if (wr_need(w, n))
		for (size_t i = 0; i < n; i++)
			*w->p++ = (uint8_t)(v >> 8 * (n - 1 - i));
}

static inline void wr_u8(struct wr *w, uint8_t v) { wr_uint(w, v, 1); }
static inline void wr_u16(struct wr *w, uint16_t v) { wr_uint(w, v, 2); }
static inline void wr_u24(struct wr *w, uint32_t v) { wr_uint(w, v, 3); }
static inline void wr_u32(struct wr *w, uint32_t v) { wr_uint(w, v, 4); }
static inline void wr_u64(struct wr *w, uint64_t v) { wr_uint(w, v, 8); }

/* A block with a 16-bit length before it; lengths over 65535 fail. */
static inline void wr_block(struct wr *w, const void *in, size_t n)
{
	if (n > UINT16_MAX)
		w->bad = true;
	wr_u16(w, (uint16_t)n);
	wr_copy(w, in, n);
}

/* An open block: remember where it starts, write inside, then close it. */
static inline uint8_t *wr_open(struct wr *w)
{
	return wr_room(w, 2);
}

static inline void wr_close(struct wr *w, uint8_t *at)
{
	size_t n = at ? (size_t)(w->p - at) - 2 : 0;

	if (!at || n > UINT16_MAX) {
		w->bad = true;
		return;
	}
	at[0] = (uint8_t)(n >> 8);
	at[1] = (uint8_t)n;
}

#endif
