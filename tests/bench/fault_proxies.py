"""The proxies of the fault matrix, each configured as its users would: connections kept, the certificate verified.

nginx keeps a cache of connections and has its default proxy_next_upstream; HAProxy reuses always and has its default retries. The
three get the same timeouts and, where they know one, the same bound.
"""
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "functional"))
from daemon import Warmpool  # noqa: E402  (the path comes first)

KINDS = ("warmpool", "nginx", "haproxy")
TITLES = {"warmpool": "warmpool", "nginx": "nginx", "haproxy": "HAProxy"}
DEFAULTS = {"pool": 25, "connect_ms": 1000, "response_ms": 5000, "queue_ms": 5000}
_DESCRIPTORS = 20000

_NGINX = """
daemon off;
user root;
worker_processes 1;
pid {directory}/nginx.pid;
error_log {directory}/nginx.log error;
events {{ worker_connections {connections}; }}
http {{
  access_log off;
  keepalive_timeout 600s;
  keepalive_requests 1000000;
  large_client_header_buffers 4 256k;
  client_max_body_size 32m;
  client_body_temp_path {directory}/bodies;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  upstream api {{
    server {host}:{upstream};
    keepalive {pool};
  }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass https://api;
      proxy_http_version 1.1;
      proxy_set_header Host {name};
      proxy_set_header Connection "";
      proxy_ssl_server_name on;
      proxy_ssl_name {name};
      proxy_ssl_verify on;
      proxy_ssl_trusted_certificate {ca_file};
      proxy_connect_timeout {connect_ms}ms;
      proxy_read_timeout {response_ms}ms;
    }}
  }}
}}
"""

_HAPROXY = """
global
  maxconn {connections}
defaults
  mode http
  http-reuse always
  timeout connect {connect_ms}ms
  timeout queue {queue_ms}ms
  timeout client 600s
  timeout server {response_ms}ms
frontend scripts
  bind 127.0.0.1:{port}
  default_backend api
backend api
  http-request set-header Host {name}
  server api {host}:{upstream} maxconn {pool} ssl verify required ca-file {ca_file} sni str({name}) verifyhost {name}
"""


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def make(kind, sim, host, limits, ours, environment=None):
    """A running one before the simulator at `host`, a name or an address in its certificate."""
    limits = {**DEFAULTS, **limits}
    if kind == "warmpool":
        return Ours(sim, host, limits, ours, environment)
    return Theirs(kind, sim, host, limits)


class _Limited:
    """What all have: pids(), and a limit of descriptors that can be set while it runs."""

    def limit_descriptors(self, beyond):
        """As many more as are in use; None: as many as at the start. -1: none at all, however they are numbered."""
        for pid in self.pids():
            if beyond is None:
                soft = self._descriptors[pid]
            else:
                numbers = [int(name) for name in os.listdir(f"/proc/{pid}/fd")]
                self._descriptors.setdefault(pid, resource.prlimit(pid, resource.RLIMIT_NOFILE)[0])
                soft = 3 if beyond < 0 else max(numbers) + 1 + beyond
            hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))


class Ours(_Limited):
    kind = "warmpool"

    def __init__(self, sim, host, limits, ours, environment):
        options = {
            "pool.size": limits["pool"], "queue.timeout": f"{limits['queue_ms']}ms", "timeouts.connect": f"{limits['connect_ms']}ms",
            "timeouts.response": f"{limits['response_ms']}ms", "log.access": "false", "admin.listen": "127.0.0.1:0", **ours,
        }
        self.daemon = Warmpool(sim, upstream=f"https://{host}:{{port}}", environment=environment, **options)
        self.port = self.daemon.port
        self._descriptors = {}

    def pids(self):
        return [self.daemon.process.pid]

    def reload(self):
        self.daemon.process.send_signal(signal.SIGHUP)

    def stop(self):
        """What went wrong in it, in words; empty: nothing."""
        try:
            self.daemon.stop()
        except AssertionError as error:
            return str(error)[-2000:] or "ended badly"
        return ""


class Theirs(_Limited):
    def __init__(self, kind, sim, host, limits):
        self.kind = kind
        self._folder = tempfile.TemporaryDirectory(prefix="fault-proxy-")
        self._path = pathlib.Path(self._folder.name)
        self._path.chmod(0o755)
        self.port = free_port()
        self._descriptors = {}
        text = {"nginx": _NGINX, "haproxy": _HAPROXY}[kind].format(
            directory=self._path, port=self.port, host=host, upstream=sim.port, ca_file=self._copied(sim.ca_file),
            name="localhost", connections=_DESCRIPTORS // 2 - 500, **limits)
        (self._path / "conf").write_text(text)
        command = {"nginx": ["-c", self._path / "conf", "-e", "stderr"], "haproxy": ["-W", "-f", self._path / "conf"]}[kind]
        with open(self._path / "output", "wb") as output:
            self._process = subprocess.Popen([shutil.which(kind), *command], stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        self._wait()

    def _copied(self, ca_file):
        copy = self._path / "ca.pem"
        shutil.copyfile(ca_file, copy)
        copy.chmod(0o644)
        return copy

    def _wait(self):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                time.sleep(0.01)
        raise SystemExit(f"{self.kind} did not start: {self._said()}")

    def _said(self):
        return "".join((self._path / name).read_text(errors="replace") for name in ("output", "nginx.log") if (self._path / name).exists())

    def pids(self):
        """The workers."""
        tasks = pathlib.Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        return [int(child) for child in tasks.read_text().split()]

    def reload(self):
        self._process.send_signal(signal.SIGHUP if self.kind == "nginx" else signal.SIGUSR2)

    def stop(self):
        crashed = "" if self._process.poll() is None else f"ended with {self._process.returncode}"
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        crashes = re.findall(r"exited on signal \d+|exited with code 139.*", self._said())
        self._folder.cleanup()
        return crashed or ", ".join(crashes)
