/* keyfile.c - text: comment lines that start with '#', then one line `vpnd-key1 BASE64SEED`.
 *
 * A file that does not read whole is an error that names it: a node must never take a new identity
 * because a disk or an editor damaged the old one. */
#include "host/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/files.h"

#define NAME "identity"
#define MARK "vpnd-key1 "
#define FILE_MAX 1024

static const char comment[] =
	"# The identity of this vpnd node. Whoever has it is this node: keep it secret, copy it\n"
	"# nowhere, and never run two nodes with it.\n";

/* The whole file with a final 0, or negative errno. */
static int read_text(int fd, char text[FILE_MAX])
{
	size_t n = 0;

	for (;;) {
		ssize_t r = read(fd, text + n, FILE_MAX - n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		n += (size_t)r;
		if (n == FILE_MAX)
			return -EBADMSG;
		if (r == 0)
			break;
	}
	text[n] = 0;
	return memchr(text, 0, n) ? -EBADMSG : 0;
}

static int parse(const char *text, uint8_t seed[KEYFILE_SEED_LEN])
{
	const char *end;
	size_t len = 0;

	while (*text == '#' || *text == '\n') {
		text = strchr(text, '\n');
		if (!text)
			return -EBADMSG;
		text++;
	}
	if (strncmp(text, MARK, strlen(MARK)) != 0)
		return -EBADMSG;
	text += strlen(MARK);
	if (sodium_base642bin(seed, KEYFILE_SEED_LEN, text, strlen(text), NULL, &len, &end,
			      sodium_base64_VARIANT_ORIGINAL) != 0 ||
	    len != KEYFILE_SEED_LEN || strcmp(end, "\n") != 0)
		return -EBADMSG;
	return 0;
}

static int check(int fd, const char *path, uint8_t seed[KEYFILE_SEED_LEN],
		 char error[KEYFILE_ERROR_MAX])
{
	char text[FILE_MAX];
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		r = -errno;
	else if (st.st_mode & (S_IRWXG | S_IRWXO))
		r = -EACCES;
	else
		r = read_text(fd, text);
	if (r == 0)
		r = parse(text, seed);
	if (r == -EACCES)
		snprintf(error, KEYFILE_ERROR_MAX,
			 "%s can be read by others than its owner; if nobody else has read it, run: "
			 "chmod 600 %s", path, path);
	else if (r == -EBADMSG)
		snprintf(error, KEYFILE_ERROR_MAX,
			 "%s is damaged: no whole line 'vpnd-key1 ...'; restore it from a backup, or "
			 "move it away to become a new node", path);
	else if (r < 0)
		snprintf(error, KEYFILE_ERROR_MAX, "cannot read %s: %s", path, strerror(-r));
	sodium_memzero(text, sizeof(text));
	return r;
}

int keyfile_load(const char *dir, uint8_t seed[KEYFILE_SEED_LEN], char error[KEYFILE_ERROR_MAX])
{
	char path[FILES_PATH_MAX];
	int fd, r;

	error[0] = 0;
	snprintf(path, sizeof(path), "%s/" NAME, dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		r = -errno;
		snprintf(error, KEYFILE_ERROR_MAX, "cannot open %s: %s", path, strerror(-r));
		return r;
	}
	r = check(fd, path, seed, error);
	close(fd);
	return r;
}

int keyfile_save(const char *dir, const uint8_t seed[KEYFILE_SEED_LEN])
{
	char text[FILE_MAX], b64[64];
	int len, r;

	sodium_bin2base64(b64, sizeof(b64), seed, KEYFILE_SEED_LEN, sodium_base64_VARIANT_ORIGINAL);
	len = snprintf(text, sizeof(text), "%s" MARK "%s\n", comment, b64);
	r = files_replace(dir, NAME, 0600, text, (size_t)len);
	sodium_memzero(text, sizeof(text));
	sodium_memzero(b64, sizeof(b64));
	return r;
}
