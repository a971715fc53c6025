"""Three machines on a LAN, each a network namespace: who is let in, by which name, and who slows whom.

The tests themselves stand in lan_inside.py; they run in a network and mounts of their own, which vanish with them.
"""
import os
import pathlib
import subprocess

import pytest

INSIDE = ["unshare", "--net", "--mount"]


def may_unshare():
    return os.geteuid() == 0 and subprocess.run([*INSIDE, "ip", "netns"], capture_output=True, check=False).returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(not may_unshare(), reason="network namespaces need root")
def test_three_machines_on_a_lan():
    script = pathlib.Path(__file__).with_name("lan_inside.py")
    done = subprocess.run([*INSIDE, "/usr/bin/python3", "-m", "pytest", "-q", "-rP", "-p", "no:cacheprovider", "-p", "no:xdist", str(script)],
                          capture_output=True, text=True, timeout=110, check=False)
    print(done.stdout)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
