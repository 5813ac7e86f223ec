#!/bin/sh
# report.sh RESULTS FOLDER - scale.md and the plots from scale.jsonl (see run.sh).
set -eu
results=$1 out=$2
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# figure PART JQ : one number of one part, or "-"
figure() {
	jq -r --arg part "$1" "select(.part == \$part) | ($2) // \"-\" |
		if type == \"number\" then . * 1000 | round / 1000 else . end" "$results" 2>/dev/null | grep . || echo -
}
has() { [ -n "$(jq --arg part "$1" 'select(.part == $part) | .seed' "$results")" ]; }
expect() { echo "[.expect[] | select(.text | startswith(\"$1\")) | .value][0]"; }
ring_after() { echo "[.faults[] | select(.name == \"$1\") | .ring_after][0]"; }

# row WHAT AIM OPERATOR VALUE UNIT PART
row() {
	verdict=$(awk -v v="$4" -v op="$3" -v aim="$2" 'BEGIN {
		if (v == "-") print "**not reached, or not measured**"
		else if (op == "<=" ? v + 0 <= aim + 0 : v + 0 >= aim + 0) print "met"
		else print "**missed**" }')
	echo "| $1 | $3 $2 $5 | $4 $5 | $verdict | $6 |"
}

grow_rows() {
	for n in 100:2.5 1000:4 10000:5.5 100000:7; do
		part=grow-${n%:*} aim=${n#*:}
		[ "${n%:*}" = 100000 ] && part=size-100000
		has "$part" || continue
		mean=$(figure "$part" "$(expect 'hops mean')")
		row "hops, mean, N = ${n%:*}" "$aim" '<=' "$mean" '' "$part"
		row "hops, p99, N = ${n%:*}" "$(echo "$mean" | awk '{ print 2 * $1 + 2 }')" '<=' \
			"$(figure "$part" "$(expect 'hops p99')")" '' "$part"
	done
}

rows() {
	echo '| what | aim | measured | | part |'
	echo '|---|---|---|---|---|'
	grow_rows
	has lookup && row 'uncached lookup, N = 1000, p50' 450 '<=' "$(figure lookup '.lookup_p50 * 1000')" ms lookup &&
		row 'uncached lookup, p99' 1500 '<=' "$(figure lookup '.lookup_p99 * 1000')" ms lookup
	for part in grow-100 grow-1000 grow-10000; do
		has $part || continue
		row "10 % of $(figure $part .nodes) vanish at once: delivered" 99.9 '>=' "$(figure $part "$(expect 'send success >= 99.9% from')")" % $part
		row '... one ring again after' 30 '<=' "$(figure $part "$(ring_after crash)")" s $part
	done
	has partition && row 'halves of 1000 healed: one ring after' 60 '<=' "$(figure partition "$(ring_after heal)")" s partition
	for part in churn churn-short; do
		has $part || continue
		row 'churn, median session 10 min, N = 1000: lookups' 99.9 '>=' "$(figure $part "$(expect 'lookup success')")" % $part
		row '... sent by a node' 900 '<=' "$(figure $part "$(expect bytes)")" B/s $part
	done
	has churn-whole && row "the same, $(figure churn-whole .nodes) whole nodes: lookups" 99.9 '>=' "$(figure churn-whole "$(expect 'lookup success')")" % churn-whole &&
		row '... sent by a node' 900 '<=' "$(figure churn-whole "$(expect bytes)")" B/s churn-whole
	has vanish-whole && row "10 % of $(figure vanish-whole .nodes) whole nodes vanish at once: delivered" 99.9 '>=' "$(figure vanish-whole "$(expect 'send success >= 99.9% from')")" % vanish-whole &&
		row '... lookups' 99.9 '>=' "$(figure vanish-whole "$(expect 'lookup success >= 99.9% from')")" % vanish-whole &&
		row '... one ring again after' 30 '<=' "$(figure vanish-whole "$(ring_after crash)")" s vanish-whole
	for part in idle idle-100; do
		has $part || continue
		row "idle, whole nodes, N = $(figure $part .nodes): sent by a node" 200 '<=' "$(figure $part "$(expect bytes)")" B/s $part
	done
	has restart && row 'all of 100 whole nodes restart: one ring after' 30 '<=' "$(figure restart "$(ring_after restart)")" s restart &&
		row '... sent by a node in those 30 s' 50 '<=' "$(figure restart "$(expect sent) / 1000")" kB restart
	for part in whole whole-300; do
		has $part || continue
		row "$(figure $part .nodes) whole nodes for 10 minutes: one core" 600 '<=' "$(figure $part .cpu)" s $part
		row '... memory of a node' 64 '<=' "$(figure $part '.memory / 1024')" KiB $part
	done
	has junk && row '20 % answer lookups with junk: lookups' 99 '>=' "$(figure junk .lookup_success)" % junk
	for part in junk-150 junk-600; do
		has $part && row "... N = $(figure $part .nodes), the worst of $(figure $part .seeds) seeds ($(figure $part .seed))" 99 '>=' "$(figure $part .lookup_success)" % $part
	done
	for part in drops misroutes lies; do
		has $part && row "20 % $part: hops at most" 32 '<=' "$(figure $part .hops_max)" '' $part
	done
	:
}

others() {
	for part in drops misroutes lies; do
		has $part && echo "* 20 % $part: lookups $(figure $part .lookup_success) %, sends (answer included) $(figure $part .send_success) %, $(figure $part .packets_rate) packets/s a node."
	done
	for part in grow-100 grow-1000 grow-10000 size-100000; do
		has $part && echo "* N = $(figure $part .nodes): $(figure $part .links) links a node, lookups $(figure $part .lookup_success) % p50 $(figure $part '.lookup_p50 * 1000') ms p99 $(figure $part '.lookup_p99 * 1000') ms, idle $(figure $part "$(expect bytes)") B/s a light node, one ring $(figure $part "$(ring_after crash)") s after 10 % vanished, $(figure $part .cpu) s of a core."
	done
	:
}

missing() {
	for part in grow-100 grow-1000 grow-10000 size-100000 lookup partition churn churn-whole vanish-whole \
		restart idle whole junk junk-150 junk-600 drops misroutes lies; do
		has $part || printf ' %s' "$part"
	done
}

markdown() {
	cat <<-'TEXT'
	# Figures of scale

	Command: `make scale` (`bench/scale/run.sh`; `QUICK=1` for the short parts), which writes this page, `scale.jsonl` beside it (one line a part: everything vpnsim says at its end, seed, commit and the processor's seconds) and the plots. Scenarios: `bench/scale/*.sim`. Virtual time, so figures depend on seed and commit only, but for the processor's seconds.
	"Light" nodes are a ring and a DHT with stand-ins for sessions, every packet counted with the bytes of the real one (`cmd/sim_light.c`); "whole" nodes are what vpnd runs, with `--crypto dummy`. Links: 20 ms one way, +-80 % by host. Nodes join one after another through real joins, with a few earlier ones, drawn from all, as contacts.
	"Delivered" counts questions that were answered, of senders that ask again after 0.5, 1 and 2 s, the third and fourth time by way of another link of their own.

	TEXT
	jq -rs 'group_by(.commit)[] | "Commit \(.[0].commit), seeds \(map(.seed) | unique | join(", ")): \(map(.part) | join(", ")).  "' "$results"
	echo
	rows
	[ -z "$(missing)" ] || printf '\n**Not run yet, so nothing is claimed:**%s.\n' "$(missing)"
	echo
	others
	echo
	for p in hops lookup traffic repair; do
		[ ! -s "$out/scale-$p.png" ] || echo "![$p](scale-$p.png)"
	done
}

points() { # JQ : "N value" of the growing parts, rising
	jq -r "select(.part | test(\"^(grow|size)-\")) | select(($1) != null) | \"\(.nodes) \($1)\"" "$results" | sort -n >"$tmp/points"
	[ -s "$tmp/points" ]
}

plot() { # NAME YLABEL PLOTS
	gnuplot <<-GNUPLOT
		set terminal png size 800,500
		set output "$out/scale-$1.png"
		set logscale x
		set xrange [50:200000]
		set yrange [0:*]
		set xlabel "nodes"
		set ylabel "$2"
		set key top left
		set grid
		plot $3
	GNUPLOT
}

data="\"$tmp/points\" using"
points "\"\\($(expect 'hops mean')) \\($(expect 'hops p99'))\"" && plot hops 'links crossed' "$data 1:2 with linespoints title 'mean', $data 1:3 with linespoints title 'p99', log(x)/log(2)/2 title 'half of log2 N'"
points '"\(.lookup_p50 * 1000) \(.lookup_p99 * 1000)"' && plot lookup 'ms' "$data 1:2 with linespoints title 'lookup p50', $data 1:3 with linespoints title 'lookup p99'"
points "$(expect bytes)" && plot traffic 'bytes/s' "$data 1:2 with linespoints title 'sent by an idle light node'"
points "$(ring_after crash)" && plot repair 's' "$data 1:2 with linespoints title 'one ring after 10 % vanished'"
markdown >"$out/scale.md"
echo "scale: $out/scale.md" >&2
