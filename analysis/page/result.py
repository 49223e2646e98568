"""What a report says of a result: the answers of the dcs program, and what the file says of its making.

Nothing is estimated here: values are those of `dcs show`, rates those of `dcs fit`, verdicts those of `dcs check`.
"""

import json
import os
import re
import subprocess

import h5py


def plain(value):
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value.item() if hasattr(value, "item") else value


class Result:
    def __init__(self, path, dcs):
        self.folder, self.name = os.path.split(os.path.abspath(path))
        self.dcs = os.path.abspath(dcs)
        self.shown = json.loads(self.ask("show", "--json"), strict=False)
        self.table = self.ask("show")
        self.check = json.loads(self.ask("check", "--json", accept=(0, 3, 4)), strict=False)
        self.verified = self.ask("verify", accept=(0, 1, 4))
        version = self.run("--version")[1].splitlines()
        commit = [line.split(": ", 1)[1] for line in version if line.startswith("git_describe: ")]
        self.program = " ".join(version[:1] + [f"({c})" for c in commit])
        with h5py.File(path, "r") as h5:
            at = {k: plain(v) for k, v in h5.attrs.items()}
            self.study, self.source, self.seed = at["study"], at.get("source", ""), at["seed"]
            self.digest = at["data_digest"]
            self.text, self.canonical = (plain(h5["config"][k][()]) for k in ("text", "canonical"))
            self.provenance = {k: plain(v) for k, v in h5["provenance"].attrs.items()}
            self.wall_s = float(h5["provenance/wall_s"][()].sum())
            self.statuses = plain(h5["status"].attrs["flag_meanings"]).split()
        self.points = self.shown["points"]
        self.metrics = self.shown["metrics"]
        self.varying = [c["name"] for c in self.shown["columns"] if len({str(p[c["name"]]) for p in self.points}) > 1]

    def run(self, *arguments):
        done = subprocess.run([self.dcs, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                              cwd=self.folder)  # so that nothing the program says of the file tells where it lies
        return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")

    def ask(self, command, *arguments, accept=(0,)):
        """What `dcs COMMAND` says of the result; an exit code that is not accepted ends the program with its message."""
        code, out, err = self.run(command, *arguments, self.name)
        if code not in accept:
            raise SystemExit(err.strip() or f"report.py: dcs {command}: exit code {code}")
        return out

    def fits(self, metric):
        """Curves of `dcs fit` against steps; none where there is nothing to fit."""
        code, out, err = self.run("fit", "--json", "--metric", metric, "--versus", "steps", self.name)
        if code == 2:  # steps do not vary
            return []
        if code not in (0, 4):
            raise SystemExit(err.strip())
        return json.loads(out, strict=False)["curves"]

    def claims(self):
        """Rows of `dcs check` in groups, one group for each claim."""
        groups = []
        for row in self.check["claims"]:
            same = ("claim", "source", "kind", "metric", "versus", "demanded")
            if not groups or any(groups[-1][0][k] != row[k] for k in same):
                groups.append([])
            groups[-1].append(row)
        return groups

    def status_counts(self):
        """(status, number of points) of those that occur."""
        counts = [(s, sum(p["status"] == s for p in self.points)) for s in self.statuses]
        return [(s, n) for s, n in counts if n > 0]

    def size(self):
        """The size of the study that was picked with --set scale=NAME."""
        picked = [s.split("=", 1)[1] for s in self.arguments("--set") if s.startswith("scale=")]
        return f"size {picked[-1]}" if picked else ""

    def day(self):
        return self.provenance.get("end", "")[:10]

    def place(self, point):
        """The coordinates that tell a point from the others."""
        return " ".join(f"{k}={point[k] if isinstance(point[k], str) else format(point[k], '.6g')}"
                        for k in self.varying if point[k] is not None and point[k] != "") or "all"

    def arguments(self, option):
        """Values of --set or --shard on the command line. It is stored with blanks between its arguments: a blank inside
        brackets or quotes belongs to the argument."""
        words, found = self.provenance.get("argv", "").split(" "), []
        while words:
            name, equals, value = words.pop(0).partition("=")
            if name != option or not (equals or words):
                continue
            value = value if equals else words.pop(0)
            while words and is_open(value):
                value += " " + words.pop(0)
            found.append(value)
        return found

    def is_merged(self):
        """Then the command line is that of dcs merge, and does not say what the runs before it were called with."""
        return self.provenance.get("argv", "").startswith("dcs merge ")

    def commit(self):
        """The commit of the source, None where unknown; and whether the source had been changed."""
        described = self.provenance.get("git_describe", "")
        match = re.search(r"(?:^|-g)([0-9a-f]{7,40})(-dirty)?$", described)
        return (match.group(1), bool(match.group(2))) if match else (None, described.endswith("-dirty"))


def is_open(word):
    """Does a bracket or a quote in it wait for its other half?"""
    bare = re.sub(r"\"[^\"]*\"|'[^']*'", "", word)
    return any(bare.count(a) > bare.count(b) for a, b in ("[]", "{}")) or bare.count('"') % 2 == 1
