"""How a result was made, how to make it again, and how to cite it."""

import json
import os
import re
import shlex

from .elements import count, details, el, facts, join, linked

CITATION = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "CITATION.cff")
LABELS = {"version": "dcs version", "git_describe": "source", "compiler": "compiler", "flags": "compiler flags", "mpi": "MPI",
          "hdf5": "HDF5", "gsl": "GSL", "openblas": "OpenBLAS", "openblas_core": "kernels of OpenBLAS", "sleef": "SLEEF",
          "yaml": "libyaml", "zlib": "zlib", "rng": "random numbers", "seed": "seed", "hosts": "hosts", "ranks": "MPI ranks",
          "start": "start of the last session (UTC)", "end": "end (UTC)", "argv": "command"}
SAME_BYTES = (
    "The number of ranks is free: random numbers belong to points and paths, not to ranks, so that one study gives the same "
    "bytes on any number of ranks, interrupted and resumed or not. The data digest stands for all of them: study file, "
    "coordinates, values, errors, states, noise levels and the sums of every block; only /provenance, how the file was made, "
    "is outside. \u201cSame bytes\u201d holds for the same source, compiler, libraries and kind of processor. Elsewhere the "
    "last digits differ, exact values by rounding and sampled ones well within their error bars.")


def hosts(value):
    """How many; "a*2 b*2" are two hosts with two ranks each."""
    names = {re.sub(r"\*\d+$", "", word) for word in value.split()}
    return count(len(names), "host") if names else "unknown"


def duration(seconds):
    for size, unit in ((7200, "h"), (120, "min")):
        if seconds >= size:
            return f"{seconds / (3600 if unit == 'h' else 60):.4g} {unit}"
    return f"{seconds:.3g} s"


def provenance(result):
    made = dict(result.provenance, hosts=hosts(result.provenance.get("hosts", "")))
    made.pop("SLURM_JOB_NODELIST", None)  # how many hosts says enough
    rows = [("study", result.study), ("data digest", el("code", result.digest))]
    for key in [*LABELS, *(k for k in made if k not in LABELS)]:
        if key in made:
            rows.append((LABELS.get(key, key), el("code", made[key]) if key in ("argv", "flags") else str(made[key])))
        if key == "end":
            rows.append(("time of computing, all cores", duration(result.wall_s)))
    return facts(rows)


def commands(result):
    """Lines for a shell that make the result again."""
    stem, again = os.path.splitext(result.name)[0], os.path.splitext(result.name)[0] + "-again.h5"
    name, file = json.dumps(stem + ".yaml"), json.dumps(result.name)  # with double quotes: text of Python inside '...'
    text = "canonical" if result.is_merged() else "text"
    extract = f'import h5py; open({name}, "wb").write(h5py.File({file})["config/{text}"][()])'
    dcs, ranks = "build/release/src/dcs", str(result.provenance.get("ranks", 1))
    run = ["mpirun", "-n", ranks, dcs, "run", stem + ".yaml", "-o", again]
    for option in ("--shard", "--set"):
        run += [word for value in result.arguments(option) for word in (option, value)]
    commit = result.commit()[0]
    compare = shlex.join([dcs, "verify", again])
    if result.is_merged():
        compare = f"{shlex.join([dcs, 'export', '--csv', again])} | cmp - points.csv"
    return "\n".join([f"git checkout {commit}" if commit else "# the commit of the source is not known",
                      "cmake --preset release && cmake --build --preset release -j",
                      shlex.join(["/usr/bin/python3", "-c", extract]), shlex.join(run), compare,
                      shlex.join(["bash", "analysis/report.sh", again])])


def outcome(result):
    """How to see that it is the same."""
    if result.is_merged():
        return el("p", "The file was put together from shards, and does not say how those were called. The third line takes the "
                       "study with all overrides applied. Another text means another data digest, but the same numbers: ",
                  el("a", "points.csv", href="points.csv"), " is the table to compare with.")
    return el("p", "The data digest that ", el("code", "dcs verify"), " prints should be ", el("code", result.digest), ".")


def reproduce(result):
    parts = [el("p", "In a checkout of the source, with the result file in it (the third line takes the study out of it; it is "
                     "also below):"), el("pre", commands(result), class_="short", id="commands"), outcome(result)]
    if result.commit()[1]:
        parts.append(el("p", "The source had changes that were not committed: the commit alone may give other numbers."))
    parts.append(el("p", SAME_BYTES))
    if result.arguments("--set"):
        parts.append(el("p", "The command line replaced values of the study file; the second text below has them in place."))
    if "law: atoms" in result.canonical:
        parts.append(el("p", "A target is the empirical law of a data set, which is not in the result file: it has to lie "
                             "where the study file says."))
    parts += [details("The study file", el("pre", "\n", result.text, id="study")),
              details("Every key with the value used, overrides applied", el("pre", result.canonical.rstrip()))]
    return join(parts, "\n")


def sources(result):
    """{source: claims}, that of the study first."""
    cited = {result.source: ["the study"]} if result.source else {}
    for row in result.check["claims"]:
        if row["source"] and row["claim"] not in cited.setdefault(row["source"], []):
            cited[row["source"]].append(row["claim"])
    return cited


def citation(result):
    parts = []
    if os.path.exists(CITATION):
        with open(CITATION, encoding="utf-8") as stream:
            text = stream.read()
        value = {k: v for k, v in re.findall(r'(?m)^(\w+):\s*"?(.+?)"?\s*$', text)}
        authors = ", ".join(re.findall(r'(?m)^\s+-\s+name:\s*"?(.+?)"?\s*$', text))
        title = el("cite", value.get("title", "dcs"))
        parts = [el("p", value.get("message", "")), el("p", f"{authors}. ", title, f", version {value.get('version', '')}."),
                 details("CITATION.cff", el("pre", text.rstrip()))]
    cited = [el("li", linked(source), ": ", "; ".join(claims)) for source, claims in sources(result).items()]
    if cited:
        parts += [el("h3", "Sources"), el("ul", join(cited, "\n"))]
    return join(parts, "\n")
