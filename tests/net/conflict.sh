#!/bin/sh
# conflict.sh - three hosts ask for one address and one name: one has each, the others are told who.
#
#   alpha  9.9.0.1  (creates)                           ---+
#   beta   9.9.0.2  --address 10.77.0.50 --hostname web ---+--- br0
#   gamma  9.9.0.3  the same, at the same time          ---+
#   delta  9.9.0.4  the same, later                     ---+
set -eu
. "$SRCDIR/tests/lab/lib.sh"

wanted=10.77.0.50

lab_begin vt-conflict
lab_host alpha 1
lab_host beta 2
lab_host gamma 3
lab_host delta 4
lab_namespace demo alpha
token=$(token alpha demo --uses 3)

asks() {
	vpnd_start "$1" --hostname web join --address "$wanted" --token-file "$token"
}
asks beta
asks gamma
for h in beta gamma; do
	ctl $h wait --timeout 60s >/dev/null || :
done
beta=$(lab_address beta)
gamma=$(lab_address gamma)
names=$(for h in beta gamma; do field $h '.namespaces[0].host' namespaces; done)

# Who has the address, and who lost it, is a matter of luck.
if [ "$beta" = "$wanted" ]; then
	winner=beta loser=gamma other=$gamma
else
	winner=gamma loser=beta other=$beta
fi
t "one of two that ask at once has the address" [ "$(printf '%s\n%s\n' "$beta" "$gamma" | grep -cx "$wanted")" -eq 1 ]
t "the other keeps running and has another one" ctl "$loser" wait --timeout 60s
in_subnet() { echo "$1" | grep -q '^10\.77\.[0-9]*\.[0-9]*$'; }
t "of the namespace's range" in_subnet "$other"
t "one has the name, the other has it with -2" [ "$(echo "$names" | sort | xargs)" = "web web-2" ]

# The owner is named by its key: every host knows that.
told() {
	owner=$(field "$2" '.key' status)
	cat "$LAB_DIR/$1/vpnd.log"
	grep "$wanted is owned by" "$LAB_DIR/$1/vpnd.log" | grep -qF -e "$owner"
}
t "the loser's log names the owner of the address" told "$loser" "$winner"
refused() { field "$1" '.namespaces[0].refused' status | tee /dev/stderr | grep -q 'is owned by'; }
t "and its status says so" refused "$loser"

asks delta
t "one that asks later is ready too" ctl delta wait --timeout 60s
delta=$(lab_address delta)
t "with an address of its own" [ "$delta" != "$beta" -a "$delta" != "$gamma" -a -n "$delta" ]
t "under web-3" [ "$(field delta '.namespaces[0].host' namespaces)" = web-3 ]
t "and is told who has the address" told delta "$winner"
t "the owner still has it" [ "$(lab_address "$winner")" = "$wanted" ]

for address in "$wanted" "$other" "$delta"; do
	t "$address can be pinged" wait_for 10 answered alpha "$address"
done
lab_resolver alpha
for name in web web-2 web-3; do
	t "$name can be pinged by name" wait_for 10 at alpha ping -4 -c 1 -W 2 "$name.demo.internal"
done
t_done
