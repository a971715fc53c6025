"""The daemon under test: the real binary, started with --set options, on ports of its own.

    with Warmpool(sim, **{"pool.size": 5}) as wp:
        requests.get(wp.url + "/res.php?action=get&id=1&key=k")
        wp.wait_log("class=poll")

WARMPOOL in the environment names the binary (default: build/src/warmpool below the repository's root).
Leaving the block sends SIGTERM and fails when the daemon does not end with 0, or when a sanitizer or an
assertion spoke. Sensitive text given with `secrets` must not be in its log.
"""
import contextlib
import fcntl
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import tempfile
import termios
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BINARY = os.environ.get("WARMPOOL", str(ROOT / "build" / "src" / "warmpool"))
_ALARM = re.compile(r"ERROR: \w+Sanitizer|runtime error:|Assertion .* failed|LeakSanitizer")


class Warmpool:
    def __init__(self, sim=None, secrets=(), wrapper=(), environment=None, listen="127.0.0.1:0", ready=True,
                 upstream="https://localhost:{port}", drain_s=2, arguments=(), pass_fds=(), **options):
        self._log = tempfile.NamedTemporaryFile("w+", prefix="warmpool-log-", errors="replace")
        self.secrets = list(secrets)
        self._is_told = self._is_stopped = False
        settings = {"listen": listen, "shutdown.drain_timeout": f"{drain_s}s", "admin.listen": "off"}
        if sim is not None:
            settings["upstream.url"] = upstream.format(port=sim.port)
            settings["upstream.ca_file"] = sim.ca_file
        settings.update(options)
        arguments = [*wrapper, BINARY, "run", *arguments]
        for key, value in settings.items():
            if value is None:  # a file says it, or nobody
                continue
            arguments += ["--set", f"{key}={value}"]
        self.process = subprocess.Popen(arguments, stderr=self._log, stdout=self._log, stdin=subprocess.DEVNULL,
                                        pass_fds=pass_fds, env={**os.environ, **(environment or {})})
        if ready:
            match = self.wait_log(r"ready listen=(.*) upstream=.* admin=(.*)\n", timeout=60)
            self.admin = match.group(2)  # of the admin interface: HOST:PORT, unix:/path, off
            self.addresses = match.group(1).strip('"').split()
            first = next((a for a in self.addresses if not a.startswith("unix:")), None)
            if first is not None:
                place = first.removeprefix("tls:")
                self.host, port = place.rsplit(":", 1)
                self.host, self.port = self.host.strip("[]"), int(port)
                self.url = f"{'https' if first != place else 'http'}://{place}"

    def log(self):
        return pathlib.Path(self._log.name).read_text(errors="replace")

    def wait_log(self, pattern, timeout=20):
        """The first match of the pattern in the log; fails when it does not come in time."""
        deadline = time.monotonic() + timeout
        while True:
            match = re.search(pattern, self.log())
            if match:
                return match
            if self.process.poll() is not None and not re.search(pattern, self.log()):
                raise AssertionError(f"the daemon ended with {self.process.returncode}:\n{self.log()}")
            if time.monotonic() > deadline:
                raise AssertionError(f"no {pattern!r} in the log:\n{self.log()[-4000:]}")
            time.sleep(0.01)

    def access_lines(self):
        return [line for line in self.log().splitlines() if " access " in line]

    def connect(self, timeout=20):
        """A raw client socket."""
        return socket.create_connection((self.host, self.port), timeout=timeout)

    def raw(self, data, timeout=20, shut=False):
        """Sends bytes, returns all that comes until the daemon closes."""
        with self.connect(timeout) as sock:
            sock.sendall(data)
            if shut:
                sock.shutdown(socket.SHUT_WR)
            return read_all(sock)

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def memory_kb(self):
        text = pathlib.Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        return sum(int(m) for m in re.findall(r"Private_\w+:\s+(\d+) kB", text))

    def terminate(self):
        """SIGTERM, once."""
        if self.process.poll() is None and not self._is_told:
            self._is_told = True
            self.process.send_signal(signal.SIGTERM)

    def stop(self, expect=0, timeout=30):
        """SIGTERM (unless terminate() was called), then checks the exit status and the log; once."""
        if self._is_stopped:
            return self.log()
        self._is_stopped = True
        self.terminate()
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the daemon did not end:\n{self.log()[-4000:]}") from None
        log = self.log()
        assert not _ALARM.search(log), log[-8000:]
        for secret in self.secrets:
            assert secret not in log, f"{secret} is in the log"
        assert status == expect, f"ended with {status}:\n{log[-4000:]}"
        return log

    def __enter__(self):
        return self

    def __exit__(self, failed, _value, _traceback):
        try:
            self.stop()
        except AssertionError:
            if failed is None:
                raise


def _imports(name):
    return name in subprocess.run(["nm", "-D", BINARY], capture_output=True, check=False).stdout


def is_sanitized():
    return _imports(b"__asan_init")


def knows_systemd():
    """Built with libsystemd, which is optional."""
    return _imports(b"sd_notify")


def read_all(sock):
    """Everything until the peer ends or resets."""
    data = b""
    while True:
        try:
            piece = sock.recv(65536)
        except ConnectionResetError:
            return data
        if not piece:
            return data
        data += piece


def read_response(sock, data=b""):
    """One response with Content-Length (or without a body): (status, headers lower-cased, body, rest)."""
    while b"\r\n\r\n" not in data:
        piece = sock.recv(65536)
        if not piece:
            raise AssertionError(f"the connection ended in the head: {data!r}")
        data += piece
    head, data = data.split(b"\r\n\r\n", 1)
    lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines[1:])}
    status = int(lines[0].split()[1])
    length = 0 if status < 200 else int(headers.get("content-length", 0))
    while len(data) < length:
        piece = sock.recv(65536)
        if not piece:
            raise AssertionError(f"the connection ended in the body: {data!r}")
        data += piece
    return status, headers, data[:length], data[length:]


_keepers = []


def free_port():
    """A port of 127.0.0.1 that a daemon can listen on, and that nobody else is given until this process ends: bound, and not listening."""
    keeper = socket.socket()
    keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    keeper.bind(("127.0.0.1", 0))
    _keepers.append(keeper)
    return keeper.getsockname()[1]


@contextlib.contextmanager
def stopped(process):
    """A process of ours that does nothing at all within the block: what it is sent waits."""
    process.send_signal(signal.SIGSTOP)
    try:
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def wait_all_read(port, timeout=20):
    """Until who listens on this port (IPv4) has accepted and read all that came, ends of connections too."""
    deadline = time.monotonic() + timeout
    while _waits_at(port):
        assert time.monotonic() < deadline, "not all was read"
        time.sleep(0.005)


def _waits_at(port):
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [row.split() for row in list(table)[1:]]
    return any(int(row[1].rpartition(":")[2], 16) == port and int(row[4].partition(":")[2], 16) > 0 for row in rows)


def unread(sock):
    """Bytes sent that the daemon has not read from this client's connection (IPv4); None when it has closed it."""
    on_its_way = struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)))[0]
    ports = [sock.getpeername()[1], sock.getsockname()[1]]
    with open("/proc/net/tcp", encoding="ascii") as table:
        for row in list(table)[1:]:
            fields = row.split()
            if [int(end.rpartition(":")[2], 16) for end in fields[1:3]] == ports:
                return on_its_way + int(fields[4].partition(":")[2], 16)
    return None
