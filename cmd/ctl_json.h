/* ctl_json.h - small steps from C to JSON. A text or address that is empty is left out. */
#ifndef CMD_CTL_JSON_H
#define CMD_CTL_JSON_H

#include <jansson.h>
#include <stdbool.h>

#include "base/addr.h"
#include "base/key.h"

void json_set_text(json_t *o, const char *name, const char *text);
void json_set_ip(json_t *o, const char *name, const struct ip *ip);
void json_set_prefix(json_t *o, const char *name, const struct prefix *p);
void json_set_key(json_t *o, const char *name, const struct pubkey *k);
void json_set_number(json_t *o, const char *name, uint64_t v);
void json_set_flag(json_t *o, const char *name, bool v);

#endif
