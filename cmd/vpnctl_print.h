/* vpnctl_print.h - replies as a person wants to read them. */
#ifndef CMD_VPNCTL_PRINT_H
#define CMD_VPNCTL_PRINT_H

#include <jansson.h>

void print_status(const json_t *reply);
void print_namespaces(const json_t *reply);
void print_peers(const json_t *reply);
void print_paths(const json_t *reply);
void print_addresses(const json_t *reply);
void print_flows(const json_t *reply);
void print_keepers(const json_t *reply);
void print_members(const json_t *reply);
void print_tokens(const json_t *reply);
void print_text(const json_t *reply);
void print_token(const json_t *reply);
void print_ready(const json_t *reply);
void print_resolved(const json_t *reply);
void print_ping(const json_t *reply);
void print_rings(const json_t *reply);
void print_trace(const json_t *reply);

#endif
