"""HTML elements and numbers.

Whatever is not already `Html` is escaped when it becomes part of an element: text from a result file cannot become
markup, wherever it lands.
"""

import html
import math
import re

# Control characters are not allowed in HTML; those that turn the direction of text could make a line read differently.
FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
VOID = {"img", "meta"}
MINUS = "\u2212"


class Html(str):
    """Text that is markup already."""

    def __add__(self, other):
        return Html(str.__add__(self, escape(other)))


def escape(value):
    if isinstance(value, Html):
        return value
    return Html(html.escape(FORBIDDEN.sub("\ufffd", str(value).replace("\r\n", "\n").replace("\r", "\n"))))


def join(parts, between=""):
    return Html(escape(between).join(escape(p) for p in parts))


def el(name, /, *children, **attributes):
    """An element; class_ is the attribute class, an attribute that is None is left out."""
    at = "".join(f' {k.rstrip("_").replace("_", "-")}="{escape(v)}"' for k, v in attributes.items() if v is not None)
    if name in VOID:
        return Html(f"<{name}{at}>")
    return Html(f"<{name}{at}>{join(children)}</{name}>")


def table(head, rows, caption=None, numbers=(), whole=()):
    """Rows of cells; the columns in `numbers` are aligned to the right, those in `whole` are not broken into lines."""
    kind = ["number" if i in numbers else "whole" if i in whole else None for i in range(len(head))]
    top = el("tr", *(el("th", h, scope="col", class_=k) for h, k in zip(head, kind)))
    body = [el("tr", *(el("td", c, class_=k, data_label=h) for c, k, h in zip(row, kind, head))) for row in rows]
    parts = [el("caption", caption)] if caption else []
    parts += [el("thead", top), "\n", el("tbody", join(body, "\n"))]
    return el("div", el("table", *parts), class_="scroll")


def facts(rows):
    """A table of names and values."""
    body = [el("tr", el("th", name, scope="row"), el("td", value)) for name, value in rows]
    return el("div", el("table", el("tbody", join(body, "\n"))), class_="scroll")


def details(summary, *children):
    return el("details", el("summary", summary), *children)


def linked(value):
    """Escaped text in which arXiv numbers are links."""
    pieces, end = [], 0
    for m in re.finditer(r"arXiv:\s?(\d{4}\.\d{4,5}(?:v\d+)?)", str(value), re.ASCII):
        pieces += [str(value)[end:m.start()], el("a", m.group(0), href="https://arxiv.org/abs/" + m.group(1))]
        end = m.end()
    return join(pieces + [str(value)[end:]])


def count(n, one, many=None):
    return f"{n} {one if n == 1 else many or one + 's'}"


def fixed(x, decimals):
    """A number with so many decimals; None is a dash."""
    if x is None:
        return Html("\u2013")
    return Html(f"{round(x, decimals) + 0.0:.{decimals}f}".replace("-", MINUS))  # + 0.0: no negative zero


def general(x, digits=4):
    """A number with so many significant digits, as 1.2 x 10^-3 where it is small or large; None is a dash."""
    if x is None:
        return Html("\u2013")
    if not math.isfinite(x):
        return Html(x)
    mantissa, _, exponent = f"{x:.{digits}g}".partition("e")
    mantissa = mantissa.replace("-", MINUS)
    if not exponent:
        return Html(mantissa)
    return Html(f"{mantissa}\u202f\u00d7\u202f10<sup>{str(int(exponent)).replace('-', MINUS)}</sup>")


def full(x, shown):
    """A rounded number; all its digits appear under the pointer."""
    return el("span", shown, title=repr(float(x))) if x is not None else escape(shown)
