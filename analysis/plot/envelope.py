"""The limit of N^2 KL, for each dimension, against the smoothness constant L of many targets, beside the shape of
the bound, min(d, L^2): which targets come closest to it?"""

import math

import numpy as np
from matplotlib.patheffects import withStroke

from .curves import family, law, listed, said
from .style import COLOURS, GREY, LINE, MARKERS, Figure, Table, canvas, handle, legend, log_x, log_y, pages, title

LEAST = 10  # targets
HARDEST = 5  # are labelled
TINY = 1e-5  # of the largest: what is smaller (the sampler is exact there) is not drawn
LINES = 5  # dimensions whose bound is drawn
HEADER = ["panel", "law", "family", "point", "d", "L", "L_lo", "L_hi", "L_bias", "L_point", "kl_constant_over_d", "lo",
          "hi", "bias", "bound", "rank", "method"]


class Scatter:
    """Targets of one sampler, as arrays along the targets. bound: min(d, L^2) times the constant with which it
    touches the highest of them; rank: 0 for the target nearest to its bound."""

    def __init__(self, result, place, points):
        self.place, self.panel, self.points = place, said(place, {}), np.array(points)
        self.where = np.array([result.companion("smoothness", i) for i in points])
        self.d = result.data["d"][self.points].astype(float)
        self.l, self.l_lo, self.l_hi, self.l_unknown = result.values("smoothness", self.where)
        y, lo, hi, self.unknown = result.values("kl_constant", self.points)
        self.y, self.lo, self.hi = y / self.d, lo / self.d, hi / self.d
        self.names = [said({k: result.at(k, i) for k in law(result) if result.at(k, i) and
                            (k == "target" or len(result.numbers(k)) > 1)}, {}) for i in points]
        self.families = [family(result.at("target", i)) for i in points]
        ratio = self.y / self.shape(self.d, self.l)
        self.constant = ratio.max()
        self.shown = self.y > TINY * self.y.max()
        self.rank = np.empty(len(points), dtype=int)
        self.rank[np.argsort(-ratio, kind="stable")] = np.arange(len(points))

    @staticmethod
    def shape(d, l):
        return np.minimum(d, l * l)

    def rows(self, result):
        bound = self.constant * self.shape(self.d, self.l)
        for k, i in enumerate(self.points):
            yield [self.panel, self.names[k], self.families[k], i, int(self.d[k]), self.l[k], self.l_lo[k],
                   self.l_hi[k], "unknown" if self.l_unknown[k] else "bounded", self.where[k], self.y[k], self.lo[k],
                   self.hi[k], "unknown" if self.unknown[k] else "bounded", bound[k], int(self.rank[k]) + 1,
                   result.data["kl_constant_method"][i]]


def smoothness(result, point):
    """L of the target of a point; NaN where it was not measured."""
    where = result.companion("smoothness", point)
    return math.nan if where is None else result.data["smoothness"][where]


def draw(result):
    points = [i for i in result.measured("kl_constant") if result.data["kl_constant"][i] > 0
              and smoothness(result, i) > 0]
    laws = law(result)
    keys = result.keys(points, ("steps",)) if points else []
    panels = {}
    for i in points:
        named = [k for k in dict.fromkeys(["sampler"] + keys) if k not in laws and result.at(k, i)]
        panel = tuple((k, result.at(k, i)) for k in named)
        same = panels.setdefault(panel, {}).setdefault(tuple(result.at(k, i) for k in laws), i)
        if result.companion("smoothness", same) != same and result.companion("smoothness", i) == i:
            panels[panel][tuple(result.at(k, i) for k in laws)] = i
    found = [Scatter(result, dict(panel), list(chosen.values())) for panel, chosen in panels.items()
             if len(chosen) >= LEAST]
    table = Table("envelope.csv", HEADER, [row for s in found for row in s.rows(result)])
    todo = pages("envelope", [[[s] for s in found]] if found else [], 2, result.max_pages)
    return [draw_page([s for s, in page], table, result) for page in todo]


def draw_page(page, table, result):
    picture, axes, _, columns = canvas(len(page), 3.6)
    families = list(dict.fromkeys(f for s in page for f in s.families))
    look = {f: {"color": COLOURS[n % len(COLOURS)], "marker": MARKERS[n % len(MARKERS)], "ms": 4}
            for n, f in enumerate(families)}
    hardest = {}
    for n, (s, a) in enumerate(zip(page, axes)):
        for k in np.flatnonzero(s.shown):
            draw_target(a, s, k, look[s.families[k]])
        log_x(a)
        log_y(a)
        draw_bounds(a, s)
        for k in np.argsort(s.rank)[:HARDEST]:
            hardest.setdefault(s.names[k], len(hardest) + 1)
        title(a, said(s.place), columns)
        a.set_xlabel("smoothness constant L")
        if n % columns == 0:
            a.set_ylabel("lim N² KL / d (nat)")
    legend(picture, {**{f: handle(lw=0, **look[f]) for f in families}, "C min(d, L²)": handle(color=GREY, ls="--")},
           {f"{n}: {name}": handle(lw=0) for name, n in hardest.items()})
    for s, a in zip(page, axes):
        number(a, s, hardest)
    tiny = sum(int(np.sum(~s.shown)) for s in page)
    tiny = f" Not drawn: {tiny} values below {TINY:g} of the largest." if tiny else ""
    unknown = any(np.any(s.unknown | s.l_unknown) for s in page)
    open_end = " Open markers: an error is unknown, and its bar leaves it out." if unknown else ""
    return Figure("envelope", "Limit of N² KL against smoothness",
                  "Limit of N² KL, divided by the dimension, against the smoothness constant L, "
                  f"{len(page[0].points)} target laws ({listed(families)}). Dashed: the shape of the bound, C min(d, "
                  f"L²), with the constant ({listed(f'{s.constant:.3g}' for s in page)}) at which it touches the "
                  f"target nearest to it; the numbered targets are the {min(HARDEST, len(page[0].points))} nearest. "
                  f"Bars: 1.96 standard errors plus the bias bound, both ways.{open_end}{tiny}",
                  "Double logarithmic scatter of the limit of N squared KL per dimension against smoothness L, "
                  f"{len(page[0].points)} target laws, all below C min(d, L squared).", picture, table)


def draw_target(axes, s, k, look):
    colour, open_end = look["color"], s.unknown[k] or s.l_unknown[k]
    down = [s.y[k] - max(s.lo[k], 0.05 * s.y[k])], [s.hi[k] - s.y[k]]
    left = [s.l[k] - max(s.l_lo[k], 0.05 * s.l[k])], [s.l_hi[k] - s.l[k]]
    axes.errorbar(s.l[k], s.y[k], yerr=down if down[1][0] > 0 else None, xerr=left if left[1][0] > 0 else None,
                  elinewidth=0.8, capsize=1.5, lw=0, mfc="white" if open_end else colour, **look)
    for lost, marker, x, y in ((s.lo[k] < 0.05 * s.y[k], 7, s.l[k], 0.05 * s.y[k]),
                               (s.l_lo[k] < 0.05 * s.l[k], 4, 0.05 * s.l[k], s.y[k])):
        if lost:
            axes.plot(x, y, marker=marker, color=colour, ms=4)


def draw_bounds(axes, s):
    """C min(d, L^2) for some of the dimensions, named at the right."""
    low, high = axes.get_xlim()
    high *= 1.02
    values = np.unique(s.d)
    values = values[np.unique(np.round(np.linspace(0, len(values) - 1, LINES)).astype(int))]
    x = np.geomspace(low, high, 200)
    bottom = axes.get_ylim()[0]
    ends, points = {}, 180 / math.log(axes.get_ylim()[1] / bottom)
    for d in values:
        y = s.constant * s.shape(d, x)
        axes.plot(x[y >= bottom], y[y >= bottom], color=GREY, lw=0.9, ls="--", zorder=1)
        same = next((end for end in ends if points * math.log(y[-1] / end) < LINE), y[-1])
        ends.setdefault(same, []).append(d)
    for end, ds in ends.items() if len(values) > 1 else ():
        axes.annotate(f"d = {ds[0]:g}" + (f" to {ds[-1]:g}" if len(ds) > 1 else ""), (x[-1], end), xytext=(2, 0),
                      textcoords="offset points", va="center", color=GREY, annotation_clip=False)
    axes.set_xlim(low, high)


def number(axes, s, hardest):
    """Numbers beside the hardest targets, where they do not cover each other."""
    scale, taken = 72 / axes.figure.dpi, []
    places = [np.array([math.cos(math.radians(135 - a)), math.sin(math.radians(135 - a))]) * r for r in (8, 15, 22)
              for a in range(0, 360, 30)]
    for k in np.argsort(s.rank)[:HARDEST]:
        at = axes.transData.transform((s.l[k], s.y[k])) * scale
        free = [p for p in places if all(np.max(np.abs(at + p - other) / (10, 8)) > 1 for other in taken)]
        offset = free[0] if free else places[0]
        taken.append(at + offset)
        axes.annotate(str(hardest[s.names[k]]), (s.l[k], s.y[k]), xytext=offset, textcoords="offset points",
                      ha="center", va="center", weight="bold",
                      path_effects=[withStroke(linewidth=2, foreground="white")])
