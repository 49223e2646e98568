#!/usr/bin/env bash
# analysis/report.sh: the page holds every verdict with its number, shows every figure, loads nothing, takes nothing from a
# result file for markup, is the same bytes when it is made twice, and its recipe makes the result again.
#
#   test_report.sh      DCS and DCS_SOURCE from the environment; PYTHON a Python 3 with h5py, numpy and matplotlib
set -euo pipefail

python=${PYTHON:-/usr/bin/python3}
"$python" -c 'import h5py, matplotlib, numpy' 2> /dev/null || {
  echo "skipped: $python has no h5py, numpy and matplotlib"
  exit 0
}
report=$DCS_SOURCE/analysis/report.sh
here=$DCS_SOURCE/tests
work=$PWD
rm -rf ./*.h5 ./*.journal ./*.yaml out again plain joined shard elsewhere scales merged s2

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

# page RESULT DIR: makes it and checks everything that holds for any page
page() {
  bash "$report" "$1" -o "$2" > log 2>&1 || fail "$1: exit code $?: $(cat log)"
  "$python" -B "$here/report_check.py" "$1" "$2" "$DCS" || fail "$1: its page is wrong"
  if command -v tidy > /dev/null; then
    tidy -q -e -utf8 "$2/report.html" > log 2>&1 || fail "$1: tidy: $(cat log)"
  fi
}

# --- every kind of claim and verdict, hostile text, overrides -------------------------------------------------------------
cat > scales.yaml << 'YAML'
# <b>A remark</b> that ends </blockquote></pre><script>alert("remark")</script> &amp; nothing else.
study: hostile
source: 'arXiv:2510.27562"><script src=http://evil.example/a.js></script>'
seed: 1
targets:
  gaussian: {law: gaussian, d: $d, variance: 0.25, decay: 0.5}
  mix: {law: mixture, d: $d, components: 3, separation: 1, stddev: 0.3}
schedule: {levels: geometric, sigma_max: 20}
delta: 1.0e-2
grid: {target: [gaussian, mix], sampler: [ddpm-posterior, ddim, ddpm-big], d: [2, 3], steps: {from: 32, to: 128, factor: 2}}
metrics: [kl, {kl_path: {sampler: ddpm-posterior}}]
stop: {rel_error: 0.2, max_paths: 2.0e4}
claims:
  - {name: "<script>alert('claim')</script>", metric: kl, versus: steps, exponent: [-2.05, -1.95],
     source: "arXiv:2510.27562, Theorem 1"}
  - {name: "\"><img src=x onerror=alert(1)>", metric: kl, scaled: {steps: 2, d: -1}, between: [0, 30], per: [target, sampler]}
  - {name: "steps\u202e", metric: kl_path, versus: steps, steps_to: {eps: [0.8, 0.7, 0.6, 0.1]}, exponent: [1.5, 2.5],
     where: {sampler: ddpm-posterior}, source: "arXiv:2508.16306; javascript:alert(2) http://evil.example"}
  - {name: "marginal below path", metric: kl, below: kl_path, where: {sampler: ddpm-posterior}}
  - {name: "KL N^2/d grows no more", metric: kl, versus: steps, bounded: {steps: 2, d: -1, slack: 0.3},
     source: "arXiv:2510.27562"}
scales:
  desk: {grid.steps: [32, 64, 128, 256]}
YAML
status=0
"$DCS" run scales.yaml -o scales.h5 -q --set scale=desk --set 'grid.d=[2, 4]' 2> log || status=$?
[[ $status == 0 ]] || fail "dcs run: exit code $status: $(cat log)"
"$python" - << 'PYTHON' # /provenance is outside the data digest: anyone can write into it
import h5py, numpy
with h5py.File("scales.h5", "r+") as h5:
    h5["provenance"].attrs["SLURM_JOB_NAME"] = numpy.bytes_('<script>alert("job")</script>')
    h5["provenance"].attrs["compiler"] = numpy.bytes_('"><iframe src=http://evil.example>')
PYTHON
page scales.h5 out
"$DCS" check scales.h5 > log && fail "a claim was meant to fail"
for word in PASS FAIL MISSING; do grep -q "$word" log || fail "no verdict is $word: $(cat log)"; done
grep -q "size desk" out/report.html || fail "the size of the study is not named"

# --- twice the same bytes, from another folder, into another one -----------------------------------------------------------
mkdir elsewhere
(cd elsewhere && bash "$report" ../scales.h5 -o "$work/again" > log 2>&1) || fail "from another folder: $(cat elsewhere/log)"
for file in out/*; do cmp "$file" "again/${file#out/}" || fail "not the same bytes: $file"; done
grep -qF "$work" out/report.html && fail "the page tells where the file lay"

# --- the recipe on the page makes the result again -------------------------------------------------------------------------
# again RESULT PAGE LINES: runs the LINES of the recipe that need no build, in a folder with nothing but the result
again() {
  local name=${1%.h5}
  mkdir "$name"
  cp "$1" "$2/points.csv" "$name"
  (
    cd "$name"
    "$python" -B "$here/report_check.py" --commands "../$2" > recipe
    grep -E '"config|dcs run|points.csv' recipe |
      sed -e "s|^/usr/bin/python3|$python|" -e "s|^mpirun -n 1 build/release/src/dcs|$DCS|" -e "s|^build/release/src/dcs|$DCS|" > short
    [[ $(wc -l < short) == "$3" ]] || fail "the recipe: $(cat recipe)"
    bash -euo pipefail short > log 2>&1 || fail "the recipe: $(cat recipe log)"
  )
}
again scales.h5 out 2
cmp scales/scales.yaml scales.yaml || fail "the recipe took another study file out"
[[ $(digest scales.h5) == "$(digest scales/scales-again.h5)" ]] || fail "the recipe made other data"

# --- no claims, refused points, one number of steps, a name that a shell would trip over ----------------------------------
cat > plain.yaml << 'YAML'
study: plain
target: {law: gaussian, d: 2, variance: 0.25}
schedule: {levels: geometric, sigma_max: 20}
delta: 1.0e-2
steps: 64
grid: {sampler: [ddim, ddpm-posterior]}
metrics: [kl, kl_path]
YAML
status=0
"$DCS" run plain.yaml -o "it's <b> & co.h5" -q 2> log || status=$?
[[ $status == 4 ]] || fail "dcs run: exit code $status, expected 4 (the path divergence of ddim is infinite): $(cat log)"
page "it's <b> & co.h5" plain
grep -q "The study makes no claim" plain/report.html || fail "no word about the claims that are not there"
grep -q "1 point refused: why" plain/report.html || fail "the refused point is not named"

# --- shards, and what was put together from them: its command line does not say how they were called -----------------------
for i in 1 2; do
  "$DCS" run plain.yaml -o "s$i.h5" -q --shard "$i/2" --set 'metrics=[kl]' --set 'grid.sampler=[ddim, ddpm-posterior, ei-sde]' \
    2> log || fail "shard $i: $(cat log)"
done
"$DCS" merge merged.h5 s1.h5 s2.h5 > log 2>&1 || fail "dcs merge: $(cat log)"
page merged.h5 joined
again merged.h5 joined 3
page s2.h5 shard
again s2.h5 shard 2
[[ $(digest s2.h5) == "$(digest s2/s2-again.h5)" ]] || fail "the recipe made another shard"

# --- a manifest that is not to be trusted ----------------------------------------------------------------------------------
# manifest KEY=VALUE..: out/report.html again, with these in the first figure of the manifest
manifest() {
  "$python" - "$@" << 'PYTHON'
import json, sys
with open("again/figures.json", encoding="utf-8") as stream:
    text = json.load(stream)
text["figures"][0].update(a.split("=", 1) for a in sys.argv[1:])
with open("out/figures.json", "w", encoding="utf-8") as stream:
    json.dump(text, stream)
PYTHON
  "$python" -B "$DCS_SOURCE/analysis/report.py" scales.h5 --dcs "$DCS" -o out > out.log 2> err.log
}
manifest 'alt="><script>alert(3)</script>' 'title=" onload="alert(4)' 'caption=</figure><b>&lt;' || fail "$(cat err.log)"
"$python" -B "$here/report_check.py" scales.h5 out "$DCS" || fail "text of the manifest became markup"
manifest stem=../again/kl-rates && fail "a figure from another folder"
grep -q "not the name of a file beside it" err.log || fail "a figure from another folder: $(cat err.log)"
manifest stem=nothing && fail "a figure that is not there"
[[ $(wc -l < err.log) == 1 ]] || fail "a figure that is not there: $(cat err.log)"

# --- exit codes ------------------------------------------------------------------------------------------------------------
# ends CODE LINES ARGUMENTS..: LINES on stderr, 0 for any number
ends() {
  local code=$1 lines=$2 status=0
  shift 2
  bash "$report" "$@" > out.log 2> err.log || status=$?
  [[ $status == "$code" ]] || fail "report.sh $*: exit code $status, not $code: $(cat err.log)"
  [[ $lines == 0 || $(wc -l < err.log) == "$lines" ]] || fail "report.sh $*: not $lines lines: $(cat err.log)"
}
ends 2 1
ends 2 1 --no-such-option scales.h5
ends 2 1 scales.h5 scales.h5
ends 2 1 scales.h5 -o
ends 0 0 --help
ends 1 1 no-such-file.h5 -o none
head -c 3000 scales.h5 > damaged.h5
ends 1 1 damaged.h5 -o none
ends 1 1 scales.h5 -o damaged.h5
[[ ! -e none ]] || fail "an error left a folder"
echo ok
