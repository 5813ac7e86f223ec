"""ring.py NEAR FILE... - is this one ring? FILE is what `vpnctl --json peers` said on a node, FILE.key its
key. For every node the NEAR nearest nodes on each side, computed from all the keys, must be among
those it has a direct session with. Prints what is missing; exits 1 if anything is."""
import base64
import hashlib
import json
import os
import sys

BITS = 160


def node_id(key):
    digest = hashlib.blake2b(base64.urlsafe_b64decode(key + "="), digest_size=64).digest()
    return int.from_bytes(digest[: BITS // 8], "big")


def main():
    near = int(sys.argv[1])
    names, linked = {}, {}
    for path in sys.argv[2:]:
        with open(path + ".key", encoding="utf-8") as f:
            key = f.read().strip()
        with open(path, encoding="utf-8") as f:
            peers = json.load(f)["peers"]
        names[key] = os.path.basename(path)
        linked[key] = {p["key"] for p in peers if p["path"] == "direct"}
    ring = sorted(names, key=node_id)
    wrong = 0
    for i, key in enumerate(ring):
        wanted = {ring[(i + d) % len(ring)] for d in range(-near, near + 1)} - {key}
        missing = wanted - linked[key]
        wrong += len(missing)
        for other in missing:
            print(f"{names[key]} has no link with {names[other]}")
    print(f"{len(ring)} nodes, {wrong} near links missing,"
          f" {sum(map(len, linked.values())) / len(ring):.1f} sessions a node")
    return 1 if wrong else 0


sys.exit(main())
