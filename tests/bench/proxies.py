"""The three proxies, each configured for the same job as well as its documentation knows.

One core, one thread or worker, the upstream's certificate and name verified, TLS 1.3, kept connections on both sides, as many
of them as the case says. Ours writes its access log to a file; nginx and HAProxy log nothing.

nginx has no bound on the connections that it opens: its number says only how many it keeps. Bodies stay in its memory
(client_body_buffer_size). HAProxy has a bound where it is told one (maxconn); UNBOUNDED is HAProxy without. It closes idle
connections once a quarter of its descriptors are in use, which 1000 clients of 2000 do; those ratios are raised.
"""
import http.client
import os
import shutil
import time

import accounting
from ground import NAME, ROOT, free_port

ORDER = ["warmpool", "nginx", "haproxy"]
UNBOUNDED = "haproxy-unbounded"
TITLES = {"warmpool": "warmpool", "nginx": "nginx", "haproxy": "HAProxy", UNBOUNDED: "HAProxy without maxconn"}
BINARY = os.environ.get("WARMPOOL", str(ROOT / "build" / "release" / "src" / "warmpool"))
POLL = "/res.php?key=0123456789abcdef0123456789abcdef&action=get&id=2122988149"

_NGINX = """
daemon off;
{single}
worker_processes 1;
worker_rlimit_nofile {descriptors};
pid {directory}/{label}.pid;
error_log {directory}/{label}.log error;
events {{ worker_connections {connections}; }}
http {{
  access_log off;
  keepalive_timeout 600s;
  keepalive_requests 1000000000;
  large_client_header_buffers 4 256k;
  client_max_body_size 32m;
  client_body_buffer_size 2m;
  client_body_temp_path {directory}/{label}-bodies;
  proxy_temp_path {directory}/{label}-proxy;
  fastcgi_temp_path {directory}/{label}-fastcgi;
  uwsgi_temp_path {directory}/{label}-uwsgi;
  scgi_temp_path {directory}/{label}-scgi;
  upstream api {{
    server 127.0.0.1:{upstream};
    keepalive {pool};
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
  }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass https://api;
      proxy_http_version 1.1;
      proxy_set_header Host {name};
      proxy_set_header Connection "";
      proxy_ssl_protocols TLSv1.2 TLSv1.3;
      proxy_ssl_server_name on;
      proxy_ssl_name {name};
      proxy_ssl_verify on;
      proxy_ssl_trusted_certificate {ca_file};
      proxy_read_timeout 120s;
    }}
  }}
}}
"""

_HAPROXY = """
global
  nbthread 1
  maxconn {clients}
  no strict-limits
  ssl-default-server-options ssl-min-ver TLSv1.2
  tune.pool-low-fd-ratio 90
  tune.pool-high-fd-ratio 95
  {buffers}
defaults
  mode http
  http-reuse always
  timeout connect 10s
  timeout queue 120s
  timeout client 600s
  timeout server 120s
  timeout http-keep-alive 600s
frontend scripts
  bind 127.0.0.1:{port} backlog 4096
  default_backend api
backend api
  http-request set-header Host {name}
  default-server {bound} pool-purge-delay 600s
  server api 127.0.0.1:{upstream} ssl verify required ca-file {ca_file} sni str({name}) verifyhost {name}
"""


class Proxy:
    """A running one.

    wrapper goes before its command, settings are --set options of ours, single leaves out nginx's master, and with large_heads
    HAProxy's buffers hold a target of 100 KB (nginx's are allocated only when one comes).
    """

    def __init__(self, kind, ground, upstream_port, pool, clients=2000, wrapper=(), single=False, large_heads=False,
                 settings=None):
        self.kind, self.port, self._core = kind, free_port(), ground.proxy_core
        self._ground, self._label = ground, f"{kind}-{self.port}"
        fields = {
            "directory": ground.directory, "label": self._label, "port": self.port, "upstream": upstream_port, "pool": pool,
            "clients": clients, "name": NAME, "ca_file": ground.ca_file, "descriptors": ground.descriptors,
            "connections": ground.descriptors - 100,
        }
        if kind == "warmpool":
            command = self._warmpool(fields, settings or {})
        elif kind == "nginx":
            file = self._write(_NGINX.format(**fields, single="master_process off;" if single else ""))
            command = [shutil.which("nginx"), "-c", file, "-e", "stderr"]
        else:
            file = self._write(_HAPROXY.format(**fields, buffers="tune.bufsize 262144" if large_heads else "",
                                               bound="" if kind == UNBOUNDED else f"maxconn {pool}"))
            command = [shutil.which("haproxy"), "-db", "-f", file]
        self.started = time.monotonic()
        self._process = ground.start([*wrapper, *command], ground.proxy_core, self._label + ".out")
        self.pid = self._process.pid

    def _warmpool(self, fields, settings):
        options = {
            "listen": f"127.0.0.1:{self.port}", "admin.listen": f"127.0.0.1:{free_port()}",
            "upstream.url": f"https://{NAME}:{fields['upstream']}", "upstream.ca_file": fields["ca_file"],
            "pool.size": fields["pool"], "pool.min_idle": min(4, fields["pool"]),
            "queue.size": 20000, "queue.timeout": "120s", "limits.clients": fields["clients"], "shutdown.drain_timeout": "1s",
        }
        options.update(settings)
        return [BINARY, "run", *(word for key, value in options.items() for word in ("--set", f"{key}={value}"))]

    def _write(self, text):
        file = self._ground.path(self._label + ".conf")
        file.write_text(text)
        return file

    def wait_ready(self, timeout_s=60):
        """The seconds from the start to the first good answer."""
        deadline = self.started + timeout_s
        while True:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
                connection.request("GET", POLL)
                status = connection.getresponse().status
                connection.close()
                if status == 200:
                    return time.monotonic() - self.started
            except OSError:
                pass
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise SystemExit(f"{self.kind} does not answer:\n{self.output()[-4000:]}")
            time.sleep(0.0005)

    def output(self):
        return self._ground.path(self._label + ".out").read_text(errors="replace")

    def empty_output(self):
        """The size of what it wrote, which is then thrown away."""
        file = self._ground.path(self._label + ".out")
        size = file.stat().st_size
        os.truncate(file, 0)
        return size

    def pids(self):
        return accounting.family(self.pid)

    def stop(self):
        if self._process.poll() is None:
            self._process.terminate()
        self._process.wait(60)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
