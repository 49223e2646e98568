"""Rates of all curves, the state of the points, and which instrument measured what."""

from .claims import extent, measured, three
from .elements import count, details, el, facts, general, join, table

LISTED = 3  # points named for one reason
SHOWN = 300  # points of which the table is on the page
MEANING = {"ok": "measured to the error the study asks for",
           "max_paths": "measured, with a larger error: the limit of paths was reached",
           "incomplete": "not finished",
           "refused": "an instrument cannot measure a metric there, and says why",
           "failed": "a number was not finite"}


def fit_row(curve, known):
    fit, points = curve.get("fit"), len(curve["points"])
    if not fit:
        return [curve["curve"], f"{known} of {points}", "\u2013", "not fitted", "\u2013"]
    row = {"kind": "exponent", "value": fit["slope"], "band_lo": None, "band_hi": None, **fit}
    return [curve["curve"], f"{fit['n']} of {points}", f"{fit['x_lo']:g} to {fit['x_hi']:g}", measured(row),
            general(fit["chi2_per_dof"], 3)]


def rates(result):
    parts = []
    for metric in result.metrics:
        curves = result.fits(metric["name"])
        slopes = [c["fit"]["slope"] for c in curves if c.get("fit")]
        known = [sum(result.points[i][metric["name"]]["value"] is not None for i in c["points"]) for c in curves]
        if slopes:
            name = join([el("code", metric["name"]), f": {count(len(slopes), 'curve')}, ",
                         "exponents " if len(slopes) > 1 else "exponent ", extent(slopes, three)])
            head = ["curve", "points used", "steps", "exponent, 95% interval", "chi\u00b2/dof"]
            rows = [fit_row(c, n) for c, n in zip(curves, known) if n > 0]
            parts.append(details(name, table(head, rows, numbers=(4,), whole=(3,))))
    if not parts:
        return el("p", "Nothing was measured at two numbers of steps.")
    what = el("p", "Weighted fits of metric ~ steps^exponent on every curve, claimed or not, as ", el("code", "dcs fit"),
              " makes them. A chi\u00b2/dof far above 1 says that the curve is bent; then the exponent is an average over "
              "the range of steps.")
    return join([what] + parts, "\n")


def reasons(result, status):
    groups = {}
    for p in result.points:
        if p["status"] == status:
            groups.setdefault(p["reason"] or "no reason given", []).append(p)
    rows = []
    for reason, points in groups.items():
        more = f"; and {len(points) - LISTED} more" if len(points) > LISTED else ""
        rows.append([str(len(points)), reason, "; ".join(result.place(p) for p in points[:LISTED]) + more])
    return table(["points", "reason", "where"], rows, numbers=(0,))


def largest(estimates, key):
    """Of the known ones, in units of the value; and how many are not known."""
    known = [e[key] / abs(e["value"]) for e in estimates if e[key] is not None and e["value"] != 0]
    unknown = sum(e[key] is None for e in estimates)
    return general(max(known, default=None), 2) + (f"; unknown at {unknown}" if unknown else "")


def instrument_row(name, method, estimates):
    error = largest(estimates, "se") if any(e["se"] != 0 for e in estimates) else "exact"
    return [el("code", name), el("code", method), str(len(estimates)), error, largest(estimates, "bias")]


def instruments(result):
    rows = []
    for metric in result.metrics:
        name = metric["name"]
        known = [p[name] for p in result.points if p[name]["value"] is not None]
        empty = [p for p in result.points if p[name]["value"] is None]
        for method in dict.fromkeys(e["method"] for e in known):
            rows.append(instrument_row(name, method, [e for e in known if e["method"] == method]))
        asked = sum(p["status"] not in ("ok", "max_paths") for p in empty)
        for what, n in (("not asked for", len(empty) - asked), ("none: see the reasons above", asked)):
            if n > 0:
                rows.append([el("code", name), what, str(n), "\u2013", "\u2013"])
    head = ["metric", "instrument", "points", "largest relative standard error", "largest relative bias bound"]
    meaning = facts([(el("code", m["name"]), f"{m['long_name']} [{m['units']}]") for m in result.metrics])
    return join([table(head, rows, numbers=(2, 3, 4)), details("What the metrics are", meaning)], "\n")


def points(result):
    counts = result.status_counts()
    states = [[el("code", s), str(n), MEANING.get(s, "")] for s, n in counts]
    parts = [table(["status", "points", "meaning"], states, numbers=(1,))]
    parts += [details(f"{count(n, 'point')} {s}: why", reasons(result, s)) for s, n in counts if s != "ok"]
    parts += [el("h3", "Which instrument measured what"), instruments(result),
              el("h3", "Integrity"), el("p", "What ", el("code", "dcs verify"), " says of the file:"),
              el("pre", result.verified.rstrip(), class_="short"),
              el("h3", "All values"), el("p", el("a", "points.csv", href="points.csv"), " has every coordinate and every "
                                         "number with 17 digits, one row for each point.")]
    if len(result.points) <= SHOWN:
        parts.append(details(f"Table of {count(len(result.points), 'point')}", el("pre", result.table.rstrip())))
    return join(parts, "\n")
