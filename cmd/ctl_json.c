/* ctl_json.c - see ctl_json.h. */
#include "cmd/ctl_json.h"

void json_set_text(json_t *o, const char *name, const char *text)
{
	if (text[0])
		json_object_set_new(o, name, json_string(text));
}

void json_set_ip(json_t *o, const char *name, const struct ip *ip)
{
	char text[IP_TEXT_LEN];

	if (!ip->len)
		return;
	ip_text(text, ip);
	json_set_text(o, name, text);
}

void json_set_prefix(json_t *o, const char *name, const struct prefix *p)
{
	char text[PREFIX_TEXT_LEN];

	if (!p->ip.len)
		return;
	prefix_text(text, p);
	json_set_text(o, name, text);
}

void json_set_key(json_t *o, const char *name, const struct pubkey *k)
{
	char text[KEY_TEXT_LEN];

	key_text(text, k);
	json_set_text(o, name, text);
}

void json_set_number(json_t *o, const char *name, uint64_t v)
{
	json_object_set_new(o, name, json_integer((json_int_t)v));
}

void json_set_flag(json_t *o, const char *name, bool v)
{
	json_object_set_new(o, name, json_boolean(v));
}
