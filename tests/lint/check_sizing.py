"""The tables of docs/sizing.md hold what the formulas give. They are worked out here anew, apart from src/admin/.

    check_sizing.py ROOT           prints each row that is missing; exits with 1 when there is one
    check_sizing.py ROOT --rows    prints the tables as they should be
    check_sizing.py --self-test    shows that a wrong figure is caught
"""
import math
import pathlib
import sys

DOC = "docs/sizing.md"
TASKS = (5, 10, 25, 50, 100)
SHARE = 0.01    # may wait
CALL_S = 0.15   # a call holds its connection
POLL_S = 5      # from an answer to the next poll
BUSY_S = 0.01   # from an answer to the next call of a worker that never rests


def erlang_c(servers, offered):
    if offered >= servers:
        return 1.0
    terms = [math.exp(n * math.log(offered) - math.lgamma(n + 1)) for n in range(servers + 1)]
    top = terms[servers] * servers / (servers - offered)
    return top / (sum(terms[:servers]) + top)


def finite(servers, callers, ratio):
    """The share that waits of a limited number of callers, M/M/c//N."""
    weights = [1.0]
    for n in range(1, callers):
        weights.append(weights[-1] * (callers - n) * ratio / min(n, servers))
    return sum(weights[servers:]) / sum(weights)


def smallest(wait):
    servers = 1
    while wait(servers) > SHARE:
        servers += 1
    return servers


def thumb(tasks):
    return f"{math.ceil(tasks * 11 / 10)} to {math.ceil(tasks * 12 / 10)}"


def poller_rows():
    for tasks in TASKS:
        rate = tasks / (POLL_S + CALL_S)
        offered = rate * CALL_S
        size = smallest(lambda servers, offered=offered: erlang_c(servers, offered))
        yield f"| {tasks} | {rate:.1f} | {offered:.2f} | {size} | {erlang_c(size, offered) * 100:.2f} % | {thumb(tasks)} |"


def worker_rows():
    for tasks in TASKS:
        offered = tasks * CALL_S / (CALL_S + BUSY_S)
        size = smallest(lambda servers, tasks=tasks: finite(servers, tasks, CALL_S / BUSY_S))
        open_size = smallest(lambda servers, offered=offered: erlang_c(servers, offered))
        yield f"| {tasks} | {offered:.1f} | {size} | {open_size} | {thumb(tasks)} |"


def missing(text):
    lines = text.splitlines()
    return [row for row in (*poller_rows(), *worker_rows()) if row not in lines]


def self_test():
    good = "\n".join((*poller_rows(), *worker_rows()))
    assert not missing(good)
    assert missing(good.replace("| 25 |", "| 26 |"))
    assert abs(erlang_c(19, 10) - 0.0079) < 0.0001 and smallest(lambda servers: erlang_c(servers, 10)) == 19
    assert finite(1, 2, 1) == 0.5


def main(arguments):
    if arguments == ["--self-test"]:
        self_test()
        return 0
    if arguments[1:] == ["--rows"]:
        print("\n".join(poller_rows()), "\n".join(worker_rows()), sep="\n\n")
        return 0
    wrong = missing((pathlib.Path(arguments[0]) / DOC).read_text(encoding="utf-8"))
    for row in wrong:
        print(f"{DOC}:1: missing: {row}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
