"""The Debian package: built, judged by lintian, and installed, upgraded and purged in a real systemd.

WARMPOOL_DEB in the environment names one that tests/tools/package.sh has built; without it, one is built here.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from daemon import BINARY, ROOT, is_sanitized
from test_systemd import SDBOOT, needs_systemd

PACKAGE = ROOT / "tests" / "tools" / "package.sh"
TOOLS = ("dpkg-deb", "man") if "WARMPOOL_DEB" in os.environ else ("dpkg-buildpackage", "dh", "lintian", "man")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(400),
    pytest.mark.skipif(not all(map(shutil.which, TOOLS)), reason="needs what tests/tools/need.sh package installs"),
]


@pytest.fixture(scope="module", name="deb")
def _deb(tmp_path_factory):
    if is_sanitized():
        pytest.skip("a package holds no sanitizer")
    if "WARMPOOL_DEB" in os.environ:
        return pathlib.Path(os.environ["WARMPOOL_DEB"]).resolve(strict=True)
    out = tmp_path_factory.mktemp("package")
    done = subprocess.run([PACKAGE, out], capture_output=True, text=True, check=False)  # lintian's word decides too
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
    return next(out.glob("warmpool_*.deb"))


@pytest.fixture(scope="module", name="tree")
def _tree(deb, tmp_path_factory):
    """What is in it."""
    tree = tmp_path_factory.mktemp("tree")
    subprocess.run(["dpkg-deb", "--raw-extract", deb, tree], check=True)
    return tree


@pytest.fixture(scope="module", name="seen")
def _seen(deb, tmp_path_factory):
    """What the driver told, by its name."""
    kit = tmp_path_factory.mktemp("kit")
    shutil.copy(deb, kit / "warmpool_test.deb")
    for part in ("functional", "simulator"):
        shutil.copytree(ROOT / "tests" / part, kit / "tests" / part,
                        ignore=shutil.ignore_patterns("node*", "__pycache__", ".pytest_cache"))
    (kit / "test.sh").write_text(
        "ip link set lo up\n"
        # What keeps services from being started where this machine is a container's image.
        "rm -f /usr/sbin/policy-rc.d\n"
        "exec /usr/bin/python3 -B /kit/tests/functional/package_driver.py /kit/warmpool_test.deb\n")
    done = subprocess.run(["bash", str(SDBOOT), str(kit), "240"], capture_output=True, text=True, timeout=280, check=False)
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    for row in rows:
        print(row)
    assert rows and rows[-1]["what"] == "end", done.stdout[-3000:] + done.stderr[-1000:]
    return {row["what"]: row for row in rows}


def test_the_package_holds_what_it_should(tree):
    held = {str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file()}
    units = pathlib.Path(next(path for path in held if path.endswith("/warmpool.service"))).parent
    assert {"usr/sbin/warmpool", f"{units}/warmpool.socket", "usr/share/man/man8/warmpool.8.gz", "usr/share/man/man5/warmpool.yaml.5.gz",
            "usr/share/bash-completion/completions/warmpool"} <= held
    assert (tree / units / "warmpool.service").read_text() == (ROOT / "systemd" / "warmpool.service").read_text()
    assert (tree / "DEBIAN/conffiles").read_text().split() == ["/etc/warmpool/warmpool.yaml"]
    assert (tree / "etc/warmpool/warmpool.yaml").read_text() == (ROOT / "conf" / "warmpool.yaml").read_text()

    page = subprocess.run(["man", "-l", tree / "usr/share/man/man5/warmpool.yaml.5.gz"], capture_output=True, text=True, check=True,
                          env={**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "100"}).stdout
    options = subprocess.run([BINARY, "options"], capture_output=True, text=True, check=True).stdout
    keys = re.findall(r"^(?!OPTION)(\S+)", options, re.MULTILINE)
    assert len(keys) > 40
    assert [key for key in keys if not re.search(rf"^ {{7}}{re.escape(key)}( |$)", page, re.MULTILINE)] == []


@needs_systemd
def test_it_installs_serves_upgrades_without_loss_and_leaves_nothing(seen):
    """One test, because a parallel run would boot anew for each."""
    assert_served(seen)
    assert_upgraded(seen)
    assert_purged(seen)


def assert_served(seen):
    install = seen["install"]
    assert install["status"] == 0, install["said"]
    assert install["states"] == {unit: ["enabled", "active"] for unit in ("warmpool.socket", "warmpool.service")}
    assert install["check"] == "/etc/warmpool/warmpool.yaml: ok\n"
    assert install["verify"] == ""  # its manual pages are found as well
    assert [pathlib.Path(page).name for page in install["man"]] == ["warmpool.8.gz", "warmpool.yaml.5.gz"]
    assert len(set(install["version"])) == 1, install["version"]  # meson.build and debian/changelog agree

    use = seen["use"]
    assert all(state[1] == "inactive" for state in use["stopped"].values())
    assert use["started"] == use["both"] == 0
    assert use["alone"] == use["answer"] == "ERROR_WRONG_USER_KEY"


def assert_upgraded(seen):
    upgrade = seen["upgrade"]
    assert upgrade["status"] == 0, upgrade["said"]
    assert upgrade["kept"] == {"process": False, "socket": True, "configuration": True}
    assert upgrade["bad"] == [] and upgrade["good"] == upgrade["sent"] > 100
    assert not upgrade["twice"]
    assert upgrade["states"] == seen["install"]["states"]

    respect = seen["respect"]
    assert respect["status"] == 0, respect["said"]
    assert respect["states"] == {"warmpool.socket": ["disabled", "inactive"], "warmpool.service": ["enabled", "active"]}
    assert respect["answer"] == "ERROR_WRONG_USER_KEY"


def assert_purged(seen):
    purge = seen["purge"]
    assert purge["status"] == 0, purge["said"]
    assert purge["left"] == [] and purge["gone"] == []
    assert purge["processes"] == "" and purge["known"] == ["not-found"] * 2 and not purge["run"] and purge["dpkg"] != 0

    beside = seen["purge_beside_a_key"]
    assert beside["status"] == 0, beside["said"]
    assert beside["states"] == {unit: ["enabled", "inactive"] for unit in ("warmpool.socket", "warmpool.service")}
    assert beside["left"] == ["/etc/warmpool", "/etc/warmpool/api_key"]  # what the package never had is not its to delete
