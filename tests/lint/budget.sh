#!/bin/sh
# budget.sh - sizes: functions, files, headers, parameters, conditional compilation.
set -eu
. "${SRCDIR:-.}/tests/lint/tap"

code='base p2p dht vnet nat host cmd'
# shellcheck disable=SC2086
files=$(sources '*.[ch]' $code)
also=$(sources '*.[ch]' tests tests/unit tests/fuzz tests/lab tests/sim bench)
# shellcheck disable=SC2086
functions=$(awk -f tests/lint/budget.awk $files | sort -n)
# shellcheck disable=SC2086
test_functions=$(awk -f tests/lint/budget.awk $also)

verdict 'no function is over 70 lines' \
	"$(printf '%s\n%s\n' "$functions" "$test_functions" | awk '$1 > 70 { print $3, $4, $1, "lines" }')"

at() { printf '%s\n' "$functions" | awk -v p="$1" '{ n[NR] = $1 } END {
	i = int(NR * p + 0.999999); print n[i < 1 ? 1 : i] + 0 }'; }
p95=$(at 0.95)
verdict 'the 95th percentile of functions is at most 50 lines' \
	"$([ "$p95" -le 50 ] || echo "it is $p95")"

verdict 'no file is over 500 lines' \
	"$(for f in $files $also; do echo "$(wc -l <"$f") $f"; done | awk '$1 > 500 { print $2, $1, "lines" }')"

# A header without a source beside it is itself the source.
verdict 'no header is over 120 lines' "$(
	for f in $files; do
		case $f in *.h) ;; *) continue ;; esac
		lines=$(wc -l <"$f")
		[ "$lines" -le 120 ] || [ ! -f "${f%.h}.c" ] || echo "$f $lines lines"
	done
)"

# shellcheck disable=SC2086
lines=$(cat $files | wc -l)
# A guard is an #ifndef followed by the #define of the same name.
# shellcheck disable=SC2086
ifs=$(awk '
	FNR == 1 { guard = "" }
	/^#[ \t]*define/ && guard == $2 { n-- }
	{ guard = "" }
	/^#[ \t]*(if|ifdef|ifndef|elif)/ { n++; guard = $1 == "#ifndef" ? $2 : "" }
	END { print n + 0 }' $files)
verdict 'conditional compilation is at most 2 in 1000 lines' \
	"$([ "$ifs" -eq 0 ] || [ $((ifs * 1000)) -le $((lines * 2)) ] || echo "$ifs in $lines lines")"

printf '%s\n' "$functions" | awk '$2 > 5 { print "# note: " $3, $4, "has", $2, "parameters" }'
note "$lines lines, $(printf '%s\n' "$functions" | wc -l) functions: median $(at 0.5), p95 $p95," \
	"longest $(at 1); $ifs #if"
finish
