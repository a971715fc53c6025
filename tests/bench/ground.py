"""What all measurements stand on: a directory, a certificate authority, free ports, two cores, enough descriptors.

The proxies that are measured get one core, the load the other. The upstream gets a third where there is one; where
there are only two it shares the load's, so that requests a second there are bounded by load and upstream together,
while CPU a request, which is what the targets are about, is the proxy's alone.
"""
import os
import pathlib
import resource
import shutil
import socket
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
NAME = "localhost"


class Ground:
    def __init__(self):
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) < 2:
            raise SystemExit("the bench needs two cores: one for the proxy, one for the load")
        self.load_core, self.proxy_core, self.upstream_core = cores[0], cores[1], cores[2 if len(cores) > 2 else 0]
        self.descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (self.descriptors, self.descriptors))
        os.sched_setaffinity(0, {self.load_core})  # our own clients are load too
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="warmpool-bench-"))
        _make_certificates(self.directory)
        self.ca_file = self.directory / "ca.pem"

    def crowd(self, wanted):
        """As many clients as the limit of descriptors lets one process hold."""
        return min(wanted, self.descriptors - 1000)

    def path(self, name):
        return self.directory / name

    def start(self, arguments, core, output, **options):
        """A process on a core, its output in a file of this name, opened for appending so that it can be emptied."""
        with open(self.path(output), "ab") as file:
            return subprocess.Popen([str(argument) for argument in arguments], stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                                    preexec_fn=lambda: os.sched_setaffinity(0, {core}), **options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.directory, ignore_errors=True)


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def _make_certificates(directory):
    """ca.pem, and server.pem and server.key for NAME, all P-256."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)

    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl("req", "-x509", *new_key, "-days", "3", "-subj", "/CN=bench CA", "-keyout", "ca.key", "-out", "ca.pem")
    openssl("req", *new_key, "-subj", f"/CN={NAME}", "-keyout", "server.key", "-out", "server.csr")
    (directory / "names").write_text(f"subjectAltName=DNS:{NAME}\n")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "3",
            "-extfile", "names", "-out", "server.pem")
    for name in ("server.key", "server.pem", "ca.pem"):
        (directory / name).chmod(0o644)
    directory.chmod(0o755)
