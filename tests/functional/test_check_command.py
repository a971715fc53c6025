"""`warmpool check` and the usage: the place, what is wrong, what to do, and the exit status."""
import socket
import subprocess

import pytest

from daemon import BINARY


def _run(*arguments):
    return subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize("setting,words", [
    ("pool.szie=5", ["unknown option", "did you mean pool.size"]),
    ("nothing.like.it=5", ["unknown option"]),
    ("queue.timeout=10", ["needs a unit", "10s"]),
    ("queue.timeout=10parsecs", ["ms, s, m, h or d", "1ms to 1h"]),
    ("limits.request_body=1XB", ["KiB", "1GiB"]),
    ("pool.size=-1", ["pool.size", "1 to 10000"]),
    ("pool.size=10001", ["out of range", "1 to 10000"]),
    ("pool.size=99999999999999999999", ["pool.size", "1 to 10000"]),
    ("pool.solve_share=101%", ["out of range", "100%"]),
    ("log.level=loud", ["error, warning, info, debug"]),
    ("upstream.tls_verify=perhaps", ["true", "false"]),
    ("upstream.url=ftp://localhost", ["https://"]),
    ("upstream.ca_file=/", ["directory", "PEM"]),
    ("listen=0.0.0.0:8080", ["access.allow", "127.0.0.1"]),
    ("listen=[::]:8080", ["access.allow"]),
    ("listen=localhost:8080", ["127.0.0.1:PORT"]),
    ("access.clients.10.0.0.7.weight=0", ["out of range", "1 to 1000"]),
    ("access.clients.crawler.wieght=2", ["did you mean weight"]),
    ("access.clients=crawler", ["crawler.weight=2"]),
    ("access.clients=10.0.0.5/8.weight=2", ["10.0.0.5/8", "bits set after its prefix"]),
])
@pytest.mark.parametrize("command", ["check", "run"])
def test_a_bad_setting_is_refused_with_its_remedy(command, setting, words):
    result = _run(command, "--set", setting)
    assert result.returncode == 1
    # Once, on one line that begins with the place.
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith(f"--set {setting.split('=')[0]}: ")
    for word in words:
        assert word in result.stderr
    assert result.stdout == ""


def test_a_setting_overrides_the_file_and_is_the_one_named(tmp_path):
    path = tmp_path / "warmpool.yaml"
    path.write_text("pool:\n  size: 5\n")
    result = _run("check", "-c", str(path), "--set", "pool.size=0")
    assert result.returncode == 1
    assert result.stderr.startswith("--set pool.size: ")


def test_rows_by_client_are_checked_line_by_line(tmp_path):
    path = tmp_path / "warmpool.yaml"
    path.write_text(
        "access:\n  clients:\n    default: {max_queued: 50}\n    crawler:\n      wieght: 2\n      max_inflight: 10\n"
        "    10.0.0.7:\n      weight: 0\n")
    result = _run("check", "-c", str(path))
    assert result.returncode == 1
    assert result.stderr.splitlines() == [
        f"{path}:5: access.clients.crawler: 'wieght' is no field of a row; did you mean weight?",
        f"{path}:8: access.clients.10.0.0.7.weight: '0' is out of range; allowed: 1 to 1000",
    ]
    path.write_text(path.read_text().replace("wieght", "weight").replace("weight: 0", "weight: 3"))
    result = _run("check", "-c", str(path), "--set", "access.clients.fd00::1.weight=2")
    assert (result.returncode, result.stderr) == (0, "")


def test_a_missing_file_is_named():
    result = _run("check", "-c", "/nonexistent/warmpool.yaml")
    assert result.returncode == 1
    assert "/nonexistent/warmpool.yaml" in result.stderr
    assert "No such file" in result.stderr


def test_a_check_binds_nothing():
    with socket.create_server(("127.0.0.1", 0)) as busy:
        assert _run("check", "--set", f"listen=127.0.0.1:{busy.getsockname()[1]}").returncode == 0


@pytest.mark.parametrize("arguments", [
    ["fly"], ["chekc"], ["run", "extra"], ["--set"], ["--set", "pool.size"], ["--set", "=5"], ["-c"], ["--no-such-option"],
])
def test_wrong_usage_ends_with_2_and_a_hint(arguments):
    result = _run(*arguments)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.startswith("warmpool: ")
    assert "--help" in result.stderr or "did you mean check" in result.stderr


def test_help_is_no_fault():
    result = _run("--help")
    assert result.returncode == 0
    assert result.stdout.startswith("usage: warmpool")
