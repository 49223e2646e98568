"""Curves: points of a result that share all coordinates but one. All figure kinds that draw lines draw these."""

import math
import re
from dataclasses import dataclass, field

import numpy as np

from .result import COORDINATES

SYMBOLS = {"delta": "δ", "lambda": "λ", "sigma_max": "σmax", "steps": "N", "score_error": "score error"}
NAMES = {"kl": "KL", "kl_path": "path KL", "kl_chain": "chain KL", "kl_rev": "reverse KL", "kl_constant": "lim N² KL",
         "chi2": "χ²", "mmse": "MMSE", "w2": "W2", "w2_coupling": "W2 coupling bound", "w2_sliced": "sliced W2",
         "w2_sliced_floor": "floor of sliced W2", "w2_assignment": "W2 by assignment",
         "w2_assignment_floor": "floor of W2 by assignment", "smoothness": "smoothness L"}
KL_FAMILY = ("kl", "kl_path", "kl_chain")


def label(metric):
    return NAMES.get(metric, metric)


def capital(sentence):
    return sentence[:1].upper() + sentence[1:]


def listed(words):
    """a, b and c"""
    words = list(words)
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


@dataclass(eq=False)
class Curve:
    metric: str
    keys: list  # coordinates that tell its kind of curves apart
    at: dict  # their values, and d
    place: dict  # those that name the panel
    name: str  # the others: they name colour and marker
    points: np.ndarray  # rows of the file, ascending abscissa
    x: np.ndarray
    y: np.ndarray
    lo: np.ndarray  # ends of the bar
    hi: np.ndarray
    unknown: np.ndarray  # bias
    fit: dict = None  # of dcs fit
    local: list = field(default_factory=list)

    @property
    def panel(self):
        return said(self.place, {})

    @property
    def target(self):
        return self.place.get("target", "")


def family(target):
    """Name of a target without the digits it ends in."""
    return re.sub(r"[-_]?\d+$", "", target) or target


def law(result):
    """Coordinates that name the law of the data: target, dimension, axes of the study."""
    return ["target", "d"] + [c for c in result.columns if c not in COORDINATES]


def natural(words):
    """For sorting: d = 4 before d = 16."""
    return [float(w) if w.replace(".", "", 1).isdigit() else math.inf for w in words.split()], words


def said(place, symbols=SYMBOLS):
    """gaussian, d = 4"""
    return ", ".join(v if k in ("target", "sampler") else f"{symbols.get(k, k)} = {v}" for k, v in place.items())


def symbolic(name):
    """churn, λ = 0.5"""
    return ", ".join(" = ".join(SYMBOLS.get(w, w) for w in part.split(" = ")) for part in name.split(", "))


def curves_of(result, metrics, x, series=("sampler", "lambda"), least=2, log=True):
    """Curves of metrics against the coordinate x that have at least `least` different abscissae (positive ones, when
    the axis is logarithmic). `series` are the coordinates that name colour and marker; the rest names the panel.
    An inapplicable coordinate (lambda of ddim) is not mentioned."""
    points = [i for i in result.points if result.columns[x][i] > (0 if log else -1)
              and any(np.isfinite(result.data[m][i]) for m in metrics)]
    keys, groups = result.groups(points, (x,))
    shown = keys + [c for c in ("d",) if c != x and c not in keys and c in result.varying(points)]
    curves = []
    for metric in metrics:
        for group in groups.values():
            group = np.array(sorted((i for i in group if np.isfinite(result.data[metric][i])),
                                    key=lambda i: (result.columns[x][i], i)), dtype=int)
            if len(np.unique(result.columns[x][group])) < least:
                continue
            at = {k: result.at(k, group[0]) for k in shown}
            place = {"target": result.at("target", group[0])}
            place.update((k, v) for k, v in at.items() if k not in series and v)
            curves.append(Curve(metric, keys, at, place, named(result, group[0], series, keys), group,
                                result.columns[x][group].astype(float), *result.values(metric, group)))
    return curves


def named(result, point, series=("sampler", "lambda"), keys=()):
    """Name of a curve: its sampler, lambda if the file has several of it for this sampler, and what else tells
    curves apart."""
    others = [f"{k} = {result.at(k, point)}" for k in series if k in keys and k not in ("sampler", "lambda")]
    return ", ".join(([result.series_at(point)] if "lambda" in series else [result.at("sampler", point)]) + others)


def attach(result, curves, x):
    """Give every curve its exponent and local slopes against x, by dcs fit."""
    for c in curves:
        found = result.fits(c.metric, x, c.keys).get(c.points[0], {})
        c.fit, c.local = found.get("fit"), found.get("local") or []


def exponents(curves, versus):
    """For the manifest: what dcs fit found for these curves."""
    return [{"curve": " ".join(f"{k}={v}" for k, v in c.at.items() if v), "metric": c.metric, "versus": versus,
             **{k: c.fit[k] for k in ("slope", "lo", "hi", "exact")}} for c in curves if c.fit]


def panels(curves):
    """{target: [curves of one panel, ...]}, in the order of the file."""
    by_target = {}
    for c in curves:
        by_target.setdefault(c.target, {}).setdefault(c.panel, []).append(c)
    return {t: list(p.values()) for t, p in by_target.items()}


def csv_header(x):
    return ["panel", "curve", "metric", "kind", "point", x, "y", "lo", "hi", "bias", "method"]


def csv_rows(result, curves):
    """Every plotted number; `point` counts the rows of dcs export, from 0."""
    for c in curves:
        for i, x, y, lo, hi, unknown in zip(c.points, c.x, c.y, c.lo, c.hi, c.unknown):
            yield [c.panel, c.name, c.metric, "value", i, x, y, lo, hi, "unknown" if unknown else "bounded",
                   result.data[c.metric + "_method"][i]]
        for s in c.local:
            yield [c.panel, c.name, c.metric, "slope", "", math.sqrt(s["x_lo"] * s["x_hi"]), s["slope"], s["lo"],
                   s["hi"], "", "dcs fit"]


def instruments(result, curves):
    """Which estimator measured what: one sentence."""
    parts = []
    for metric in dict.fromkeys(c.metric for c in curves):
        points = sorted({int(i) for c in curves if c.metric == metric for i in c.points})
        methods = [result.data[metric + "_method"][i] for i in points]
        counts = [f"{m} ({methods.count(m)})" for m in dict.fromkeys(methods)]
        parts.append(f"{label(metric)} by {listed(counts)}")
    return "Measured, with the number of points: " + "; ".join(parts) + "."


def bars(curves):
    """What the bars of these curves are: one to three sentences, without what does not occur."""
    if all(np.all(c.lo == c.hi) and not np.any(c.unknown) for c in curves):
        return "All values are exact: there are no bars."
    words = ["Bars: 1.96 standard errors plus the bias bound; without a bar: exact, or a bar smaller than the marker."]
    if any(np.any(c.unknown) for c in curves):
        words.append("Open markers: an error is unknown, or the bias as large as the value; the bar leaves it out.")
    if any(np.any(c.lo < 0.05 * c.y) for c in curves):
        words.append("Arrows: the bar goes below a twentieth of the value, to zero or beyond.")
    return " ".join(words)
