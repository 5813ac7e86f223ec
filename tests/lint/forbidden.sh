#!/bin/sh
# forbidden.sh - functions that protocol code must not call, because time, randomness, memory and
# the network are given to it, and functions that nobody should call.
set -eu
. "${SRCDIR:-.}/tests/lint/tap"

# Without comments and strings, as FILE:LINE:TEXT.
stripped() {
	awk '
		FNR == 1 { inside = 0 }
		{
			text = $0
			gsub(/\\["\\]/, "", text)
			gsub(/"[^"]*"/, "\"\"", text)
			if (inside) {
				if (!index(text, "*/"))
					next
				sub(/^.*\*\//, "", text)
				inside = 0
			}
			while (match(text, /\/\*([^*]|\*[^\/])*\*\//))
				text = substr(text, 1, RSTART - 1) " " substr(text, RSTART + RLENGTH)
			if (match(text, /\/\*/)) {
				text = substr(text, 1, RSTART - 1)
				inside = 1
			}
			sub(/\/\/.*/, "", text)
			print FILENAME ":" FNR ":" text
		}' "$@"
}

# calls LIST : lines of standard input that call one of the names; members (x->name) are not meant
calls() { grep -E "^[^:]*:[0-9]*:(.*[^A-Za-z0-9_.>])?($1)[ ]*\(" || :; }

# shellcheck disable=SC2086,SC2046
pure=$(stripped $(sources '*.[ch]' $protocol | grep -v -E '^nat/(upnp|natpmp)\.') \
	$(sources 'node*.[ch]' cmd))

verdict 'protocol code reads no clock' "$(printf '%s\n' "$pure" |
	calls 'clock_gettime|clock_getres|gettimeofday|time|localtime(_r)?|gmtime(_r)?|nanosleep|u?sleep')"

verdict 'protocol code draws no randomness of its own' "$(printf '%s\n' "$pure" |
	calls 's?rand(om)?(_r)?|[dlmejn]rand48|getrandom|getentropy|arc4random[a-z_]*|randombytes[a-z_]*|crypto_[a-z0-9_]*_(keygen|random|scalar_random)|crypto_(sign|box|kx)[a-z0-9_]*_keypair|RAND_[a-z_]*' |
	grep -v 'crypto_sign_seed_keypair' || :)"

verdict 'protocol code does no input or output' "$(printf '%s\n' "$pure" |
	calls 'uv_[a-z_]*|socket|bind|sendto|sendm?msg|recvfrom|recvm?msg|setsockopt|ioctl|f?open(at)?|fd?open|popen|system|getenv|pthread_[a-z_]*|fork|p?poll|select|epoll_[a-z0-9]*|getaddrinfo|printf|puts|perror|fprintf|fputs' |
	grep -v '^base/mem\.c:' || :)"

verdict 'protocol code allocates through base/mem.h' "$(printf '%s\n' "$pure" |
	calls 'malloc|calloc|realloc(array)?|aligned_alloc|posix_memalign|strn?dup|v?asprintf|sodium_(malloc|allocarray)' |
	grep -v '^base/mem\.c:' || :)"

verdict 'protocol code does not end the process' "$(printf '%s\n' "$pure" |
	calls '_?exit|_Exit|quick_exit|longjmp|raise|kill')"

# shellcheck disable=SC2046
verdict 'nobody calls functions without bounds' "$(
	stripped $(sources '*.[ch]' base p2p dht vnet nat host cmd tests/unit tests/fuzz bench) |
	calls 'v?sprintf|st[rp]n?cpy|strn?cat|gets|strtok|ato[ifl]+|alloca|mktemp|tmpnam')"

# The data and bss sections of the objects, so that no spelling escapes; tables of pointers that
# are const lie in .data.rel.ro.
name='protocol code has no mutable globals or statics'
objects=''
if [ -n "${LINT_OBJ-}" ] && command -v size >/dev/null; then
	# shellcheck disable=SC2086
	objects=$(for c in $(sources '*.c' $protocol) $(sources 'node*.c' cmd); do
		o=${c%.c}.o
		[ ! -f "$BUILDDIR/$LINT_OBJ/$o" ] || echo "$o"
	done)
fi
if [ -z "$objects" ]; then
	skip "$name" 'no plain objects here'
else
	# shellcheck disable=SC2086
	verdict "$name" "$(cd "$BUILDDIR/$LINT_OBJ" && size -A $objects |
		awk '/ :$/ { file = $1 } $1 ~ /^\.t?(data|bss)(\.|$)/ && $1 !~ /rel\.ro/ && $2 > 0 {
			print file ": " $2 " bytes in " $1 }')"
fi
finish
