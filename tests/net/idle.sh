#!/bin/sh
# idle.sh - what a daemon with two peers costs when nothing happens.
#
#   alpha  9.9.0.1  (measured, keeper) ---+
#   beta   9.9.0.2  (measured)         ---+--- br0
#   gamma  9.9.0.3                     ---+
set -eu
. "$SRCDIR/tests/lab/lib.sh"

seconds=10

resident() { # KiB
	awk '/^VmRSS/ { print $2 }' "/proc/$(vpnd_pid "$1")/status"
}

used() { # microseconds of all its threads, user and system
	ticks=$(sed 's/.*) //' "/proc/$(vpnd_pid "$1")/stat" | awk '{ print $12 + $13 }')
	echo $((ticks * 1000000 / $(getconf CLK_TCK)))
}

lab_begin vt-idle
lab_host alpha 1
lab_host beta 2
lab_host gamma 3
lab_namespace demo alpha beta gamma
for h in beta gamma; do
	answered $h "$(lab_address alpha)" >/dev/null || :
done
answered beta "$(lab_address gamma)" >/dev/null || :
two_peers() { [ "$(field "$1" '[.peers[] | select(.attached)] | length' peers)" -eq 2 ]; }
for h in alpha beta; do
	t "$h has two peers" wait_for 20 two_peers $h
done
sleep 2 # what joining set off is over
alpha=$(used alpha) beta=$(used beta)
sleep $seconds
alpha=$(($(used alpha) - alpha)) beta=$(($(used beta) - beta))
for h in alpha beta; do
	cpu=$(eval "echo \$$h")
	echo "# note: $h: resident $(resident $h) KiB, CPU $((cpu / 1000)) ms of ${seconds} s"
	t "$h is under 16 MiB resident" [ "$(resident $h)" -lt 16384 ]
	t "and uses under 0.5 % of a core" [ "$cpu" -lt $((seconds * 5000)) ]
done
t_done
