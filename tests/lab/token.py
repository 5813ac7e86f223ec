"""token.py FIELD FROM INTO - prints the token INTO with one field taken from the token FROM, and a
right checksum: what a stranger would build. FIELD is `overlay` (the overlay key) or `namespace`
(everything but the overlay key and the contacts). Both tokens are one line each, as arguments."""
import base64
import hashlib
import sys

PREFIX = "vpnd1:"
# docs/protocol.md 7.3: root, rendezvous, overlay key, checkpoint and seed, each 32 bytes, but the
# checkpoint, which is era, epoch and hash; then contacts and a checksum of 4 bytes.
LABEL = b"vpnd token text"
OVERLAY = slice(64, 96)
