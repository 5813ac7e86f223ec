"""token.py FIELD FROM INTO - prints the token INTO with one field taken from the token FROM, and a
right checksum: what a stranger would build. FIELD is `overlay` (the overlay key) or `namespace`
(everything but the overlay key and the contacts). Both tokens are one line each, as arguments."""
import base64
import hashlib
import sys

PREFIX = "vpnd1:"
LABEL = b"vpnd token text"
# docs/protocol.md 7.3: root key 32, rendezvous 32, overlay key 32, checkpoint 40, seed 32, contacts,
# checksum 4.
OVERLAY = slice(64, 96)
CONTACTS = 168


def decode(text):
    data = text.strip().removeprefix(PREFIX)
    return base64.urlsafe_b64decode(data + "=" * (-len(data) % 4))[:-4]


def encode(body):
    digest = hashlib.blake2b(bytes([len(LABEL)]) + LABEL + body, digest_size=16).digest()
    return PREFIX + base64.urlsafe_b64encode(body + digest[:4]).decode().rstrip("=")


def main(field, source, target):
    a, b = decode(source), bytearray(decode(target))
    if field == "overlay":
        b[OVERLAY] = a[OVERLAY]
    else:
        key = b[OVERLAY]
        b[:CONTACTS] = a[:CONTACTS]
        b[OVERLAY] = key
    print(encode(bytes(b)))


main(*sys.argv[1:])
