"""flood.py ADDRESS PORT COUNT [CAPTURE] - sends COUNT random datagrams; half of them have the first
byte and the length of a captured one, when there is a capture. Prints how many answers came back."""
import os
import random
import socket
import sys

from pcap import datagrams


def main(address, port, count, capture=None):
    shapes = [(p[:1], len(p)) for p in datagrams(capture)] if capture else []
    s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    s.connect((address, int(port)))
    noise = os.urandom(1 << 20)
    for i in range(int(count)):
        first, length = random.choice(shapes) if shapes and i & 1 else (b"", random.randint(0, 1400))
        start = random.randrange(len(noise) - 1500)
        try:
            s.send((first + noise[start : start + length])[:length])
        except OSError:
            pass  # refused, or our own queue is full
    s.settimeout(0.5)
    answers = 0
    try:
        while s.recv(2048):
            answers += 1
    except OSError:
        pass
    print(answers)


main(*sys.argv[1:])
