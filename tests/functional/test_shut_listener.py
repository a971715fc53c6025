"""A listening socket that another holder has shut down costs no processor."""
import ctypes
import os
import socket
import time

from daemon import Warmpool


def _cpu_s(pid):
    fields = open(f"/proc/{pid}/stat", encoding="ascii").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_accepting_pauses_when_it_cannot_go_on(sim):
    with Warmpool(sim) as wp:
        listener = next(int(name) for name in os.listdir(f"/proc/{wp.process.pid}/fd") if _is_listener(wp, name))
        shared = os.pidfd_open(wp.process.pid)
        with socket.socket(fileno=_take(shared, listener)) as sock:
            sock.shutdown(socket.SHUT_RDWR)
        os.close(shared)
        wp.wait_log("accepting pauses: Invalid argument")
        before = _cpu_s(wp.process.pid)
        time.sleep(1)
        assert _cpu_s(wp.process.pid) - before < 0.3


def _is_listener(wp, name):
    link = os.readlink(f"/proc/{wp.process.pid}/fd/{name}")
    rows = open("/proc/net/tcp", encoding="ascii").read().splitlines()[1:]
    listening = {row.split()[9] for row in rows if row.split()[3] == "0A" and row.split()[1].endswith(f":{wp.port:04X}")}
    return link.startswith("socket:[") and link[8:-1] in listening


def _take(pidfd, number):
    """A copy of another process's descriptor: pidfd_getfd(2)."""
    fd = ctypes.CDLL(None, use_errno=True).syscall(438, pidfd, number, 0)
    assert fd >= 0, os.strerror(ctypes.get_errno())
    return fd
