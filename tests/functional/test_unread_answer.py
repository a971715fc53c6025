"""A paid answer that nobody read, because its client on another machine had left: it is in the ledger all the same."""
import pathlib
import re
import subprocess
import sys
import time

import distance
from daemon import wait_all_read
from replies import KEY, new_uniq

_OURS = "198.51.100.1"
# Sends its submit, and when told so closes; or ends its side and reads the answer.
_CLIENT = """
import socket, sys
how, port, target = sys.argv[1:]
with socket.create_connection(("198.51.100.1", int(port)), timeout=20) as sock:
    sock.sendall(f"GET {target} HTTP/1.1\\r\\nHost: 198.51.100.1\\r\\n\\r\\n".encode())
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


def leaving(far, how):
    with far.warmpool(listen=f"{_OURS}:0", **{"access.allow": "198.51.100.0/24"}) as wp:
        uniq = new_uniq()
        rule = far.fault(action="hold", path="/in.php")
        client = subprocess.Popen(["ip", "netns", "exec", "peer", sys.executable, "-c", _CLIENT, how, str(wp.port),
                                   f"/in.php?key={KEY}&uniq={uniq}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        far.wait(lambda _: far.acted(rule) == 1)
        client.stdin.write("\n")
        client.stdin.close()
        _wait_end(wp.port)
        far.clear_faults()
        read = client.stdout.read()
        wp.wait_log("access .*class=submit")
        return {"read": read, "status": client.wait(20), "ledger": re.findall(r"ledger .*", wp.log())}


def test_a_client_elsewhere_that_has_closed_has_not_read_its_answer():
    result = distance.over_wire(__file__, "leaving", delay_ms=20, how="close")
    assert result["status"] == 0 and result["read"] == ""
    assert len(result["ledger"]) == 1
    assert re.search(r'class=submit .*fate="answered, but the client had left" task=\d+', result["ledger"][0])


def test_a_client_elsewhere_that_ended_its_side_reads_its_answer():
    result = distance.over_wire(__file__, "leaving", delay_ms=20, how="half")
    assert result["status"] == 0 and "OK|" in result["read"]
    assert result["ledger"] == []


if __name__ == "__main__":
    distance.main(leaving)
