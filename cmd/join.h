/* join.h - `vpnd join`: with a daemon that runs already, or in this process. */
#ifndef CMD_JOIN_H
#define CMD_JOIN_H

#include "base/log.h"
#include "cmd/config.h"
#include "cmd/daemon.h"
#include "dht/token.h"

struct join {
	struct daemon *d;
	const struct log *log;
};

/* From argv, --token-file or standard input; without blanks around it. 0, or -EINVAL and a line. */
int join_read_token(const struct options *o, char out[TOKEN_TEXT_MAX + 2],
		    char error[CONFIG_ERROR_MAX]);
/* Asks the daemon on --socket to join, waits, prints the address: the exit status. -1: there is no
 * daemon. */
int join_hand_over(const struct options *o, const char *token);
/* Joins in this daemon. Prints the address when it can be used; stops the daemon with status 1 when
 * the token is refused. `j` lives as long as the daemon. */
void join_begin(struct join *j, struct daemon *d, const struct options *o, const char *token,
		const struct log *log);

#endif
