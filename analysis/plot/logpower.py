"""A metric against log(1/delta), delta the variance of the noise that is left: which power of the logarithm a bound
pays."""

import math

import numpy as np

from .curves import KL_FAMILY, csv_header, csv_rows, curves_of
from .style import Table, room, tick_values
from .sweep import draw_pages

LEAST = 3  # values of delta on one curve


def draw(result):
    curves = []
    for c in curves_of(result, result.drawn(*KL_FAMILY), "delta", least=LEAST):
        keep = np.flatnonzero(c.x < 1)[::-1]
        c.points, c.y, c.lo, c.hi, c.unknown = (v[keep] for v in (c.points, c.y, c.lo, c.hi, c.unknown))
        c.x = -np.log(c.x[keep])
        if len(np.unique(c.x)) >= LEAST:
            curves.append(c)
    if not curves:
        return []
    table = Table("logpower.csv", csv_header("log_1_over_delta"), list(csv_rows(result, curves)))
    return draw_pages(
        result, "logpower", curves, table, "log(1/δ), below it δ",
        ("{what} against log(1/δ)",
         "{what} against log(1/δ) on double logarithmic axes ({where}); δ is the variance of the noise left at the "
         "end. Grey lines: powers of the logarithm.",
         "Double logarithmic plot of {what} against log(1/delta), {panels} panels, {curves} curves."),
        powers, ticks=ticks, exponents=lambda page: claimed(result, page))


def powers(panel):
    """2 and 3, and 4 where a curve is steeper than that."""
    steepest = max((math.log(c.y[-1] / c.y[0]) / math.log(c.x[-1] / c.x[0]) for c in panel
                    if c.y[0] > 0 and c.y[-1] > 0), default=0)
    return [2, 3, 4] if steepest > 3.2 else [2, 3]


def ticks(axes, panel, columns):
    """log(1/delta), and delta itself in a second line."""
    values = np.unique(np.concatenate([c.x for c in panel]))
    tick_values(axes.xaxis, values, room(columns), [f"{v:.3g}\n{math.exp(-v):.2g}" for v in values])


def claimed(result, curves):
    """Powers that dcs check has fitted, where the study claims some."""
    return [{"curve": row["where"], "metric": row["metric"], "versus": "delta",
             **{"slope": row["value"], "lo": row["lo"], "hi": row["hi"], "exact": row["exact"]}}
            for row in result.claims() if row["kind"] == "log_exponent" and row["value"] is not None
            and any(c.metric == row["metric"] and all(c.at.get(k, v) == v for k, v in row["at"].items())
                    for c in curves)]
