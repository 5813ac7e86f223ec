/* ctl_client.h - one question to the daemon's control socket: a line of JSON out, a line back. */
#ifndef CMD_CTL_CLIENT_H
#define CMD_CTL_CLIENT_H

#define CTL_REPLY_MAX (16u << 20) /* bytes of an answer */

/* Waits for the answer, however long it takes. 0 and *reply, without the newline, to be freed; else
 * negative errno: -ENOENT or -ECONNREFUSED when no daemon listens there. */
int ctl_call(const char *socket, const char *request, char **reply);

#endif
