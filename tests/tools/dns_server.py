#!/usr/bin/python3
"""A scriptable DNS server for functional tests: UDP, A, AAAA and CNAME. Standard library only.

    tests/tools/dns_server.py --zone ZONE.json [--listen 127.0.0.1:0] [--log FILE]

It prints "listening 127.0.0.1:PORT" on standard output once it answers, and runs until it gets SIGTERM or SIGINT.

The zone is a JSON file, looked at before each answer and read again when it changed: so a test changes records or the mode at
run time by replacing the file (write another one and rename it: `write_zone()` below does). A file that cannot be
read leaves the old zone in place and says so on standard error.

    {
      "mode": "answer",              answer | servfail | nxdomain | silent; default: answer
      "modes": {"AAAA": "silent"},   the same for one type; default: none
      "drop": 0,                     this many of the first questions after the change stay unanswered
      "delay_ms": 0,                 wait before each answer
      "records": [
        {"name": "api.test", "type": "CNAME", "value": "edge.test", "ttl": 30},
        {"name": "edge.test", "type": "A", "value": "127.0.0.2", "ttl": 60},
        {"name": "edge.test", "type": "AAAA", "value": "::1", "ttl": 60}
      ]
    }

CNAMEs are followed inside the zone, as a recursive resolver does. A name with records but none of the type asked for
is answered without records, a name without any is NXDOMAIN, other types are answered without records. The case of names does
not matter. Answers over 512 bytes (about 20 addresses) are cut off with the truncation bit, and there is no TCP to fetch them.

--log gets one JSON line a question: {"time": seconds since the epoch, "name": …, "type": "A", "outcome": "answer" |
"servfail" | "nxdomain" | "silent" | "dropped", "addresses": […]}.

From a test in Python:

    with DnsServer({"records": […]}) as dns:      runs this program; dns.address is "127.0.0.1:PORT"
        dns.change({"mode": "servfail"})          replaces the zone
        dns.questions()                           the lines of its log so far
"""
import argparse
import ipaddress
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

_TYPES = {"A": 1, "CNAME": 5, "AAAA": 28}
_TYPE_NAMES = {number: name for name, number in _TYPES.items()}
_RCODES = {"answer": 0, "servfail": 2, "nxdomain": 3}
_MODES = ("answer", "servfail", "nxdomain", "silent")
_UDP_BYTES = 512
_CHAIN_MAX = 8


def write_zone(path, zone):
    """Replaces the file at once, so that the server never sees half of it."""
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(zone, file)
    os.rename(path + ".new", path)


def _pack_name(name):
    labels = name.rstrip(".").encode("ascii").split(b".")
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def _pack_record(record):
    if record["type"] == "CNAME":
        data = _pack_name(record["value"])
    else:
        data = ipaddress.ip_address(record["value"]).packed
    head = struct.pack("!HHIH", _TYPES[record["type"]], 1, record.get("ttl", 60), len(data))
    return _pack_name(record["name"]) + head + data


def _read_question(packet):
    """Returns its name, the number of its type and where it ends; raises ValueError when it is none."""
    labels = []
    at = 12
    try:
        while packet[at] != 0:
            if packet[at] > 63:
                raise ValueError("a compressed question")
            labels.append(packet[at + 1:at + 1 + packet[at]].decode("ascii"))
            at += 1 + packet[at]
        number, _ = struct.unpack_from("!HH", packet, at + 1)
    except (IndexError, struct.error, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from error
    return ".".join(labels), number, at + 5


class _Zone:
    def __init__(self, path):
        self._path = path
        self._seen = None
        self._zone = {}
        self._drop = 0
        self.refresh()
        if self._seen is None:
            raise SystemExit(f"dns_server: cannot read {path}")

    def refresh(self):
        try:
            info = os.stat(self._path)
            seen = (info.st_mtime_ns, info.st_ino, info.st_size)
            if seen == self._seen:
                return
            with open(self._path, encoding="utf-8") as file:
                zone = json.load(file)
            self._check(zone)
        except (OSError, ValueError, KeyError, TypeError) as error:
            print(f"dns_server: zone kept as it was: {error!r}", file=sys.stderr, flush=True)
            return
        self._seen = seen
        self._zone = zone
        self._drop = zone.get("drop", 0)

    @staticmethod
    def _check(zone):
        for mode in [zone.get("mode", "answer"), *zone.get("modes", {}).values()]:
            if mode not in _MODES:
                raise ValueError(f"no such mode: {mode}")
        for record in zone.get("records", []):
            _pack_record(record)

    @property
    def delay_s(self):
        return self._zone.get("delay_ms", 0) / 1000

    def outcome(self, type_name):
        if self._drop > 0:
            self._drop -= 1
            return "dropped"
        mode = self._zone.get("mode", "answer")
        return self._zone.get("modes", {}).get(type_name, mode)

    def _of(self, name):
        return [record for record in self._zone.get("records", []) if record["name"].lower() == name.lower()]

    def has(self, name):
        return bool(self._of(name))

    def find(self, name, type_name):
        found = []
        for _ in range(_CHAIN_MAX):
            records = self._of(name)
            found += [record for record in records if record["type"] in (type_name, "CNAME")]
            names = [record["value"] for record in records if record["type"] == "CNAME"]
            if not names:
                break
            name = names[0]
        return found


def _answer(zone, packet):
    """Returns the reply, or None to stay silent, and what to log."""
    name, number, end = _read_question(packet)
    type_name = _TYPE_NAMES.get(number, str(number))
    outcome = zone.outcome(type_name)
    line = {"time": time.time(), "name": name, "type": type_name, "outcome": outcome, "addresses": []}
    if outcome in ("silent", "dropped"):
        return None, line
    records = zone.find(name, type_name) if outcome == "answer" else []
    if outcome == "answer" and not zone.has(name):
        line["outcome"] = outcome = "nxdomain"
    line["addresses"] = [record["value"] for record in records if record["type"] != "CNAME"]
    body = b"".join(_pack_record(record) for record in records)
    flags = 0x8180 | _RCODES[outcome]
    if end + len(body) > _UDP_BYTES:
        flags |= 0x0200
        records, body = [], b""
    head = packet[:2] + struct.pack("!HHHHH", flags, 1, len(records), 0, 0)
    return head + packet[12:end] + body, line


def _serve(sock, zone, log):
    while True:
        packet, peer = sock.recvfrom(4096)
        zone.refresh()
        try:
            reply, line = _answer(zone, packet)
        except ValueError:
            continue
        if log is not None:
            log.write(json.dumps(line) + "\n")
            log.flush()
        if reply is not None:
            time.sleep(zone.delay_s)
            sock.sendto(reply, peer)


class DnsServer:
    """Runs this program with a zone of its own; for `with`."""

    def __init__(self, zone, listen="127.0.0.1:0"):
        self._zone = zone
        self._listen = listen
        self._folder = None
        self._process = None
        self.address = None

    def _path(self, name):
        return os.path.join(self._folder.name, name)

    def __enter__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="dns-server-")
        self.change(self._zone)
        command = [sys.executable, os.path.abspath(__file__), "--zone", self._path("zone.json"),
                   "--log", self._path("log"), "--listen", self._listen]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        line = self._process.stdout.readline()
        if not line.startswith("listening "):
            self.__exit__()
            raise RuntimeError("dns_server did not start")
        self.address = line.split()[1]
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait()
        self._process.stdout.close()
        self._folder.cleanup()

    def change(self, zone):
        write_zone(self._path("zone.json"), zone)

    def questions(self):
        with open(self._path("log"), encoding="utf-8") as file:
            return [json.loads(line) for line in file]


def main():
    parser = argparse.ArgumentParser(description="A scriptable DNS server for tests.")
    parser.add_argument("--zone", required=True, help="JSON file with the records and modes")
    parser.add_argument("--listen", default="127.0.0.1:0", help="HOST:PORT; port 0: any free one")
    parser.add_argument("--log", help="file that gets one JSON line a question")
    args = parser.parse_args()
    host, _, port = args.listen.rpartition(":")
    host = host.strip("[]")
    zone = _Zone(args.zone)
    log = open(args.log, "a", encoding="utf-8") if args.log else None
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((host, int(port)))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    shown = f"[{host}]" if ":" in host else host
    print(f"listening {shown}:{sock.getsockname()[1]}", flush=True)
    try:
        _serve(sock, zone, log)
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
