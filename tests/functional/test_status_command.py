"""`warmpool status`: the table, --json, --watch in a terminal, and what it says when there is nothing to ask."""
import contextlib
import fcntl
import json
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import termios
import threading
import time

import pytest

from admin_client import ON, ask
from daemon import BINARY, Warmpool
from replies import KEY, new_uniq, poll, submit

ENTER, LEAVE = b"\x1b[?1049h", b"\x1b[?1049l"
ESCAPE = re.compile(rb"\x1b\[[?0-9;]*[A-Za-z]")


def status(wp, *arguments, place=None):
    return subprocess.run([BINARY, "status", "--set", f"admin.listen={place or wp.admin}", *arguments],
                          capture_output=True, text=True, timeout=30, check=False)


@pytest.fixture
def admin(sim):
    with Warmpool(sim, secrets=[KEY], **{**ON, "pool.size": 9}) as wp:
        yield wp


def handshakes_avoided(wp):
    return json.loads(ask(wp, path="/status")[2])["pool"]["handshakes_avoided"]


def test_a_table_of_what_goes_on(sim, admin):
    sim.fault(action="close", path="/in.php")
    assert submit(admin, new_uniq()).status_code == 424
    for _ in range(30):
        poll(admin, None)
    before = handshakes_avoided(admin)
    done = status(admin)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout and KEY not in done.stdout
    assert all(len(line) <= 80 for line in done.stdout.splitlines())
    for words in (", ready\n", "ledger      maybe paid: 1 of unknown fate", "pool        [", "] 9\n", "of at most 1,024 waiting",
                  "requests    31; 31 in the last minute, 0 in flight", "submit 1, poll 30", "2xx 30, 4xx 1", "refused     SUBMIT_UNKNOWN 1",
                  "latency, ms", "127.0.0.1: 31 requests in 5 minutes", "submit CONNECTION_ENDED: the server ended", "No advice yet: 31 requests"):
        assert words in done.stdout, done.stdout
    lent = int(re.search(r"saved +(\d+) handshakes", done.stdout).group(1))
    assert before >= lent >= handshakes_avoided(admin)   # the same, unless a spare has come up meanwhile


def test_json_is_the_page_itself(admin):
    poll(admin, None)
    ours, page = {}, json.loads(ask(admin, path="/status")[2])
    deadline = time.monotonic() + 10
    while ours.get("pool", {}).get("opened") != page["pool"]["opened"]:  # a spare may come up between the two
        assert time.monotonic() < deadline
        done = status(admin, "--json")
        assert done.returncode == 0
        ours, page = json.loads(done.stdout), json.loads(ask(admin, path="/status")[2])

    def skeleton(value):
        return {key: skeleton(one) for key, one in value.items()} if isinstance(value, dict) else type(value)
    assert skeleton(ours) == skeleton(page)
    assert ours["requests"] == page["requests"]


def test_it_asks_where_the_configuration_says(sim, tmp_path):
    file = tmp_path / "w.yaml"
    file.write_text(f"admin: {{listen: 'unix:{tmp_path}/a.sock'}}\nupstream: {{api_key_file: /root/none/key}}\n")
    with Warmpool(sim, **{"admin.listen": f"unix:{tmp_path}/a.sock"}):
        done = subprocess.run([BINARY, "status", "-c", file], capture_output=True, text=True, timeout=30, check=False)
        # A key that whoever asks cannot read is no hindrance.
        assert (done.returncode, done.stderr) == (0, "") and ", ready\n" in done.stdout


@contextlib.contextmanager
def answering(data, waits=0):
    """Something else that listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        def serve():
            with contextlib.suppress(OSError):
                sock, _ = server.accept()
                with sock:
                    sock.recv(4096)
                    for piece in data:
                        sock.sendall(piece)
                    time.sleep(waits)
        thread = threading.Thread(target=serve)
        thread.start()
        yield "127.0.0.1:%d" % server.getsockname()[1]
        thread.join()


def ok(length, body):
    return [b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % length, body]


@pytest.mark.parametrize("data, waits, words", [
    ([b"SSH-2.0-OpenSSH_9.2\r\n"], 0, "no admin interface of warmpool"),
    ([], 0, "no admin interface of warmpool"),
    (ok(2, b"[]"), 0, "no admin interface of warmpool: no JSON"),
    (ok(9, b'{"a": 1}\xff'), 0, "no JSON"),
    (ok(100, b"{}"), 0, "is not whole"),
    ([b"HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\n", b"not \x1b[31m\nx"], 0, "answers 403: not ?[31m\n"),
    (ok(6 << 20, b" " * (6 << 20)), 0, "more than 4 MiB"),
    ([b"HTTP/1.1 200 OK\r\n"], 3, "does not answer within 2 s"),
])
def test_what_else_listens_is_told(data, waits, words):
    with answering(data, waits) as place:
        began = time.monotonic()
        done = status(None, place=place)
        assert time.monotonic() - began < 10
        assert done.returncode == 1 and done.stdout == "" and done.stderr.startswith(f"warmpool: {'what listens on ' if 'no admin' in done.stderr else ''}")
        assert place in done.stderr and words in done.stderr


@pytest.mark.parametrize("place, words", [
    ("127.0.0.1:1", ["nothing listens on 127.0.0.1:1", "is warmpool running", "or off?", "--set admin.listen="]),
    ("unix:/nonexistent/a.sock", ["nothing listens on unix:/nonexistent/a.sock"]),
    ("off", ["admin.listen is off"]),
    ("127.0.0.1:0", ["cannot be asked"]),
    ("nonsense", ["cannot be asked"]),
])
@pytest.mark.parametrize("option", [[], ["--json"]])
def test_nothing_to_ask_is_told(place, words, option):
    done = status(None, *option, place=place)
    assert done.returncode == 1 and done.stdout == ""
    for word in words:
        assert word in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_configuration_that_cannot_be_read_is_told(tmp_path):
    done = subprocess.run([BINARY, "status", "-c", tmp_path / "none.yaml"], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1 and "none.yaml: cannot be read" in done.stderr


def test_who_may_not_ask_is_told(sim):
    with Warmpool(sim, **ON, **{"admin.allow": "192.0.2.0/24"}) as wp:
        done = status(wp)
        assert done.returncode == 1 and "answers 403: " in done.stderr and "admin.allow" in done.stderr


def test_watching_takes_a_terminal(admin):
    done = status(admin, "--watch")
    assert done.returncode == 1 and "needs a terminal" in done.stderr


class Terminal:
    """`warmpool status --watch` in a pseudo-terminal."""

    def __init__(self, wp, rows=60):
        self.master, self._slave = pty.openpty()
        self.resize(rows)
        self.before = termios.tcgetattr(self._slave)
        self.shown = b""
        self.process = subprocess.Popen([BINARY, "status", "--watch", "--set", f"admin.listen={wp.admin}"], stdin=self._slave,
                                        stdout=self._slave, stderr=subprocess.PIPE, start_new_session=True)

    def resize(self, rows):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, 80, 0, 0))

    def settings(self):
        return termios.tcgetattr(self._slave)

    def type(self, keys):
        os.write(self.master, keys)

    def wait(self, condition, timeout=20):
        """Until condition(all that was shown) is true."""
        deadline = time.monotonic() + timeout
        while not condition(self.shown):
            assert time.monotonic() < deadline, self.shown[-4000:]
            if select.select([self.master], [], [], 0.05)[0]:
                self.shown += os.read(self.master, 65536)

    def pictures(self):
        """Each as its lines, without escape sequences."""
        return [ESCAPE.sub(b"", picture).decode().split("\r\n") for picture in self.shown.split(b"\x1b[H")[1:]]

    def wait_pictures(self, count):
        self.wait(lambda shown: shown.count(b"\x1b[J") >= count)

    def ended(self, expect=0):
        """The terminal must be as it was."""
        assert self.process.wait(10) == expect
        self.wait(lambda shown: shown.endswith(LEAVE))
        assert b"\x1b[?25h" in self.shown and b"\x1b[?7h" in self.shown
        assert self.settings() == self.before

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()
        os.close(self.master)
        os.close(self._slave)


def test_watching_refreshes_in_place_and_q_ends_it(admin):
    with Terminal(admin) as terminal:
        terminal.wait_pictures(1)
        assert terminal.shown.startswith(ENTER)
        assert not terminal.settings()[3] & termios.ECHO
        for _ in range(30):
            poll(admin, None)
        terminal.wait(lambda shown: b"requests    30 (" in shown)
        terminal.wait_pictures(4)
        terminal.type(b"xq")
        terminal.ended()
        first, *later = terminal.pictures()
        assert any(line.startswith("requests    0; 0 in the last minute") for line in first)
        rate = next(line for picture in later for line in picture if line.startswith("requests    30 ("))
        assert re.match(r"requests    30 \(\d+\.\d/s\); 30 in the last minute", rate)
        # In place: no picture scrolls.
        assert b"\n" not in terminal.shown.replace(b"\r\n", b"") and terminal.shown.count(ENTER) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_gives_the_terminal_back(admin, number):
    with Terminal(admin) as terminal:
        terminal.wait_pictures(1)
        terminal.process.send_signal(number)
        terminal.ended()


def test_it_fits_into_a_window_that_changes(admin):
    with Terminal(admin, rows=10) as terminal:
        terminal.wait_pictures(1)
        assert len(terminal.pictures()[0]) == 10
        terminal.resize(5)
        terminal.process.send_signal(signal.SIGWINCH)
        # One of the old size may come between, and the last that was read may be half a picture.
        terminal.wait(lambda shown: 5 in [len(picture) for picture in terminal.pictures()[1:shown.count(b"\x1b[J")]])
        terminal.type(b"q")
        terminal.ended()


def test_it_goes_on_after_a_stop(admin):
    with Terminal(admin) as terminal:
        terminal.wait_pictures(1)
        terminal.process.send_signal(signal.SIGTSTP)
        terminal.wait(lambda shown: shown.endswith(LEAVE))
        assert os.waitid(os.P_PID, terminal.process.pid, os.WSTOPPED).si_status == signal.SIGSTOP
        assert terminal.settings() == terminal.before
        count = terminal.shown.count(b"\x1b[J")
        terminal.process.send_signal(signal.SIGCONT)
        terminal.wait_pictures(count + 1)
        assert terminal.shown.count(ENTER) == 2
        terminal.type(b"q")
        terminal.ended()


def test_a_daemon_that_goes_is_asked_again(sim, tmp_path):
    options = {"admin.listen": f"unix:{tmp_path}/a.sock"}
    with Warmpool(sim, **options) as wp:
        terminal = Terminal(wp)
        with contextlib.ExitStack() as stack:
            stack.enter_context(terminal)
            terminal.wait_pictures(1)
            wp.stop()
            terminal.wait(lambda shown: b"nothing listens on" in shown and b"What follows is the last answer" in shown)
            with Warmpool(sim, **options):
                count = len(terminal.shown)
                terminal.wait(lambda shown: any("nothing listens" not in " ".join(picture)
                                                for picture in [ESCAPE.sub(b"", one).decode().split("\r\n")
                                                                for one in shown[count:].split(b"\x1b[H")[1:-1]]))
                terminal.type(b"q")
                terminal.ended()


def test_it_does_not_begin_where_nothing_listens(admin):
    admin.admin = "127.0.0.1:1"
    with Terminal(admin) as terminal:
        assert terminal.process.wait(10) == 1
        assert b"nothing listens on 127.0.0.1:1" in terminal.process.stderr.read()
        assert terminal.shown == b"" and terminal.settings() == terminal.before
