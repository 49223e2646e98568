"""KL N^2 / (d min(d, L^2)) against N, all targets and dimensions in one panel for each sampler: flat lines, on top
of each other, if KL is as large as the bound says. L is the metric `smoothness`; where it was not measured, KL
N^2 / d."""

from dataclasses import replace

import numpy as np

from .curves import csv_header, csv_rows, curves_of, family, law, natural, said
from .style import COLOURS, MARKERS, Table, handle
from .sweep import draw_pages

BOTH, PLAIN = "KL N² / (d min(d, L²))", "KL N² / d"


def draw(result):
    found = [scaled(result, c) for c in curves_of(result, result.drawn("kl"), "steps")]
    curves = [c for c, _ in found]
    if len({c.name for c in curves}) < 2:
        return []
    bare = sum(smoothness is None for _, smoothness in found)
    scale = PLAIN if bare == len(found) else BOTH
    where = "; L was not measured" if scale == PLAIN else \
        "; L is the measured smoothness constant, and its bar is in the bars" + \
        ("; dashed: KL N² / d, where L was not measured" if bare else "")
    rows = []
    for c, smoothness in found:
        extra = smoothness or [("", "")] * len(c.x)
        rows += [row + list(end) for row, end in zip(csv_rows(result, [c]), extra)]
    return draw_pages(
        result, "collapse", curves, Table("collapse.csv", csv_header("steps") + ["L", "L_point"], rows), "steps N",
        (f"{scale} against the number of steps",
         f"{scale} against the number of steps N, one panel for each sampler{where}. Flat lines on top of each "
         "other: KL is of the size of the bound.",
         f"Double logarithmic plot of {scale} against steps, {{panels}} panels, {{curves}} curves."),
        y_label=scale, look=look)


def scaled(result, curve):
    """(the curve times N^2 / (d min(d, L^2)), [(L, row of the file it is from)] or None); panels by sampler, names
    by law"""
    d, where = result.data["d"][curve.points], [result.companion("smoothness", i) for i in curve.points]
    least = middle = most = np.ones(len(d))
    smoothness = None
    if None not in where and np.all(result.data["smoothness"][where] > 0):
        value, lo, hi, unknown = result.values("smoothness", where)
        smoothness = list(zip(value, where))
        curve.unknown = curve.unknown | unknown | (lo <= 0)
        least, middle, most = (np.minimum(d, v * v) for v in (np.where(lo > 0, lo, value), value, hi))
    factor = curve.x ** 2 / d / middle
    at = {k: result.at(k, curve.points[0]) for k in law(result) if k in curve.at or k == "target"}
    at = {k: v for k, v in at.items() if v}
    place = {"sampler": curve.name, **{k: v for k, v in curve.place.items() if k not in at}}
    size = said({k: v for k, v in at.items() if k != "target"})
    return replace(curve, y=curve.y * factor, lo=curve.lo * factor * middle / most,
                   hi=curve.hi * factor * middle / least, place=place, name=said(at, {}),
                   at={**curve.at, "law": at["target"], "size": size, "bare": smoothness is None}), smoothness


def look(curves):
    """Colour by target (by family when there are many), marker by dimension and what else names the law."""
    targets = list(dict.fromkeys(c.at["law"] for c in curves))
    group = (lambda t: t) if len(targets) <= len(COLOURS) else family
    groups = list(dict.fromkeys(group(t) for t in targets))
    sizes = sorted({c.at["size"] for c in curves}, key=natural)
    colour = {g: COLOURS[n % len(COLOURS)] for n, g in enumerate(groups)}
    marker = {s: MARKERS[n % len(MARKERS)] for n, s in enumerate(sizes)}
    mixed = len({c.at["bare"] for c in curves}) > 1
    styles = {c.name: {"color": colour[group(c.at["law"])], "marker": marker[c.at["size"]], "ms": 4,
                       "line": "--" if mixed and c.at["bare"] else "-"} for c in curves}
    return styles, [{g: handle(color=colour[g]) for g in groups},
                    {s: handle(lw=0, marker=marker[s], ms=4) for s in sizes} if len(sizes) > 1 else {},
                    {BOTH: handle(), PLAIN: handle(ls="--")} if mixed else {}]
