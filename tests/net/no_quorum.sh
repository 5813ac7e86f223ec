#!/bin/sh
# no_quorum.sh - the only keeper is gone: what is owned stays owned, what cannot be decided is said.
#
#   alpha  9.9.0.1  (creates, keeper; killed) ---+
#   beta   9.9.0.2                            ---+--- br0
#   gamma  9.9.0.3                            ---+
#   delta  9.9.0.4  (joins meanwhile)         ---+
set -eu
. "$SRCDIR/tests/lab/lib.sh"

lab_begin vt-quorum
n=0
for h in alpha beta gamma delta; do
	lab_host $h $((n += 1))
done
lab_small_disk beta 16m
lab_namespace demo alpha beta gamma
gamma=$(lab_address gamma)
gamma6=$(field gamma '.namespaces[0].ipv6' namespaces)
token=$(token alpha demo)
t "everybody can be pinged" wait_for 10 answered beta "$gamma"

vpnd_stop alpha KILL
vpnd_start delta join --token-file "$token"
t "a name cannot be had: no majority of keepers can be reached, within 5 s" no_majority beta orphan
echo "# note: said after $(cat "$LAB_DIR/took") ms"
trouble() { field "$1" '.namespaces[0].trouble' status | tee /dev/stderr | grep -q "$2"; }
t "and status too" trouble beta 'majority of keepers'
t "owners keep their addresses" wait_for 10 answered beta "$gamma"
t "derived IPv6 works" wait_for 10 answered beta "$gamma6"
t "a node that joins is told that no keeper answers" wait_for 30 logged delta 'cannot reach a keeper'
key=$(field delta .key status)

vpnd_start alpha
t "when the keeper is back that node joins by itself" ctl delta wait --timeout 60s
t "as who it was" [ "$(field delta .key status)" = "$key" ]
quiet() { ! trouble beta 'majority'; }
t "and status says no more that anything is wrong" wait_for 90 quiet
t_done
