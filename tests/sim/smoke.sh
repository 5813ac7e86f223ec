#!/bin/sh
# smoke.sh - every scenario, built in or a file, twice with one seed (equal traces) and once with
# another; and what is not a scenario is refused.
set -u
: "${VPNSIM:?}" "${SRCDIR:?}"
n=0

# goes NAME SCENARIO OPTION...
goes() {
	n=$((n + 1))
	name=$1 a='' b='' c=''
	shift
	a=$("$VPNSIM" --seed "$n" "$@" 2>/dev/null) && b=$("$VPNSIM" --seed "$n" "$@" 2>/dev/null) &&
		c=$("$VPNSIM" --seed "10$n" "$@" 2>/dev/null)
	status=$?
	if [ $status -eq 0 ] && [ "$a" = "$b" ] && [ "${a##*trace}" != "${c##*trace}" ]; then
		echo "ok $n - $name goes as it must, and twice the same for one seed"
	else
		echo "not ok $n - $name goes as it must, and twice the same for one seed"
		printf '%s\n---\n%s\n---\n%s\n' "$a" "${b-}" "${c-}" | tail -40 | sed 's/^/# /'
	fi
}

# refuses WORDS OPTION... : exit status 2, the words on standard error, nothing on standard output
refuses() {
	n=$((n + 1))
	words=$1
	shift
	out=$("$VPNSIM" "$@" 2>&1 >/dev/null)
	status=$?
	case $status-$out in
	2-*"$words"*) echo "ok $n - refused: $*" ;;
	*)	echo "not ok $n - refused: $*"
		echo "# $status $out" ;;
	esac
}

for scenario in join race restart partition weather bad-disk speed idle swizzle blackout storm \
	token disks copy; do
	goes "$scenario" "$scenario"
done
for file in "$SRCDIR"/tests/sim/*.sim; do
	goes "${file##*/}" "$file"
done
goes 'a run without scenario' --nodes 20 --seconds 90
goes 'a run of light nodes' --nodes 50 --seconds 90 --actors light --crypto dummy

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
printf 'nodes 5\nat 5s heel\n' >"$dir/bad.sim"
refuses "bad.sim:2: 'heel' is no directive; is it 'heal'?" "$dir/bad.sim"
refuses "is it 'swizzle'?" swizle
refuses '--nodes must be' --nodes 200001
refuses 'no number' --seed x
refuses 'real or dummy' --crypto none
refuses 'built in' --json - join
refuses 'usage: vpnsim' --nonsense

n=$((n + 1))
# shellcheck disable=SC2016 # a program for Python
if ! command -v python3 >/dev/null; then
	echo "ok $n - every JSON line has the schema's version, the last one everything # SKIP no python3"
elif "$VPNSIM" --nodes 10 --seconds 60 --actors light --crypto dummy --json "$dir/out" >/dev/null 2>&1 &&
	python3 -c '
import json, sys
lines = [json.loads(l) for l in open(sys.argv[1])]
assert len(lines) >= 6 and all(l["vpnsim"] == 1 for l in lines)
assert all(l["type"] == "sample" for l in lines[:-1])
end = lines[-1]
assert end["type"] == "end" and end["ok"] and end["nodes"] == 10 and len(end["trace"]) == 16
assert end["expect"] and end["faults"] and end["hops_mean"] >= 1
assert sum(k["packets"] for k in end["kinds"].values()) == end["packets"]
assert sum(k["bytes"] for k in end["kinds"].values()) == end["bytes"]
' "$dir/out"; then
	echo "ok $n - every JSON line has the schema's version, the last one everything"
else
	echo "not ok $n - every JSON line has the schema's version, the last one everything"
fi
echo "1..$n"
