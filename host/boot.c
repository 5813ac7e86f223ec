/* boot.c - see boot.h. */
#include "host/boot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sodium.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BOOT_ID "/proc/sys/kernel/random/boot_id"

static int64_t clock_usec(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t); /* fails for unknown clocks only */
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

usec_t boot_now(void) { return (usec_t)clock_usec(CLOCK_BOOTTIME); }

uint64_t boot_wall(void) { return (uint64_t)clock_usec(CLOCK_REALTIME) / 1000000; }

int64_t boot_difference(void) { return clock_usec(CLOCK_REALTIME) - clock_usec(CLOCK_BOOTTIME); }

void boot_random(void *out, size_t len)
{
	uint8_t *p = out;

	while (len) {
		ssize_t n = getrandom(p, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			fputs("vpnd: the kernel gives no randomness\n", stderr);
			abort(); /* no key may be made without */
		}
		p += n;
		len -= (size_t)n;
	}
}

int boot_stamp(const char *dir, uint8_t out[BOOT_STAMP_LEN])
{
	char id[64] = "", text[160];
	struct stat st;
	uint8_t hash[crypto_generichash_BYTES];
	ssize_t n;
	int fd, len;

	if (stat(dir, &st) < 0)
		return -errno;
	fd = open(BOOT_ID, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, id, sizeof(id) - 1);
	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return -ENOENT;
	len = snprintf(text, sizeof(text), "%s %llu %llu", id, (unsigned long long)st.st_dev,
		       (unsigned long long)st.st_ino);
	crypto_generichash(hash, sizeof(hash), (const uint8_t *)text, (size_t)len, NULL, 0);
	for (size_t i = 0; i < BOOT_STAMP_LEN; i++)
		out[i] = hash[i];
	return 0;
}
