/* store.c - the durable map's file.
 *
 * Head (56 bytes): "vpndstat", version 4, zero 4, base 8, salt 16, checksum 16 of what is before
 * it. Then units: magic 4, length 4, checksum 16 of (length, records), records of
 *   key length 2, value length 4, key, value (an empty value deletes).
 * Checksums are BLAKE2b keyed with the salt, so that no value a peer makes can look like a unit.
 *
 * A unit is one group commit: it is synced before the next is written. So a bad unit with a good
 * one anywhere after it, or before `base` (what the last rewrite synced before its rename), was
 * whole once: that is damage, an error that names the place. A bad last unit was never
 * acknowledged, or its write was torn: it is cut off. New files come by temp + fsync + rename, so a
 * head is never torn. host/store_write.c writes, this file reads. */
#include "host/store.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/wire.h"
#include "host/boot.h"
#include "host/files.h"
#include "host/store_format.h"

static void pair_apply(struct store *s, const uint8_t *key, size_t key_len, const uint8_t *value,
		       size_t len)
{
	struct store_pair *p, *old;
	uint8_t id[16];
	int r;

	crypto_generichash(id, sizeof(id), key, key_len, NULL, 0);
	old = map_take(&s->pairs, id);
	if (old)
		s->live -= STORE_RECORD_HEAD + old->key_len + old->len;
	free(old);
	if (len == 0)
		return;
	p = mem_new(sizeof(*p) + key_len + len);
	memcpy(p->id, id, sizeof(id));
	p->key_len = key_len;
	p->len = len;
	memcpy(p->bytes, key, key_len);
	memcpy(p->bytes + key_len, value, len);
	s->live += STORE_RECORD_HEAD + key_len + len;
	r = map_put(&s->pairs, p);
	assert(r == 0); /* STORE_PAIRS_MAX was checked before the write */
	(void)r;
}

bool store_apply(struct store *s, const uint8_t *records, size_t len)
{
	struct rd r = rd_of(records, len);

	while (rd_left(&r)) {
		size_t key_len = rd_u16(&r), value_len = rd_u32(&r);
		const uint8_t *key = rd_bytes(&r, key_len), *value = rd_bytes(&r, value_len);

		if (!rd_ok(&r) || key_len == 0)
			return false;
		if (s->pairs.count >= STORE_PAIRS_MAX)
			return false;
		pair_apply(s, key, key_len, value, value_len);
	}
	return rd_done(&r);
}

void store_sum(uint8_t out[STORE_SUM_LEN], const uint8_t salt[16], const uint8_t *records, size_t len)
{
	crypto_generichash_state st;
	uint8_t b[4];
	struct wr w = wr_of(b, sizeof(b));

	wr_u32(&w, (uint32_t)len);
	crypto_generichash_init(&st, salt, 16, STORE_SUM_LEN);
	crypto_generichash_update(&st, b, sizeof(b));
	crypto_generichash_update(&st, records, len);
	crypto_generichash_final(&st, out, STORE_SUM_LEN);
}

/* A whole unit at the start of `r`: its records, and `r` behind it; else NULL. */
static const uint8_t *unit_read(const struct store *s, struct rd *r, size_t *len)
{
	uint32_t magic = rd_u32(r);
	const uint8_t *sum, *records;
	uint8_t want[STORE_SUM_LEN];

	*len = rd_u32(r);
	sum = rd_bytes(r, STORE_SUM_LEN);
	if (!rd_ok(r) || magic != STORE_MAGIC || *len > STORE_UNIT_MAX)
		return NULL;
	records = rd_bytes(r, *len);
	if (!records)
		return NULL;
	store_sum(want, s->salt, records, *len);
	return memcmp(sum, want, sizeof(want)) == 0 ? records : NULL;
}

/* Whether a whole unit starts anywhere in there. */
static bool unit_within(const struct store *s, const uint8_t *p, const uint8_t *end)
{
	for (; p < end; p++) {
		struct rd r = rd_of(p, (size_t)(end - p));
		size_t len;

		if (*p == STORE_MAGIC >> 24 && unit_read(s, &r, &len))
			return true;
	}
	return false;
}

static int damaged(const struct store *s, size_t at, char error[STORE_ERROR_MAX])
{
	snprintf(error, STORE_ERROR_MAX,
		 "%s/" STORE_NAME " is damaged at byte %zu; restore the folder from a backup of this "
		 "node, or move it away to join anew", s->dir, at);
	return -EBADMSG;
}

static int head_read(struct store *s, struct rd *r, uint64_t *base, char error[STORE_ERROR_MAX])
{
	const uint8_t *start = r->p, *mark = rd_bytes(r, 8), *sum;
	uint8_t want[STORE_SUM_LEN];
	uint32_t version = rd_u32(r);

	rd_u32(r);
	*base = rd_u64(r);
	rd_copy(r, s->salt, sizeof(s->salt));
	sum = rd_bytes(r, STORE_SUM_LEN);
	if (!sum || memcmp(mark, STORE_MARK, 8) != 0)
		return damaged(s, 0, error);
	crypto_generichash(want, sizeof(want), start, (size_t)(sum - start), NULL, 0);
	if (memcmp(sum, want, sizeof(want)) != 0)
		return damaged(s, 0, error);
	if (version != STORE_VERSION) {
		snprintf(error, STORE_ERROR_MAX,
			 "%s/" STORE_NAME " has version %u, this vpnd knows version %u: run the vpnd "
			 "that wrote it, or a newer one", s->dir, version, STORE_VERSION);
		return -EPROTO;
	}
	return 0;
}

static int replay(struct store *s, const uint8_t *file, size_t size, char error[STORE_ERROR_MAX])
{
	struct rd r = rd_of(file, size);
	uint64_t base;
	int n = head_read(s, &r, &base, error);

	if (n < 0)
		return n;
	s->end = (uint64_t)(r.p - file);
	while (rd_left(&r)) {
		size_t len;
		const uint8_t *records = unit_read(s, &r, &len);

		if (!records)
			break;
		if (!store_apply(s, records, len))
			return damaged(s, (size_t)s->end, error);
		s->end = (uint64_t)(r.p - file);
	}
	if (s->end < base || unit_within(s, file + s->end, file + size))
		return damaged(s, (size_t)s->end, error);
	if (s->end == size)
		return 0;
	log_warn(s->log, "%s/" STORE_NAME ": the last %zu bytes were never completely written; cut off",
		 s->dir, size - (size_t)s->end);
	if (ftruncate(s->fd, (off_t)s->end) < 0 || fsync(s->fd) < 0) {
		n = -errno;
		snprintf(error, STORE_ERROR_MAX, "cannot write %s/" STORE_NAME ": %s", s->dir,
			 strerror(-n));
	}
	return n;
}

/* Reads size bytes of the file from its start. 0 or negative errno. */
static int read_all(int fd, uint8_t *out, size_t size)
{
	size_t at = 0;

	while (at < size) {
		ssize_t n = pread(fd, out + at, size - at, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		at += (size_t)n;
	}
	return 0;
}

static int load(struct store *s, char error[STORE_ERROR_MAX])
{
	struct stat st;
	uint8_t *file;
	int r;

	if (fstat(s->fd, &st) < 0)
		return -errno;
	file = mem_new((size_t)st.st_size);
	r = read_all(s->fd, file, (size_t)st.st_size);
	if (r == 0)
		r = replay(s, file, (size_t)st.st_size, error);
	sodium_memzero(file, (size_t)st.st_size);
	free(file);
	return r;
}

int store_open(struct store *s, const char *dir, const struct log *log,
	       char error[STORE_ERROR_MAX])
{
	char path[FILES_PATH_MAX + sizeof(STORE_NAME)];
	uint8_t seed[16];
	int r = 0;

	*s = (struct store){ .fd = -1, .log = log };
	error[0] = 0;
	snprintf(s->dir, sizeof(s->dir), "%s", dir);
	boot_random(seed, sizeof(seed));
	map_init(&s->pairs, offsetof(struct store_pair, id), sizeof(((struct store_pair *)0)->id),
		 STORE_PAIRS_MAX, seed);
	snprintf(path, sizeof(path), "%s/" STORE_NAME, s->dir);
	s->fd = open(path, O_RDWR | O_CLOEXEC);
	if (s->fd >= 0)
		r = load(s, error);
	else if (errno == ENOENT)
		r = store_rewrite(s);
	else
		r = -errno;
	if (r < 0 && !error[0])
		snprintf(error, STORE_ERROR_MAX, "cannot use %s: %s", path, strerror(-r));
	if (r < 0)
		store_close(s);
	return r;
}

void store_close(struct store *s)
{
	struct store_pair *p;
	size_t at = 0;

	while ((p = map_next(&s->pairs, &at))) {
		map_take_at(&s->pairs, &at);
		sodium_memzero(p->bytes, p->key_len + p->len);
		free(p);
	}
	map_fini(&s->pairs);
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}
