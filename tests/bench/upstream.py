"""The TLS server that all proxies forward to: nginx, TLS 1.3, one worker, connections kept.

Polls are answered from the configuration. A submit is answered once its body has been read whole, as the API does; nginx has no
directive for that, so `mirror` reads it, the static file's 405 for POST ends the phase, and error_page turns that into the
answer. Requests of /held go to clients.Barrier.
"""
import time
import urllib.request

from ground import free_port

_CONFIGURATION = """
daemon off;
master_process off;
pid {directory}/upstream-{port}.pid;
error_log {directory}/upstream-{port}.log error;
worker_rlimit_nofile {descriptors};
events {{ worker_connections {connections}; }}
http {{
  access_log off;
  default_type text/plain;
  keepalive_timeout {keepalive};
  keepalive_requests 1000000000;
  large_client_header_buffers 4 256k;
  client_max_body_size 32m;
  client_body_buffer_size 2m;
  client_body_temp_path {directory}/upstream-{port}-bodies;
  proxy_temp_path {directory}/upstream-{port}-proxy;
  fastcgi_temp_path {directory}/upstream-{port}-fastcgi;
  uwsgi_temp_path {directory}/upstream-{port}-uwsgi;
  scgi_temp_path {directory}/upstream-{port}-scgi;
  ssl_certificate {directory}/server.pem;
  ssl_certificate_key {directory}/server.key;
  ssl_protocols TLSv1.3;
  server {{
    listen 127.0.0.1:{port} ssl backlog=4096;
    root {directory}/pages;
    location = /res.php {{ return 200 "CAPCHA_NOT_READY"; }}
    location = /in.php {{ mirror /read; error_page 405 =200 @taken; }}
    location = /read {{ internal; return 204; }}
    location @taken {{ return 200 "OK|2122988149"; }}
    location = /held {{ proxy_pass http://127.0.0.1:{barrier}; proxy_read_timeout 120s; }}
  }}
  server {{
    listen 127.0.0.1:{status};
    location / {{ stub_status; }}
  }}
}}
"""


class Upstream:
    def __init__(self, ground, keepalive="600s", barrier=9):
        self.port, self._status, self._asked = free_port(), free_port(), 0
        pages = ground.path("pages")
        pages.mkdir(exist_ok=True)
        (pages / "in.php").write_text("OK|2122988149")
        file = ground.path(f"upstream-{self.port}.conf")
        file.write_text(_CONFIGURATION.format(
            directory=ground.directory, port=self.port, status=self._status, keepalive=keepalive, barrier=barrier,
            descriptors=ground.descriptors, connections=ground.descriptors - 100))
        self._process = ground.start(["nginx", "-c", file, "-e", "stderr"], ground.upstream_core, f"upstream-{self.port}.out")
        self._wait_listening()

    def _wait_listening(self):
        """A proxy that found it missing would back off, and be measured at that."""
        deadline = time.monotonic() + 20
        while True:
            try:
                self._status_row()
                return
            except OSError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise SystemExit("the upstream does not start") from None
                time.sleep(0.005)

    def _status_row(self):
        """accepts, handled, requests; without our own questions."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._status}/", timeout=10) as answer:
            row = [int(word) for word in answer.read().decode().splitlines()[2].split()]
        self._asked += 1
        return [number - self._asked for number in row]

    def accepted(self):
        """Connections taken since the start."""
        return self._status_row()[0]

    def answered(self):
        """Requests taken since the start."""
        return self._status_row()[2]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait(20)
