"""log10 KL over steps and dimension, with lines of equal error."""

import math

import numpy as np
from matplotlib.patheffects import withStroke

from .curves import listed, said, symbolic
from .style import PANELS, Figure, Table, canvas, pages, room, thinned, title

LEAST = 3  # values of each coordinate
HEADER = ["panel", "point", "steps", "d", "kl", "log10_kl", "lo", "hi", "bias", "method"]


class Panel:
    """KL[d][steps] of one target and sampler."""

    def __init__(self, result, place, points):
        self.target, self.panel, self.place, self.points = place["target"], said(place, {}), place, points
        self.steps, self.d = result.numbers("steps", points), result.numbers("d", points)
        self.kl, self.unknown = np.full((2, len(self.d), len(self.steps)), np.nan)
        value, _, _, unknown = result.values("kl", points)
        for i, v, open_end in zip(points, value, unknown):
            at = self.d.index(result.data["d"][i]), self.steps.index(result.data["steps"][i])
            self.kl[at], self.unknown[at] = math.log10(v) if v > 0 else np.nan, open_end


def draw(result):
    found = []
    points = result.measured("kl")
    keys, groups = result.groups(points, ("steps", "d"))
    for group in groups.values():
        place = {"target": result.at("target", group[0])}
        place.update((k, result.at(k, group[0])) for k in dict.fromkeys(["sampler"] + keys) if result.at(k, group[0]))
        panel = Panel(result, place, np.array(group))
        if len(panel.steps) >= LEAST and len(panel.d) >= LEAST and np.sum(np.isfinite(panel.kl)) > 1:
            found.append(panel)
    if not found:
        return []
    rows = []
    for p in found:
        for i, y, lo, hi, unknown in zip(p.points, *result.values("kl", p.points)):
            rows.append([p.panel, i, result.data["steps"][i], result.data["d"][i], y, math.log10(y) if y > 0 else "",
                         lo, hi, "unknown" if unknown else "bounded", result.data["kl_method"][i]])
    table = Table("heatmap.csv", HEADER, rows)
    by_target = {}
    for p in found:
        by_target.setdefault(p.target, []).append([p])
    ends = [min(np.nanmin(p.kl) for p in found), max(np.nanmax(p.kl) for p in found)]
    return [draw_page([p for p, in page], ends, table) for page in
            pages("heatmap", by_target.values(), 2 * PANELS, result.max_pages)]


def draw_page(page, ends, table):
    picture, axes, _, columns = canvas(len(page), 2.3 if len(page) > 1 else 3.2)
    step = 1 if ends[1] - ends[0] > 2.5 else 0.5
    levels = np.arange(math.ceil(ends[0] / step) * step, ends[1], step)
    for n, (p, a) in enumerate(zip(page, axes)):
        image = a.imshow(p.kl, origin="lower", aspect="auto", cmap="cividis", vmin=ends[0], vmax=ends[1])
        inside = [v for v in levels if np.nanmin(p.kl) < v < np.nanmax(p.kl)]
        if inside:
            lines = a.contour(np.ma.masked_invalid(p.kl), levels=inside, colors="white", linewidths=1,
                              linestyles="solid")
            names = a.clabel(lines, fmt=lambda v: f"{v:g}".replace("-", "−"), fontsize=8, colors="white")
            for line in names:
                line.set_path_effects([withStroke(linewidth=1.5, foreground="0.2")])
        rows, cells = np.nonzero(p.unknown == 1)
        a.plot(cells, rows, lw=0, marker="o", ms=4, mfc="none", color="white")
        words = [f"{v:g}" for v in p.steps]
        shown = thinned(np.linspace(0, 1, len(words)), words, room(columns))
        a.set_xticks(range(len(words)), [w if k in shown else "" for k, w in enumerate(words)])
        a.set_yticks(range(len(p.d)), [f"{v:g}" for v in p.d])
        a.spines[["top", "right"]].set_visible(True)
        title(a, symbolic(said(p.place)), columns)
        a.set_xlabel("steps N")
        if n % columns == 0:
            a.set_ylabel("dimension d")
    picture.tight_layout(rect=(0, 0, 0.89, 1), pad=0.4, w_pad=0.8, h_pad=1.4)
    side = picture.add_axes((0.9, 0.2, 0.015, 0.6))
    picture.colorbar(image, cax=side, label="log10 KL (nat)")
    targets = listed(dict.fromkeys(p.target for p in page))
    open_end = " Open circles: the error is unknown." if any(np.any(p.unknown == 1) for p in page) else ""
    return Figure("heatmap", "KL over steps and dimension",
                  f"Logarithm to base 10 of KL over the number of steps N and the dimension d ({targets}). White "
                  f"lines: equal error, on straight lines between the points. Empty: no value.{open_end} Bars and "
                  "instruments are in the CSV.",
                  f"Heat maps of log10 KL over steps and dimension, {len(page)} panel{'s' * (len(page) > 1)}, "
                  f"colours from {ends[0]:.2g} to {ends[1]:.2g}.", picture, table)
