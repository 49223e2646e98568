"""Steps N(eps) that bring a divergence down to eps^2, against 1/eps: read off the curves by `dcs check`."""

import numpy as np

from .curves import KL_FAMILY, Curve, named
from .style import Table
from .sweep import draw_pages

GUIDES = {1: "1/ε", 2: "1/ε²"}
HEADER = ["panel", "curve", "metric", "eps", "1_over_eps", "steps", "lo", "hi"]


def draw(result):
    rows = {}
    for row in result.claims():
        if row["kind"] == "steps_to" and any(s["place"] == "inside" for s in row["steps_to"]):
            rows.setdefault((row["metric"], row["where"]), row)  # two claims about one curve draw it once
    curves = {curve(result, row): row for row in rows.values()}
    if not curves:
        return []
    shown = sorted(curves, key=lambda c: KL_FAMILY.index(c.metric) if c.metric in KL_FAMILY else len(KL_FAMILY))
    table = Table("steps.csv", HEADER, [[c.panel, c.name, c.metric, 1 / x, x, y, lo, hi] for c in shown
                                        for x, y, lo, hi in zip(c.x, c.y, c.lo, c.hi)])
    return draw_pages(
        result, "steps", shown, table, "1/ε",
        ("Steps that bring {what} down to ε²",
         "Steps N(ε) from which on {what} stays at or below ε², against 1/ε ({where}), read off the measured curves "
         "by dcs check; nothing is extrapolated. Grey lines: growth like 1/ε and 1/ε².",
         "Double logarithmic plot of the steps that {what} takes to come down to eps squared, against 1/eps; "
         "{panels} panels, {curves} curves."),
        lambda panel: list(GUIDES), GUIDES, ticks=lambda axes, panel, columns: None, y_label="steps N(ε)",
        exponents=lambda page: [fitted(c, curves[c]) for c in page if curves[c]["value"] is not None],
        close="Bars: 95% intervals; without a bar: exact, or a bar smaller than the marker.")


def fitted(c, row):
    """For the manifest: the exponent that dcs check found."""
    return {"curve": row["where"], "metric": c.metric, "versus": "eps", "slope": row["value"], "lo": row["lo"],
            "hi": row["hi"], "exact": row["exact"]}


def curve(result, row):
    """N(eps) of one row of dcs check, ascending 1/eps."""
    found = sorted((s for s in row["steps_to"] if s["place"] == "inside"), key=lambda s: -s["eps"])
    at = dict(row["at"])
    like = [i for i in result.measured(row["metric"]) if all(result.at(k, i) == v for k, v in at.items())]
    at.setdefault("target", result.at("target", like[0]))
    place = {"target": at["target"], **{k: v for k, v in at.items() if k not in ("target", "sampler", "lambda") and v}}
    x, y, lo, hi = (np.array(v) for v in zip(*((1 / s["eps"], s["steps"], s["lo"], s["hi"]) for s in found)))
    return Curve(row["metric"], list(at), at, place, named(result, like[0]), np.array(like), x, y, lo, hi,
                 np.zeros(len(x), dtype=bool))
