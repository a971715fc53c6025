"""What a process and its children have used, by the kernel's own account."""
import dataclasses
import os
import pathlib
import re

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_PRIVATE = re.compile(r"^Private_\w+:\s+(\d+) kB", re.MULTILINE)


@dataclasses.dataclass
class Usage:
    """CPU seconds. total comes from the scheduler, to the nanosecond; user and system are its parts, by ticks."""
    user: float
    system: float
    total: float

    def __sub__(self, other):
        return Usage(self.user - other.user, self.system - other.system, self.total - other.total)


def family(pid):
    """The process and all below it."""
    found = [pid]
    for parent in found:
        for task in pathlib.Path(f"/proc/{parent}/task").iterdir():
            found += [int(child) for child in (task / "children").read_text().split()]
    return found


def usage(pids):
    user = system = total = 0.0
    for pid in pids:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        user += int(fields[11]) * _TICK_S
        system += int(fields[12]) * _TICK_S
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0]) / 1e9
    return Usage(user, system, total)


def private_kb(pids):
    """Memory that is theirs alone: what would come back if they ended."""
    return sum(sum(map(int, _PRIVATE.findall(pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()))) for pid in pids)


def page_faults(pids):
    """Pages that had to be brought in or zeroed, none of them from a disk."""
    return sum(int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[7]) for pid in pids)


def busy_s(core):
    """Seconds that a core has not been idle."""
    for line in pathlib.Path("/proc/stat").read_text().splitlines():
        if line.startswith(f"cpu{core} "):
            user, nice, system, _idle, _wait, irq, softirq, steal = map(int, line.split()[1:9])
            return (user + nice + system + irq + softirq + steal) * _TICK_S
    raise ValueError(f"no such core: {core}")


def connections_to(port):
    """Established TCP connections to a port of 127.0.0.1."""
    wanted = f"0100007F:{port:04X}"
    with open("/proc/net/tcp", encoding="ascii") as table:
        return sum(1 for row in table if row.split()[2] == wanted and row.split()[3] == "01")
