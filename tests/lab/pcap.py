"""pcap.py - the UDP payloads of a capture of Ethernet frames with IPv4, as tcpdump -w writes it."""
import struct


def datagrams(path):
    with open(path, "rb") as f:
        data = f.read()
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    at = 24
    out = []
    while at + 16 <= len(data):
        kept = struct.unpack(order + "I", data[at + 8 : at + 12])[0]
        packet = data[at + 16 + 14 : at + 16 + kept]
        at += 16 + kept
        if packet and packet[0] >> 4 == 4 and packet[9] == 17:
            start = (packet[0] & 15) * 4
            length = struct.unpack("!H", packet[start + 4 : start + 6])[0]
            out.append(packet[start + 8 : start + length])
    return out
