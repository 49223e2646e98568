"""What was measured at every noise level (mmse, smoothness) against the level sigma."""

import numpy as np

from .curves import capital, label, law, listed, natural, said, symbolic
from .result import bar
from .style import COLOURS, LINES, PANELS, WIDTH, Figure, Picture, Table, handle, legend, log_y, pages, title

FINE = 512  # levels of the profile that is drawn, at most, where there is a choice
HEADER = ["panel", "curve", "metric", "point", "sigma", "y", "lo", "hi", "bias"]


class Profile:
    """One metric along the levels of one point."""

    def __init__(self, result, metric, point, place, name):
        first, last = result.levels["level_first"][point:point + 2]
        value, error, bias = (result.levels[metric + end][first:last] for end in ("", "_se", "_bias"))
        good = np.isfinite(value)
        self.metric, self.point, self.place, self.name, self.target = metric, point, place, name, place["target"]
        self.x = result.levels["level"][first:last][good]
        self.y, self.lo, self.hi, self.unknown = (v[good] for v in bar(value, error, bias))

    @property
    def panel(self):
        return said(self.place, {})


def draw(result):
    metrics = [m for m in result.levels if m + "_se" in result.levels]
    profiles = [p for m in metrics for p in of_metric(result, m)]
    metrics = [m for m in metrics if any(p.metric == m for p in profiles)]
    if not profiles:
        return []
    rows = [[p.panel, p.name, p.metric, p.point, *v, "unknown" if u else "bounded"] for p in profiles
            for *v, u in zip(p.x, p.y, p.lo, p.hi, p.unknown)]
    table = Table("profile.csv", HEADER, rows)
    by_target = {}
    for p in profiles:
        by_target.setdefault(p.target, {}).setdefault(p.panel, []).append(p)
    todo = pages("profile", [list(panels.values()) for panels in by_target.values()], PANELS, result.max_pages)
    return [draw_page(result, page, metrics, table) for page in todo]


def of_metric(result, metric):
    """Profiles of a metric: one for each law, schedule and delta; of its points, which differ in sampler and steps,
    that with the finest levels of at most FINE (or the coarsest of more)."""
    first = result.levels["level_first"]
    points = [i for i in result.measured(metric) if first[i + 1] > first[i]]
    free = ("sampler", "lambda", "steps", "init", "score_error", "score_error_seed", "copies")
    keys = [k for k in result.keys(points, ("steps",)) if k not in free]
    groups, names = {}, [k for k in law(result) if k in keys and k != "target"]
    fixed = ["d"] if "d" not in names and "d" in result.varying(points) else []  # the target says it: in the title
    for i in points:
        groups.setdefault(tuple(result.at(k, i) for k in keys), []).append(i)
    while len(names) > 1 and crowded([group[0] for group in groups.values()], result, keys, names):
        fixed.append(names.pop(0))
    for group in groups.values():
        steps = result.data["steps"]
        fine = [i for i in group if steps[i] <= FINE]
        i = max(fine, key=lambda j: (steps[j], -j)) if fine else min(group, key=lambda j: (steps[j], j))
        place = {k: result.at(k, i) for k in ["target"] + fixed + keys if k not in names and result.at(k, i)}
        name = said({k: result.at(k, i) for k in names if result.at(k, i)}, {}) or "all"
        profile = Profile(result, metric, i, place, name)
        if np.any(profile.y > 0) and len(profile.x) > 1:
            yield profile


def crowded(points, result, keys, names):
    """True when a panel would hold more profiles than there are colours; `names` are the keys that tell them apart."""
    panels = [tuple(result.at(k, i) for k in keys if k not in names) for i in points]
    return max(panels.count(p) for p in set(panels)) > len(COLOURS)


def draw_page(result, page, metrics, table):
    shown = [p for panel in page for p in panel]
    metrics = [m for m in metrics if any(p.metric == m for p in shown)]
    names = sorted({p.name for p in shown}, key=natural)
    colour = {n: COLOURS[k % len(COLOURS)] for k, n in enumerate(names)}
    line = {n: LINES[k // len(COLOURS) % len(LINES)] for k, n in enumerate(names)}
    picture = Picture(figsize=(WIDTH, 2.4 * len(metrics)))
    axes = picture.subplots(len(metrics), len(page), squeeze=False, sharex="col")
    for column, panel in enumerate(page):
        title(axes[0][column], said(panel[0].place), len(page))
        axes[-1][column].set_xlabel("noise level σ")
        for row, metric in enumerate(metrics):
            a = axes[row][column]
            for p in panel:
                if p.metric == metric:
                    good = p.y > 0
                    a.plot(p.x[good], p.y[good], lw=1.2, color=colour[p.name], ls=line[p.name])
                    floor = np.where(p.lo > 0, p.lo, 0.05 * p.y)
                    a.fill_between(p.x[good], floor[good], p.hi[good], color=colour[p.name], alpha=0.25, lw=0)
            a.set_xscale("log")
            log_y(a)
            if column == 0:
                unit = result.levels_units[metric]
                a.set_ylabel(label(metric) + ("" if unit in ("1", "") else f" ({unit})"))
    picture.align_ylabels(axes[:, 0])
    legend(picture, {symbolic(n): handle(color=colour[n], ls=line[n]) for n in names} if names != ["all"] else {})
    what = listed(label(m) for m in metrics)
    unknown = any(np.any(p.unknown) for p in shown)
    unknown = " At some levels an error is unknown, and the band leaves it out." if unknown else ""
    return Figure("profile", f"{capital(what)} along the noise levels",
                  f"{capital(what)} against the noise level σ ({listed(dict.fromkeys(p.target for p in shown))}), at "
                  "the levels of one point for each curve. Shaded: 1.96 standard errors plus the bias bound; "
                  f"without: exact, or thinner than the line.{unknown}",
                  f"Double logarithmic plot of {what} against the noise level, {len(page)} "
                  f"panel{'s' * (len(page) > 1)}, {len(shown)} curves.", picture, table)
