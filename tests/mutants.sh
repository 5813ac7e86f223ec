#!/bin/sh
# mutants.sh - every fault of base/mutant.h is found by the schedules that look for it, within
# seconds, and none is found where none is; so do a few unit tests for what lies beyond schedules.
# VPNSIM_MUTANTS is a vpnsim built with -DVPND_MUTANTS (`make check-mutants`), beside it the tests.
set -u
: "${VPNSIM:?}" "${VPNSIM_MUTANTS:?}"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
n=0

# verdict CONDITION-STATUS TEXT OUTPUT
verdict() {
	n=$((n + 1))
	[ "$1" -eq 0 ] && echo "ok $n - $2" && return
	echo "not ok $n - $2"
	printf '%s\n' "$3" | tail -5 | sed 's/^/# /'
}

# caught MUTANT FLAVOUR SCHEDULES
caught() {
	out=$(cd "$dir" && timeout 300 "$VPNSIM_MUTANTS" ownership --mutant "$1" --flavour "$2" \
		--schedules "$3" --seed 7 2>&1)
	status=$?
	[ $status -eq 1 ]
	verdict $? "the fault '$1' is found among $3 schedules ($2)" "status $status
$out"
}

# lied MUTANT SETS FLAVOUR SCHEDULES : a rule against lying keepers is switched off, and keepers lie
lied() {
	out=$(cd "$dir" && timeout 300 "$VPNSIM_MUTANTS" ownership --mutant "$1" --sets "$2" --liars all \
		${3:+--flavour "$3"} --schedules "$4" --seed 7 2>&1)
	status=$?
	[ $status -eq 1 ]
	verdict $? "the fault '$1' is found among $4 schedules with liars" "status $status
$out"
}

# clean FLAVOUR SCHEDULES : the same, without a fault
clean() {
	out=$(cd "$dir" && timeout 300 "$VPNSIM_MUTANTS" ownership --flavour "$1" --schedules "$2" \
		--seed 7 2>&1)
	status=$?
	[ $status -eq 0 ]
	verdict $? "nothing is found among $2 schedules ($1) without a fault" "status $status
$out"
}

# fails MUTANT TEST SENTENCE : this one test fails with the fault, and all of them pass without
fails() {
	test=$(dirname "$VPNSIM_MUTANTS")/tests/unit/test_$2
	out=$(VPND_MUTANT=$1 timeout 60 "$test" 2>&1)
	status=$?
	[ $status -eq 1 ] && printf '%s\n' "$out" | grep -q "^not ok [0-9]* - $3\$" &&
		"$test" >/dev/null 2>&1
	verdict $? "with the fault '$1' it does not hold: $3" "status $status
$out"
}

while read -r mutant flavour schedules; do
	caught "$mutant" "$flavour" "$schedules"
done <<-LIST
	restart-expired restarts 300
	from-answer still 200
	no-margin edge 200
	ignore-promise late 50
	late-answer late 50
	view-quorum any 200
	single-phase any 100
	transfer-resumes duel 50
	early-use copies 400
	old-grant late 50
	free-token tokens 50
	revoked-enrols tokens 50
	lost-write quorums 200
	no-seal quorums 400
	one-snapshot quorums 1600
	amnesia quorums 400
	reinstall reinstall 50
	no-floor duel 400
LIST
while read -r mutant sets flavour schedules; do
	[ "$flavour" = mixed ] && flavour=
	lied "$mutant" "$sets" "$flavour" "$schedules"
done <<-LIST
	takes-all hardened mixed 50
	takes-ages hardened mixed 100
	takes-dates hardened mixed 50
	takes-leases hardened mixed 800
	takes-copies hardened changes 600
	takes-derived hardened mixed 50
	takes-reports hardened mixed 50
	takes-sets hardened changes 1200
	one-is-enough hardened mixed 50
LIST
while read -r mutant test sentence; do
	fails "$mutant" "$test" "$sentence"
done <<-LIST
	old-grant vnet_owner vnet replayed old grant loses once the lookup answers
	old-grant witness witness believes rising generations and refuses lower ones
	first-sight vnet_owner vnet replayed old grant loses once the lookup answers
	no-floor acceptor_floor acceptor floor refuses what a forgotten promise would
	floor-lost acceptor_floor acceptor floor outlasts a restart and so does the position
LIST
for flavour in any late still edge copies tokens duel restarts changes quorums reinstall floors; do
	clean $flavour 200
done

out=$("$VPNSIM" ownership --mutant no-seal --schedules 1 2>&1)
[ $? -eq 2 ]
verdict $? 'an ordinary vpnsim has no faults to switch on' "$out"
out=$("$VPNSIM_MUTANTS" ownership --mutant nonsense --schedules 1 2>&1)
[ $? -eq 2 ]
verdict $? 'a fault that does not exist is refused' "$out"
echo "1..$n"
