/* daemon_state.c - the state folder: identity, journal, and the node restored from them.
 *
 * Each value is stored behind the stamp of the boot and folder it was written under. Leases carry
 * BOOTTIME; so they are trusted (same_machine) only when every one of them was written under the
 * present stamp: not after a reboot, not in a copied folder, and not either when the process ends
 * and starts once more after a reboot before all of them were renewed (DESIGN 12.4). */
#include "cmd/daemon_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/files.h"
#include "host/keyfile.h"
#include "p2p/aead.h"

#define LEASE_KIND 'L' /* first byte of their keys, see node_state_order */
#define ANSWERS_MAX 64

void daemon_persist(struct daemon *d, uint64_t op, const struct journal_pair *p)
{
	uint8_t small[4096], *b = small;
	struct journal_pair stamped = *p;
	size_t len = p->len ? sizeof(d->stamp) + p->len : 0; /* empty stays empty: it deletes */

	if (len > sizeof(small))
		b = mem_new(len);
	if (len) {
		memcpy(b, d->stamp, sizeof(d->stamp));
		memcpy(b + sizeof(d->stamp), p->value, p->len);
	}
	stamped.value = b;
	stamped.len = len;
	journal_put(d->journal, op, &stamped);
	sodium_memzero(b, len);
	if (b != small)
		free(b);
}

static void on_journal(uv_poll_t *p, int status, int events)
{
	struct daemon *d = p->data;
	struct journal_answer a[ANSWERS_MAX];
	size_t n;

	(void)status;
	(void)events;
	do {
		n = journal_answers(d->journal, a, ANSWERS_MAX);
		for (size_t i = 0; i < n; i++)
			node_persisted(d->node, a[i].op, a[i].result, boot_now());
	} while (n == ANSWERS_MAX);
}

static int new_identity(struct daemon *d, uint8_t seed[SEED_LEN], char error[DAEMON_ERROR_MAX])
{
	struct key_pair k;
	int r;

	if (journal_count(d->journal)) {
		snprintf(error, DAEMON_ERROR_MAX,
			 "%s/identity is missing, but the state of its node is there; restore it "
			 "from a backup, or move the folder away to become a new node",
			 d->options->state);
		return -ENOENT;
	}
	do {
		boot_random(seed, SEED_LEN);
	} while (!key_from_seed(&k, seed));
	sodium_memzero(&k, sizeof(k));
	r = keyfile_save(d->options->state, seed);
	if (r < 0)
		snprintf(error, DAEMON_ERROR_MAX, "cannot write %s/identity: %s", d->options->state,
			 strerror(-r));
	return r;
}

static int take_identity(struct daemon *d, struct key_pair *k, char error[DAEMON_ERROR_MAX])
{
	char wrong[KEYFILE_ERROR_MAX];
	uint8_t seed[SEED_LEN];
	int r = keyfile_load(d->options->state, seed, wrong);

	if (r == -ENOENT)
		r = new_identity(d, seed, error);
	else if (r < 0)
		snprintf(error, DAEMON_ERROR_MAX, "%s", wrong);
	if (r == 0 && !key_from_seed(k, seed)) {
		snprintf(error, DAEMON_ERROR_MAX, "%s/identity holds no key a node can have",
			 d->options->state);
		r = -EBADMSG;
	}
	sodium_memzero(seed, sizeof(seed));
	return r;
}

static int check_stamp(void *ctx, const struct journal_pair *p)
{
	struct daemon *d = ctx;

	return p->key[0] == LEASE_KIND &&
	       (p->len < sizeof(d->stamp) || memcmp(p->value, d->stamp, sizeof(d->stamp)) != 0);
}

static int restore_pair(void *ctx, const struct journal_pair *p)
{
	struct daemon *d = ctx;
	size_t skip = sizeof(d->stamp);

	if (p->len < skip ||
	    !node_restore(d->node, p->key, p->key_len, p->value + skip, p->len - skip)) {
		log_error(d->log, "a pair of kind '%c' in the state does not read", p->key[0]);
		return -EBADMSG;
	}
	return 0;
}

static void host_name(const struct daemon *d, char out[64])
{
	char name[256] = "";
	size_t n = 0;

	if (d->options->hostname)
		snprintf(name, sizeof(name), "%s", d->options->hostname);
	else if (gethostname(name, sizeof(name) - 1) < 0)
		name[0] = 0;
	/* What the system calls itself may be no host name in a namespace: made into one. */
	for (const char *c = name; *c && *c != '.' && n < 63; c++) {
		char l = *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c;

		if ((l >= 'a' && l <= 'z') || (l >= '0' && l <= '9') || (l == '-' && n > 0))
			out[n++] = l;
	}
	while (n && out[n - 1] == '-')
		n--;
	out[n] = 0;
	if (n == 0)
		snprintf(out, 64, "host");
}

int daemon_open_state(struct daemon *d, char error[DAEMON_ERROR_MAX])
{
	const char *dir = d->options->state;
	char wrong[JOURNAL_ERROR_MAX];
	int r = files_make_dir(dir, 0700);

	if (r == 0)
		r = boot_stamp(dir, d->stamp);
	if (r < 0) {
		snprintf(error, DAEMON_ERROR_MAX, "cannot use the state folder %s: %s", dir,
			 strerror(-r));
		return r;
	}
	r = journal_open(&d->journal, dir, d->log, wrong);
	if (r < 0) {
		snprintf(error, DAEMON_ERROR_MAX, "%s", wrong);
		return r;
	}
	return daemon_watch(d, &d->journal_poll, journal_fd(d->journal), on_journal, d);
}

int daemon_make_node(struct daemon *d, char error[DAEMON_ERROR_MAX])
{
	struct node_env env = daemon_env(d);
	struct node_config c = { .crypto = &crypto_real,
				 .log = d->log,
				 .aes = aead_has_aes(),
				 .leaf = d->options->leaf,
				 .take_over = d->options->take_over,
				 .lan_port = d->lan ? udp_port(d->udp) : 0,
				 .version = VPND_VERSION };
	int r = take_identity(d, &c.self, error);

	if (r < 0)
		return r;
	host_name(d, c.host);
	c.same_machine = journal_each(d->journal, node_state_order, d, check_stamp) == 0;
	d->node = node_new(&c, &env, boot_wall(), boot_now());
	sodium_memzero(&c, sizeof(c));
	r = journal_each(d->journal, node_state_order, d, restore_pair);
	if (r < 0)
		snprintf(error, DAEMON_ERROR_MAX,
			 "%s/state was written whole, but does not read; it may be of a newer vpnd",
			 d->options->state);
	return r;
}
