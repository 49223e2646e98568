#!/usr/bin/env python3
"""Draw a metric against the number of steps, with local slopes below.

Values and errors are those of the result file; slopes and their intervals are those of `dcs fit --local --json`.
Nothing is estimated here. Run it through figures.sh.
"""

import argparse
import csv
import json
import os
import re

import h5py
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

# Okabe and Ito's palette, told apart by colour-blind readers; without the yellow, which is too light on paper.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"]
MARKERS = "os^Dv<>Pph"  # 10 and 7 have no common factor: 70 distinct pairs
PANELS = 3  # side by side at most
REFERENCE = -2  # slope of the triangle and of the line

plt.rcParams.update({
    "font.size": 9, "axes.labelsize": 9, "axes.titlesize": 9, "legend.fontsize": 8.5, "xtick.labelsize": 8,
    "ytick.labelsize": 8, "axes.spines.top": False, "axes.spines.right": False, "pdf.fonttype": 42,
})


def text(value):
    return value.decode() if isinstance(value, bytes) else str(value) if isinstance(value, str) else f"{value:g}"


def read_curves(path, fits):
    """Curves of the fit with their points; `panel` and `name` say where and as what each is drawn."""
    metric, curves = fits["metric"], []
    with h5py.File(path, "r") as h5:
        value, error, bias = (h5[metric + end][()] for end in ("", "_se", "_bias"))
        steps, unit = h5["steps"][()], text(h5[metric].attrs.get("units", "1"))
        keys = {k for c in fits["curves"] for k in re.findall(r"(?:^| )(\w+)=", c["curve"])} - {"sampler", "lambda"}
        column = {k: h5[k][()] for k in keys | {"sampler", "lambda", "target", "d"} if k in h5}
        sampler_keys = [k for k in ("sampler", "lambda") if k in column]
        for fit in fits["curves"]:
            points = np.array([i for i in fit["points"] if np.isfinite(value[i]) and value[i] > 0], dtype=int)
            if len(points) == 0:
                continue
            at = {k: text(v[points[0]]) for k, v in column.items()}
            order = ["target"] + sorted(keys - {"target"} | ({"d"} & column.keys()))
            curves.append({
                "target": at.get("target", ""),
                "panel": ", ".join(at[k] if k == "target" else f"{k} = {at[k]}" for k in order if k in at),
                "key": tuple(at[k] for k in sampler_keys),
                "x": steps[points].astype(float), "y": value[points],
                "half": 1.96 * error[points] + bias[points],
                "unbounded": ~(bias[points] < value[points]),  # a bias bound that says nothing makes no bar
                "exact": bool(np.all(error[points] == 0)), "local": fit.get("local", []),
            })
    lambdas = {}
    for c in curves:
        lambdas.setdefault(c["key"][0] if c["key"] else "", set()).add(c["key"])
    for c in curves:
        c["name"] = c["key"][0] if c["key"] else "all"
        if len(lambdas[c["name"]] if c["key"] else ()) > 1:
            c["name"] += f" (lambda = {c['key'][1]})"
    return curves, unit


def pages(curves):
    """Panels of one figure: one figure for each target, or the targets side by side when each has one panel only."""
    by_target = {}
    for c in curves:
        panels = by_target.setdefault(c["target"], {})
        panels.setdefault(c["panel"], []).append(c)
    groups = [list(panels.values()) for panels in by_target.values()]
    if all(len(g) == 1 for g in groups):
        groups = [[g[0] for g in groups]]
    return [g[i:i + PANELS] for g in groups for i in range(0, len(g), PANELS)]


def triangle(axes, curves):
    """Slope triangle below the curves, at the left: its top stays under every bar above it."""
    xs = np.concatenate([c["x"] for c in curves])
    left = xs.min() * 1.05
    right = left * max(1.5, (xs.max() / xs.min()) ** 0.28)
    lowest = np.inf
    for c in curves:
        floor = np.where(c["half"] < c["y"], c["y"] - c["half"], c["y"] / 4)
        near = np.exp(np.interp(np.log([left, right]), np.log(c["x"]), np.log(floor)))
        inside = floor[(c["x"] >= left) & (c["x"] <= right)]
        lowest = min(lowest, near.min(), inside.min() if len(inside) else np.inf)
    top = lowest / 2.5
    bottom = top * (right / left) ** REFERENCE
    axes.plot([left, right, left, left], [top, bottom, bottom, top], color="0.3", lw=0.9, clip_on=False)
    axes.annotate(f"{REFERENCE}", (np.sqrt(left * right), np.sqrt(top * bottom)), xytext=(4, 2),
                  textcoords="offset points", color="0.3", fontsize=8.5)
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, bottom / 1.8), high)


def draw_values(axes, curves, style):
    for c in curves:
        s, x, y = style[c["name"]], c["x"], c["y"]
        axes.plot(x, y, lw=1, color=s["color"])
        for chosen, face in ((~c["unbounded"], None), (c["unbounded"], "white")):
            axes.plot(x[chosen], y[chosen], lw=0, mfc=face, **s)
        closed, open_end = ~c["unbounded"] & (c["half"] < y), ~c["unbounded"] & (c["half"] >= y)
        bar = {"fmt": "none", "ecolor": s["color"], "elinewidth": 1}
        if not c["exact"]:
            axes.errorbar(x[closed], y[closed], yerr=c["half"][closed], capsize=2, **bar)
            # A bar that reaches zero ends in an arrow.
            axes.errorbar(x[open_end], y[open_end], yerr=[0 * y[open_end], c["half"][open_end]], capsize=2, **bar)
            axes.errorbar(x[open_end], y[open_end], yerr=0.6 * y[open_end], uplims=True, **bar)
    axes.set_xscale("log")
    axes.set_yscale("log")
    triangle(axes, curves)
    axes.set_title(curves[0]["panel"])


def draw_slopes(axes, curves, style):
    axes.axhline(REFERENCE, color="0.3", lw=0.9, ls="--", zorder=1)
    ends = [REFERENCE - 0.5, REFERENCE + 0.5]
    gap = min((l["x_hi"] / l["x_lo"] for c in curves for l in c["local"]), default=1)
    for i, c in enumerate(curves):
        dodge = gap ** (0.75 * ((i + 0.5) / len(curves) - 0.5))  # side by side, not on top of each other
        for l in c["local"]:
            bounded = l["lo"] is not None and l["hi"] is not None
            bar = [[l["slope"] - l["lo"]], [l["hi"] - l["slope"]]] if bounded and not l["exact"] else None
            axes.errorbar(np.sqrt(l["x_lo"] * l["x_hi"]) * dodge, l["slope"], yerr=np.maximum(bar, 0) if bar else None,
                          lw=0, elinewidth=1, capsize=2, zorder=3, mfc="none" if not bounded else None, **style[c["name"]])
            ends += [l["slope"]] + ([l["lo"], l["hi"]] if bounded else [])
    margin = 0.06 * (max(ends) - min(ends))
    axes.set_ylim(min(ends) - margin, max(ends) + margin)
    axes.set_xscale("log")
    axes.yaxis.set_major_locator(MaxNLocator(5))


def tick_steps(axes, curves, room):
    """Label the step numbers of the study, thinned until `room` characters hold them: labels never touch."""
    steps = np.unique(np.concatenate([c["x"] for c in curves]))[::-1]
    while len(steps) > 1 and sum(len(f"{x:g}") + 1 for x in steps) > room:
        steps = steps[::2]
    axes.xaxis.set_major_locator(FixedLocator(steps))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axes.xaxis.set_minor_locator(NullLocator())


def draw_page(panels, style, metric, unit, path):
    n = len(panels)
    names = list(dict.fromkeys(c["name"] for p in panels for c in p))
    columns = min(len(names), 4)
    rows = -(-len(names) // columns)
    height = 4.9 + 0.2 * rows
    figure, axes = plt.subplots(2, n, figsize=(7, height), squeeze=False, sharex="col",
                                gridspec_kw={"height_ratios": [2, 1]})
    for k, curves in enumerate(panels):
        draw_values(axes[0][k], curves, style)
        draw_slopes(axes[1][k], curves, style)
        tick_steps(axes[1][k], curves, 66 // n)
        axes[1][k].set_xlabel("steps N")
    axes[0][0].set_ylabel(f"{metric.upper() if metric == 'kl' else metric} ({unit})")
    axes[1][0].set_ylabel("local slope")
    handles = [plt.Line2D([], [], lw=1, **style[name]) for name in names]
    figure.align_ylabels(axes[:, 0])
    figure.tight_layout(rect=(0, (0.1 + 0.2 * rows) / height, 1, 1))
    figure.legend(handles, names, loc="lower center", ncol=columns, frameon=False)
    for kind in ("png", "pdf"):
        figure.savefig(f"{path}.{kind}", dpi=200, metadata={"CreationDate": None} if kind == "pdf" else None)
        print(f"{path}.{kind}")
    plt.close(figure)


def write_csv(curves, path):
    with open(path, "w", newline="") as stream:
        out = csv.writer(stream)
        out.writerow(["panel", "curve", "kind", "steps", "y", "lo", "hi"])
        for c in curves:
            for x, y, half in zip(c["x"], c["y"], c["half"]):
                out.writerow([c["panel"], c["name"], "value", *(repr(float(v)) for v in (x, y, y - half, y + half))])
            for l in c["local"]:
                x = float(np.sqrt(l["x_lo"] * l["x_hi"]))
                out.writerow([c["panel"], c["name"], "slope", repr(x), l["slope"], l["lo"], l["hi"]])
    print(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("result", help="result file")
    parser.add_argument("fits", help="output of dcs fit --local --json")
    parser.add_argument("-o", "--out", default=".", help="folder (default: this one)")
    arguments = parser.parse_args()
    with open(arguments.fits) as stream:
        fits = json.load(stream)
    curves, unit = read_curves(arguments.result, fits)
    if not curves:
        raise SystemExit("plot_rates.py: nothing to draw: no point has a value of " + fits["metric"])
    names = list(dict.fromkeys(c["name"] for c in curves))
    style = {name: {"color": COLOURS[i % len(COLOURS)], "marker": MARKERS[i % len(MARKERS)], "ms": 4.5}
             for i, name in enumerate(names)}
    base = os.path.join(arguments.out, fits["metric"] + "-rates")
    todo = pages(curves)
    for i, panels in enumerate(todo):
        draw_page(panels, style, fits["metric"], unit, base if len(todo) == 1 else f"{base}-{i + 1}")
    write_csv(curves, base + ".csv")


if __name__ == "__main__":
    main()
