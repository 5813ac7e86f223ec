#!/bin/sh
# includes.sh - who may include whom: base/ nobody, the four protocol folders base/ and themselves,
# host/ base/ and itself, cmd/ everybody's public face, and cmd/node* and cmd/sim* no host/.
set -eu
. "${SRCDIR:-.}/tests/lint/tap"

# file:line:included, "quoted" and <system> apart
includes() {
	# shellcheck disable=SC2046
	awk -v mark="$1" '
		/^[ \t]*#[ \t]*include/ && index($0, mark) {
			name = $0
			sub(/^[^"<]*["<]/, "", name)
			sub(/[">].*/, "", name)
			print FILENAME ":" FNR ":" name
		}' $(sources '*.[ch]' base p2p dht vnet nat host cmd)
}
project=$(includes '"')
system=$(includes '<')

# Generated; features of the machine matter to few.
project=$(printf '%s\n' "$project" | grep -v -E '^(host/|cmd/|p2p/aead)[^:]*:[0-9]+:config\.h$' || :)

verdict 'project headers are included by folder path' \
	"$(printf '%s\n' "$project" | grep -v -E ':(base|p2p|dht|vnet|nat|host|cmd)/[^/]+\.h$' | grep . || :)"

verdict 'base includes only base' \
	"$(printf '%s\n' "$project" | grep '^base/' | grep -v ':base/' || :)"

for folder in p2p dht vnet nat host; do
	verdict "$folder includes only base and itself" \
		"$(printf '%s\n' "$project" | grep "^$folder/" | grep -v -E ":(base|$folder)/" || :)"
done

faces='p2p/(p2p|packet|status|aead|ring)|dht/(dht|regs|keepers|seats|eras|evidence|lease|grant|token)|vnet/(vnet|offload)|nat/nat'
verdict 'cmd includes only public faces' \
	"$(printf '%s\n' "$project" | grep '^cmd/' |
		grep -v -E '^cmd/portmap[^:]*:[0-9]+:nat/(upnp|natpmp)\.h$' |
		grep -v -E '^cmd/sim_own_[^:]*:[0-9]+:(vnet/fence|dht/(bundle|regmsg))\.h$' |
		grep -v -E '^cmd/sim_own_liar[^:]*:[0-9]+:dht/(acceptor|change|entry|membermsg|vote)\.h$' |
		grep -v -E ":((base|host|cmd)/[^/]+|$faces)\.h$" || :)"

verdict 'the node and the simulator know no host and no libuv' \
	"$(printf '%s\n%s\n' "$project" "$system" | grep -E '^cmd/(node|sim|vpnsim)' |
		grep -E ':(host/|uv\.h)' || :)"

# What the C standard has (less time.h, signal.h, threads.h), and libsodium. Without the headers of
# the operating system its functions cannot be called.
plain='assert|ctype|errno|inttypes|limits|math|stdalign|stdarg|stdatomic|stdbool|stddef|stdint'
plain="$plain|stdio|stdlib|string|sodium"
verdict 'protocol folders include no header of the operating system' \
	"$(printf '%s\n' "$system" | grep -E '^(base|p2p|dht|vnet|nat)/' |
		grep -v -E ":($plain)\.h$" |
		grep -v -E '^base/addr\.c:[0-9]+:arpa/inet\.h$' |
		grep -v -E '^p2p/aead[^:]*:[0-9]+:openssl/' |
		grep -v -E '^vnet/dns[^:]*:[0-9]+:ldns/' |
		grep -v -E '^nat/(upnp|natpmp)\.[ch]:' || :)"

verdict 'a source includes its own header first' "$(
	for file in $(sources '*.c' base p2p dht vnet nat host cmd); do
		own=${file%.c}.h
		[ -f "$own" ] || continue
		first=$(sed -n 's/^#include[ \t]*["<]\(.*\)[">].*/\1/p' "$file" | head -n 1)
		[ "$first" = "$own" ] || echo "$file includes $first first"
	done
)"
finish
