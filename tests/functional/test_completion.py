"""completions/warmpool.bash: what bash offers is what the program itself knows."""
import re
import subprocess

import pytest

from daemon import BINARY, ROOT

# What bash sets before it calls the function: it has split the line at its word breaks.
SCRIPT = r"""
source "$1"
COMP_LINE="$2 $3" COMP_POINT=$((${#2} + 1 + ${#3})) COMP_WORDS=("$2")
_warmpool
printf '%s\n' "${COMPREPLY[@]}"
"""


def offered(line, program=BINARY):
    done = subprocess.run(["bash", "-c", SCRIPT, "bash", str(ROOT / "completions/warmpool.bash"), program, line],
                          capture_output=True, text=True, check=True, timeout=30)
    assert done.stderr == ""
    return done.stdout.split()


def keys():
    rows = subprocess.run([BINARY, "options"], capture_output=True, text=True, check=True).stdout.splitlines()[1:]
    return [row.split()[0] for row in rows if not row.startswith(" ")]


def commands():
    usage = subprocess.run([BINARY, "--help"], capture_output=True, text=True, check=True).stdout
    return re.findall(r"^(?:usage:| ) *warmpool \[?([a-z]+)", usage, re.MULTILINE)


def test_commands_come_from_the_usage():
    assert {"run", "check", "options", "doctor", "status"} <= set(commands())
    assert sorted(offered("")) == sorted(commands())


def test_every_key_is_offered_after_set():
    assert len(keys()) > 40
    assert offered("run --set ") == offered("--set=") == [f"{key}=" for key in keys()]


@pytest.mark.parametrize("line, words", [
    ("ch", ["check"]),
    ("check ", []),  # one command is enough
    ("-c check ru", ["run"]),  # and this one is a file
    ("--set pool.size=5 doc", ["doctor"]),
    ("status -", ["--help", "--json", "--set", "--version", "--watch", "-c"]),
    ("run --s", ["--set"]),
    ("run --set pool.min", ["pool.min_idle="]),
    ("run --set pool.size=", []),
    ("run --set upstream.tls_verify=", ["true", "false"]),  # after the word break =
    ("run --set log.level=w", ["warning"]),
    ("run --set=log.format=j", ["json"]),
    ("run --set pool.idle_timeout=", ["auto"]),
    ("run --set listen=", []),
    ("run --set upstream.ca_file=", []),
    ("run --set no.such=", []),
])
def test_what_is_offered(line, words):
    assert sorted(offered(line)) == sorted(words)


def test_files_are_offered_after_c(tmp_path):
    (tmp_path / "pool.yaml").touch()
    (tmp_path / "pool two.yaml").touch()
    done = subprocess.run(["bash", "-c", SCRIPT, "bash", str(ROOT / "completions/warmpool.bash"), BINARY, f"check -c {tmp_path}/pool"],
                          capture_output=True, text=True, check=True, timeout=30)
    assert sorted(done.stdout.splitlines()) == [f"{tmp_path}/pool two.yaml", f"{tmp_path}/pool.yaml"]


def test_a_program_that_does_not_answer_offers_nothing():
    assert offered("", "/nonexistent/warmpool") == offered("run --set ", "/nonexistent/warmpool") == []
