#!/bin/sh
# check.sh - runs registers.pml with Spin: every scene to the end of its state space, where nothing
# may be violated, and again with one rule switched off, where something must be. FULL=1 takes
# larger bounds too (minutes, 3 GB). Two runs at a time.
set -u
: "${SRCDIR:?}"
if ! command -v spin >/dev/null; then
	echo "1..0 # SKIP no spin here"
	exit 0
fi
model=$SRCDIR/tests/model/registers.pml
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM

# The bounds of a scene; kinds of operations are bits: 1 claim, 2 renew, 3 release, 4 transfer, 5 again.
bounds() {
	case $1 in
	leases) echo -DOLD=3 -DOPS=2 -DKINDS=6 ;;
	releases) echo -DOLD=3 -DOPS=3 -DKINDS=10 -DTIMELESS ;;
	transfers) echo -DOLD=3 -DOPS=3 -DKINDS=22 -DTIMELESS ;;
	returns) echo -DOLD=4 -DOPS=4 -DKINDS=18 -DRETURNS -DTIMELESS ;;
	reads) echo -DOLD=3 -DOPS=1 -DREADS -DTIMELESS ;;
	twins) echo -DOLD=3 -DOPS=2 -DTWINS -DTIMELESS ;;
	restarts) echo -DOLD=2 -DOPS=2 -DRESTARTS=1 ;;
	crashes) echo -DOLD=3 -DOPS=2 -DRESTARTS=1 -DTIMELESS ;;
	losses) echo -DOLD=3 -DOPS=2 -DLOSSES=1 -DTIMELESS ;;
	successors) echo -DOLD=0 -DOPS=1 -DKINDS=0 -DCHANGES=4 -DTIMELESS ;;
	handover) echo -DOLD=2 -DNEW=1 -DCHANGES=1 -DAT_ONCE -DOPS=2 -DTIMELESS ;;
	old-leases) echo -DOLD=1 -DNEW=1 -DCHANGES=1 -DAT_ONCE -DOPS=2 ;;
	lost-in-change) echo -DOLD=1 -DNEW=2 -DCHANGES=1 -DAT_ONCE -DOPS=2 -DTIMELESS -DLOSSES=1 ;;
	reset) echo -DOLD=2 -DNEW=2 -DOPS=3 -DKINDS=38 -DRESET ;;
	long-reset) echo -DOLD=1 -DNEW=2 -DOPS=3 -DKINDS=34 -DRESET -DLEASE=3 ;;
	two-changes) echo -DOLD=1 -DNEW=1 -DCHANGES=2 -DAT_ONCE -DOPS=2 -DTIMELESS ;;
	long-leases) echo -DOLD=3 -DOPS=2 -DKINDS=6 -DLEASE=2 ;;
	late-transfers) echo -DOLD=3 -DOPS=3 -DKINDS=22 ;;
	esac
}
scenes='leases releases transfers returns reads twins restarts crashes losses successors handover old-leases
	lost-in-change reset long-reset'
[ -z "${FULL-}" ] || scenes="$scenes two-changes long-leases late-transfers"

# SCENE SWITCH what the switch does
switches='leases IGNORE_PROMISE an acceptor ignores its promises (R3)
leases ANSWER_CLOCK an owner counts from the answer (R8)
leases NO_MARGIN keepers leave no margin for clocks (R9)
releases LATE_ANSWER a late answer is taken (R7)
transfers OLD_NUMBER an older operation number is taken (R6)
returns ANY_GENERATION what the heir asked for when he owned it before is taken
reads NO_REPEAT a reader is told what only some keepers have (R10)
twins SAME_BALLOT one ballot is promised to two proposers (R3)
restarts RESTART_EXPIRED a restarted keeper takes leases for expired (R9)
crashes NOT_DURABLE promises are not durable (R3)
losses AMNESIA a keeper that lost its disk goes on as the same (R12)
successors NEW_SUCCESSOR a successor that was accepted is not proposed again (R2)
successors MIXED_BALLOTS signatures of different ballots prove a successor (R2)
handover NO_SEAL an old keeper goes on after it accepted a successor (R11)
handover ONE_SNAPSHOT the cells of one old keeper are enough (R11)
handover PULL_UNSEALED cells are copied from keepers that are not sealed (R11)
handover SERVE_EARLY a new keeper answers before it has the cells (R11)
old-leases COPY_EXPIRED copied cells count as old (R9)
lost-in-change REINSTALL a keeper that lost its disk is installed again as the same (R12)
reset NO_WAIT keepers of a new era give addresses away at once (R13)
long-reset LATE_AGAIN old owners are registered again after the wait (R13)'

memory='-DMEMLIM=1000'
[ -z "${FULL-}" ] || memory='-DMEMLIM=3000 -DCOLLAPSE'

# run SCENE [SWITCH]: leaves $dir/SCENE[.SWITCH]/out. What ends early is not worth optimizing.
run() {
	set -- "$1" "${2-}"
	at=$dir/$1${2:+.$2}
	mkdir "$at" && cd "$at" || exit 1
	# shellcheck disable=SC2046,SC2086 # lists of flags
	spin -a $(bounds "$1") ${2:+"-D$2"} "$model" >out 2>&1 &&
		${CC:-cc} -w -O"$((${#2} == 0))" -DSAFETY $memory -o pan pan.c >>out 2>&1 &&
		./pan -E -n -m10000 -w22 >>out 2>&1
}
half() {
	while read -r scene switch _; do
		run "$scene" "$switch"
	done
}

{ for s in $scenes; do echo "$s"; done && echo "$switches"; } >"$dir/all"
awk 'NR % 2 == 0' "$dir/all" >"$dir/even"
awk 'NR % 2 == 1' "$dir/all" | half &
other=$!
half <"$dir/even"
wait $other

n=0
tell() { # OK TEXT OUT
	n=$((n + 1))
	[ "$1" = 0 ] && echo "ok $n - $2" && return
	echo "not ok $n - $2"
	grep -v '^$' "$3" | tail -20 | sed 's/^/# /'
}
total=0
for s in $scenes; do
	out=$dir/$s/out
	! grep -q 'errors: 0$' "$out" || grep -Eq 'max search depth too small|not completed' "$out"
	tell $((!$?)) "$s: nothing is violated" "$out"
	total=$((total + $(awk '/states, stored/ { print $1 }' "$out" | tail -1)))
done
while read -r scene switch what; do
	out=$dir/$scene.$switch/out
	grep -q 'assertion violated' "$out"
	tell $? "$scene: found when $what" "$out"
done <<-END
	$switches
END
echo "# note: $total states of the true model"
echo "1..$n"
