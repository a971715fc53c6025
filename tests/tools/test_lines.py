"""relay.py and wire.py delay what they carry, and carry FIN and RST as what they are."""
import json
import os
import pathlib
import subprocess
import sys
import time

import pytest

TOOLS = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(TOOLS.parent), str(TOOLS.parent / "functional")]

from simctl import Simulator  # noqa: E402  (the path comes first)
from simulator.peer import Peer, exchange_times  # noqa: E402

DELAY_MS = 20
ROUND_TRIP_S = 2 * DELAY_MS / 1000


class Relay:
    """relay.py before a simulator; to a Peer it looks like the simulator."""

    def __init__(self, sim):
        self.process = subprocess.Popen(
            [TOOLS / "relay.py", "--listen", "127.0.0.1:0", "--to", f"127.0.0.1:{sim.port}",
             "--delay", str(DELAY_MS)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.host, self.ca_file, self.counters = sim.host, sim.ca_file, sim.counters
        self.port = json.loads(self.process.stdout.readline())["port"]

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        errors = self.process.communicate(timeout=10)[1]
        assert errors == b"" and self.process.returncode == 0


@pytest.fixture(scope="module", name="sim")
def _sim():
    with Simulator() as simulator:
        yield simulator


@pytest.fixture(name="relay")
def _relay(sim):
    with Relay(sim) as relay:
        yield relay


def test_a_relayed_connection_pays_three_round_trips_then_one(relay):
    first, second = exchange_times(relay)
    assert 3 * ROUND_TRIP_S <= first < 4 * ROUND_TRIP_S
    assert ROUND_TRIP_S <= second < 2 * ROUND_TRIP_S


@pytest.mark.parametrize("how", ["fin", "fin_no_notify", "rst"])
def test_a_relay_passes_on_how_a_connection_ends(sim, relay, how):
    sim.fault(action="half_body", how=how)
    with Peer(relay) as peer:
        peer.request("/bytes/16")
        data, end = peer.rest()
    assert data.endswith(b"\r\n\r\n01234567") and end == how


def test_a_relay_carries_large_bodies_and_frees_what_has_ended(sim, relay):
    before = relay.descriptors()
    peers = [Peer(relay) for _ in range(10)]
    for peer in peers:
        echo = json.loads(peer.get("/echo", "POST", b"x" * 1_000_000)[1])
        assert echo["body_length"] == 1_000_000
        assert len(peer.get("/bytes/1000000")[1]) == 1_000_000
        peer.close()
    sim.wait(lambda counters: counters["connections"]["open"] == 0)
    deadline = time.monotonic() + 5
    while relay.descriptors() > before:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.skipif(os.geteuid() != 0 or not os.path.exists("/dev/net/tun"),
                    reason="needs root and TUN devices")
def test_a_wire_delays_and_returns_its_commands_status():
    client = ("import socket, sys, time; start = time.monotonic(); "
              "socket.create_connection(('198.51.100.2', 7)); "
              "sys.exit(int((time.monotonic() - start) * 1000))")
    server = ("/usr/bin/python3 -c \"import socket; "
              "socket.create_server(('', 7)).accept()[0].recv(1)\"")
    done = subprocess.run(
        ["unshare", "--net", "--mount", "--fork", "--kill-child", TOOLS / "wire.py",
         "--delay", str(DELAY_MS), "--on-peer", server, "--", "/usr/bin/python3", "-c", client],
        check=False, timeout=30)
    assert 2 * DELAY_MS <= done.returncode < 255
