/* fuzz_audit.c - histories of ownership in text: an event that reads is written and read again the
 * same; a whole history is loaded, judged, exported, saved and loaded again. */
#include <assert.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cmd/sim_audit.h"
#include "tests/fuzz/fuzz.h"

#define TEXT_MAX 8192

static void line(const uint8_t *data, size_t len)
{
	char text[AUDIT_LINE], out[AUDIT_LINE];
	struct audit_event e, again;

	if (len >= sizeof(text))
		return;
	memcpy(text, data, len);
	text[len] = 0;
	if (!audit_read(&e, text))
		return;
	assert(audit_write(out, sizeof(out), &e));
	assert(audit_read(&again, out));
	assert(memcmp(&e, &again, sizeof(e)) == 0);
}

static void path_of(char path[32], int fd) { snprintf(path, 32, "/proc/self/fd/%d", fd); }

static size_t facts_of(const char *path, char *why, size_t size)
{
	struct sim_audit a;
	size_t count;
	FILE *nowhere = fopen("/dev/null", "w");

	sim_audit_init(&a);
	if (sim_audit_load(&a, path) != 0) {
		count = SIZE_MAX;
	} else {
		count = a.count;
		sim_audit_check(&a, why, size);
		sim_audit_edn(&a, nowhere);
		assert(sim_audit_save(&a, path));
	}
	fclose(nowhere);
	sim_audit_fini(&a);
	return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char path[32], why[300] = "";
	size_t count;
	int fd;

	line(data, len);
	if (len > TEXT_MAX)
		return 0;
	fd = memfd_create("audit", 0);
	assert(fd >= 0 && write(fd, data, len) == (ssize_t)len);
	path_of(path, fd);
	count = facts_of(path, why, sizeof(why));
	assert(strlen(why) < sizeof(why));
	if (count != SIZE_MAX)
		assert(facts_of(path, why, sizeof(why)) == count);
	close(fd);
	return 0;
}
