/* ctl.h - the control socket's server, a part of the daemon. */
#ifndef CMD_CTL_H
#define CMD_CTL_H

struct ctl;
struct daemon;

/* Listens on `path`. NULL and a negative errno in *error when it cannot. */
struct ctl *ctl_new(struct daemon *d, const char *path, int *error);
void ctl_free(struct ctl *c);

#endif
