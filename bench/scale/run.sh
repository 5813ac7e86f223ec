#!/bin/sh
# run.sh [PART...] - every figure of scale, its plots, and docs/evidence/scale.md. `make scale` or
# `./bootstrap scale`; QUICK=1 leaves out what takes more than a minute of a core. PARTs are names of
# the list below. Results are kept in scale.jsonl: a part that is run again replaces its old line, so
# the long ones can be run one at a time.
#
# Needs vpnsim, jq and gnuplot. SEED (1), SCALE_OUT (docs/evidence) and SEEDS (1..20) can be set: parts
# about luck are run with each of SEEDS, and the line of the worst is kept, with the others' figures.
set -eu
: "${SRCDIR:=$(cd "$(dirname "$0")/../.." && pwd)}" "${VPNSIM:=$SRCDIR/build/vpnsim}" "${QUICK:=}"
: "${SEED:=1}" "${SEEDS:=1..20}" "${SCALE_OUT:=$SRCDIR/docs/evidence}"
here=$SRCDIR/bench/scale
results=$SCALE_OUT/scale.jsonl
export GLIBC_TUNABLES="${GLIBC_TUNABLES:-glibc.malloc.hugetlb=1}" # see vpnsim(1)

quick='grow-100 grow-1000 lookup partition churn-short restart idle-100 whole-300 junk junk-150
	drops misroutes lies'
full='grow-100 grow-1000 grow-10000 size-100000 lookup partition churn churn-whole vanish-whole
	restart idle whole junk junk-150 junk-600 drops misroutes lies'

for tool in jq gnuplot "$VPNSIM"; do
	command -v "$tool" >/dev/null || { echo "scale: $tool is missing" >&2; exit 1; }
done
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM
mkdir -p "$SCALE_OUT"
touch "$results"
commit=$(git -C "$SRCDIR" describe --always --dirty 2>/dev/null || echo unknown)

# fill FILE JOIN SETTLE HOPS SAMPLE : the times of a template; 40 s of work, 240 of rest, 70 after the
# crash
fill() {
	work=$(($2 + $3 + 15))
	rest=$((work + 40))
	crash=$((rest + 240))
	tail=$(awk -v hops="$4" 'BEGIN { print 2 * hops + 2 }')
	sed -e "s/@JOIN@/$2/g;s/@SETTLE@/$3/g;s/@HOPS@/$4/g;s/@TAIL@/$tail/g;s/@SAMPLE@/$5/g" \
		-e "s/@WORK@/$work/g;s/@REST@/$rest/g;s/@QUIET@/$((crash - 120))/g;s/@CRASH@/$crash/g" \
		-e "s/@AFTER@/$((crash + 30))/g;s/@END@/$((crash + 70))/g" "$here/$1" >"$tmp/scenario.sim"
}

# one PART SEED FILE OPTION... : one line into $tmp/line, with the processor's seconds
one() {
	part=$1 seed=$2 file=$3
	shift 3
	(
		"$VPNSIM" --seed "$seed" --json "$tmp/json" "$@" "$file" >"$tmp/text" 2>"$tmp/error" || :
		times
	) >"$tmp/times"
	[ -s "$tmp/json" ] || { cat "$tmp/error" >&2; exit 1; }
	cpu=$(awk 'END { split($1, m, /[ms]/); print m[1] * 60 + m[2] }' "$tmp/times")
	tail -n 1 "$tmp/json" | jq -c --arg part "$part" --arg commit "$commit" --argjson cpu "$cpu" \
		'{ part: $part, commit: $commit, cpu: $cpu } + .' >"$tmp/line"
	grep -E '^(WRONG|as it must) ' "$tmp/text" | sed 's/^/    /' >&2
	echo "    seed $seed, $cpu s of a core" >&2
}

# keep PART : $tmp/line becomes its line of the results
keep() {
	jq -c --arg part "$1" 'select(.part != $part)' "$results" | cat - "$tmp/line" >"$tmp/all"
	cp "$tmp/all" "$results"
}

# simulate PART FILE OPTION...
simulate() {
	part=$1 file=$2
	shift 2
	echo "scale: $part" >&2
	one "$part" "$SEED" "$file" "$@"
	keep "$part"
}

# lucky PART FILE OPTION... : with each of SEEDS; the seed with the fewest lookups answered stands
lucky() {
	part=$1 file=$2
	shift 2
	echo "scale: $part" >&2
	: >"$tmp/lines"
	for seed in $(echo "$SEEDS" | awk -F '[.][.]' 'NF == 2 { for (i = $1; i <= $2; i++) print i; next } 1'); do
		one "$part" "$seed" "$file" "$@"
		cat "$tmp/line" >>"$tmp/lines"
	done
	jq -cs 'map(.lookup_success) as $all | map(.cpu) as $cpu | min_by(.lookup_success) +
		{ seeds: ($all | length), every_lookup_success: $all, cpu: ($cpu | add) }' \
		"$tmp/lines" >"$tmp/line"
	keep "$part"
}

run_part() {
	case $1 in
	grow-100) fill grow.sim.in 20 60 2.5 30 && simulate "$1" "$tmp/scenario.sim" --nodes 100 ;;
	grow-1000) fill grow.sim.in 60 60 4 30 && simulate "$1" "$tmp/scenario.sim" --nodes 1000 ;;
	grow-10000) fill grow.sim.in 180 60 5.5 60 && simulate "$1" "$tmp/scenario.sim" --nodes 10000 ;;
	size-100000) fill size.sim.in 150 30 7 60 && simulate "$1" "$tmp/scenario.sim" --nodes 100000 --memory ;;
	churn-short) simulate "$1" "$here/churn.sim" --seconds 600 ;;
	idle-100) simulate "$1" "$here/idle.sim" --nodes 100 --memory ;;
	idle) simulate "$1" "$here/idle.sim" --memory ;;
	whole-300) simulate "$1" "$here/whole.sim" --nodes 300 --memory ;;
	whole) simulate "$1" "$here/whole.sim" --memory ;;
	junk-*) lucky "$1" "$here/junk.sim" --nodes "${1#junk-}" ;;
	*) simulate "$1" "$here/$1.sim" ;;
	esac
}

if [ $# -eq 0 ]; then
	# shellcheck disable=SC2046,SC2086 # a list of words
	set -- $([ -n "$QUICK" ] && echo $quick || echo $full)
fi
for part; do
	run_part "$part"
done
"$here/report.sh" "$results" "$SCALE_OUT"
