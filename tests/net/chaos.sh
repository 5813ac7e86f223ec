#!/bin/sh
# chaos.sh - 20 nodes claim, renew, give back and hand over addresses and names while nodes are
# killed and stopped, disks fill up and the network falls apart. In the end everybody has an address
# again, and from what the daemons tell nothing was ever owned twice.
#
#   k1 .. k5   9.9.0.1 - 5   (keepers; k4 and k5 have disks of 2 MiB)  ---+--- br0
#   m1 .. m15  9.9.0.6 - 20                                            ---+
#
# CHAOS_SECONDS=300 for longer; CHAOS_SEED= what a run has printed brings the same choices again.
set -eu
. "$SRCDIR/tests/lab/lib.sh"

keepers='k1 k2 k3 k4 k5'
members='m1 m2 m3 m4 m5 m6 m7 m8 m9 m10 m11 m12 m13 m14 m15'
AT_ONCE=5 # nodes in trouble
seed=${CHAOS_SEED:-$(date +%s)}
kills=0 heard=0 stops=0 parts=0 disks=0
troubled='' # hosts; when and how they get out of it: DUE_host, CURE_host
cut=''	    # hosts that are cut off
cut_due=0

# random N: R is 0 .. N-1. any WORD...: ANY is one of them.
random() {
	seed=$(((seed * 1103515245 + 12345) % 2147483648))
	R=$((seed / 65536 % $1))
}
any() {
	random $#
	shift "$R"
	ANY=$1
}

# --- what people do: in the background, counted in a file ---
operate() {
	host=$1 result=ok
	shift
	said=$(timeout 10 "$VPNCTL" --socket "$LAB_DIR/$host/sock" "$@" 2>&1) || result=failed
	echo "$result $1 $2: $said" >>"$LAB_DIR/operations"
}
# A lease of HOST besides the one that it had first, or nothing.
spare_lease() {
	eval "first=\$ADDRESS_$1"
	timeout 2 "$VPNCTL" --socket "$LAB_DIR/$1/sock" --json lease list 2>/dev/null |
		jq -r "[.addresses[]? | select(.kind == \"address\" and .state == \"held\" and .value != \"$first\") |
			.value] | last // empty"
}
one_operation() {
	any $members k2 k3
	who=$ANY
	any $members
	eval "heir=\$KEY_$ANY"
	random 6
	name="n$R"
	random 10
	case $R in
	0 | 1) set -- name add "$name" ;; # six names, which all want
	2) set -- name del "$name" ;;
	3 | 4) set -- lease add ;;
	5 | 6) set -- lease release "$(spare_lease "$who" || :)" ;;
	*) set -- lease transfer "$(spare_lease "$who" || :)" "$heir" ;;
	esac
	[ -n "${3-x}" ] || return 0
	operate "$who" "$@" &
}

# --- what happens to nodes ---
trouble() { # HOST MILLISECONDS CURE
	troubled="$troubled $1"
	eval "DUE_$1=$(($(lab_now) + $2)) CURE_$1=$3"
}
well() {
	left=
	for h in $troubled; do
		[ "$h" = "$1" ] || left="$left $h"
	done
	troubled=$left
}
is_troubled() {
	case " $troubled " in *" $1 "*) return 0 ;; esac
	return 1
}
cure() {
	eval "how=\$CURE_$1"
	well "$1"
	case $how in
	start) vpnd_start "$1" || trouble "$1" 1000 start ;;
	continue) kill -CONT "$(vpnd_pid "$1")" ;;
	room) rm -f "$LAB_DIR/$1/state/filler" ;;
	esac
}
cure_due() {
	now=$(lab_now)
	for host in $troubled; do
		eval "due=\$DUE_$host"
		[ "$now" -lt "$due" ] || cure "$host"
	done
	[ "$cut_due" -eq 0 ] || [ "$now" -lt "$cut_due" ] || join_all
}
# Has it told anything since its start? Who was killed before that left nothing to be told of.
wrote_audit() {
	tail -n 1 "$LAB_DIR/$1.audit" | grep -q -v ' die$'
}
one_trouble() {
	# shellcheck disable=SC2086 # a list of words
	set -- $troubled
	[ $# -lt $AT_ONCE ] || return 0
	any $keepers $members
	victim=$ANY
	! is_troubled "$victim" || return 0
	kill -0 "$(vpnd_pid "$victim")" 2>/dev/null || return 0 # aborted: said in the end
	random 4000
	long=$R
	random 10
	case $R in
	0 | 1 | 2 | 3)
		! wrote_audit "$victim" || heard=$((heard + 1))
		vpnd_stop "$victim" KILL
		kills=$((kills + 1))
		trouble "$victim" "$long" start
		;;
	4 | 5 | 6)
		kill -STOP "$(vpnd_pid "$victim")"
		stops=$((stops + 1))
		trouble "$victim" $((long * 2)) continue
		;;
	7)
		any k4 k5
		! is_troubled "$ANY" || return 0
		dd if=/dev/zero of="$LAB_DIR/$ANY/state/filler" bs=4k >/dev/null 2>&1 || :
		disks=$((disks + 1))
		trouble "$ANY" $((long + 1000)) room
		;;
	*) cut_off ;;
	esac
}

# Some hosts hear only each other, and (every other time) are heard by nobody else.
cut_off() {
	[ "$cut_due" -eq 0 ] || return 0
	random 9
	count=$((R + 1))
	cut='' from4='' from6=''
	while [ $count -gt 0 ]; do
		any $keepers $members
		count=$((count - 1))
		case " $cut " in *" $ANY "*) continue ;; esac
		cut="$cut $ANY"
		from4="$from4${from4:+, }9.9.0.$(lab_number "$ANY")"
		from6="$from6${from6:+, }fd99::$(lab_number "$ANY")"
	done
	random 2
	for host in $cut; do
		at "$host" nft -f - <<-END
			table inet chaos {
				chain in {
					type filter hook input priority 0
					ip saddr 9.9.0.0/16 ip saddr != { $from4 } drop
					ip6 saddr fd99::/64 ip6 saddr != { $from6 } drop
				}
				chain out {
					type filter hook output priority 0
					$([ "$R" = 0 ] || echo "ip daddr 9.9.0.0/16 ip daddr != { $from4 } drop
					ip6 daddr fd99::/64 ip6 daddr != { $from6 } drop")
				}
			}
		END
	done
	parts=$((parts + 1))
	random 6000
	cut_due=$(($(lab_now) + 2000 + R))
}
join_all() {
	for host in $cut; do
		at "$host" nft delete table inet chaos
	done
	cut='' cut_due=0
}

counted() {
	grep -c "^$1" "$LAB_DIR/operations" || :
}
ready() {
	for host in $keepers $members; do
		ctl "$host" wait --timeout 1s >/dev/null || { echo "$host is not ready" && return 1; }
	done
}
as_before() {
	for host in $keepers $members; do
		eval "before=\$ADDRESS_$host"
		[ "$(lab_address "$host")" = "$before" ] || { echo "$host had $before" && return 1; }
	done
}

LAB_AUDIT=yes
lab_begin vt-chaos
echo "# note: CHAOS_SEED=$seed"
n=0
for h in $keepers $members; do
	lab_host "$h" $((n += 1))
done
lab_small_disk k4 2m
lab_small_disk k5 2m
vpnd_start k1
ctl k1 create demo --subnet 10.77.0.0/16 --lease 1m >/dev/null
ctl k1 wait --timeout 60s >/dev/null
token=$(token k1 demo --uses 4 --right keeper)
for h in k2 k3 k4 k5; do
	vpnd_start $h join --token-file "$token"
	ctl $h wait --timeout 60s >/dev/null
done
t "there are five keepers" wait_for 120 sh -c '"$0" --socket "$1" keepers grow; [ "$("$0" --socket "$1" --json keepers |
	jq "[.keepers[] | select(.state == \"works\")] | length")" = 5 ]' "$VPNCTL" "$LAB_DIR/k1/sock"
token=$(token k1 demo --uses 15)
for h in $members; do
	vpnd_start "$h" join --token-file "$token"
done
t "and twenty members" wait_for 120 ready
for h in $keepers $members; do
	eval "ADDRESS_$h=$(lab_address "$h") KEY_$h=$(field "$h" .key status)"
done
: >"$LAB_DIR/operations"

last=$(($(lab_now) + ${CHAOS_SECONDS:-60} * 1000))
while [ "$(lab_now)" -lt $last ]; do
	cure_due
	one_operation
	random 2
	[ "$R" = 0 ] || one_trouble
	sleep 0.1
done
[ "$cut_due" -eq 0 ] || join_all
for h in $troubled; do
	cure "$h"
done
echo "# note: $(counted ok) operations done, $(counted failed) failed; claims $(counted 'ok .* add'), $(counted 'failed .* add') failed"
echo "# note: $kills kills ($heard of who had told something), $stops stops, $parts partitions, $disks full disks"
# However slow the machine: what is asked for is that not everything failed.
enough() { [ "$(counted ok)" -ge $((${CHAOS_SECONDS:-60} / 4)) ] && [ $kills -gt 0 ] && [ $stops -gt 0 ] && [ $parts -gt 0 ]; }
t "there was something to see" enough

began=$(lab_now)
t "all is well again: everybody is ready within two minutes" wait_for 120 ready
echo "# note: after $(($(lab_now) - began)) ms"
t "under the address that it had" as_before
t "five keepers work" wait_for 60 keepers_are k2 5
t "they grant" wait_for 30 ctl m1 name add peace
for pair in 'm1 m2' 'm3 k4' 'k5 m6' 'm7 m15'; do
	# shellcheck disable=SC2086 # two words
	set -- $pair
	t "$1 reaches $2" wait_for 20 answered "$1" "$(lab_address "$2")"
done
told() { [ "$(cat "$LAB_DIR"/*.audit | grep -c ' die$')" -ge $heard ]; }
t "the audit tells of every kill" told
t "nothing was owned twice" lab_audit
t_done
