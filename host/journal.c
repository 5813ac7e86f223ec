/* journal.c - the worker thread, its queue and the lock around host/store.c.
 *
 * Two batches: the owner fills one under the mutex, the worker writes the other without it. After
 * journal_open the store belongs to the worker alone. The worker sleeps on a condition variable, so
 * an idle journal wakes nobody. */
#include "host/journal.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "host/lockfile.h"
#include "host/store.h"

_Static_assert(JOURNAL_PENDING_MAX <= STORE_UNIT_MAX, "a batch is one unit");
_Static_assert(JOURNAL_ERROR_MAX == STORE_ERROR_MAX, "one buffer for both");

#define KEEP_BYTES (64u << 10) /* larger buffers are given back after use */
#define STACK_SIZE (256u << 10)

struct batch {
	uint8_t *bytes;
	size_t len, size;
	uint64_t *ops;
	size_t count, room;
};

struct journal {
	struct store store;
	const struct log *log;
	int lock, event;
	pthread_t worker;
	pthread_mutex_t mutex;
	pthread_cond_t more;
	/* Under the mutex: */
	struct batch filling;
	struct journal_answer *answers;
	size_t answer_count, answer_room, answer_at;
	bool stop, due; /* `filling` is to be written */
	/* The worker's: */
	struct batch writing;
	bool failing; /* the last commit failed: said once */
	bool put_before; /* the owner's, as is: */
	bool unflushed;
};

static void batch_reset(struct batch *b)
{
	if (b->bytes)
		sodium_memzero(b->bytes, b->len);
	if (b->size > KEEP_BYTES) {
		free(b->bytes);
		b->bytes = NULL;
		b->size = 0;
	}
	b->len = b->count = 0;
}

static void batch_free(struct batch *b)
{
	batch_reset(b);
	free(b->bytes);
	free(b->ops);
}

/* Grown by hand: realloc would leave secrets behind in freed memory. */
static uint8_t *batch_room(struct batch *b, size_t len)
{
	uint8_t *at;

	if (b->size - b->len < len) {
		size_t size = (b->len + len) * 2 > 4096 ? (b->len + len) * 2 : 4096;
		uint8_t *bytes = mem_new(size);

		if (b->bytes) {
			memcpy(bytes, b->bytes, b->len);
			sodium_memzero(b->bytes, b->len);
		}
		free(b->bytes);
		b->bytes = bytes;
		b->size = size;
	}
	at = b->bytes + b->len;
	b->len += len;
	return at;
}

static void batch_op(struct batch *b, uint64_t op)
{
	if (b->count == b->room) {
		b->room = b->room ? b->room * 2 : 64;
		b->ops = mem_resize(b->ops, b->room * sizeof(*b->ops));
	}
	b->ops[b->count++] = op;
}

/* Under the mutex. */
static void answer(struct journal *j, uint64_t op, int result)
{
	uint64_t one = 1;

	if (j->answer_count == j->answer_room) {
		j->answer_room = j->answer_room ? j->answer_room * 2 : 64;
		j->answers = mem_resize(j->answers, j->answer_room * sizeof(*j->answers));
	}
	j->answers[j->answer_count++] = (struct journal_answer){ op, result };
	if (j->answer_count == j->answer_at + 1 && write(j->event, &one, sizeof(one)) < 0)
		log_error(j->log, "journal: eventfd: %s", strerror(errno));
}

static int commit(struct journal *j)
{
	int r = store_commit(&j->store, j->writing.bytes, j->writing.len), c;

	if (r < 0 && !j->failing)
		log_error(j->log, "cannot write %s/" STORE_NAME ": %s", j->store.dir, strerror(-r));
	else if (r == 0 && j->failing)
		log_info(j->log, "%s/" STORE_NAME " can be written again", j->store.dir);
	j->failing = r < 0;
	c = r == 0 ? store_compact(&j->store) : 0;
	if (c < 0) /* what was asked for is on disk all the same */
		log_warn(j->log, "cannot compact %s/" STORE_NAME ": %s", j->store.dir, strerror(-c));
	return r;
}

static void *work(void *arg)
{
	struct journal *j = arg;
	struct batch empty;
	int r;

	pthread_mutex_lock(&j->mutex);
	for (;;) {
		while (!(j->due && j->filling.count) && !j->stop)
			pthread_cond_wait(&j->more, &j->mutex);
		j->due = false;
		if (!j->filling.count)
			break;
		empty = j->writing;
		j->writing = j->filling;
		j->filling = empty;
		pthread_mutex_unlock(&j->mutex);
		r = commit(j);
		pthread_mutex_lock(&j->mutex);
		for (size_t i = 0; i < j->writing.count; i++)
			answer(j, j->writing.ops[i], r);
		batch_reset(&j->writing);
	}
	pthread_mutex_unlock(&j->mutex);
	return NULL;
}

static int start_worker(struct journal *j)
{
	pthread_attr_t attr;
	int r;

	j->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (j->event < 0)
		return -errno;
	pthread_mutex_init(&j->mutex, NULL);
	pthread_cond_init(&j->more, NULL);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	r = -pthread_create(&j->worker, &attr, work, j);
	pthread_attr_destroy(&attr);
	if (r < 0)
		close(j->event);
	return r;
}

int journal_open(struct journal **out, const char *dir, const struct log *log,
		 char error[JOURNAL_ERROR_MAX])
{
	struct journal *j = mem_new(sizeof(*j));
	int r;

	j->log = log;
	r = lockfile_take(&j->lock, dir, error, JOURNAL_ERROR_MAX);
	if (r < 0) {
		free(j);
		return r;
	}
	r = store_open(&j->store, dir, log, error);
	if (r == 0) {
		r = start_worker(j);
		if (r < 0) {
			store_close(&j->store);
			memcpy(error, "cannot start a thread", sizeof("cannot start a thread"));
		}
	}
	if (r < 0) {
		close(j->lock);
		free(j);
		return r;
	}
	*out = j;
	return 0;
}

void journal_close(struct journal *j)
{
	if (!j)
		return;
	pthread_mutex_lock(&j->mutex);
	j->stop = true;
	pthread_cond_signal(&j->more);
	pthread_mutex_unlock(&j->mutex);
	pthread_join(j->worker, NULL);
	pthread_cond_destroy(&j->more);
	pthread_mutex_destroy(&j->mutex);
	store_close(&j->store);
	batch_free(&j->filling);
	batch_free(&j->writing);
	free(j->answers);
	close(j->event);
	close(j->lock);
	free(j);
}

struct sorted {
	struct journal_pair pair;
	size_t place;
};

static int by_place_then_key(const void *a, const void *b)
{
	const struct sorted *x = a, *y = b;
	size_t n = x->pair.key_len < y->pair.key_len ? x->pair.key_len : y->pair.key_len;
	int c;

	if (x->place != y->place)
		return x->place < y->place ? -1 : 1;
	c = memcmp(x->pair.key, y->pair.key, n);
	if (c == 0)
		c = (x->pair.key_len > y->pair.key_len) - (x->pair.key_len < y->pair.key_len);
	return c;
}

int journal_each(struct journal *j, const char *order, void *ctx,
		 int (*each)(void *ctx, const struct journal_pair *p))
{
	size_t count = j->store.pairs.count, at = 0, n = 0;
	struct sorted *all = mem_new(count * sizeof(*all));
	struct store_pair *p;
	int r = 0;

	assert(!j->put_before);
	while ((p = map_next(&j->store.pairs, &at))) {
		const char *place = p->bytes[0] ? strchr(order, p->bytes[0]) : NULL;

		all[n++] = (struct sorted){
			{ p->bytes, p->bytes + p->key_len, p->key_len, p->len },
			place ? (size_t)(place - order) : strlen(order),
		};
	}
	qsort(all, n, sizeof(*all), by_place_then_key);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = each(ctx, &all[i].pair);
	free(all);
	return r;
}

size_t journal_count(struct journal *j)
{
	assert(!j->put_before);
	return j->store.pairs.count;
}

void journal_put(struct journal *j, uint64_t op, const struct journal_pair *p)
{
	size_t len = STORE_RECORD_HEAD + p->key_len + p->len;
	bool fits = p->key_len > 0 && p->key_len <= STORE_KEY_MAX && p->len <= STORE_VALUE_MAX;

	j->put_before = true;
	pthread_mutex_lock(&j->mutex);
	if (!fits || j->filling.len + len > JOURNAL_PENDING_MAX) {
		answer(j, op, fits ? -ENOBUFS : -E2BIG);
	} else {
		store_record(batch_room(&j->filling, len), p->key, p->key_len, p->value, p->len);
		batch_op(&j->filling, op);
		j->unflushed = true;
	}
	pthread_mutex_unlock(&j->mutex);
}

void journal_flush(struct journal *j)
{
	if (!j->unflushed)
		return;
	j->unflushed = false;
	pthread_mutex_lock(&j->mutex);
	j->due = true;
	pthread_cond_signal(&j->more);
	pthread_mutex_unlock(&j->mutex);
}

int journal_fd(const struct journal *j)
{
	return j->event;
}

size_t journal_answers(struct journal *j, struct journal_answer out[], size_t max)
{
	uint64_t n = 1;
	size_t count;

	pthread_mutex_lock(&j->mutex);
	count = j->answer_count - j->answer_at;
	if (count > max)
		count = max;
	if (count)
		memcpy(out, j->answers + j->answer_at, count * sizeof(*out));
	j->answer_at += count;
	if (j->answer_at == j->answer_count) { /* all fetched: be unreadable until the next */
		j->answer_at = j->answer_count = 0;
		if (read(j->event, &n, sizeof(n)) < 0)
			n = 0; /* was unreadable already */
	}
	pthread_mutex_unlock(&j->mutex);
	return count;
}
