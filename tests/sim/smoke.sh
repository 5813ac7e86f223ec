#!/bin/sh
# smoke.sh - every scenario, twice with one seed (equal traces) and once with another.
set -u
: "${VPNSIM:?}"
n=0
for scenario in join race restart partition weather bad-disk speed idle swizzle blackout storm \
	token disks copy; do
	n=$((n + 1))
	a=$("$VPNSIM" --seed "$n" "$scenario" 2>&1) && b=$("$VPNSIM" --seed "$n" "$scenario" 2>&1) &&
		c=$("$VPNSIM" --seed "10$n" "$scenario" 2>&1)
	status=$?
	if [ $status -eq 0 ] && [ "$a" = "$b" ] && [ "${a##*trace}" != "${c##*trace}" ]; then
		echo "ok $n - $scenario goes as it must, and twice the same for one seed"
	else
		echo "not ok $n - $scenario goes as it must, and twice the same for one seed"
		printf '%s\n---\n%s\n---\n%s\n' "$a" "${b-}" "${c-}" | tail -25 | sed 's/^/# /'
	fi
done
echo "1..$n"
