#!/bin/sh
# keepers.sh - one keeper becomes three by itself when the first two members stay; the creator is
# killed and claims go on; a spare takes its place.
#
#   alpha  9.9.0.1  (creates, keeper; killed)  ---+
#   beta   9.9.0.2  (becomes keeper)           ---+--- br0
#   gamma  9.9.0.3  (becomes keeper)           ---+
#   delta  9.9.0.4  (may be keeper: the spare) ---+
set -eu
. "$SRCDIR/tests/lab/lib.sh"

owns() { field "$1" ".addresses[] | select(.value == \"$2\") | .state" addresses | grep -qx held; }
names() { field "$1" '[.keepers[].name] | sort | join(" ")' keepers; }
keys() { field "$1" '[.keepers[].key] | sort | join(" ")' keepers; } # whose names only keepers know
as_beta_says() { [ "$(keys "$1")" = "$(keys beta)" ]; }
are() { [ "$(names "$1")" = "$2" ]; }
unreachable() {
	[ "$(field "$1" '[.keepers[] | select(.reachable | not) | .name] | sort | join(" ")' keepers)" = "$2" ]
}
there() { field "$1" '.sets[0].candidates[] | select(.present) | .name' keepers | grep -qx "$2"; }
spare() { field "$1" '.sets[0].candidates[].name' keepers | grep -qx "$2"; }
epoch() { field "$1" '.sets[0].epoch' keepers; }
# Within so many milliseconds; else a name like this one, and another (why: best_of in lib.sh).
claims() {
	for lab_try in '' 2 3; do
		lab_began=$(lab_now)
		ctl "$1" name add "$2$lab_try" || return 1
		took=$(($(lab_now) - lab_began))
		echo "$took" >"$LAB_DIR/took"
		! within "$3" "$took" || return 0
	done
	return 1
}

LAB_AUDIT=yes
lab_begin vt-keepers
n=0
for h in alpha beta gamma delta; do
	lab_host $h $((n += 1))
done
began=$(lab_now)
LAB_KEEPERS=auto
lab_namespace demo alpha beta gamma
t "one keeper at first: the creator" are beta alpha
t "and the first two members may become keepers" wait_for 60 spare alpha beta
beta=$(lab_address beta)
t "when they have stayed a minute there are three" wait_for 180 are gamma "alpha beta gamma"
echo "# note: three after $((($(lab_now) - began) / 1000)) s"
t "all of which work" wait_for 60 keepers_are beta 3
t "nobody's address changed" [ "$(lab_address beta)" = "$beta" ]
ctl alpha root add-admin beta >/dev/null
token=$(token alpha demo --right keeper)
vpnd_start delta join --token-file "$token"
ctl delta wait --timeout 60s >/dev/null
t "a fourth member that may be one is known as such" wait_for 60 spare alpha delta

vpnd_stop alpha KILL
t "the creator is killed: a claim is granted within 2 s" claims gamma after 2000
echo "# note: granted after $(cat "$LAB_DIR/took") ms"
t "also to who is no keeper, within 5 s" claims delta orphan 5000
echo "# note: granted after $(cat "$LAB_DIR/took") ms"
t "vpnctl keepers says that the creator is not heard" wait_for 60 unreachable beta alpha
t "the others hear of the spare, which was attached to the creator" wait_for 60 there beta delta
old=$(epoch beta)
t "it is taken in the creator's place when a person does not want to wait" wait_for 60 ctl beta keepers grow
t "and three work" wait_for 60 keepers_are gamma 3
t "without the creator" are gamma "beta delta gamma"
t "in the next epoch" [ "$(epoch gamma)" -eq $((old + 1)) ]

vpnd_stop gamma KILL
t "the newcomer has what it must know: another one killed, claims go on" claims beta more 5000
t "and names stay with their owners" owns delta orphan
vpnd_start gamma
vpnd_start alpha
t "the creator is back as a member" ctl alpha wait --timeout 60s
t "that knows who the keepers are" wait_for 60 as_beta_says alpha
t "and may become one again" wait_for 60 spare beta alpha
t "all three keepers work" wait_for 60 keepers_are beta 3
t "what the creator claims is granted" wait_for 60 ctl alpha name add again
t "nothing was owned twice" lab_audit
t_done
