"""Starting: what is wrong is said with the option, the place and the remedy; ready means ready."""
import os
import re
import socket
import subprocess

import pytest
import requests

from daemon import BINARY, Warmpool, free_port
from simctl import Simulator


def _run(*arguments, wrapper=(), timeout=30):
    return subprocess.run([*wrapper, BINARY, *arguments], capture_output=True, text=True, timeout=timeout, check=False)


def _file(tmp_path, text):
    path = tmp_path / "warmpool.yaml"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("text,line,words", [
    ("pool:\n  szie: 5\n", 2, ["pool.szie", "pool.size"]),
    ("queue:\n  timeout: 10\n", 2, ["queue.timeout", "10s"]),
    ("pool:\n  min_idle: 4\n  size: 0\n", 3, ["pool.size", "1", "10000"]),
    ("upstream:\n  ca_file: /nonexistent/ca.pem\n", 2, ["upstream.ca_file", "No such file"]),
    ("listen: 0.0.0.0:8080\n", 1, ["listen", "access.allow"]),
    ("listen: localhost\n", 1, ["listen"]),
    ("access:\n  allow: [10.0.0.1/8]\n", 2, ["access.allow"]),
    ("pool: [\n", 2, []),
])
@pytest.mark.parametrize("command", ["check", "run"])
def test_a_bad_file_is_refused_with_its_line(tmp_path, command, text, line, words):
    path = _file(tmp_path, text)
    result = _run(command, "-c", path)
    assert result.returncode == 1
    assert f"{path}:{line}:" in result.stderr
    for word in words:
        assert word in result.stderr


def test_every_problem_is_named_at_once(tmp_path):
    result = _run("check", "-c", _file(tmp_path, "pool:\n  size: x\n  max_connecting: 0\nlog:\n  level: loud\n"))
    assert result.returncode == 1
    assert len(re.findall(r"warmpool\.yaml:\d+:", result.stderr)) == 3


def test_a_good_file_is_accepted(tmp_path):
    assert _run("check", "-c", _file(tmp_path, "pool:\n  size: 50\n")).returncode == 0
    assert _run("check", "--set", "pool.size=50").returncode == 0


def test_set_names_itself():
    result = _run("check", "--set", "pool.size=many")
    assert result.returncode == 1
    assert "--set pool.size" in result.stderr


def test_options_lists_every_key():
    result = _run("options")
    assert result.returncode == 0
    for key in ("listen", "pool.size", "queue.timeout", "limits.buffered", "access.hosts", "shutdown.drain_timeout"):
        assert re.search(rf"^{re.escape(key)}\b", result.stdout, re.M)


def test_version_and_usage():
    assert re.match(r"warmpool \d+\.\d+", _run("--version").stdout)
    assert _run("fly").returncode == 2
    assert _run("--set").returncode == 2


def test_a_busy_port_is_named_with_its_line(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as busy:
        path = _file(tmp_path, f"log:\n  level: info\nlisten: 127.0.0.1:{busy.getsockname()[1]}\n")
        result = _run("run", "-c", path)
    assert result.returncode == 1
    assert f"{path}:3: listen: cannot listen on 127.0.0.1:" in result.stderr


def test_a_busy_port_is_named():
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        result = _run("run", "--set", f"listen=127.0.0.1:{port}")
    assert result.returncode == 1
    assert f"127.0.0.1:{port}" in result.stderr
    assert "Address already in use" in result.stderr
    assert "listen=" in result.stderr


def test_a_ca_file_without_certificates_is_named(tmp_path):
    empty = tmp_path / "ca.pem"
    empty.write_text("nothing\n")
    result = _run("run", "--set", f"upstream.ca_file={empty}", "--set", "listen=127.0.0.1:0")
    assert result.returncode == 1
    assert "upstream.ca_file" in result.stderr


def test_too_few_descriptors_are_named():
    result = _run("run", "--set", "listen=127.0.0.1:0", wrapper=["prlimit", "--nofile=200:200"])
    assert result.returncode == 1
    for word in ("ulimit -n", "LimitNOFILE=", "limits.clients"):
        assert word in result.stderr


def test_an_upstream_that_is_ourselves_is_refused():
    port = free_port()
    result = _run("run", "--set", f"listen=127.0.0.1:{port}", "--set", f"upstream.url=https://localhost:{port}")
    assert result.returncode == 1
    assert "our own listener" in result.stderr


def test_ready_comes_with_warm_spares(sim):
    with Warmpool(sim, **{"pool.min_idle": 6}) as wp:
        assert sim.counters()["connections"]["open"] == 6
        assert "warm=6" in wp.log()


@pytest.mark.slow
def test_an_upstream_that_is_down_is_said_and_served_when_back():
    with Simulator() as sim:
        sim.refuse()
        with Warmpool(sim) as wp:
            assert "is not reached yet" in wp.log()
            answer = requests.get(wp.url + "/in.php?key=k")
            assert answer.status_code == 503
            assert answer.text == "ERROR_BREAKER_OPEN"
            sim.accept()
            wp.wait_log("reachable again")
            assert requests.get(wp.url + "/res.php?key=k&action=getbalance").status_code == 200


def test_unix_and_ipv6_listeners(sim, tmp_path):
    path = tmp_path / "http.sock"
    with Warmpool(sim, listen=f"127.0.0.1:0, [::1]:0, unix:{path}") as wp:
        assert len(wp.addresses) == 3
        for address in wp.addresses[:2]:
            assert requests.get(f"http://{address}/res.php?key=k&action=getbalance").status_code == 200
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(path))
            sock.sendall(b"GET /res.php?key=k&action=getbalance HTTP/1.0\r\n\r\n")
            assert sock.recv(4096).startswith(b"HTTP/1.1 200")
        assert wp.wait_log(f"client=\"?pid={os.getpid()}")
    assert not path.exists()


def test_ourselves_are_seen_behind_a_wildcard():
    port = free_port()
    result = _run("run", "--set", f"listen=0.0.0.0:{port}", "--set", "access.allow=127.0.0.0/8,192.0.2.0/24",
                  "--set", f"upstream.url=https://localhost:{port}")
    assert result.returncode == 1
    assert "our own listener" in result.stderr


def test_the_breaker_closes_again_without_spares():
    with Simulator() as sim, Warmpool(sim, **{"pool.min_idle": 0}) as wp:
        sim.refuse()
        answer = requests.get(wp.url + "/res.php?key=k&action=getbalance")
        assert answer.status_code == 503
        sim.accept()
        wp.wait_log("reachable again")
        assert requests.get(wp.url + "/res.php?key=k&action=getbalance").status_code == 200
