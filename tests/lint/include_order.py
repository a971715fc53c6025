"""The rules of the sources that a compiler does not know.

Folders are layers: a file includes its own and those to the left. External libraries appear where DESIGN.md says, and nowhere
else. Functions that cannot bound what they write, or that hide errors, are banned. No file has more than 500 lines.

    include_order.py ROOT          prints each violation as FILE:LINE: text; exits with 1 when there is one
    include_order.py --self-test   shows that each rule catches its violation
"""
import pathlib
import re
import sys

LAYERS = ["base", "config", "net", "http", "pool", "proxy", "admin", "daemon"]
FROM_NET_UP = tuple(f"{layer}/" for layer in LAYERS[2:])

# (a header's beginning, the paths beneath src/ that may include it)
EXTERNAL = [
    ("event2/", FROM_NET_UP),
    ("openssl/", ("net/",)),
    ("ares", ("net/resolver.", "net/lookup.")),
    ("yaml.h", ("config/config_yaml.c", "config/config_yaml_file.")),
    ("evhtp", ("admin/",)),
    ("jansson", ("admin/", "daemon/status")),
    ("systemd/", ("daemon/service.c",)),
    ("pthread.h", ()),
    ("threads.h", ()),
]

# Made by the build, so without a folder.
GENERATED = {"version.h": ("daemon/", "admin/"), "dashboard.h": ("admin/",)}

BANNED = {
    "strcpy": "memcpy with a length", "stpcpy": "memcpy with a length", "strcat": "snprintf", "strncpy": "memcpy and a NUL",
    "strncat": "snprintf", "sprintf": "snprintf", "vsprintf": "vsnprintf", "gets": "read", "strtok": "span walking",
    "atoi": "str_read_u64", "atol": "str_read_u64", "atoll": "str_read_u64", "atof": "str_read_u64",
    "strtol": "str_read_u64", "strtoul": "str_read_u64", "strtoull": "str_read_u64", "scanf": "str.h", "sscanf": "str.h",
    "fscanf": "str.h", "alloca": "mem.h or buffer.h", "system": "nothing", "popen": "nothing", "rand": "getrandom",
    "random": "getrandom", "tmpnam": "mkstemp", "mktemp": "mkstemp", "gethostbyname": "net/resolver.h",
    "getaddrinfo": "net/resolver.h", "bufferevent_socket_new": "net/stream.h", "evhtp_bind_socket": "evhtp_accept_socket",
}

LINES_MAX = 500

INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)')
CALL = re.compile(r"\b(" + "|".join(BANNED) + r")\s*\(")
NOT_CODE = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)


def code_only(text):
    """Comments and literals blanked, lines kept."""
    return NOT_CODE.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)


def judge_project_include(path, header):
    if header in GENERATED:
        return None if path.startswith(GENERATED[header]) else f"{header} belongs to {GENERATED[header][0]}"
    own, other = path.split("/")[0], header.split("/")[0]
    if "/" not in header or other not in LAYERS:
        return f'"{header}" names no layer; write "FOLDER/FILE", or <> for what is not ours'
    if "/" in path and LAYERS.index(other) > LAYERS.index(own):
        return f'{own}/ may not include "{header}": {" → ".join(LAYERS)}, only to the left'
    return None


def judge_external_include(path, header):
    for beginning, allowed in EXTERNAL:
        if header.startswith(beginning) and not path.startswith(allowed):
            return f"<{header}> may be included only in: {', '.join(allowed) or 'no file'}"
    return None


def judge_includes(path, text):
    for number, line in enumerate(text.split("\n"), 1):
        match = INCLUDE.match(line)
        if match is None:
            continue
        ours, external = match.groups()
        fault = judge_project_include(path, ours) if ours else judge_external_include(path, external)
        if fault:
            yield number, fault


def judge_calls(text):
    for number, line in enumerate(code_only(text).split("\n"), 1):
        for match in CALL.finditer(line):
            name = match.group(1)
            yield number, f"{name}() is banned; use {BANNED[name]}"


def judge_length(text):
    lines = text.count("\n")
    if lines > LINES_MAX:
        yield lines, f"{lines} lines; the most is {LINES_MAX}: split the file by concept"


def judge_source(path, text):
    """All violations of one file; `path` is relative to src/."""
    if path.split("/")[0] not in LAYERS:
        yield 1, f"lies in no layer ({', '.join(LAYERS)})"
        return
    yield from judge_includes(path, text)
    yield from judge_calls(text)
    yield from judge_length(text)


def files_of(folder, *endings):
    return sorted(path for path in folder.rglob("*") if path.suffix in endings and path.is_file())


def judge_tree(root):
    source = root / "src"
    for path in files_of(source, ".c", ".h"):
        for number, fault in judge_source(path.relative_to(source).as_posix(), path.read_text()):
            yield f"{path.relative_to(root)}:{number}: {fault}"
    for path in files_of(root / "tests", ".c", ".h", ".py"):
        for number, fault in judge_length(path.read_text()):
            yield f"{path.relative_to(root)}:{number}: {fault}"


def self_test():
    caught = [
        ("base/a.c", '#include "config/config.h"\n'),
        ("config/a.c", '#include "net/stream.h"\n'),
        ("pool/a.h", ' #  include "proxy/client.h"\n'),
        ("admin/a.c", '#include "daemon/worker.h"\n'),
        ("net/a.c", '#include "stream.h"\n'),
        ("net/a.c", '#include "version.h"\n'),
        ("config/a.c", "#include <event2/event.h>\n"),
        ("pool/a.c", "#include <openssl/ssl.h>\n"),
        ("net/stream.c", "#include <ares.h>\n"),
        ("config/config.c", "#include <yaml.h>\n"),
        ("proxy/a.c", "#include <evhtp.h>\n"),
        ("daemon/a.c", "#include <jansson.h>\n"),
        ("daemon/worker.c", "#include <systemd/sd-daemon.h>\n"),
        ("net/a.c", "#include <pthread.h>\n"),
        ("net/a.c", "\tstrcpy(a, b);\n"),
        ("net/a.c", "\tn = atoi (a);\n"),
        ("net/a.c", "\tx(); /* sprintf( */ sprintf(a, b);\n"),
        ("net/a.c", "\n" * 501),
        ("other/a.c", "\n"),
    ]
    passed = [
        ("config/a.c", '#include "base/addr.h"\n#include "config/config.h"\n#include <string.h>\n'),
        ("daemon/cli.c", '#include "version.h"\n#include "base/list.h"\n'),
        ("net/tls.c", "#include <openssl/ssl.h>\n#include <event2/event.h>\n"),
        ("net/resolver.c", "#include <ares.h>\n"),
        ("config/config_yaml.c", "#include <yaml.h>\n"),
        ("daemon/service.c", "#include <systemd/sd-daemon.h>\n"),
        ("daemon/status_table.c", "#include <jansson.h>\n"),
        ("net/a.c", '/* strcpy(a) */ puts("atoi(b)"); snprintf(a, b); my_strcpy(a);\n// gets(x)\n'),
        ("net/a.c", "\n" * 500),
    ]
    wrong = [f"not caught: {path}: {text.strip()[:60]!r}" for path, text in caught if not list(judge_source(path, text))]
    wrong += [f"{path}: {fault}" for path, text in passed for _, fault in judge_source(path, text)]
    return wrong


def main():
    if sys.argv[1:] == ["--self-test"]:
        faults = self_test()
    else:
        faults = list(judge_tree(pathlib.Path(sys.argv[1])))
    print("\n".join(faults) or "ok")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
