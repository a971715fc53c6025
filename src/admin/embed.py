"""Makes dashboard.h of dashboard.html: the page's bytes, and the Content-Security-Policy that lets its one script and its one style run, by
their hashes, and nothing else. Fails when the page holds what that policy forbids.

    embed.py PAGE HEADER
"""
import base64
import hashlib
import pathlib
import re
import sys

FORBIDDEN = [
    (r"<[^>]*\sstyle\s*=", "a style attribute, which no hash covers"),
    (r"<[^>]*\son\w+\s*=", "a handler in an attribute, which no hash covers"),
    (r"<(?!link rel=\"icon\" href=\"data:)[^>]*\s(src|href|srcset|action)\s*=(?!\s*[\"']?(#|/\w))", "a link to another site"),
    (r"@import|url\(", "a style that loads something"),
    (r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function", "a way to take data for markup or code"),
]


def only(page, tag):
    """The text of the one element of that tag."""
    found = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
    if len(found) != 1 or len(re.findall(rf"<{tag}\b", page)) != 1:
        raise ValueError(f"there must be one <{tag}>, without attributes")
    return found[0]


def hash_of(text):
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def policy_of(page):
    for pattern, fault in FORBIDDEN:
        match = re.search(pattern, page)
        if match:
            raise ValueError(f"{fault}: {match.group()!r}")
    return ("default-src 'none'; "
            f"script-src {hash_of(only(page, 'script'))}; style-src {hash_of(only(page, 'style'))}; "
            "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
            "require-trusted-types-for 'script'; trusted-types 'none'")


def header_of(page):
    data = page.encode()
    rows = [",".join(map(str, data[at:at + 32])) for at in range(0, len(data), 32)]
    # Numbers: a string as long as this is more than every compiler must take.
    return ("/* Made of dashboard.html by embed.py. */\n"
            f'static const char dashboard_policy[] =\n\t"{policy_of(page)}";\n'
            "static const unsigned char dashboard_html[] = {\n" + ",\n".join(rows) + "};\n")


def main(page, header):
    try:
        text = header_of(pathlib.Path(page).read_text(encoding="utf-8"))
    except ValueError as fault:
        sys.exit(f"{page}: {fault}")
    pathlib.Path(header).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
