"""python3 -m plot R.h5 --dcs PROGRAM -o DIR: every figure for which R.h5 holds the data. Run it through figures.sh."""

import argparse
import os
import sys

from . import collapse, dimension, envelope, heatmap, lambda_sweep, logpower, manifest, profile, rates, steps_to, w2
from .result import Result, Unusable
from .style import PAGES, save

# Each draw(result) gives the pages of one kind, none when the data are not there. In the order of a report.
KINDS = {"rates": rates.draw, "steps": steps_to.draw, "collapse": collapse.draw, "logpower": logpower.draw,
         "dimension": dimension.draw, "heatmap": heatmap.draw, "lambda": lambda_sweep.draw, "profile": profile.draw,
         "w2": w2.draw, "envelope": envelope.draw}


def draw(result, metric):
    """{kind: pages}"""
    if metric:
        drawn = {"rates": rates.draw_one(result, metric)}
        if not drawn["rates"]:
            raise Unusable(f"nothing to draw: no curve of {metric} has values at two numbers of steps")
        return drawn
    return {kind: function(result) for kind, function in KINDS.items()}


def write(folder, kind, pages):
    """Save the pages of one kind and their CSV; their entries in the manifest."""
    entries = []
    for n, page in enumerate(pages, 1):
        stem = f"{page.stem}-{n}" if len(pages) > 1 else page.stem
        save(page.picture, os.path.join(folder, stem))
        print(os.path.join(folder, stem + ".png"), os.path.join(folder, stem + ".pdf"), sep="\n")
        title = page.title + (f" ({n} of {len(pages)})" if len(pages) > 1 else "")
        entries.append({"kind": kind, "stem": stem, "title": title, "caption": page.caption, "alt": page.alt,
                        "csv": page.table.name})
        if page.exponents:
            entries[-1]["exponents"] = page.exponents
    for table in dict.fromkeys(page.table for page in pages):
        table.write(os.path.join(folder, table.name))
        print(os.path.join(folder, table.name))
    return entries


def main():
    parser = argparse.ArgumentParser(prog="plot", description=__doc__)
    parser.add_argument("result", help="result file")
    parser.add_argument("--dcs", default="dcs", help="the program dcs")
    parser.add_argument("-o", "--out", default=".", help="folder (default: this one)")
    parser.add_argument("-m", "--metric", help="draw the rates of this metric only")
    parser.add_argument("--all", action="store_true", help=f"more than {PAGES} pages of a kind")
    arguments = parser.parse_args()
    result = Result(arguments.result, arguments.dcs)
    result.max_pages = None if arguments.all else PAGES
    drawn = draw(result, arguments.metric)
    os.makedirs(arguments.out, exist_ok=True)
    entries = [entry for kind, pages in drawn.items() for entry in write(arguments.out, kind, pages)]
    manifest.write(os.path.join(arguments.out, "figures.json"), os.path.basename(arguments.result), entries)
    print(os.path.join(arguments.out, "figures.json"))
    if not entries:
        print("figures.sh: nothing to draw: no coordinate takes enough values", file=sys.stderr)
    return 4 if result.missing([arguments.metric] if arguments.metric else list(result.metrics)) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Unusable as error:
        print(f"figures.sh: {error}", file=sys.stderr)
        sys.exit(error.code)
