#!/usr/bin/env bash
# Figures of a small result: which kinds there are, numbers that are those of dcs export, dcs fit and dcs check, twice the same
# bytes; results without anything to draw; exit codes.
set -euo pipefail

dcs=${1:-$DCS}
export DCS=$dcs
figures=$DCS_SOURCE/analysis/figures.sh
python=${PYTHON:-/usr/bin/python3}
if ! "$python" -c 'import h5py, matplotlib, numpy' 2> /dev/null; then
  echo "skipped: $python has no h5py, numpy or matplotlib"
  exit 0
fi

fail() { echo "$*"; exit 1; }
run() { # NAME EXIT-CODE: runs NAME.yaml
  rm -rf "$1.h5" "$1.h5.journal"
  local status=0
  "$dcs" run "$1.yaml" -o "$1.h5" -q 2> "$1.log" || status=$?
  [[ $status == "$2" ]] || fail "dcs run $1.yaml: exit $status, expected $2: $(< "$1.log")"
}
draw() { # DIR EXIT-CODE ARGUMENTS...
  rm -rf "$1"
  local status=0
  bash "$figures" "${@:3}" -o "$1" > "$1.out" 2> "$1.err" || status=$?
  [[ $status == "$2" ]] || fail "figures.sh ${*:3}: exit $status, expected $2: $(< "$1.err")"
}

# By quadrature, in a second: every kind of figure but envelope.
cat > rich.yaml << 'EOF'
study: rich
seed: 1
targets:
  two: {law: mixture, d: $d, means: [-1, 1], weights: [0.4, 0.6], stddev: 0.3, product: true}
schedule: {levels: geometric, sigma_max: 10}
grid:
  target: [two]
  sampler: [churn]
  lambda: [0.5, 1, 2]
  d: [2, 4, 8]
  delta: [0.1, 0.05, 0.02]
  steps: [32, 64, 128]
exclude:
  - {delta: [0.1, 0.05], d: [2, 8]}
  - {delta: [0.1, 0.05], steps: [32, 64]}
metrics: [kl, kl_path, w2, mmse]
stop: {rel_error: 0.1, max_paths: 1.0e4}
claims:
  - {name: rate, metric: kl, versus: steps, exponent: [-2.2, -1.8]}
  - {name: steps, metric: kl, versus: steps, steps_to: {eps: [0.1, 0.08, 0.06, 0.05, 0.04, 0.03]}, exponent: [0.9, 1.1], per: [target, d, lambda], where: {delta: 0.02}}
EOF
# Ten targets with digits, one number of steps: an envelope and profiles.
{
  echo 'study: many'
  echo 'targets:'
  for n in {1..10}; do echo "  ball$n: {law: gaussian, d: 4, variance: 0.${n}5, decay: 0.5}"; done
  echo 'schedule: {levels: geometric, sigma_max: 10}'
  echo 'delta: 0.01'
  echo 'sampler: ddpm-posterior'
  echo 'steps: 32'
  echo "grid: {target: [$(printf 'ball%d, ' {1..9})ball10]}"
  echo 'metrics: [kl, kl_constant, smoothness]'
} > many.yaml
# Sampling errors, and biases that nobody knows.
cat > rough.yaml << 'EOF'
study: rough
target: {law: mixture, d: 2, means: [[-1, 0], [1, 0]], stddev: 0.5}
schedule: {levels: geometric, sigma_max: 10}
sampler: ddpm-posterior
delta: 0.05
grid: {steps: [16, 32]}
metrics: [kl, w2_sliced]
samples: 300
stop: {rel_error: 0.3, max_paths: 1.0e4}
EOF
# No steps, d, delta or lambda to draw against; w2 is refused.
cat > plain.yaml << 'EOF'
study: plain
target: {law: mixture, d: 2, means: [[-1, 0], [1, 0]], stddev: 0.5}
schedule: {levels: geometric, sigma_max: 10}
sampler: ddim
delta: 0.05
steps: 16
metrics: [kl, w2]
stop: {rel_error: 0.5, max_paths: 2.0e3}
EOF
run rich 0
run many 0
run rough 0
run plain 4

draw rich 0 rich.h5
draw again 0 rich.h5
rm -f rich/*.pdf again/*.pdf # the version of a font may enter there
diff -r rich again || fail "drawn twice: not the same bytes"
draw many 0 many.h5
draw rough 0 rough.h5
draw plain 4 plain.h5
grep -q "nothing to draw" plain.err || fail "plain.h5: no word that there is nothing to draw"
grep -q '"figures": \[\]' plain/figures.json || fail "plain.h5: figures.json names figures"

"$dcs" export rich.h5 --csv > rich.csv
"$dcs" export rough.h5 --csv > rough.csv
"$dcs" check rich.h5 --json > rich.json || true
"$dcs" fit rich.h5 --metric kl --local --json > rich.fit.json 2> /dev/null || true
cat > check.py << 'EOF'
import csv, json, os, struct, sys

def table(path):
    with open(path, newline="") as stream:
        return list(csv.DictReader(stream))

def manifest(folder):
    entries = json.load(open(folder + "/figures.json"))["figures"]
    for e in entries:
        assert all(e[k] for k in ("kind", "stem", "title", "caption", "alt", "csv")), e
        assert os.path.exists(f"{folder}/{e['csv']}"), e["csv"]
        png = open(f"{folder}/{e['stem']}.png", "rb").read()
        assert struct.unpack(">I", png[16:20])[0] == 1400, "7 inches at 200 dpi: " + e["stem"]
    return entries

entries = manifest("rich")
kinds = list(dict.fromkeys(e["kind"] for e in entries))
assert kinds == ["rates", "steps", "collapse", "logpower", "dimension", "heatmap", "lambda", "profile", "w2"], kinds
assert [e["kind"] for e in manifest("many")] == ["profile"] * 4 + ["envelope"]

# values and bars: those of the result
exported, rough, levels = table("rich.csv"), table("rough.csv"), table("levels.csv")
seen = {}
for name in ("rich/kl-rates", "rich/w2", "rich/lambda", "rich/dimension", "rich/logpower", "rich/heatmap", "rough/kl-rates",
             "rough/w2"):
    for row in table(name + ".csv"):
        if row.get("kind", "value") != "value":
            continue
        point, metric = (rough if "rough" in name else exported)[int(row["point"])], row.get("metric", "kl")
        y, error, bias = float(row.get("y", row.get("kl"))), float(point[metric + "_se"]), float(point[metric + "_bias"])
        half = 1.96 * error + (bias if row["bias"] == "bounded" else 0)
        assert y == float(point[metric]), (name, row)
        assert row["bias"] == ("bounded" if bias < abs(y) or bias == 0 else "unknown"), (name, row)
        assert (float(row["lo"]), float(row["hi"])) == (y - half, y + half), (name, row)
        assert "rough" not in name or error > 0, (name, row)
        assert row["method"] == point[metric + "_method"]
        for x in ("steps", "d", "lambda"):
            assert x not in row or float(row[x]) == float(point[x]), (name, row)
        seen.setdefault(name.replace("rich/", ""), set()).add((row["point"], metric))
everything = {(str(n), m) for n in range(len(exported)) for m in ("kl", "kl_path")}
assert seen["lambda"] == everything, "points are missing"
several = {(p, m) for p, m in everything if exported[int(p)]["delta"] == exported[-1]["delta"]}  # others have one number of steps
assert seen["kl-rates"] == several and len(several) == 54, "points are missing"
assert seen["w2"] == {(p, "w2") for p, m in several if m == "kl"}
for row in table("rich/collapse.csv"):
    point = exported[int(row["point"])]
    scale = float(point["steps"]) ** 2 / float(point["d"])
    assert abs(float(row["y"]) / (float(point["kl"]) * scale) - 1) < 1e-14, row
by_point = {}
for row in levels:
    by_point.setdefault(row["point"], {})[float(row["sigma"])] = row
for row in table("rich/profile.csv"):
    assert float(row["y"]) == float(by_point[row["point"]][float(row["sigma"])][row["metric"]]), row

# slopes: those of dcs fit; N(eps): those of dcs check
fitted = json.load(open("rich.fit.json"))["curves"]
slopes = sorted(s["slope"] for c in fitted for s in c["local"])
drawn = sorted(float(r["y"]) for r in table("rich/kl-rates.csv") if r["kind"] == "slope" and r["metric"] == "kl")
assert slopes == drawn and len(slopes) == 18
exponents = sorted(x["slope"] for e in entries if e["kind"] == "rates" for x in e["exponents"] if x["metric"] == "kl")
assert exponents == sorted(c["fit"]["slope"] for c in fitted if c["fit"])
claims = json.load(open("rich.json"))["claims"]
inside = sorted((s["eps"], s["steps"]) for c in claims for s in c.get("steps_to", []) if s["place"] == "inside")
assert inside == sorted((float(r["eps"]), float(r["steps"])) for r in table("rich/steps.csv")) and inside

# one family, the bound touches the nearest
rows = table("many/envelope.csv")
assert len(rows) == 10 and {r["family"] for r in rows} == {"ball"}
ratios = {int(r["rank"]): float(r["kl_constant_over_d"]) / float(r["bound"]) for r in rows}
assert abs(ratios[1] - 1) < 1e-12 and list(ratios[k] for k in sorted(ratios)) == sorted(ratios.values(), reverse=True)
print("numbers: ok")
EOF
"$dcs" export rich.h5 --levels > levels.csv
"$python" check.py

# one metric alone; what cannot be drawn; bad command lines
draw one 0 rich.h5 -m w2
[[ -s one/w2-rates.csv && -s one/w2-rates.png && ! -e one/w2.csv ]] || fail "-m w2: $(ls one)"
draw one 1 plain.h5 -m kl
[[ $(wc -l < one.err) == 1 ]] || fail "no single line says why: $(< one.err)"
draw one 1 nowhere.h5
[[ $(wc -l < one.err) == 1 ]] || fail "no single line says why: $(< one.err)"
draw one 1 rich.yaml
draw one 2 rich.h5 -m klx
draw one 2 rich.h5 --alll
draw one 2
# eight pages of a kind are enough, unless all are asked for
"$python" - "$DCS_SOURCE/analysis" << 'EOF'
import contextlib, io, sys
sys.path.insert(0, sys.argv[1])
sys.dont_write_bytecode = True
from plot.style import pages
class Panel: panel = "x"
groups, said = [[[Panel]] for _ in range(300)], io.StringIO()
with contextlib.redirect_stderr(said):
    assert len(pages("rates", groups, 3, 8)) == 8 and len(pages("rates", groups, 3, None)) == 100
assert "8 of 100 pages" in said.getvalue() and "--all" in said.getvalue()
assert [len(p) for p in pages("rates", [[[Panel]] * 4, [[Panel]] * 2], 3, 8)] == [2, 2, 2]
EOF
echo "pages: ok"
