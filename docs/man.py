#!/usr/bin/env python3
"""Prints a page of docs/ as a manual page. It knows the Markdown that these pages use, and fails at any other.

    man.py FILE NAME.SECTION VERSION [SUMMARY SEE_ALSO]

A page that has no NAME section of its own gets one with SUMMARY, and SEE_ALSO at its end. Tables become lists: the
first column names the entry, a column "meaning" is its text, each other one is said by its heading.
"""
import pathlib
import re
import sys

ESCAPES = {"\\": r"\e", "-": r"\-", "'": r"\(aq", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti", '"': r"\(dq"}
INLINE = re.compile(r"(?P<code>`+)(?P<literal>.+?)(?P=code)|\*\*(?P<bold>.+?)\*\*|\*(?P<italic>[^*]+)\*"
                    r"|\[(?P<text>[^]]*)\]\([^)\s]+\)|\\(?P<escaped>[][*_`|\\<>])|(?P<plain>.)", re.DOTALL)
UNKNOWN = re.compile(r"(>|\d+[.)] |[*+] |!\[|<|#{3}|={3}|-{3}|\s)")


def plain(text):
    return "".join(ESCAPES.get(char, char) for char in text)


def inline(text, font="R"):
    parts = []
    for match in INLINE.finditer(text):
        kind = match.lastgroup if match.lastgroup != "code" else "literal"
        value = match.group(kind)
        if kind == "literal":
            parts.append(f"\\fB{plain(value)}\\f{font}")
        elif kind in ("bold", "italic"):
            inner = kind[0].upper()
            parts.append(f"\\f{inner}{inline(value, inner)}\\f{font}")
        else:
            parts.append(inline(value, font) if kind == "text" else plain(value))
    return "".join(parts)


def line(text):
    """A line of text, which must not be taken for a request."""
    text = inline(text)
    return "\\&" + text if text.startswith((".", "\\(aq")) else text


def paragraph(lines):
    text = []
    for one in lines:
        text.append(line(one.strip()))
        if one.endswith("  "):
            text.append(".br")
    return text


def literal(lines):
    return [".PP", ".RS 4", ".nf", *("\\&" + plain(one) for one in lines), ".fi", ".RE"]


def cells(row):
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", row.strip().strip("|"))]


def table(rows):
    heads = cells(rows[0])
    for row in rows[2:]:
        entry = dict(zip(heads, cells(row)))
        tag = entry.pop(heads[0])
        text = [line(entry.pop("meaning"))] if "meaning" in entry else []
        said = "; ".join(f"{head}: {cell}" for head, cell in entry.items() if cell)
        if said:
            text += ([".br"] if text else []) + [line(said)]
        yield from (".TP", inline(tag), *text)


class Page:
    def __init__(self, text):
        self.lines = text.splitlines()
        self.at = 0

    def take(self, condition):
        """The lines from here for which it holds."""
        begin = self.at
        while self.at < len(self.lines) and condition(self.lines[self.at]):
            self.at += 1
        return self.lines[begin:self.at]

    def item(self, marker):
        """An entry of a list: the rest of its line, and the lines indented below it."""
        first = self.lines[self.at][len(marker):]
        self.at += 1
        return paragraph([first, *self.take(lambda one: one.startswith("  ") and one.strip())])

    def code(self):
        lines = self.take(lambda one: one.startswith("    ") or not one.strip())
        while not lines[-1].strip():
            lines.pop()
        return literal([one[4:] for one in lines])

    def fence(self):
        self.at += 1
        lines = self.take(lambda one: not one.startswith("```"))
        self.at += 1
        return literal(lines)

    def text(self):
        """A paragraph, or a term and what it means."""
        lines = self.take(lambda one: one.strip() and not re.match(r"([:|-] |\||```|#)", one))
        if self.at < len(self.lines) and self.lines[self.at].startswith(": "):
            if len(lines) != 1:
                raise ValueError(f"line {self.at}: a term has one line")
            return [".TP", inline(lines[0]), *self.item(": ")]
        return [".PP", *paragraph(lines)]

    def block(self):
        one = self.lines[self.at]
        if one.startswith("## "):
            self.at += 1
            return [f'.SH "{inline(one[3:]).upper()}"']
        if one.startswith("    "):
            return self.code()
        if one.startswith("```"):
            return self.fence()
        if one.startswith("- "):
            return [".IP \\(bu 2", *self.item("- ")]
        if one.startswith("|"):
            return list(table(self.take(lambda row: row.startswith("|"))))
        if UNKNOWN.match(one):
            raise ValueError(f"line {self.at + 1}: what is this? {one}")
        return self.text()

    def blocks(self):
        while self.at < len(self.lines):
            if not self.lines[self.at].strip() or self.lines[self.at].startswith("# "):
                self.at += 1
            else:
                yield from self.block()


def main(file, page_name, version, summary=None, see_also=""):
    name, _, section = page_name.rpartition(".")
    # No hyphenation, which would break the names of options.
    page = [f'.TH "{plain(name.upper())}" "{section}" "" "warmpool {version}"', ".nh", ".ad l"]
    if summary is not None:
        page += [".SH NAME", f"{plain(name)} \\- {plain(summary)}", ".SH DESCRIPTION"]
    page += Page(pathlib.Path(file).read_text(encoding="utf-8")).blocks()
    if see_also:
        page += ['.SH "SEE ALSO"', inline(see_also)]
    sys.stdout.reconfigure(encoding="utf-8")
    print("\n".join(page))


if __name__ == "__main__":
    main(*sys.argv[1:])
