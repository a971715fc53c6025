"""The unit files in a real systemd: readiness, confinement, reload, watchdog, restarts under load."""
import json
import os
import re
import shutil
import subprocess

import pytest

from daemon import BINARY, ROOT, is_sanitized, knows_systemd
from systemd_driver import POOL_KEY

UNITS = ROOT / "systemd"
SDBOOT = ROOT / "tests" / "tools" / "sdboot.sh"

needs_systemd = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("systemctl") is None or not os.path.isdir("/sys/fs/cgroup/unified"),
    reason="needs root, systemd's programs and a unified cgroup hierarchy beside the old one")


@pytest.fixture(scope="module", name="seen")
def _seen(tmp_path_factory):
    """What the driver told, by its name."""
    if not knows_systemd():
        pytest.skip("built without libsystemd")
    if is_sanitized():
        pytest.skip("a sanitizer's shadow memory does not fit the unit's confinement")
    kit = tmp_path_factory.mktemp("kit")
    for unit in UNITS.iterdir():
        shutil.copy(unit, kit)
    shutil.copy(BINARY, kit / "warmpool")
    # The booted system has a /tmp of its own, where the repository may lie.
    for part in ("functional", "simulator"):
        shutil.copytree(ROOT / "tests" / part, kit / "tests" / part,
                        ignore=shutil.ignore_patterns("node*", "__pycache__", ".pytest_cache"))
    (kit / "test.sh").write_text(
        "ip link set lo up\n"
        "install -m 755 /kit/warmpool /usr/sbin/warmpool\n"
        "mkdir -p /run/systemd/system/warmpool.service.d\n"
        # The watchdog's patience and the stop's, shorter than in service so that the test is.
        "printf '[Service]\\nWatchdogSec=3\\nTimeoutStopSec=1\\n' > /run/systemd/system/warmpool.service.d/test.conf\n"
        "systemctl daemon-reload\n"
        "exec /usr/bin/python3 -B /kit/tests/functional/systemd_driver.py\n")
    done = subprocess.run(["bash", str(SDBOOT), str(kit), "150"], capture_output=True, text=True, timeout=200, check=False)
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert rows and rows[-1]["what"] == "end", done.stdout[-3000:] + done.stderr[-1000:]
    return {row["what"]: row for row in rows}


@needs_systemd
@pytest.mark.slow
@pytest.mark.timeout(240)
def test_the_unit_in_a_real_systemd(seen):
    for row in seen.values():
        print(row)
    # It exits with 0 on unknown keys: what counts is that it says nothing.
    assert seen["verify"]["status"] == 0 and seen["verify"]["errors"] == ""

    start = seen["start"]
    assert start["socket"] == 0
    assert start["before"] == "activating" and start["warming"].startswith("warming up; ") and start["active"]
    assert start["handshakes"]["full"] + start["handshakes"]["resumed"] >= 4
    assert start["answer"].startswith(("ERROR_WRONG_USER_KEY", "1"))  # the simulator answers: this is no key
    assert re.search(r"leased, \d+ idle of 10 connections", start["status"])

    confined = seen["confinement"]
    assert confined["Uid"] != "0" and confined["Seccomp"] == "2" and confined["NoNewPrivs"] == "1"
    assert int(confined["CapEff"], 16) == 0

    assert seen["reload"]["good"] == 0 and seen["reload"]["applied"]
    assert seen["reload"]["bad"] != 0 and seen["reload"]["active"] == "active"

    assert seen["killed"]["came"] and seen["killed"]["restarts"] == "1"
    assert seen["hung"]["came"] and seen["hung"]["restarts"] == "2"

    # Longer than TimeoutStopSec=, because the service asked for it.
    assert seen["drain"]["answer"] == "200" and seen["drain"]["status"] == 0 and seen["drain"]["anew"] and seen["drain"]["seconds"] > 2

    assert {"4", "6"} <= set(seen["log"]["priorities"])
    assert seen["log"]["warnings"][0].startswith(
        "start: /etc/warmpool/warmpool.yaml:4: admin.allow: is empty, so every client of 127.0.0.1:8081 will be refused")
    assert seen["log"]["taken"] == ["listener: 2 sockets from systemd take the place of listen"]

    credential = seen["credential"]
    assert credential["status"] == 0 and credential["answer"] == "ERROR_WRONG_USER_KEY", credential
    assert not credential["reloaded"] and credential["active"] == "active"
    key = seen["key"]
    assert key["status"] == 0 and re.fullmatch(r"[0-9.]+", key["answer"]), key  # a balance, which only the key could get
    assert len(key["seen"]) == 1 and f"key={POOL_KEY}" in key["seen"][0], key
    assert key["logged"] and {"journal", "cmdline"} <= set(key["places"]) and key["shown"] == [], key
    for row in (seen["without_ipv6"], seen["with_ipv6"]):
        assert row["status"] == 0 and row["answer"] == "ERROR_WRONG_USER_KEY", row

    load = seen["load"]
    assert load["failed"] == [] and load["pids"] == 6, load
    assert load["lost"] == 0, load
    assert load["twice"] in ([], {}, 0)
    assert load["good"] == load["sent"] > 1000


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_the_unit_is_well_formed_and_confined():
    security = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--threshold=15",
                               str(UNITS / "warmpool.service")], capture_output=True, text=True, check=False)
    score = re.search(r"exposure level for warmpool.service: ([0-9.]+)", security.stdout)
    print("exposure", score.group(1))
    assert security.returncode == 0 and float(score.group(1)) <= 1.5
