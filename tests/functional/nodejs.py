"""Node scripts with the real HTTP clients of node/package.json.

    out = nodejs.run("submit.js", wp.url)

The packages are installed by the first who needs them, into node/node_modules, which git ignores. A
script is a file in node/, or given as text; arguments reach it as process.argv[2] and on.
"""
import fcntl
import hashlib
import json
import os
import pathlib
import shutil
import subprocess

import pytest

HERE = pathlib.Path(__file__).resolve().parent / "node"
_INSTALL_S = 120


def ensure_packages():
    """Installs what package-lock.json names, once for all workers; skips the test where there is no npm."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"no {program} here")
    wanted = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()
    stamp = HERE / "node_modules" / ".installed"
    with open(HERE / "package.json", "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.exists() and stamp.read_text() == wanted:
            return
        done = subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=HERE,
                              capture_output=True, text=True, timeout=_INSTALL_S, check=False)
        assert done.returncode == 0, f"npm ci failed:\n{done.stdout}{done.stderr}"
        stamp.write_text(wanted)


def run(script, *arguments, timeout=60, expect=0, environment=None):
    """Runs a script (the name of a file in node/, or JavaScript itself); returns what it printed."""
    ensure_packages()
    name = script if script.endswith(".js") and "\n" not in script else "-"
    done = subprocess.run(["node", name, *map(str, arguments)], cwd=HERE, capture_output=True, text=True,
                          timeout=timeout, input=script if name == "-" else None, check=False,
                          env={**os.environ, **(environment or {})})
    assert done.returncode == expect, f"node ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout


def run_json(script, *arguments, **options):
    """The same for a script that prints one JSON value."""
    return json.loads(run(script, *arguments, **options))
