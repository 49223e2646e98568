"""A metric against the number of steps, with local slopes below: what every rate is read from."""

import math

import numpy as np
from matplotlib.ticker import MaxNLocator

from .curves import (KL_FAMILY, attach, bars, capital, csv_header, csv_rows, curves_of, exponents, instruments, label,
                     listed, panels, said, symbolic)
from .style import (GREY, LINES, PANELS, Figure, Table, canvas, draw_curve, fan, handle, legend, log_y, pages, room,
                    styles, tick_values, title)

REACH = 3  # slopes further than this from all guides are shown at the edge


def draw(result):
    metrics = result.drawn(*KL_FAMILY)
    return draw_metrics(result, metrics, metrics[0] + "-rates") if metrics else []


def draw_one(result, metric):
    """The figure of one metric alone."""
    if metric not in result.metrics:
        result.fits(metric, "steps", [])  # says what is wrong with the name
    return draw_metrics(result, result.drawn(metric), metric + "-rates")


def compared(result, curves, metrics):
    """Slopes to compare with: those that theory knows, and those that the study claims for these curves (the middles
    of the bands, to the next half); without such as no curve comes near, except for W2."""
    if metrics[0].startswith("w2"):
        slopes = {-1, -0.5}
    else:
        slopes = {-1 if m == "kl_path" else -2 for m in metrics}
    for row in result.claims():
        if row["kind"] == "exponent" and row["versus"] == "steps" and row["band_hi"] - row["band_lo"] <= 1.5:
            about = row["at"].items()
            if any(c.metric == row["metric"] and all(c.at.get(k, v) == v for k, v in about) for c in curves):
                slopes.add(round(row["band_lo"] + row["band_hi"]) / 2)
    near = {s for s in slopes if any(c.fit and abs(c.fit["slope"] - s) < 1 for c in curves)}
    return sorted((near or slopes) - {0} if not metrics[0].startswith("w2") else slopes - {0})


def draw_metrics(result, metrics, stem, plain=()):
    """Pages of these metrics. Those in `plain` are drawn in grey and without slopes."""
    curves = curves_of(result, metrics, "steps")
    if not curves:
        return []
    attach(result, curves, "steps")
    style, lines = styles(result.series), dict(zip((m for m in metrics if m not in plain), LINES))
    lines.update((m, lines.get(m[:-len("_floor")], ":")) for m in plain)
    table = Table(stem + ".csv", csv_header("steps"), list(csv_rows(result, curves)))
    todo = pages(stem, panels(curves).values(), PANELS, result.max_pages)
    return [draw_page(result, page, style, lines, stem, table, plain) for page in todo]


def draw_page(result, page, style, lines, stem, table, plain):
    picture, upper, lower, columns = canvas(len(page), 3.1, below=0.5, sharex="col")
    curves = [c for panel in page for c in panel]
    metrics = [m for m in lines if any(c.metric == m for c in curves)]
    for panel, values, slopes in zip(page, upper, lower):
        guides = compared(result, panel, [m for m in metrics if any(c.metric == m for c in panel)])
        for c in panel:
            look = style[c.name] if c.metric not in plain else {**style[c.name], "color": "0.6", "ms": 3}
            draw_curve(values, c, look, lines[c.metric])
        values.set_xscale("log")
        values.set_yscale("log")
        fan(values, panel, guides)
        log_y(values)
        title(values, said(panel[0].place), columns)
        draw_slopes(slopes, [c for c in panel if c.metric not in plain], style, lines, guides)
        tick_values(slopes.xaxis, np.concatenate([c.x for c in panel]), room(columns))
        slopes.set_xlabel("steps N")
    upper[0].set_ylabel((label(metrics[0]) if len(metrics) == 1 else "W2" if metrics[0].startswith("w2") else "KL") +
                        result.unit(metrics[0]))
    lower[0].set_ylabel("local slope")
    picture.align_ylabels([upper[0], lower[0]])
    many = len(metrics) > 1
    legend(picture, {symbolic(n): handle(style[n]) for n in style if any(c.name == n for c in curves)},
           {label(m): handle(ls=lines[m], color="0.6" if m in plain else "0.2") for m in metrics} if many else {})
    what = listed(label(m) for m in metrics)
    slopes = [c.fit["slope"] for c in curves if c.fit and c.metric not in plain]
    fitted = f"; fitted exponents from {min(slopes):.2f} to {max(slopes):.2f}" if slopes else ""
    return Figure(stem, f"{capital(what)} against the number of steps",
                  f"{capital(what)} against the number of steps N "
                  f"({listed(dict.fromkeys(c.target for c in curves))}); below, slopes between neighbouring points "
                  f"with their 95% intervals. Grey lines: the slopes to compare with. {bars(curves)} "
                  f"{instruments(result, curves)}",
                  f"Double logarithmic plot of {what} against steps, {len(page)} "
                  f"panel{'s' * (len(page) > 1)}, {len(curves)} curves{fitted}.",
                  picture, table, exponents([c for c in curves if c.metric not in plain], "steps"))


def draw_slopes(axes, curves, style, lines, guides):
    """Local slopes, side by side where they have the same abscissa."""
    for g in guides:
        axes.axhline(g, color=GREY, lw=0.9, ls="--", zorder=1)
    lowest, highest = min(guides, default=-2), max(guides, default=-2)
    found = [(s["slope"], s["lo"], s["hi"]) for c in curves for s in c.local]
    ends = [lowest - 0.5, highest + 0.5] + [v for s in found for v in s if v is not None]
    low, high = max(min(ends), lowest - REACH), min(max(ends), highest + REACH)
    margin = 0.07 * (high - low)
    gap = min((s["x_hi"] / s["x_lo"] for c in curves for s in c.local), default=1)
    several = len({c.metric for c in curves}) > 1
    for n, c in enumerate(curves):
        dodge = gap ** (0.75 * ((n + 0.5) / len(curves) - 0.5))
        look = {**style[c.name], "ms": 4 if len(curves) < 5 else 3}
        xs = [math.sqrt(s["x_lo"] * s["x_hi"]) * dodge for s in c.local]
        if several:
            axes.plot(xs, np.clip([s["slope"] for s in c.local], low, high), lw=0.7, ls=lines[c.metric],
                      color=look["color"])
        for x, s in zip(xs, c.local):
            draw_slope(axes, x, s, look, low, high)
    axes.set_ylim(low - margin, high + margin)
    axes.set_xscale("log")
    axes.yaxis.set_major_locator(MaxNLocator(5))


def draw_slope(axes, x, s, look, low, high):
    """Marker and bar; what lies beyond the edge ends there in a small triangle."""
    bounded = s["lo"] is not None and s["hi"] is not None
    colour = look["color"]
    if bounded and not s["exact"]:
        axes.plot([x, x], np.clip([s["lo"], s["hi"]], low, high), lw=0.9, color=colour)
        for end, beyond, edge, arrow in ((s["lo"], s["lo"] < low, low, 7), (s["hi"], s["hi"] > high, high, 6)):
            axes.plot(x, edge if beyond else end, marker=arrow if beyond else "_", color=colour, ms=4, mew=0.9)
    if low <= s["slope"] <= high:
        axes.plot(x, s["slope"], lw=0, mfc=colour if bounded else "white", zorder=3, **look)
    elif not bounded or s["exact"]:
        axes.plot(x, low if s["slope"] < low else high, lw=0, marker=7 if s["slope"] < low else 6, color=colour, ms=4,
                  mfc=colour if bounded else "white")
