"""Instructions and heap allocations a request, in user space, by callgrind.

The counts begin and end while the load runs, so that what they show is the path that every request takes, and no connection's
opening: warmpool keeps all of its pool open. What OpenSSL has libc do (memory, copies) is OpenSSL's.
"""
import collections
import pathlib
import re
import subprocess
import time

from loads import BY_KEY, under
from proxies import ORDER, Proxy

LOAD = "keepalive-32"  # what is measured unless others are asked for
TLS = ("libssl", "libcrypto")
UNSEEN = "unseen"  # ours, without what others see of it
_UNSEEN = {"log.access": "false", "admin.listen": "off"}
_FOR_TLS = {"openssl_take", "openssl_resize", "openssl_give"}  # src/net/tls_memory.c
_ALLOCATORS = {"malloc", "calloc", "realloc", "reallocarray", "memalign", "posix_memalign", "aligned_alloc"}
_COST = re.compile(r"^(?:\+|-)?(?:\d+|\*) (\d+)")


class Profile:
    """What a callgrind file without compressed names says.

    cost: (object, function) → its own instructions; allocations: object → its calls of allocators; libc_for_tls: instructions
    in libc that OpenSSL called for.
    """

    def __init__(self, text):
        self.cost = collections.Counter()
        self.allocations = collections.Counter()
        self.libc_for_tls = 0
        place = function = callee = callee_place = "?"
        is_callee_cost = for_tls = False
        for line in text.splitlines():
            if line.startswith("ob="):
                place = callee_place = pathlib.Path(line[3:]).name
            elif line.startswith("fn="):
                function = line[3:]
            elif line.startswith("cob="):
                callee_place = pathlib.Path(line[4:]).name
            elif line.startswith("cfn="):
                callee = line[4:].partition("'")[0]
            elif line.startswith("calls="):
                is_callee_cost = True
                for_tls = is_tls(place) or function.partition(".")[0] in _FOR_TLS
                if callee in _ALLOCATORS:
                    self.allocations[TLS[0] if for_tls else place] += int(line[6:].split()[0])
            elif match := _COST.match(line):
                if not is_callee_cost:
                    self.cost[place, function] += int(match.group(1))
                    continue
                if for_tls and callee_place.startswith("libc.so"):
                    self.libc_for_tls += int(match.group(1))
                is_callee_cost, callee_place = False, place

    def by_object(self):
        total = collections.Counter()
        for (place, _), cost in self.cost.items():
            total[place] += cost
        return total


def is_tls(place):
    return place.startswith(TLS)


def _control(word, pid):
    subprocess.run(["callgrind_control", word, str(pid)], check=True, capture_output=True, timeout=60)


def _profile(ground, kind, upstream, load, seconds, settings=None):
    file = ground.path(f"callgrind-{kind}")
    wrapper = ["valgrind", "-q", "--tool=callgrind", "--compress-strings=no", "--compress-pos=no",
               f"--callgrind-out-file={file}"]
    with Proxy(kind, ground, upstream.port, load.pool, wrapper=wrapper, single=True,
               large_heads=load.kind == "target", settings={"pool.min_idle": load.pool, **(settings or {})}) as proxy:
        proxy.wait_ready(120)
        with under(ground, proxy.port, load, seconds + 60, 3 if seconds < 5 else 6):
            _control("--zero", proxy.pid)
            requests = upstream.answered()
            time.sleep(seconds)
            requests = upstream.answered() - requests
            _control("--dump", proxy.pid)
        dumped = pathlib.Path(f"{file}.1")
        deadline = time.monotonic() + 20
        while not dumped.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
    found = Profile(dumped.read_text(errors="replace"))
    return {
        "requests": requests,
        "instructions": {place: cost / requests for place, cost in found.by_object().items()},
        "libc_for_tls": found.libc_for_tls / requests,
        "allocations": {place: calls / requests for place, calls in found.allocations.items()},
        "functions": [[place, name, cost / requests] for (place, name), cost in found.cost.most_common(200) if not is_tls(place)],
    }


def measure(ground, upstream, quick, keys):
    """load → proxy → what its requests took."""
    seconds = 2 if quick else 10
    found = {key: {kind: _profile(ground, kind, upstream, BY_KEY[key], seconds) for kind in ORDER} for key in keys}
    for key, rows in found.items():
        rows[UNSEEN] = _profile(ground, "warmpool", upstream, BY_KEY[key], seconds, _UNSEEN)
    return found
