/* store_write.c - the writing half of the durable map; format and reasons are in store.c. */
#include "host/store.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/wire.h"
#include "host/boot.h"
#include "host/files.h"
#include "host/store_format.h"

#define REWRITE_UNIT (256u << 10) /* records per unit of a rewritten file, about */
#define DEAD_MIN (1u << 20)

void store_record(uint8_t *buf, const uint8_t *key, size_t key_len, const uint8_t *value,
		  size_t len)
{
	struct wr w = wr_of(buf, STORE_RECORD_HEAD + key_len + len);

	assert(key_len > 0 && key_len <= STORE_KEY_MAX && len <= STORE_VALUE_MAX);
	wr_u16(&w, (uint16_t)key_len);
	wr_u32(&w, (uint32_t)len);
	wr_copy(&w, key, key_len);
	wr_copy(&w, value, len);
	assert(wr_ok(&w));
}

/* Writes the vectors at an offset, whole. */
static int pwrite_all(int fd, struct iovec *v, int count, uint64_t at)
{
	while (count) {
		ssize_t n = pwritev(fd, v, count, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ENOSPC;
		at += (uint64_t)n;
		for (; count && (size_t)n >= v->iov_len; v++, count--)
			n -= (ssize_t)v->iov_len;
		if (count) {
			v->iov_base = (char *)v->iov_base + n;
			v->iov_len -= (size_t)n;
		}
	}
	return 0;
}

static int write_unit(int fd, const uint8_t salt[16], const uint8_t *records, size_t len,
		      uint64_t at)
{
	uint8_t head[STORE_UNIT_HEAD];
	struct wr w = wr_of(head, sizeof(head));
	struct iovec v[] = { { head, sizeof(head) }, { (void *)(uintptr_t)records, len } };

	wr_u32(&w, STORE_MAGIC);
	wr_u32(&w, (uint32_t)len);
	store_sum(wr_room(&w, STORE_SUM_LEN), salt, records, len);
	return pwrite_all(fd, v, 2, at);
}

static int write_head(int fd, const uint8_t salt[16], uint64_t base)
{
	uint8_t head[STORE_HEAD_LEN];
	struct wr w = wr_of(head, sizeof(head));
	struct iovec v = { head, sizeof(head) };
	size_t body;

	wr_copy(&w, STORE_MARK, 8);
	wr_u32(&w, STORE_VERSION);
	wr_u32(&w, 0);
	wr_u64(&w, base);
	wr_copy(&w, salt, 16);
	body = wr_len(&w);
	crypto_generichash(wr_room(&w, STORE_SUM_LEN), STORE_SUM_LEN, head, body, NULL, 0);
	assert(wr_ok(&w) && wr_len(&w) == sizeof(head));
	return pwrite_all(fd, &v, 1, 0);
}

/* All live pairs as units behind the head; *end = where they end. */
static int write_pairs(const struct store *s, int fd, const uint8_t salt[16], uint64_t *end)
{
	size_t room = REWRITE_UNIT + STORE_RECORD_HEAD + STORE_KEY_MAX + STORE_VALUE_MAX;
	uint8_t *buf = mem_new(room);
	struct store_pair *p = NULL;
	size_t at = 0, len = 0;
	int r = 0;

	*end = STORE_HEAD_LEN;
	do {
		p = map_next(&s->pairs, &at);
		if (p) {
			store_record(buf + len, p->bytes, p->key_len, p->bytes + p->key_len, p->len);
			len += STORE_RECORD_HEAD + p->key_len + p->len;
		}
		if (len >= REWRITE_UNIT || (!p && len)) {
			r = write_unit(fd, salt, buf, len, *end);
			*end += STORE_UNIT_HEAD + len;
			len = 0;
		}
	} while (p && r == 0);
	sodium_memzero(buf, REWRITE_UNIT);
	free(buf);
	return r;
}

static int write_file(const struct store *s, int fd, const uint8_t salt[16], uint64_t *end)
{
	int r = write_pairs(s, fd, salt, end);

	if (r == 0)
		r = write_head(fd, salt, *end);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	return r;
}

int store_rewrite(struct store *s)
{
	char path[sizeof(s->dir) + 16], temp[sizeof(s->dir) + 16];
	uint8_t salt[16];
	uint64_t end = 0;
	int fd, r;

	snprintf(path, sizeof(path), "%s/" STORE_NAME, s->dir);
	snprintf(temp, sizeof(temp), "%s/" STORE_NAME ".new", s->dir);
	boot_random(salt, sizeof(salt));
	unlink(temp);
	fd = open(temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	r = write_file(s, fd, salt, &end);
	if (r == 0 && rename(temp, path) < 0)
		r = -errno;
	if (r < 0) {
		close(fd);
		unlink(temp);
		return r;
	}
	/* From here on the new file is the file, whatever becomes of its name's durability. */
	if (s->fd >= 0)
		close(s->fd);
	s->fd = fd;
	s->end = end;
	memcpy(s->salt, salt, sizeof(salt));
	r = files_sync_dir(s->dir);
	s->rewrite = r < 0; /* an append now could go to a name that a crash takes back */
	return r;
}

/* Undoes a failed append; when that fails too, only a new file is known to be right. */
static void take_back(struct store *s)
{
	if (ftruncate(s->fd, (off_t)s->end) < 0)
		s->rewrite = true;
}

int store_commit(struct store *s, const uint8_t *records, size_t len)
{
	int r = s->rewrite ? store_rewrite(s) : 0;

	assert(len && len <= STORE_UNIT_MAX);
	if (r < 0)
		return r;
	/* Counting every record as a new pair is too strict by one batch; it does not matter. */
	if (s->pairs.count + len / STORE_RECORD_HEAD > STORE_PAIRS_MAX)
		return -ENOSPC;
	r = write_unit(s->fd, s->salt, records, len, s->end);
	if (r < 0) {
		take_back(s);
		return r;
	}
	if (fdatasync(s->fd) < 0) {
		r = -errno;
		s->rewrite = true; /* the kernel may have dropped the pages: trust nothing of it */
		take_back(s);
		return r;
	}
	s->end += STORE_UNIT_HEAD + len;
	if (!store_apply(s, records, len))
		assert(!"our own records parse");
	return 0;
}

int store_compact(struct store *s)
{
	uint64_t dead = s->end - STORE_HEAD_LEN - s->live;

	return dead > DEAD_MIN && dead > s->end / 2 ? store_rewrite(s) : 0;
}
