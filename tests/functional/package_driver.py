"""Installs, upgrades and purges the package in the systemd that tests/tools/sdboot.sh boots; prints one line of JSON for each thing that it saw.

    package_driver.py DEB
"""
import asyncio
import os
import pathlib
import re
import subprocess
import sys

from simctl import Simulator
from systemd_driver import CA, CONFIG, Load, answers, configure, journal, show, systemctl, tell, wait

CLIENTS = 20
UNITS = ("warmpool.socket", "warmpool.service")
POLICY = pathlib.Path("/usr/sbin/policy-rc.d")
# Where packages and services write. The rest of the machine below changes by itself.
COMPARED = ("/bin", "/boot", "/etc", "/lib", "/lib64", "/opt", "/sbin", "/srv", "/usr", "/var")
# Logs and caches, and what dpkg and apt write about every package.
NOT_COMPARED = re.compile(r"/var/(cache|lib/apt|log|tmp)(/|$)"
                          r"|/var/lib/dpkg/((status|available|diversions|statoverride)(-old)?|(lock|triggers/Lock)[^/]*)$")


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
                          env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"})


def apt(*words):
    done = run("apt-get", "--yes", "-o", "Dpkg::Use-Pty=0", *words)
    return {"status": done.returncode, "said": (done.stdout + done.stderr)[-3000:]}


def files():
    found = set()
    for top in COMPARED:
        for directory, directories, names in os.walk(top) if not os.path.islink(top) else ():
            directories[:] = [name for name in directories if not NOT_COMPARED.match(os.path.join(directory, name))]
            found.update(os.path.join(directory, name) for name in directories)
            found.update(path for path in (os.path.join(directory, name) for name in names) if not NOT_COMPARED.match(path))
    return found


def states():
    return {unit: [systemctl(verb, unit).stdout.strip() for verb in ("is-enabled", "is-active")] for unit in UNITS}


def install(deb):
    done = apt("install", deb)
    check = run("warmpool", "check")
    man = [run("man", "-w", *page).stdout.strip() for page in (("8", "warmpool"), ("5", "warmpool.yaml"))]
    tell("install", **done, states=states(), check=check.stdout + check.stderr, man=man,
         verify=run("systemd-analyze", "verify", *UNITS).stderr,
         version=[run("warmpool", "--version").stdout.strip(), run("dpkg-query", "-W", "-f", "${Package} ${Version}", "warmpool").stdout])


def use(sim):
    """What the administrator does: edits the file that came with the package, and starts."""
    configure(sim)
    systemctl("stop", *reversed(UNITS))
    stopped = states()
    started = systemctl("start", "warmpool").returncode  # alone: it binds by itself then
    alone = answers()
    systemctl("stop", "warmpool")
    both = systemctl("start", *UNITS).returncode
    wait(lambda: show("ActiveState") == "active")
    tell("use", stopped=stopped, started=started, alone=alone, both=both, answer=answers(), states=states(), journal=journal()[-600:])


async def upgrade_under_load(deb, load):
    clients = [asyncio.ensure_future(load.client(number)) for number in range(CLIENTS)]
    done = await asyncio.to_thread(apt, "install", "--reinstall", deb)
    await asyncio.sleep(0.5)
    load.stop = True
    await asyncio.gather(*clients)
    return done


def upgrade(deb, sim):
    before = show("MainPID"), show("ActiveEnterTimestampMonotonic", "warmpool.socket"), CONFIG.read_text()
    load = Load()
    done = asyncio.run(upgrade_under_load(deb, load))
    after = show("MainPID"), show("ActiveEnterTimestampMonotonic", "warmpool.socket"), CONFIG.read_text()
    tell("upgrade", **done, sent=load.sent, good=load.good, bad=load.bad[:10], states=states(), twice=sim.submits()["twice"],
         kept=dict(zip(("process", "socket", "configuration"), (one == other for one, other in zip(before, after)))))


def respect(deb):
    """What the administrator has switched off stays off."""
    systemctl("disable", "--now", "warmpool.socket")
    systemctl("restart", "warmpool.service")
    done = apt("install", "--reinstall", deb)
    tell("respect", **done, states=states(), answer=answers())
    systemctl("enable", "--now", *UNITS)


def purge(before):
    CA.unlink()  # the administrator's, not the package's
    done = apt("purge", "warmpool")
    after = files()
    tell("purge", **done, left=sorted(after - before), gone=sorted(before - after), processes=run("pgrep", "-x", "warmpool").stdout,
         known=[systemctl("show", "--value", "-p", "LoadState", unit).stdout.strip() for unit in UNITS],
         run=pathlib.Path("/run/warmpool").exists(), dpkg=run("dpkg-query", "-W", "warmpool").returncode)


def purge_beside_a_key(deb, before):
    """Where nothing may be started, as in an image that is being made; and with a file that the package never had."""
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    done = apt("install", deb)
    state = states()
    (CONFIG.parent / "api_key").write_text("secret\n")
    done["status"] += apt("purge", "warmpool")["status"]
    POLICY.unlink()
    tell("purge_beside_a_key", **done, states=state, left=sorted(files() - before))


def main(deb):
    before = files()
    with Simulator(delay_ms=5) as sim:
        install(deb)
        use(sim)
        upgrade(deb, sim)
        respect(deb)
        purge(before)
    purge_beside_a_key(deb, before)
    tell("end")


if __name__ == "__main__":
    main(sys.argv[1])
