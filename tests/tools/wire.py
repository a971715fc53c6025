#!/usr/bin/python3
"""A slow, lossy line where the kernel has no netem; run as root.

    unshare --net --mount --fork --kill-child tests/tools/wire.py --delay 20 \\
        --on-peer 'SERVER COMMAND' -- CLIENT COMMAND

Two network namespaces are joined by two TUN devices, and this program carries the packets between
them. COMMAND runs on this side, 198.51.100.1; the one of --on-peer runs on the other side,
198.51.100.2, and is ended after COMMAND. COMMAND starts when the peer's command listens somewhere
(5 s at most). The delay is one way: --delay 20 makes a round trip of 40 ms (40.9 measured). The
exit status is COMMAND's. WIRE_STARTED_AT in COMMAND's environment is when --cut-after begins to
count, in seconds of CLOCK_MONOTONIC.
"""
import argparse
import fcntl
import heapq
import itertools
import os
import pathlib
import random
import select
import struct
import subprocess
import sys
import time

NEAR, FAR = "198.51.100.1", "198.51.100.2"
_TUNSETIFF = 0x400454CA
_IFF_TUN_NO_PI = 0x1001
_PACKET = 65536
_BURST = 64
_LISTENING, _UDP_BOUND = "0A", "07"


def main():
    options = parse_command_line()
    near, far = make_line()
    peer = None
    if options.on_peer:
        peer = subprocess.Popen(["ip", "netns", "exec", "peer", "sh", "-c",
                                 "exec " + options.on_peer])
        wait_until_listening(peer, 5)
    line = Line(options, near, far)
    command = subprocess.Popen(options.command,
                               env={**os.environ, "WIRE_STARTED_AT": str(line.started_at)})
    while command.poll() is None:
        line.carry(0.05)
    if peer is not None:
        peer.terminate()
        peer.wait()
    return command.returncode


def parse_command_line():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    number = {"type": float, "default": 0.0}
    parser.add_argument("--delay", type=float, default=10.0, metavar="MS",
                        help="one way (default: 10)")
    parser.add_argument("--jitter", metavar="MS", help="up to so much more, each packet", **number)
    parser.add_argument("--loss", metavar="PERCENT", help="packets lost", **number)
    parser.add_argument("--rate", metavar="KBIT", help="bandwidth each way; 0: no bound", **number)
    parser.add_argument("--cut-after", type=float, default=-1.0, metavar="S",
                        help="cut the line so long after the start")
    parser.add_argument("--cut-for", metavar="S", help="and for so long", **number)
    parser.add_argument("--on-peer", metavar="COMMAND", help="shell command on the other side")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    if options.command[:1] == ["--"]:
        del options.command[0]
    if not options.command:
        parser.error("a command to run on this side is missing")
    return options


def make_line():
    """The two TUN devices, as descriptors; the far one stands in the namespace `peer`."""
    shell("mkdir -p /run/netns")
    shell("mount -t tmpfs tmpfs /run/netns")
    shell("ip link set lo up")
    shell("ip netns add peer")
    near, far = open_tun("near"), open_tun("far")
    shell("ip link set far netns peer")
    shell(f"ip addr add {NEAR}/24 dev near")
    shell("ip link set near up")
    shell(f"ip -n peer addr add {FAR}/24 dev far")
    shell("ip -n peer link set far up")
    shell("ip -n peer link set lo up")
    return near, far


def open_tun(name):
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH", name.encode(), _IFF_TUN_NO_PI))
    return descriptor


def shell(command):
    subprocess.run(command, shell=True, check=True)


def wait_until_listening(process, seconds):
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        if listens(process.pid):
            return
        time.sleep(0.01)


def listens(pid):
    """Whether anything listens in the network namespace of that process."""
    wanted = {"tcp": _LISTENING, "tcp6": _LISTENING, "udp": _UDP_BOUND, "udp6": _UDP_BOUND}
    if os.stat(f"/proc/{pid}/ns/net").st_ino == os.stat("/proc/self/ns/net").st_ino:
        return False  # `ip netns exec` is not there yet
    for table, state in wanted.items():
        try:
            rows = pathlib.Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
        except OSError:
            continue
        if any(row.split()[3] == state for row in rows):
            return True
    return False


class Line:
    """Carries packets between the two devices, as late and as few as the options say."""

    def __init__(self, options, near, far):
        self.options = options
        self.other = {near: far, far: near}
        self.under_way = []                      # heap of (due, serial, device, packet)
        self.serials = itertools.count()
        self.sent_until = {near: 0.0, far: 0.0}  # when the last packet has left, at --rate
        self.started_at = time.monotonic()

    def carry(self, at_most_s):
        """Waits for packets or until one is due, and moves what there is."""
        wait = at_most_s
        if self.under_way:
            wait = max(0.0, min(wait, self.under_way[0][0] - time.monotonic()))
        for device in select.select(list(self.other), [], [], wait)[0]:
            self._take(device)
        self._deliver()

    def _take(self, device):
        options = self.options
        for _ in range(_BURST):
            try:
                packet = os.read(device, _PACKET)
            except BlockingIOError:
                return
            now = time.monotonic()
            if self._is_lost(now):
                continue
            leaves = now
            if options.rate:
                leaves = max(self.sent_until[device], now) + len(packet) * 8 / options.rate / 1000
                self.sent_until[device] = leaves
            due = leaves + (options.delay + random.uniform(0, options.jitter)) / 1000
            heapq.heappush(self.under_way,
                           (due, next(self.serials), self.other[device], packet))

    def _is_lost(self, now):
        options = self.options
        if options.loss and random.random() * 100 < options.loss:
            return True
        age = now - self.started_at
        return 0 <= options.cut_after <= age <= options.cut_after + options.cut_for

    def _deliver(self):
        now = time.monotonic()
        while self.under_way and self.under_way[0][0] <= now:
            _due, _serial, device, packet = heapq.heappop(self.under_way)
            try:
                os.write(device, packet)
            except OSError:
                pass  # the device's queue is full: a lost packet


if __name__ == "__main__":
    sys.exit(main())
