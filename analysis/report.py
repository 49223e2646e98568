#!/usr/bin/env python3
"""Write DIR/report.html, one self-contained page about a result file, and DIR/points.csv. Run it through report.sh,
which draws the figures that the page shows (DIR/figures.json and what it names).
"""

import argparse
import base64
import json
import os
import re
import struct

from page import claims, making, points
from page.elements import Html, el, join, linked
from page.result import Result

STYLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "page", "style.css")
# Nothing on this page may run or be loaded, whatever a result file holds.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def beside(out, name):
    """The path of a file in the folder of the report, and nowhere else."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", name, re.ASCII):
        raise SystemExit(f"report.py: figures.json: not the name of a file beside it: {name!r}")
    return os.path.join(out, name)


def figure(entry, out):
    stem = entry["stem"]
    with open(beside(out, stem + ".png"), "rb") as stream:
        png = stream.read()
    if png[:8] != b"\x89PNG\r\n\x1a\n" or png[12:16] != b"IHDR":
        raise SystemExit(f"report.py: {stem}.png is not a PNG picture")
    width, height = struct.unpack(">II", png[16:24])
    image = el("img", src="data:image/png;base64," + base64.b64encode(png).decode(), alt=entry["alt"], width=width,
               height=height)
    files = [name for name in (stem + ".pdf", entry.get("csv")) if name and os.path.exists(beside(out, name))]
    links = [" Files: ", join([el("a", name, href=name) for name in files], ", "), "."] if files else []
    caption = el("figcaption", el("strong", entry["title"], "."), " ", linked(entry["caption"]),
                 el("span", *links, class_="soft"))
    return el("figure", image, "\n", caption, id=stem)


def figures(result, out):
    path = os.path.join(out, "figures.json")
    try:
        with open(path, encoding="utf-8") as stream:
            manifest = json.load(stream)
        if manifest["result"] != result.name:
            raise SystemExit(f"report.py: {path} is of {manifest['result']}, not {result.name}: run figures.sh first")
        shown = [figure(entry, out) for entry in manifest["figures"]]
    except OSError as problem:
        raise SystemExit(f"report.py: {problem.filename}: {problem.strerror}: run figures.sh first") from None
    return join(shown, "\n") if shown else el("p", "There is nothing to draw in this result.")


def page(result, out):
    sections = [("abstract", "Abstract", claims.abstract(result)), ("verdicts", "Verdicts", claims.verdicts(result)),
                ("figures", "Figures", figures(result, out)), ("rates", "Rates", points.rates(result)),
                ("points", "Points and instruments", points.points(result)),
                ("provenance", "Provenance", making.provenance(result)),
                ("reproduce", "How to reproduce it", making.reproduce(result)),
                ("cite", "How to cite it", making.citation(result))]
    with open(STYLE, encoding="utf-8") as stream:
        style = Html(stream.read())
    head = [el("meta", charset="utf-8"), el("meta", name="viewport", content="width=device-width, initial-scale=1"),
            el("meta", http_equiv="Content-Security-Policy", content=POLICY),
            el("title", f"Convergence study {result.study}"), el("style", "\n", style)]
    about = [el("code", result.name), linked(result.source), result.size(), f"seed {result.seed}", result.day()]
    contents = el("ul", *(el("li", el("a", title, href="#" + key)) for key, title, _ in sections))
    header = el("header", el("h1", f"Convergence study \u201c{result.study}\u201d"),
                el("p", join([part for part in about if part], " \u00b7 "), class_="soft"),
                el("nav", contents, aria_label="Sections"))
    body = [el("section", "\n", el("h2", title, id=key + "-title"), "\n", content, "\n", id=key,
               aria_labelledby=key + "-title") for key, title, content in sections]
    made = f"Made from {result.name} by analysis/report.sh; verdicts and rates by {result.program}."
    main = el("main", "\n", join(body, "\n"), "\n")
    whole = [el("head", "\n", join(head, "\n"), "\n"),
             el("body", "\n", join([header, main, el("footer", el("p", made))], "\n"), "\n")]
    return Html("<!DOCTYPE html>\n") + el("html", "\n", join(whole, "\n"), "\n", lang="en") + "\n"


def write(path, text):
    """Whole or not at all."""
    with open(path + ".part", "w", encoding="utf-8", newline="") as stream:
        stream.write(text)
    os.replace(path + ".part", path)
    print(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("result", help="result file")
    parser.add_argument("--dcs", required=True, help="the dcs program")
    parser.add_argument("-o", "--out", default=".", help="folder with figures.json (default: this one)")
    arguments = parser.parse_args()
    result = Result(arguments.result, arguments.dcs)
    text = page(result, arguments.out)
    write(os.path.join(arguments.out, "points.csv"), result.ask("export", "--csv"))
    write(os.path.join(arguments.out, "report.html"), text)


if __name__ == "__main__":
    main()
