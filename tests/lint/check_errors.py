"""docs/operations.md lists every error of src/base/errors.def, with its status, type and text, and no other.

    check_errors.py ROOT           prints each difference as FILE:LINE: text; exits with 1 when there is one
    check_errors.py ROOT --rows    prints the table as it should be
    check_errors.py --self-test    shows that each kind of difference is caught
"""
import pathlib
import re
import sys

ERRORS = "src/base/errors.def"
TABLE = "docs/operations.md"

_DECLARED = re.compile(r'^ERR\((\w+), (\d+), "([^"]*)", (HELPS|NO), "((?:[^"\\]|\\.)*)"\)$', re.MULTILINE)
_STARTED = re.compile(r"^ERR\(", re.MULTILINE)
_ROW = re.compile(r"^\| `ERROR_\w+` \|")


def rows_of(errors):
    """The rows of the table, by name, in the order of the declarations."""
    found = {}
    for name, status, proxy_type, helps, text in _DECLARED.findall(errors):
        if name != "NONE":
            wait = "yes" if helps == "HELPS" else "no"
            text = text.replace('\\"', '"').replace("|", "\\|")
            found[name] = f"| `ERROR_{name}` | {status} | {proxy_type} | {wait} | {text} |"
    return found


def differences(errors, table):
    """(file, line number, text) of each."""
    if len(_STARTED.findall(errors)) != len(_DECLARED.findall(errors)):
        yield ERRORS, 1, "a row that is not: ERR(NAME, STATUS, \"type\", HELPS or NO, \"text\")"
    wanted = rows_of(errors)
    seen = set()
    for number, line in enumerate(table.splitlines(), 1):
        if not _ROW.match(line):
            continue
        name = line.split("`")[1].removeprefix("ERROR_")
        if name not in wanted:
            yield TABLE, number, f"ERROR_{name} is not in {ERRORS}"
        elif name in seen:
            yield TABLE, number, f"ERROR_{name} stands here a second time"
        elif line != wanted[name]:
            yield TABLE, number, f"should be: {wanted[name]}"
        seen.add(name)
    for name, row in wanted.items():
        if name not in seen:
            yield TABLE, 1, f"missing: {row}"


def self_test():
    errors = 'ERR(NONE, 200, "", NO, "no error")\nERR(A, 400, "t", NO, "a")\nERR(B, 503, "u", HELPS, "b \\"c\\"")\n'
    good = '| `ERROR_A` | 400 | t | no | a |\n| `ERROR_B` | 503 | u | yes | b "c" |\n'
    assert not list(differences(errors, good))
    for spoilt in (good.replace("400", "404"), good.replace("yes", "no"), good.replace('b "c"', "b"),
                   good.replace("ERROR_A", "ERROR_C"), good + good, ""):
        assert list(differences(errors, spoilt)), spoilt
    assert list(differences(errors + "ERR(bad)\n", good))


def main(arguments):
    if arguments == ["--self-test"]:
        self_test()
        return 0
    root = pathlib.Path(arguments[0])
    errors = (root / ERRORS).read_text(encoding="utf-8")
    if arguments[1:] == ["--rows"]:
        print("\n".join(rows_of(errors).values()))
        return 0
    status = 0
    for file, number, text in differences(errors, (root / TABLE).read_text(encoding="utf-8")):
        print(f"{file}:{number}: {text}")
        status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
