"""What a newcomer runs: the demonstration of ./quickstart, and the count at the end of tests/run."""
import json
import re
import subprocess

from daemon import BINARY, ROOT

PYTHON = "/usr/bin/python3"
JUNIT = '<testsuites><testsuite errors="{}" failures="{}" skipped="{}" tests="{}"/></testsuites>'
CHECKS = "{}%: Checks: {}, Failures: {}, Errors: 0\n"


def test_the_demonstration_shows_one_handshake_a_call_directly_and_a_bounded_few_through_warmpool():
    done = subprocess.run([PYTHON, str(ROOT / "tests" / "quickstart" / "demo.py"), "--relay", "--warmpool", BINARY],
                          capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    calls = re.search(r"^ *calls +(\d+) +(\d+)\b", done.stdout, re.MULTILINE)
    handshakes = re.search(r"TLS handshakes +(\d+) +(\d+) ", done.stdout)
    assert handshakes.group(1) == calls.group(1)
    assert int(handshakes.group(2)) <= 25 < int(calls.group(2))
    assert "a relay" in done.stdout


def test_the_demonstration_fails_when_warmpool_does_not_start():
    done = subprocess.run([PYTHON, str(ROOT / "tests" / "quickstart" / "demo.py"), "--relay", "--warmpool", "/bin/false"],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "warmpool ended with 1" in done.stderr


def tally(tmp_path, **files):
    paths = []
    for name, text in files.items():
        path = tmp_path / name.replace("_", ".")
        if text is not None:
            path.write_text(text)
        paths.append(str(path))
    done = subprocess.run([PYTHON, str(ROOT / "tests" / "tools" / "tally.py"), *paths],
                          capture_output=True, text=True, check=True)
    return tuple(map(int, done.stdout.split()))


def program(result, stdout=""):
    return json.dumps({"name": "x", "result": result, "stdout": stdout}) + "\n"


def test_a_tally_adds_up_tests_and_checks(tmp_path):
    assert tally(tmp_path, a_xml=JUNIT.format(1, 2, 3, 10), b_json=program("OK", CHECKS.format(100, 7, 0))) == (11, 3, 3)


def test_a_tally_counts_a_program_that_says_nothing_as_one(tmp_path):
    assert tally(tmp_path, a_json=program("OK") + program("FAIL") + program("SKIP") + program("TIMEOUT")) == (1, 2, 1)


def test_a_tally_counts_a_program_that_fails_after_its_checks_as_a_failure(tmp_path):
    assert tally(tmp_path, a_json=program("FAIL", CHECKS.format(100, 7, 0))) == (6, 1, 0)
    assert tally(tmp_path, a_json=program("FAIL", CHECKS.format(71, 7, 2))) == (5, 2, 0)


def test_a_tally_counts_a_result_that_is_not_there_or_broken_off_as_a_failure(tmp_path):
    assert tally(tmp_path, a_json=None, b_xml=None) == (0, 2, 0)
    assert tally(tmp_path, a_json="", b_xml="<testsuites>") == (0, 2, 0)
