"""A LAN of network namespaces: the pool's machine is the present one, three others stand on a bridge before it.

Only for a process that has a network and mounts of its own (`unshare --net --mount`): see test_lan.py.

    192.168.1.10   the pool's machine, called pool.lan; 192.168.7.1 to the guests
    192.168.1.21   office-a
    192.168.1.22   office-b
    192.168.7.5    guest, in a network that conf/lan.yaml does not name
"""
import json
import pathlib
import subprocess

MACHINES = {"office-a": "192.168.1.21", "office-b": "192.168.1.22", "guest": "192.168.7.5"}
POOL = "192.168.1.10"
HOSTS = f"127.0.0.1 localhost\n::1 localhost\n{POOL} pool.lan\n"


def _run(*command):
    subprocess.run(command, check=True, capture_output=True, text=True)


def build(folder):
    """Makes the network; it ends with the process that is alone in it."""
    hosts = pathlib.Path(folder) / "hosts"
    hosts.write_text(HOSTS)
    # Mounts are this process's own: what the machine has under /run and in /etc stays as it is.
    _run("mount", "-t", "tmpfs", "tmpfs", "/run")
    _run("mount", "--bind", str(hosts), "/etc/hosts")
    _run("ip", "link", "set", "lo", "up")
    _run("ip", "link", "add", "office", "type", "bridge")
    _run("ip", "link", "set", "office", "up")
    _run("ip", "addr", "add", f"{POOL}/24", "dev", "office")
    _run("ip", "addr", "add", "192.168.7.1/24", "dev", "office")
    for number, (name, address) in enumerate(MACHINES.items()):
        _run("ip", "netns", "add", name)
        _run("ip", "link", "add", f"port{number}", "type", "veth", "peer", "name", "eth0", "netns", name)
        _run("ip", "link", "set", f"port{number}", "master", "office", "up")
        _run("ip", "-n", name, "link", "set", "lo", "up")
        _run("ip", "-n", name, "addr", "add", f"{address}/24", "dev", "eth0")
        _run("ip", "-n", name, "link", "set", "eth0", "up")
    _run("ip", "-n", "guest", "route", "add", "default", "via", "192.168.7.1")


def on(machine, *command, **options):
    """Runs a command on a machine."""
    return subprocess.run(["ip", "netns", "exec", machine, *command],
                          **{"capture_output": True, "text": True, "timeout": 60, "check": False, **options})


def start(machine, *command):
    return subprocess.Popen(["ip", "netns", "exec", machine, *command], stdout=subprocess.PIPE, text=True)


def workers(machine, port, token, count, seconds):
    """Starts so many workers there; finish() waits for what they measured."""
    script = pathlib.Path(__file__).with_name("lan_workers.py")
    return start(machine, "/usr/bin/python3", str(script), "pool.lan", str(port), token, str(count), str(seconds))


def finish(process):
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return json.loads(out)
