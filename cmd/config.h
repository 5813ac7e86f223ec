/* config.h - the options of vpnd: command line first, then the configuration file, then
 * defaults. */
#ifndef CMD_CONFIG_H
#define CMD_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "base/log.h"

#define CONFIG_BOOTSTRAPS_MAX 32
#define CONFIG_ADVERTISE_MAX 4
#define CONFIG_ERROR_MAX 512
#define CONFIG_PORT 24655

struct options { /* texts are owned, NULL = not given and without default */
	char *state, *socket, *config;
	struct addr listen; /* ip.len 0 = any address of both families */
	char *advertise[CONFIG_ADVERTISE_MAX];	 /* HOST:PORT */
	char *bootstrap[CONFIG_BOOTSTRAPS_MAX]; /* [KEY@]HOST:PORT */
	size_t advertise_count, bootstrap_count;
	char *hostname;
	enum log_level log_level;
	bool check, help, version;
	bool leaf;	/* of the ring and the DHT: takes, gives nothing */
	bool no_lan_beacon;
	bool take_over; /* live again although a copy of this identity started later */
	bool join;
	char *token, *token_file; /* of join; token "-" and both NULL: standard input */
	bool has_address;
	struct ip address;
	char *ifname, *audit;
	bool config_given; /* --config: then the file must be there */
};

/* Reads argv, and the file it names. A token in argv is copied and overwritten there at once. Free
 * with options_free whatever comes back. 0, or -EINVAL and one line in `error`. */
int options_read(struct options *o, int argc, char **argv, char error[CONFIG_ERROR_MAX]);
void options_free(struct options *o);
/* The text of --help. */
const char *options_help(void);

/* For config_file.c and tests: one option by name, as the command line or (in_file) the file gives
 * it. 0, or -EINVAL and a sentence. */
int options_set(struct options *o, const char *name, const char *value, bool in_file,
		char error[CONFIG_ERROR_MAX]);
/* Reads a file of `name = value` lines. 0, -ENOENT when there is none, or -EINVAL and a sentence. */
int options_read_file(struct options *o, const char *path, char error[CONFIG_ERROR_MAX]);

#endif
