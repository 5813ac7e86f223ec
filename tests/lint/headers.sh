#!/bin/sh
# headers.sh - every header compiles alone, twice in a row, and has its guard.
set -eu
. "${SRCDIR:-.}/tests/lint/tap"

headers=$(sources '*.h' base p2p dht vnet nat host cmd tests tests/unit tests/fuzz)
try='printf "#include \"%s\"\n#include \"%s\"\n" "$0" "$0" |
	${CC:-cc} -std=c11 -D_GNU_SOURCE -I. -I"${BUILDDIR:-.}" ${LINT_FLAGS-} -Wall -Wextra \
		-Wno-unused -Werror -fsyntax-only -x c - 2>&1 | sed -n "1,5{s|^|$0: |;p;}"'
verdict 'every header compiles alone' \
	"$(printf '%s\n' "$headers" | xargs -P 2 -n 1 sh -c "$try")"

verdict 'every header has the guard of its own name' "$(
	for h in $headers; do
		guard=$(echo "$h" | tr 'a-z/.-' 'A-Z___')
		grep -q "^#ifndef $guard\$" "$h" || echo "$h: no #ifndef $guard"
	done
)"
finish
