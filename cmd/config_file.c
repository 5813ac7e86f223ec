/* config_file.c - the configuration file: `name = value` lines as libinih reads them, and
 * --help. */
#include "cmd/config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <config.h> /* of the build; "config.h" would be our own */

static const char help[] =
	"usage: vpnd [OPTIONS]\n"
	"       vpnd [OPTIONS] join [TOKEN | - | --token-file FILE]\n"
	"\n"
	"Without a word: runs every namespace this node is in, in the foreground.\n"
	"join: joins the namespace of a token. When a vpnd runs already (it answers on the socket),\n"
	"  hands the token to it, waits until the address can be used, prints it and exits. Else runs\n"
	"  itself, prints the address on standard output when it can be used, and stays.\n"
	"  Best give the token on standard input (`-`, or nothing) or in a file: words of a command\n"
	"  line can be seen by other users for a moment and stay in the shell's history.\n"
	"\n"
	"  --state DIR                  what must outlive a restart [/var/lib/vpnd]\n"
	"  --socket PATH                control socket [/run/vpnd/vpnd.sock]\n"
	"  --config FILE                `name = value` lines, names as here [/etc/vpnd/vpnd.conf]\n"
	"  --listen ADDR:PORT           UDP; another port when it is taken [any address, 24655]\n"
	"  --advertise HOST:PORT        an address that others can reach this node at (repeat)\n"
	"  --bootstrap [KEY@]HOST:PORT  a node to start from (repeat)\n"
	"  --hostname NAME              name of this host in namespaces [the system's]\n"
	"  --ring full|leaf             leaf: one link, carries and holds nothing for others [full]\n"
	"  --leaf                       the same as --ring leaf\n"
	"  --log-level LEVEL            error, warn, info or debug [info]\n"
	"  --lan-beacon yes|no          look for other nodes on this host's LANs by multicast [yes]\n"
	"  --no-lan-beacon              the same as --lan-beacon no\n"
	"  --audit FILE                 tell there what happens to owners (see vpnd(8))\n"
	"  --take-over                  live again although a copy of this identity started later\n"
	"  --check-config               read options and file, say what is wrong, exit\n"
	"  --help, --version\n"
	"of join:\n"
	"  --address IP                 the address to ask for [any free one]\n"
	"  --ifname NAME                name of the interface [vpn0, vpn1, ...]\n"
	"  --mode interface             the only mode of this version\n"
	"\n"
	"exit status: 0 done, 1 failed or refused, 2 wrong usage, or the daemon did not answer\n"
	"Everything else is done with vpnctl.\n";

const char *options_help(void)
{
	return help;
}

#ifdef HAVE_INIH

#include <ini.h>

struct reading {
	struct options *o;
	char *error; /* of the first wrong line */
};

static int line(void *ctx, const char *section, const char *name, const char *value)
{
	struct reading *r = ctx;

	if (r->error[0])
		return 0;
	if (section[0]) {
		snprintf(r->error, CONFIG_ERROR_MAX, "sections like [%.50s] have no meaning here",
			 section);
		return 0;
	}
	return options_set(r->o, name, value, true, r->error) == 0;
}

int options_read_file(struct options *o, const char *path, char error[CONFIG_ERROR_MAX])
{
	char wrong[CONFIG_ERROR_MAX] = "";
	struct reading r = { o, wrong };
	FILE *f = fopen(path, "re");
	int at;

	if (!f && errno == ENOENT)
		return -ENOENT;
	if (!f) {
		snprintf(error, CONFIG_ERROR_MAX, "cannot read %.300s: %s", path, strerror(errno));
		return -EINVAL;
	}
	at = ini_parse_file(f, line, &r);
	fclose(f);
	if (at == 0)
		return 0;
	snprintf(error, CONFIG_ERROR_MAX, "%.200s:%d: %.250s", path, at,
		 wrong[0] ? wrong : "not a line of the form `name = value`");
	return -EINVAL;
}

#else

int options_read_file(struct options *o, const char *path, char error[CONFIG_ERROR_MAX])
{
	FILE *f = fopen(path, "re");

	(void)o;
	if (!f)
		return -ENOENT;
	fclose(f);
	snprintf(error, CONFIG_ERROR_MAX, "%.300s cannot be read: this vpnd was built without libinih",
		 path);
	return -EINVAL;
}

#endif
