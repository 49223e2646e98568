"""A result file in memory, and what the program dcs says of it.

Values, errors and names of instruments are those of the file. Exponents and slopes are those of `dcs fit`,
verdicts and N(eps) those of `dcs check`. Nothing is estimated here.
"""

import json
import math
import os
import re
import subprocess

import h5py
import numpy as np

COORDINATES = ("target", "d", "sampler", "lambda", "schedule", "sigma_max", "delta", "steps", "init", "score_error",
               "score_error_seed", "quantile", "samples", "copies")
LOST = ("incomplete", "refused", "failed")
STATUS = ("ok", "max_paths") + LOST  # in the order of the numbers in the file


class Unusable(Exception):
    """Nothing can be drawn: message and exit code."""

    def __init__(self, message, code=1):
        super().__init__(message)
        self.code = code


def text(value):
    """One value of a file as people write it; empty for NaN, which stands for `does not apply`."""
    if isinstance(value, (bytes, str)):
        return value.decode(errors="replace") if isinstance(value, bytes) else value
    return "" if math.isnan(value) else f"{value:g}"


def bar(value, error, bias):
    """(value, value -+ (1.96 standard errors + bias bound), and where the standard error or the bias is unknown, or the bias
    as large as the value: that part is left out of the bar)"""
    unknown = ~(bias < np.abs(value)) & ~(bias <= 0)
    half = 1.96 * np.where(np.isfinite(error), error, 0) + np.where(unknown, 0, bias)
    return value, value - half, value + half, unknown | ~np.isfinite(error)


class Result:
    """A result file, read once. columns: coordinates and axes; metrics: attributes of each; data: everything by
    name."""

    def __init__(self, path, dcs):
        self.path, self.dcs, self._claims, self._fits = path, dcs, None, {}
        self.columns, self.metrics, self.data, self.levels = {}, {}, {}, {}
        try:
            with h5py.File(path, "r") as h5:
                for name, node in h5.items():
                    if isinstance(node, h5py.Dataset):
                        self._read(name, node)
                if "levels" in h5:
                    self.levels = {name: node[()] for name, node in h5["levels"].items()}
                    self.levels_units = {k: text(v.attrs.get("units", "1")) for k, v in h5["levels"].items()}
            self.status = [STATUS[int(s)] for s in self.data["status"]]
        except (OSError, KeyError, IndexError):
            why = "not a result file of dcs" if os.path.exists(path) else "no such file"
            raise Unusable(f"{path}: {why}") from None
        self.points = np.arange(len(self.status))
        self._text = {name: [text(v) for v in values] for name, values in self.columns.items()}
        pairs = set(zip(self._text["sampler"], self._text["lambda"]))
        self._lambdas = {sampler: sum(s == sampler for s, _ in pairs) for sampler, _ in pairs}
        self.series = list(dict.fromkeys(self.series_at(i) for i in self.points))  # with one colour in all figures

    def _read(self, name, node):
        values = node[()]
        if values.dtype == object:
            values = np.array([text(v) for v in values], dtype=object)
        self.data[name] = values
        role = text(node.attrs.get("role", ""))
        if role == "column":
            self.columns[name] = values
        elif role == "metric":
            self.metrics[name] = {k: text(node.attrs.get(k, "")) for k in ("units", "long_name")}

    def _run(self, command, *arguments, codes):
        run = subprocess.run([self.dcs, command, self.path, *arguments], capture_output=True, text=True, check=False)
        if run.returncode not in codes:
            last = (run.stderr.strip() or f"exit status {run.returncode}").splitlines()[-1]
            raise Unusable(f"dcs {command}: {last}", run.returncode if run.returncode in (1, 2) else 1)
        return json.loads(run.stdout)

    def claims(self):
        """Rows of `dcs check --json`; `at` are the coordinates of the curve that a row is about."""
        if self._claims is None:
            self._claims = self._run("check", "--json", codes=(0, 3, 4))["claims"]
            for row in self._claims:
                row["at"] = {k: v for k, v in re.findall(r"(\w+)=(\S*)", row["where"]) if k in self.columns}
        return self._claims

    def fits(self, metric, versus, keys):
        """{point: curve of `dcs fit --local --json` it lies on}; keys tell curves apart."""
        per = ",".join(keys) or "target"
        if (metric, versus, per) not in self._fits:
            curves = self._run("fit", "--metric", metric, "--versus", versus, "--per", per, "--local", "--json",
                               codes=(0, 4))["curves"]
            self._fits[metric, versus, per] = {p: c for c in curves for p in c["points"]}
        return self._fits[metric, versus, per]

    def at(self, name, point):
        """A coordinate of a point as text."""
        return self._text[name][point]

    def series_at(self, point):
        """Sampler of a point, with lambda if the file has several for this sampler."""
        sampler, value = self.at("sampler", point), self.at("lambda", point)
        return f"{sampler}, lambda = {value}" if value and self._lambdas[sampler] > 1 else sampler

    def varying(self, points):
        return [c for c in self.columns if len({self._text[c][i] for i in points}) > 1]

    def numbers(self, name, points=None):
        """Distinct numbers of a coordinate, ascending; none for words."""
        values = self.columns.get(name, np.array([], dtype=object))
        if values.dtype == object:
            return []
        values = values if points is None else values[points]
        return sorted({float(v) for v in values if not math.isnan(v)})

    def keys(self, points, abscissae):
        """Coordinates that tell the curves through these points apart: those that vary, but for the abscissae, for what
        follows one of them on every target (copies follow d), and for what the others determine (an axis beside the
        coordinate it sets)."""
        points = list(points)
        order = [c for c in COORDINATES if c in self.columns] + [c for c in self.columns if c not in COORDINATES]
        varying = set(self.varying(points))
        keys = [c for c in order if c in varying and c not in abscissae
                and not any(self._follows(c, x, points) for x in abscissae if x in varying)]
        for c in reversed(keys[:]):
            rest = [k for k in keys if k != c]
            if c not in ("target", "sampler") and self._count(rest, points) == self._count(keys, points):
                keys = rest
        return keys

    def _count(self, names, points):
        return len(set(zip(*([self._text[n][i] for i in points] for n in names)))) if names else 1

    def _follows(self, name, x, points):
        """Constant, or one to one with x, on every target."""
        if name in ("target", "sampler", "lambda"):
            return False
        targets = {}
        for i in points:
            targets.setdefault(self.at("target", i), []).append(i)
        if all(self._count([name], p) == 1 for p in targets.values()):
            return False  # the target says it: dropped as determined by the others
        return all(self._count([name], p) == 1 or
                   self._count([name], p) == self._count([x], p) == self._count([name, x], p) for p in targets.values())

    def groups(self, points, abscissae):
        """(keys, {values of the keys: points})"""
        keys, groups = self.keys(points, abscissae), {}
        for i in points:
            groups.setdefault(tuple(self.at(k, i) for k in keys), []).append(i)
        return keys, groups

    def measured(self, metric):
        """Points that have a value of the metric."""
        return self.points[np.isfinite(self.data[metric])] if metric in self.metrics else self.points[:0]

    def drawn(self, *metrics):
        """Those of the metrics that have a positive value somewhere."""
        return [m for m in metrics if m in self.metrics and bool(np.any(self.data[m] > 0))]

    def values(self, metric, points):
        """(value, lower and upper end of its bar, and where the error is unknown)"""
        value, error, bias = (self.data[metric + end][points] for end in ("", "_se", "_bias"))
        return bar(value, error, bias)

    def companion(self, metric, point):
        """The point where a property of the target and its levels was measured for this point: itself, or one that
        differs from it in no more than sampler, init, score error and steps (as few as possible); None if there
        is none."""
        free = {"sampler", "lambda", "init", "score_error", "score_error_seed", "steps", "quantile", "samples"}
        same = [c for c in self.columns if c not in free]
        key = tuple(self._text[c][point] for c in same)
        index = self._fits.setdefault(("companion", metric), {})
        if not index:
            for i in self.measured(metric):
                index.setdefault(tuple(self._text[c][i] for c in same), []).append(i)
        steps = self.data["steps"]
        return min(index.get(key, []), default=None,
                   key=lambda i: (i != point, abs(math.log(steps[i] / steps[point])), int(i)))

    def missing(self, metrics):
        """True when points are incomplete, failed, or refused to one of the metrics."""
        return any(s in LOST and (s != "refused" or any(math.isnan(self.data[m][i]) for m in metrics))
                   for i, s in enumerate(self.status))

    def unit(self, metric):
        unit = self.metrics[metric]["units"]
        return "" if unit in ("1", "") else f" ({unit})"
