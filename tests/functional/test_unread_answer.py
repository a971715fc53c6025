"""A paid answer that nobody read, because its client on another machine had left: it is in the ledger all the same."""
import pathlib
import re
import socket
import subprocess
import sys
import time

import distance
from daemon import Warmpool, read_all, wait_all_read
from replies import KEY, arrived, new_uniq

_OURS = "198.51.100.1"
# Sends its submits, and when told so closes; or ends its side and reads the answers.
_CLIENT = """
import socket, sys
how, port, *targets = sys.argv[1:]
with socket.create_connection(("198.51.100.1", int(port)), timeout=20) as sock:
    sock.sendall("".join(f"GET {target} HTTP/1.1\\r\\nHost: 198.51.100.1\\r\\n\\r\\n" for target in targets).encode())
    sys.stdin.readline()
    if how == "half":
        sock.shutdown(socket.SHUT_WR)
        while piece := sock.recv(65536):
            sys.stdout.write(piece.decode())
"""
_CLOSE_WAIT = "08"


def _wait_end(port):
    """Until the client's end has come, over the line, and was read."""
    deadline = time.monotonic() + 20
    while not any(int(row[1].rpartition(":")[2], 16) == port and row[3] == _CLOSE_WAIT
                  for row in map(str.split, pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:])):
        assert time.monotonic() < deadline, "the client did not end"
        time.sleep(0.005)
    wait_all_read(port)


def leaving(far, how, count=1):
    with far.warmpool(listen=f"{_OURS}:0", **{"access.allow": "198.51.100.0/24"}) as wp:
        uniqs = [new_uniq() for _ in range(count)]
        rule = far.fault(action="hold", path="/in.php")
        client = subprocess.Popen(["ip", "netns", "exec", "peer", sys.executable, "-c", _CLIENT, how, str(wp.port),
                                   *(f"/in.php?key={KEY}&uniq={uniq}" for uniq in uniqs)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        far.wait(lambda _: far.acted(rule) == 1)
        client.stdin.write("\n")
        client.stdin.close()
        _wait_end(wp.port)
        far.clear_faults()
        read = client.stdout.read()
        wp.wait_log("access .*class=submit")
        log = wp.stop()
        return {"read": read, "status": client.wait(20), "ledger": re.findall(r"ledger .*", log),
                "arrived": [arrived(far, uniq) for uniq in uniqs]}


def test_a_client_elsewhere_that_has_closed_has_not_read_its_answer():
    result = distance.over_wire(__file__, "leaving", delay_ms=20, how="close")
    assert result["status"] == 0 and result["read"] == ""
    assert len(result["ledger"]) == 1
    assert re.search(r'class=submit .*fate="answered, but the client had left" task=\d+', result["ledger"][0])


def test_what_it_asked_for_after_that_is_not_sent():
    result = distance.over_wire(__file__, "leaving", delay_ms=20, how="close", count=2)
    assert len(result["ledger"]) == 1 and "task=" in result["ledger"][0]
    assert result["arrived"] == [1, 0]


def test_a_half_closed_client_on_a_unix_socket_may_read_late(sim, tmp_path):
    path = tmp_path / "s"
    with Warmpool(sim, listen=f"unix:{path}", ready=False) as wp, socket.socket(socket.AF_UNIX) as sock:
        wp.wait_log("ready listen=")
        sock.settimeout(20)
        sock.connect(str(path))
        sock.sendall(f"GET /in.php?key={KEY} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        sock.shutdown(socket.SHUT_WR)
        wp.wait_log("access .*class=submit .*status=200")
        wp.stop()
        assert b"OK|" in read_all(sock) and "ledger" not in wp.log()


def test_a_client_elsewhere_that_ended_its_side_reads_its_answer():
    result = distance.over_wire(__file__, "leaving", delay_ms=20, how="half")
    assert result["status"] == 0 and "OK|" in result["read"]
    assert result["ledger"] == []


if __name__ == "__main__":
    distance.main(leaving)
