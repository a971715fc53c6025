"""HAProxy before instances of warmpool, by the configuration that is shipped, with ports of the test's own.

    with Haproxy([one, two], tmp_path) as front:
        requests.get(front.url + "/res.php?action=get&id=1&key=k")
"""
import os
import pathlib
import re
import shutil
import socket
import subprocess
import time

from daemon import ROOT, free_port

# Not in every user's PATH.
HAPROXY = shutil.which("haproxy", path=os.environ.get("PATH", "") + ":/usr/sbin")
CONF = ROOT / "conf" / "haproxy.cfg"


class Haproxy:
    """`ports`: of the two instances. `change`: pairs of what to replace in the shipped configuration."""

    def __init__(self, ports, directory, change=()):
        self.host, self.port = "127.0.0.1", free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        text = CONF.read_text()
        for old, new in [("127.0.0.1:8080", f"127.0.0.1:{self.port}"), ("127.0.0.1:8091", f"127.0.0.1:{ports[0]}"),
                         ("127.0.0.1:8092", f"127.0.0.1:{ports[1]}"), *change]:
            assert old in text, old
            text = text.replace(old, new)
        self._conf = pathlib.Path(directory) / "haproxy.cfg"
        self._conf.write_text(text)
        shutil.copy(CONF.parent / "haproxy-unknown.http", directory)
        self._log_path = pathlib.Path(directory) / "haproxy.log"
        with self._log_path.open("w") as log:
            self.process = subprocess.Popen([HAPROXY, "-db", "-f", str(self._conf)], stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL)
        self._until_listening()

    def _until_listening(self):
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection((self.host, self.port), 1).close()
                return
            except OSError:
                assert self.process.poll() is None and time.monotonic() < deadline, self.log()
                time.sleep(0.02)

    def log(self):
        return self._log_path.read_text(errors="replace")

    def wait_log(self, pattern, timeout=20):
        deadline = time.monotonic() + timeout
        while not re.search(pattern, self.log()):
            assert time.monotonic() < deadline, f"no {pattern!r} in {self.log()[-3000:]}"
            time.sleep(0.02)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(20)
