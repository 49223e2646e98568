"""Claims and verdicts of `dcs check`: a sentence each for the abstract, and the tables."""

import itertools
import math

from .elements import MINUS, Html, count, details, el, fixed, full, general, join, linked, table

WORDS = ("PASS", "FAIL", "MISSING")
SIGN = {"PASS": "\u2713", "FAIL": "\u2717", "MISSING": "?"}
RATES = ("exponent", "log_exponent", "steps_to")
FEW = 6  # verdicts of a claim that stand on the page unfolded
NAMED = 3  # failures named in the abstract

HOW_TO_READ = {
    "exponent": "Exponent: the fitted exponent with its 95% interval, which has to lie inside the band as a whole.",
    "log_exponent": "Exponent of log(1/x): the fitted power of the logarithm with its 95% interval, which has to lie "
                    "inside the band as a whole.",
    "steps_to": "Steps: the fitted exponent of N(eps), the number of steps from which on the metric is at most eps\u00b2, "
                "with its 95% interval, which has to lie inside the band as a whole.",
    "bounded": "Growth exponent: that of the normalised metric, and the upper end of its one-sided 95% interval, which "
               "has to be at most what is admissible.",
    "between": "Values in a band: the smallest and the largest at any point, and in brackets the ends of all their 95% "
               "intervals, which have to lie inside the band.",
    "below": "A \u2264 B: the difference A \u2212 B at the worst point in units of what is allowed there, three standard "
             "errors, the bias bounds and rounding. Up to 1 passes; below 0 the order is right without any allowance.",
}


def verdict(word):
    return el("span", f"{SIGN.get(word, '')} {word}", class_=f"verdict {word}" if word in WORDS else "verdict")


def worst(group):
    return next((w for w in ("FAIL", "MISSING") if any(r["verdict"] == w for r in group)), "PASS")


def tally(rows):
    n = [(w, sum(r["verdict"] == w for r in rows)) for w in WORDS]
    return ", ".join(f"{k} {w}" for w, k in n if k > 0)


def is_sharp(row):
    """No sampling error, and a bias bound that does not reach the digits shown."""
    if not row["exact"] or row["hi"] is None:
        return False
    return row["hi"] - row["value"] <= 5e-4 * (abs(row["value"]) if row["kind"] == "between" else 1)


def decimals(row):
    """So many that an interval shows two digits of its width and no end seems to lie on the other side of the band."""
    ends = [row[k] for k in ("value", "lo", "hi") if row[k] is not None]
    edges = [row[k] for k in ("band_lo", "band_hi") if row[k] is not None]
    n = 3
    if len(ends) == 3 and not is_sharp(row) and row["hi"] > row["lo"]:
        n = max(n, math.ceil(-math.log10(row["hi"] - row["lo"])) + 1)
    while n < 6 and any((round(e, n) <= b) != (e <= b) or (round(e, n) >= b) != (e >= b) for e in ends for b in edges):
        n += 1
    return min(n, 6)


def brackets(lo, hi):
    return el("span", "[", lo, ", ", hi, "]", class_="whole")


def interval(row):
    n = decimals(row)
    return brackets(fixed(row["lo"], n), fixed(row["hi"], n))


def measured(row):
    """A cell: what was measured, with its interval."""
    value, kind = row["value"], row["kind"]
    if value is None:
        return "\u2013"
    if kind == "below":
        return full(value, general(value, 3))
    if kind == "between":
        ends = "exact" if is_sharp(row) else brackets(general(row["lo"]), general(row["hi"]))
        return join([full(row["least"], general(row["least"])), " to ", full(value, general(value)), " ", ends])
    shown = full(value, fixed(value, decimals(row)))
    if row["hi"] is None:
        return shown + ", no interval"
    if is_sharp(row):
        return shown + " exact"
    if kind == "bounded":
        return join([shown, ", at most ", full(row["hi"], fixed(row["hi"], decimals(row)))])
    return join([shown, " ", interval(row)])


def demanded(row):
    """The words of `dcs check`, with the metric where they leave it out."""
    text, metric, versus = row["demanded"], row["metric"], row["versus"]
    if row["kind"] == "exponent":
        text = text.replace("exponent", f"exponent of {metric} against {versus}", 1)
    elif row["kind"] == "bounded":
        text = text.replace("growth exponent", f"growth exponent of {metric}, normalised, against {versus}", 1)
    elif row["kind"] == "log_exponent":
        text = f"{metric}: {text}"
    return text.replace("<=", "\u2264").replace("eps^2", "eps\u00b2").replace("[-", "[" + MINUS).replace(" -", " " + MINUS)


# --- abstract ---------------------------------------------------------------------------------------------------------


def extent(values, shown):
    lo, hi = shown(min(values)), shown(max(values))
    return lo if lo == hi else join([lo, " to ", hi])


def three(x):
    return fixed(x, 3)


def found_rates(known):
    text = join(["fitted: ", extent([r["value"] for r in known], three)])
    blurred = [r for r in known if not is_sharp(r)]
    if not blurred:
        return text + ", exact"
    if any(r["hi"] is None for r in blurred):
        return text + ", not all with an interval"
    name = ", widest 95% interval " if len(blurred) > 1 else ", 95% interval "
    text = join([text, name, interval(max(blurred, key=lambda r: r["hi"] - r["lo"]))])
    return text if len(blurred) == len(known) else text + ", elsewhere exact"


def found(group):
    """What was measured for one claim, as the end of a sentence."""
    known, kind = [r for r in group if r["value"] is not None], group[0]["kind"]
    if not known:
        return Html("nothing could be measured")
    if kind in RATES:
        return found_rates(known)
    if kind == "below":
        top = max(r["value"] for r in known)
        if top <= 0:
            return Html("found so at every point")
        return join(["at the worst point the difference is ", general(top, 3), " times what its errors allow"])
    if kind == "between":
        values = extent([r[k] for r in known for k in ("least", "value")], general)
        ends = brackets(general(min(r["lo"] for r in known)), general(max(r["hi"] for r in known)))
        return join(["found: ", values, "" if all(map(is_sharp, known)) else join([", all 95% intervals inside ", ends])])
    text = join(["found: ", extent([r["value"] for r in known], three)])
    upper = [r["hi"] for r in known if r["hi"] is not None]
    largest = [r["constant"] for r in known if r["constant"] is not None]
    if upper:
        text = join([text, ", largest upper end ", three(max(upper))])
    return join([text, "; largest normalised value ", general(max(largest))]) if largest else text


def failure(row):
    place = f" at {row['where']}" if row["where"] != "all" else ""
    value = join([", ", measured(row)]) if row["value"] is not None else ""
    return join([el("b", row["verdict"]), place, value, f": {row['note'] or 'no reason given'}."])


def more(n):
    return [el("li", f"{n} more in the tables below.")] if n > 0 else []


def sentence(group):
    first, bad = group[0], [r for r in group if r["verdict"] != "PASS"]
    what = ("set of points", "sets of points") if first["kind"] in ("below", "between") else ("curve",)
    source = join([" (", linked(first["source"]), ")"]) if first["source"] else ""
    parts = [verdict(worst(group)), " ", el("q", first["claim"]), source,
             f": PASS on {len(group) - len(bad)} of {count(len(group), *what)}. Demanded: {demanded(first)}; ",
             found(group), "."]
    named = [el("li", failure(r)) for r in bad[:NAMED]] + more(len(bad) - NAMED)
    return join(parts + ([el("ul", *named)] if bad else []))


def remark(text):
    """The comment that a study file begins with."""
    lines = itertools.takewhile(lambda line: line.startswith("#"), text.lstrip("\ufeff").splitlines())
    return " ".join(line.lstrip("#").strip() for line in lines).strip()


def abstract(result):
    groups, check = result.claims(), result.check
    held = ", ".join(f"{n} {s}" for s, n in result.status_counts())
    names = join([el("code", m["name"]) for m in result.metrics], ", ")
    parts = [el("blockquote", linked(remark(result.text)))] if remark(result.text) else []
    parts.append(el("p", f"{count(len(result.points), 'point')} ({held}); measured: ", names, "."))
    if not groups:
        return join(parts + [el("p", "The study makes no claim.")], "\n")
    sums = f"{check['passed']} PASS, {check['failed']} FAIL, {check['missing']} MISSING"
    number = f"{count(len(check['claims']), 'verdict')} on {count(len(groups), 'claim')}: "
    parts += [el("p", number, el("strong", sums), "."),
              el("ol", join([el("li", sentence(g)) for g in groups], "\n"), class_="abstract")]
    return join(parts, "\n")


# --- tables -----------------------------------------------------------------------------------------------------------


def verdict_table(rows, caption=None):
    constants, notes = any(r["constant"] is not None for r in rows), any(r["note"] for r in rows)
    head = ["verdict", "measured"] + ["largest normalised value"] * constants + ["where"] + ["note"] * notes
    body = [[verdict(r["verdict"]), measured(r)]
            + [full(r["constant"], general(r["constant"]))] * constants + [r["where"]] + [r["note"]] * notes for r in rows]
    return table(head, body, caption, whole=(0, 1))


def crossings(group):
    """N(eps), as `dcs check` read it off the curves."""
    outside = {"before": "reached at the first number of steps already", "beyond": "not reached"}
    rows = []
    for r in group:
        for c in r.get("steps_to", []):
            inside = c["place"] == "inside"
            steps = full(c["steps"], general(c["steps"], 5)) if inside else "\u2013"
            ends = brackets(general(c["lo"], 5), general(c["hi"], 5)) if inside else outside.get(c["place"], c["place"])
            rows.append([r["where"], general(c["eps"]), steps, ends])
    body = table(["where", "eps", "N(eps)", "95% interval"], rows, numbers=(1, 2))
    return details("The steps N(eps) of every curve", body) if rows else ""


def section(number, group):
    first = group[0]
    good, bad = ([r for r in group if (r["verdict"] == "PASS") == passed] for passed in (True, False))
    source = join([" Source: ", linked(first["source"]), "."]) if first["source"] else ""
    parts = [el("h3", f"{number}. {first['claim']}", id=f"claim-{number}"),
             el("p", verdict(worst(group)), f" \u2013 {tally(group)}. Demanded: ", el("strong", demanded(first)), ".",
                source)]
    if len(group) <= FEW:
        parts.append(verdict_table(group))
    else:
        if bad:
            parts.append(verdict_table(bad, tally(bad) + ":"))
        if good:
            parts.append(details(tally(group) + (": those that pass" if bad else ""), verdict_table(good)))
    return join(parts + [crossings(group)], "\n")


def verdicts(result):
    groups = result.claims()
    if not groups:
        return el("p", "The study makes no claim.")
    kinds = dict.fromkeys(g[0]["kind"] for g in groups)
    reading = [el("li", HOW_TO_READ[k]) for k in kinds if k in HOW_TO_READ]
    parts = [el("p", "What is measured:"), el("ul", join(reading, "\n")),
             el("p", "A claim is missing, and never passes, when a point it speaks of is not there, not complete, or of "
                     "unknown bias. All digits of a number appear under the pointer.")]
    return join(parts + [section(i, g) for i, g in enumerate(groups, 1)], "\n")
