/* journal.h - the durable map: last write wins, answered when it is on disk.
 *
 * One thread of the owner's calls everything here; a worker thread inside writes. All puts since
 * the last commit become one unit and one fdatasync (group commit), then their answers come in the
 * order of the puts. A full disk answers with its error and is tried again with the next put. One
 * process per folder: a lock file names the other one. */
#ifndef HOST_JOURNAL_H
#define HOST_JOURNAL_H

#include <stddef.h>
#include <stdint.h>

#include "base/log.h"

#define JOURNAL_ERROR_MAX 1280
#define JOURNAL_PENDING_MAX (8u << 20) /* bytes put and not yet written; more is refused */

struct journal;

struct journal_answer {
	uint64_t op;
	int result; /* 0 or negative errno */
};

struct journal_pair {
	const uint8_t *key, *value;
	size_t key_len, len;
};

/* Locks and opens DIR, which exists. Negative errno and a sentence in `error`: -EBUSY when another
 * process has it, -EBADMSG when the file is damaged, -EPROTO when of another version. */
int journal_open(struct journal **out, const char *dir, const struct log *log,
		 char error[JOURNAL_ERROR_MAX]);
void journal_close(struct journal *j); /* writes what was put; answers not fetched are lost */

/* Every pair, by the place of its key's first byte in `order` (unknown ones last), then by key. Only
 * before the first put. Ends early and returns what `each` returned when that is not 0. */
int journal_each(struct journal *j, const char *order, void *ctx,
		 int (*each)(void *ctx, const struct journal_pair *p));
size_t journal_count(struct journal *j); /* pairs stored; only before the first put */

/* Copies its bytes. An empty value deletes. Every put gets one answer, refusals too; the rest waits
 * for journal_flush, so that all puts of one turn of the owner's loop are one commit. */
void journal_put(struct journal *j, uint64_t op, const struct journal_pair *p);
void journal_flush(struct journal *j); /* before the owner sleeps; nothing if nothing was put */
int journal_fd(const struct journal *j); /* readable when there are answers */
size_t journal_answers(struct journal *j, struct journal_answer out[], size_t max);

#endif
