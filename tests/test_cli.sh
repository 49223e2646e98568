#!/usr/bin/env bash
# The command line as its users meet it: what is wrong is said in one line that names file, line or key, with the exit code
# of the manual, on every number of ranks, and nothing on disk changes; what is right does what --help says.
#
#   test_cli.sh [DCS [DIRECTORY]]     default: $DCS and the working directory; MPIRUN names the launcher
set -euo pipefail

# shellcheck source=tests/compare.sh
source "$(dirname "${BASH_SOURCE[0]}")/compare.sh"
dcs=$(realpath "${1:-$DCS}")
cd "${2:-.}"
mpirun=${MPIRUN:-mpirun}
work=$PWD
rm -rf cases failures
mkdir cases
: > failures

fail() { # in place of the one in compare.sh: it also has to reach this shell from those in the background
  echo "FAILED: $*" | tee -a "$work/failures" >&2
  exit 1
}

# --- what is refused -------------------------------------------------------------------------------------------------------

# Names, sizes and contents of all there is in this directory.
state() { find . -mindepth 1 -not -name '*.log' -printf '%p %y\n' -type f -exec sha256sum {} + | sort; }

# refused_here CODE PATTERN COMMAND..: it ends with CODE, says PATTERN in its one line on stderr and changes nothing here
refused_here() {
  local code=$1 pattern=$2 status=0 before
  shift 2
  before=$(state)
  timeout 60 "$@" > out.log 2> err.log || status=$?
  [[ $status == "$code" ]] || fail "$PWD: $*: exit code $status, not $code: $(cat err.log)"
  [[ $(wc -l < err.log) == 1 ]] || fail "$PWD: $*: not one line: $(cat err.log)"
  grep -q "^dcs: error: .*$pattern" err.log || fail "$PWD: $*: no '$pattern': $(cat err.log)"
  (($(wc -L < err.log) <= 240)) || fail "$PWD: $*: a message nobody reads to its end: $(cat err.log)"
  [[ $(state) == "$before" ]] || fail "$PWD: $*: changed what is on disk: $(state)"
}

# refused NAME CODE PATTERN ARGUMENTS..: of dcs, in cases/NAME; `dcs run` alone and on three ranks. Launching takes seconds
# of waiting and little work, so several go at a time; what fails is collected in `failures`.
refused() {
  local name=$1 code=$2 pattern=$3
  shift 3
  mkdir -p "cases/$name"
  while (($(jobs -rp | wc -l) >= 6)); do wait -n || true; done
  (
    cd "cases/$name"
    refused_here "$code" "$pattern" "$dcs" "$@"
    if [[ $1 == run* ]]; then refused_here "$code" "$pattern" "$mpirun" -q -n 3 "$dcs" "$@"; fi
  ) &
}

# study NAME [SED-EXPRESSION..]: a tiny exact study, changed, as cases/NAME/study.yaml
study() {
  local name=$1
  shift
  mkdir -p "cases/$name"
  cat > "cases/$name/study.yaml" << 'YAML'
study: tiny
source: test
seed: 3
target: {law: mixture, d: 2, means: [[-1, 0], [1, 0]], weights: [0.4, 0.6], stddev: 0.5}
schedule: {levels: geometric, sigma_max: 20}
sampler: ddpm-posterior
delta: 0.01
grid:
  steps: [16, 32]
metrics: [kl]
stop: {rel_error: 0.5, max_paths: 1.0e6}
YAML
  if (($# > 0)); then sed -i "$@" "cases/$name/study.yaml"; fi
}

# bad_study NAME PATTERN SED-EXPRESSION..: refused with code 2
bad_study() {
  local name=$1 pattern=$2
  shift 2
  study "$name" "$@"
  refused "$name" 2 "$pattern" run study.yaml -o r.h5
}

bad_study key "study.yaml:10: unknown key 'metircs'.*'metrics'" -e 's/^metrics/metircs/'
bad_study type "study.yaml:7: delta: 'small' is not a finite decimal number" -e 's/^delta: .*/delta: small/'
bad_study negative "study.yaml:4: variance: -0.5 is outside" -e 's/^target: .*/target: {law: gaussian, d: 2, variance: -0.5}/'
bad_study weights "study.yaml:4: .*weights.* sum " -e 's/0.6\]/0.7]/'
bad_study grid "study.yaml:9: axis 'steps' has no values" -e 's/\[16, 32\]/[]/'
bad_study axis "study.yaml:10: .*'steps' is .*twice.*line 9\|study.yaml:10: .*steps.*line 9" -e 's/^  steps: .*/&\n  steps: [64]/'
bad_study steps "study.yaml:9: steps: 0 is outside" -e 's/\[16, 32\]/[0, 32]/'
bad_study score "study.yaml:7: score_error: -1 is outside" -e 's/^delta: .*/delta: 0.01\nscore_error: -1/' -e '/^sampler/d' \
  -e 's/^grid:/grid:\n  sampler: [ddim]/'
bad_study delta "study.yaml:5: delta 500 must be below sigma_max^2 = 400" -e 's/^delta: .*/delta: 500/'

refused missing 1 'nosuch.yaml: No such file' run nosuch.yaml -o r.h5
mkdir -p cases/directory/study.yaml
refused directory 1 'study.yaml: Is a directory' run study.yaml -o r.h5
mkdir cases/garbage
head -c 5000 "$dcs" > cases/garbage/study.yaml
refused garbage 2 'study.yaml:1: not valid YAML' run study.yaml -o r.h5
study override
study axis_override
refused axis_override 2 "set grid.stps: nothing uses the axis 'stps'; nearest one that is used: 'steps'" run study.yaml -o r.h5 --set 'grid.stps=[8]'
refused override 2 "set stop.rel_eror: .*'rel_error'" run study.yaml -o r.h5 --set stop.rel_eror=0.1

# the place of the result
study place
refused place 1 'nowhere/r.h5: cannot write in the directory nowhere: No such file' run study.yaml -o nowhere/r.h5
study name
refused name 1 'result file is empty' run study.yaml -o ''
study closed
mkdir cases/closed/sub
closed=sub
if [[ $(id -u) != 0 ]]; then
  chmod a-w cases/closed/sub
elif mount -t tmpfs -o ro none cases/closed/sub 2> mount.log; then
  trap 'umount "$work/cases/closed/sub"' EXIT
else
  closed=/proc # not for root either
fi
refused closed 1 "$closed/r.h5.*\(cannot write\|cannot make\)" run study.yaml -o "$closed/r.h5"

# a result that is another study's, or none at all, or in use
study other
"$dcs" run -q cases/other/study.yaml -o cases/other/r.h5
for name in truncated busy exists; do
  mkdir "cases/$name"
  cp cases/other/study.yaml cases/other/r.h5 "cases/$name/"
done
sed -i 's/^seed: 3/seed: 4/' cases/other/study.yaml
refused other 1 "r.h5: holds study 'tiny' with seed 3, not 'tiny' with seed 4; write to another file" run study.yaml -o r.h5
study noise
head -c 5000 "$dcs" > cases/noise/r.h5
refused noise 1 'r.h5: not a result file of dcs' run study.yaml -o r.h5
mkdir cases/busy/r.h5.journal
exec 9> cases/busy/r.h5.journal/lock
flock -n 9
refused busy 1 'another run' run study.yaml -o r.h5

# damaged results; exports over something
size=$(stat -c %s cases/truncated/r.h5)
truncate -s $((size / 2)) cases/truncated/r.h5
wait
for reader in show fit check verify "export --csv"; do
  # shellcheck disable=SC2086  # a subcommand and its option
  (cd cases/truncated && refused_here 1 'r.h5: .*\(damaged\|cut short\)' "$dcs" $reader r.h5)
  # shellcheck disable=SC2086
  (cd cases/truncated && refused_here 1 'nosuch.h5: No such file' "$dcs" $reader nosuch.h5)
done
refused truncated 1 'r.h5: .*\(damaged\|cut short\)' run study.yaml -o r.h5
refused exists 1 'r.h5: exists: remove it or give another name' export --csv r.h5 -o r.h5
wait

# command lines
(
  cd cases/exists
  refused_here 2 "no command 'runn'.*'run'" "$dcs" runn
  refused_here 2 "no command 'frobnicate'; .dcs --help. lists them" "$dcs" frobnicate
  refused_here 2 "no option '--ouput'.*'--output'.*dcs run --help" "$dcs" run --ouput r.h5 study.yaml
  refused_here 2 "no option '--ouput'.*'--output'" "$mpirun" -q -n 3 "$dcs" run --ouput r.h5 study.yaml
  refused_here 2 "no command 'runn'.*'run'" "$mpirun" -q -n 3 "$dcs" runn
  refused_here 2 "no option '-z'" "$dcs" run -qz
  refused_here 2 "--quiet takes no value" "$dcs" run --quiet=1
  refused_here 2 "-o wants a value: R.h5" "$dcs" run -qo
  refused_here 2 "no result file given" "$dcs" run study.yaml
  refused_here 2 "no study file given" "$dcs" run -o r.h5
  refused_here 2 "not a number of seconds" "$dcs" run study.yaml -o r.h5 --max-seconds soon
  refused_here 2 "one study file at a time, not also 'b'" "$dcs" run study.yaml b -o r.h5
  refused_here 2 "the name of the study file is empty" "$dcs" plan ''
  refused_here 2 "the name of the result file is empty" "$dcs" show ''
  refused_here 2 "--set steps: write KEY=VALUE" "$dcs" plan study.yaml --set steps
  refused_here 2 "no section 'targts'.*'targets'" "$dcs" list targts
  refused_here 2 "choose one of --csv, --json and --levels" "$dcs" export r.h5
  refused_here 2 "choose one of --csv, --json and --levels" "$dcs" export --csv --levels r.h5
  refused_here 2 "r.h5: no metric 'kk' in it.*'kl'" "$dcs" show r.h5 --metric kk
  refused_here 2 "r.h5: no metric 'kk' in it.*'kl'" "$dcs" fit r.h5 --metric kk
  refused_here 2 "r.h5: no coordinate 'stps' in it.*'steps'" "$dcs" fit r.h5 --versus stps
  refused_here 2 "r.h5: no coordinate 'stps' in it.*'steps'" "$dcs" fit r.h5 --per stps
  refused_here 2 "r.h5: coordinate 'sampler' is not a number" "$dcs" fit r.h5 --versus sampler
  refused_here 2 "r.h5: no curve has two points: delta does not vary" "$dcs" fit r.h5 --versus delta
  for command in list "show r.h5" "fit r.h5" "export --csv r.h5"; do
    # shellcheck disable=SC2016
    refused_here 1 'standard output: No space left' bash -c "'$dcs' $command > /dev/full"
  done
)

# a full disk: what is finished stays, and the run ends as if nothing had been
study full -e 's/rel_error: 0.5/rel_error: 0.02/'
mkdir cases/full/disk
if [[ $(id -u) == 0 ]] && mount -t tmpfs -o size=12k none cases/full/disk 2> mount.log; then
  trap 'umount "$work/cases/full/disk" "$work/cases/closed/sub" 2> /dev/null || true' EXIT
  for ranks in 1 3; do
    status=0
    timeout 60 "$mpirun" -q -n $ranks "$dcs" run -q cases/full/study.yaml -o cases/full/disk/r.h5 2> log || status=$?
    [[ $status == 1 ]] || fail "full disk: exit code $status: $(cat log)"
    [[ $(wc -l < log) == 1 ]] || fail "full disk: not one line: $(cat log)"
    grep -q 'r.h5.*No space left on device.*run again' log || fail "full disk: $(cat log)"
    [[ ! -e cases/full/disk/r.h5 && ! -e cases/full/disk/r.h5.tmp ]] || fail "full disk: half a result"
  done
else
  echo "full disk: skipped, no right to mount; test_faults.sh tries a limit on the size of files"
fi

# --- what is right ---------------------------------------------------------------------------------------------------------

mkdir cases/right
cd cases/right
cat > study.yaml << 'YAML'
study: right
source: test
target: {law: gaussian, d: $d, variance: 0.25, decay: 0.5}
schedule: {levels: geometric, sigma_max: 20}
sampler: ddim
delta: 0.01
grid: {d: [2, 4], steps: [32, 64, 128]}
metrics: [kl, w2]
claims:
  - {name: "KL falls as N^-2", metric: kl, versus: steps, exponent: [-2.2, -1.8]}
YAML

# run COMMAND..: stdout in out, stderr in err, exit code in $status
run() {
  status=0
  timeout 60 "$@" > out 2> err || status=$?
}

# expect CODE COMMAND..
expect() {
  local code=$1
  shift
  run "$@"
  [[ $status == "$code" ]] || fail "$*: exit code $status, not $code: $(cat out err)"
}

valid_json() { python3 -m json.tool < out > /dev/null || fail "not JSON: $(cat out)"; }

expect 0 "$dcs" --version
grep -q '^dcs [0-9.]*$' out || fail "--version: $(cat out)"
expect 0 "$dcs" --help
[[ $(wc -L < out) -le 80 && ! -s err ]] || fail "--help: $(cat out err)"
expect 0 "$dcs" plan --help
mv out plan.help
expect 0 "$dcs" help plan
cmp out plan.help || fail "help plan: $(cat out err)"
rm plan.help
expect 2 "$dcs" help frobnicate
for command in '' plan run fit check show export merge verify list bench; do
  # shellcheck disable=SC2086  # nothing when empty
  expect 0 "$dcs" $command --help
  grep -q '^Exit codes: ' out || fail "dcs $command --help: no exit codes"
  grep -q -A 1 '^Examples\?:$' out || fail "dcs $command --help: no example"
  [[ $(wc -L < out) -le 80 && ! -s err ]] || fail "dcs $command --help: $(cat out err)"
  if [[ -n $command ]]; then continue; fi
  for name in plan run fit check show export merge verify list bench; do
    grep -q "^  $name " out || fail "dcs --help does not name $name"
  done
done

expect 0 "$dcs" list
for name in targets gaussian mixture samplers ddpm-posterior churn schedules li-yan metrics 'w2 \[data units\]' estimators ratio; do
  grep -q "^ *$name" out || fail "dcs list does not name $name"
done
[[ $(wc -L < out) -le 110 ]] || fail "dcs list is too wide"
expect 0 "$dcs" list --json
valid_json

expect 0 "$dcs" list metrics
grep -q '^      estimators: gaussian quadrature radial ratio-factor ratio$' out || fail "list metrics: $(cat out)"
grep -q '^      companion: w2_sliced_floor$' out && grep -q '^      profile: yes$' out || fail "list metrics: $(cat out)"
grep -q '^      exact: gaussian' out || fail "list metrics: $(cat out)"
expect 0 "$dcs" list samplers
grep -q '^      kind: one score a step$' out || fail "list samplers: $(cat out)"

expect 0 "$dcs" plan study.yaml
grep -q '^study right: 6 points' out || fail "plan: $(cat out)"
expect 0 "$dcs" plan study.yaml --json --set 'grid.steps=[8, 16]'
valid_json
grep -q '"points": 4' out || fail "plan --set: $(cat out)"
[[ $(ls) == $'err\nout\nstudy.yaml' ]] || fail "plan wrote something: $(ls)"
grep -q '"costliest": null' out && grep -q '"estimator_changes": \[\]' out || fail "plan of equals: $(cat out)"

# what the totals of a plan do not show: at one point of ten an error of the score couples the coordinates of a product
cat > fall.yaml << 'YAML'
study: fall
target: {law: mixture, d: 8, means: [-1, 1], weights: [0.4, 0.6], stddev: 0.2, product: true}
schedule: {levels: geometric, sigma_max: 20}
delta: 0.01
grid: {sampler: [ddim, ddpm-posterior], score_error: [0, 0.1], steps: [16, 32, 48, 64, 128]}
exclude:
  - {score_error: 0.1, steps: [32, 48, 64, 128]}
  - {score_error: 0.1, sampler: ddim}
metrics: [kl, chi2]
YAML
expect 0 "$dcs" plan fall.yaml
grep -A 1 '^costliest    1 of 11 points makes [0-9.]*% of the upper core-hours; the worst, .* of them, mainly kl by ratio:$' out > log || fail "plan, costliest: $(cat out)"
grep -q '^    sampler=ddpm-posterior steps=16 score_error=0.1$' log || fail "plan, costliest: $(cat out)"
for metric in kl chi2; do # ddim has no other estimator, and is not counted
  grep -q "^estimators   $metric: quadrature at 5 points, but ratio at 1 of the same kind, " out || fail "plan, estimators: $(cat out)"
done
expect 0 "$dcs" plan fall.yaml --json
python3 - << 'PYTHON' || fail "plan --json: $(cat out)"
import json
plan = json.load(open('out'))
peak, changes = plan['costliest'], plan['estimator_changes']
assert peak['points'] == 1 and peak['estimator'] == 'ratio' and 0.9 <= peak['share'] <= 1, peak
assert peak['core_hours'] == peak['first_core_hours'] <= plan['core_hours'][1], peak
assert [(c['metric'], c['usual_points'], c['other'], c['other_points']) for c in changes] == [
    ('kl', 5, 'ratio', 1), ('chi2', 5, 'ratio', 1)], changes
assert all(c['first'] == peak['first'] and 'ddpm-posterior' in c['first']['physics'] for c in changes)
PYTHON
rm fall.yaml log

# run, and again: nothing to do, nothing touched
expect 0 "$dcs" run study.yaml -o r.h5
[[ ! -s out ]] || fail "run speaks on stdout: $(cat out)"
cp -p r.h5 kept.h5
expect 0 "$mpirun" -n 2 "$dcs" run study.yaml -o r.h5
grep -q 'r.h5 is complete: nothing to do' err || fail "second run: $(cat err)"
cmp r.h5 kept.h5 && [[ ! r.h5 -nt kept.h5 ]] || fail "a complete result was written again"

# readers
for reader in "show --json" "show --json --metric w2" "fit --json --local" "check --json" "export --json"; do
  # shellcheck disable=SC2086
  expect 0 "$dcs" $reader r.h5
  valid_json
  [[ ! -s err ]] || fail "$reader: $(cat err)"
done
expect 0 "$dcs" verify r.h5 kept.h5
grep -q '^r.h5: VERIFIED' out && grep -q '^kept.h5: VERIFIED' out || fail "verify: $(cat out)"
expect 0 "$dcs" check r.h5
grep -q 'PASS .*d=2' out && grep -q '^2 passed, 0 failed, 0 missing' out || fail "check: $(cat out)"
expect 0 "$dcs" fit r.h5
grep -q '^d=4 .* exact ' out || fail "fit: $(cat out)"
"$dcs" export r.h5 --csv -o table.csv
"$dcs" export r.h5 --levels -o levels.csv
"$dcs" show r.h5 > table.txt
"$dcs" show r.h5 --json > table.json
[[ $(wc -L < table.txt) -le 100 ]] || fail "show is too wide: $(cat table.txt)"
python3 - << 'PYTHON' || fail "export and show disagree"
import csv, json
rows = list(csv.DictReader(open('table.csv', newline='')))
points = json.load(open('table.json'))['points']
assert len(rows) == len(points) == 6
levels = list(csv.DictReader(open('levels.csv', newline='')))
assert [int(row['level']) for row in levels] == [k for row in rows for k in range(int(row['steps']) + 1)]
assert list(levels[0]) == ['point', 'point_hash', 'level', 'sigma'] and abs(float(levels[0]['sigma']) - 20) < 1e-12
assert levels[-1]['point_hash'] == rows[-1]['point_hash'] and abs(float(levels[-1]['sigma']) - 0.1) < 1e-12
shown = [line.split() for line in open('table.txt') if line[:1].isdigit()]
for row, point, cells in zip(rows, points, shown, strict=True):
    assert float(row['kl']) == point['kl']['value'] > 0 and row['kl_method'] == point['kl']['method'] == 'gaussian'
    assert (int(row['d']), int(row['steps'])) == (point['d'], point['steps'])
    assert [float(cells[1]), float(cells[2])] == [int(row['d']), int(row['steps'])]
    for cell, metric in zip(cells[3:], ('kl', 'w2')):  # seven digits shown
        assert abs(float(cell) / float(row[metric]) - 1) < 1e-6, (cell, row[metric])
PYTHON

# no claims: nothing is wrong, and nothing was shown
sed '/^claims/,$d' study.yaml > unclaimed.yaml
expect 0 "$dcs" check r.h5 --study unclaimed.yaml
grep -q '^dcs: warning: unclaimed.yaml states no claims: nothing was judged' err || fail "no claims: $(cat out err)"

# a claim that is wrong; a point that cannot be measured
sed 's/\[-2.2, -1.8\]/[-1.2, -0.8]/' study.yaml > wrong.yaml
expect 3 "$dcs" check r.h5 --study wrong.yaml
grep -q 'FAIL .*d=2' out || fail "wrong claim: $(cat out)"
sed 's/ exponent: .*/ exponent: [0.9, 1.1], steps_to: {eps: [0.05, 0.03, 0.02]}}/' study.yaml > steps_to.yaml
expect 0 "$dcs" check r.h5 --study steps_to.yaml
[[ $(grep -c '^ *0.0[532]  *[0-9.]*  exact$' out) == 6 ]] || fail "steps to eps: $(cat out)"
expect 0 "$dcs" check r.h5 --study steps_to.yaml --json
valid_json
grep -q '"steps_to": \[{"eps": 0.05[0-9]*, "steps": [0-9.]*, "lo": ' out || fail "steps to eps: $(cat out)"
sed -e 's/^target: .*/target: {law: mixture, d: $d, components: 2, stddev: 0.5}/' -e 's/ddim/ddpm-big/' -e 's/\[2, 4\]/[2]/' \
  -e 's/\[32, 64, 128\]/[8]/' -e 's/\[kl, w2\]/[kl]/' study.yaml > coarse.yaml
expect 4 "$dcs" run coarse.yaml -o coarse.h5
grep -q '1 of 1 points refused, 0 failed; the first: kl: .*step 1 of 8 is too coarse.*use more steps' err || fail "$(cat err)"
expect 4 "$dcs" check coarse.h5
grep -q 'MISSING' out || fail "missing: $(cat out)"
expect 0 "$dcs" plan coarse.yaml
grep -q 'too coarse' out && grep -q '1 point, the first' out || fail "plan of a coarse study: $(cat out)"
expect 0 "$dcs" show coarse.h5
grep -q '^point 0: refused: kl: ' out || fail "show of a coarse study: $(cat out)"
expect 2 "$dcs" fit coarse.h5
sed 's/^study: .*/study: left/' study.yaml > left.yaml
expect 1 "$dcs" check r.h5 --study left.yaml
grep -q "left.yaml is study 'left', r.h5 is of study 'right'" err || fail "check --study: $(cat err)"

# a study that grows keeps what it has, one that shrinks is refused
sed -i 's/128\]/128, 256]/' study.yaml
expect 0 "$dcs" run study.yaml -o r.h5
grep -q '8 points (6 done)' err || fail "grown: $(cat err)"
"$dcs" export r.h5 --csv > grown.csv
tail -n +2 table.csv | while IFS= read -r row; do grep -qxF "$row" grown.csv || fail "an old point changed: $row"; done
cp r.h5 grown.h5
sed -i 's/\[32, 64, 128, 256\]/[32, 64]/' study.yaml
expect 1 "$dcs" run study.yaml -o r.h5
grep -q "r.h5: holds 4 points that this study no longer has; write to another file; it was run with 'grid: .*256.*' against 'grid: " err ||
  fail "shrunk: $(cat err)"
cmp r.h5 grown.h5 || fail "a refused run changed the result"

# a metric at some of the points: elsewhere missing, not refused; asked for everywhere later it is added, not taken away
wide=metrics='[kl, w2_coupling]' narrow=metrics='[kl, {w2_coupling: {steps: [32]}}]'
expect 0 "$dcs" run study.yaml -o scope.h5 --set "$narrow"
expect 0 "$dcs" verify scope.h5
"$dcs" export scope.h5 --csv > out
awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) c[$i] = i; next }
  { n++; if (($c["w2_coupling_method"] != "") != ($c["steps"] == 32) || $c["status"] != "ok" || $c["kl"] == "") bad++ }
  END { exit !(n == 4 && bad == 0) }' out || fail "a metric at some of the points: $(cat out)"
expect 0 "$dcs" run study.yaml -o whole.h5 --set "$wide"
expect 0 "$dcs" run study.yaml -o scope.h5 --set "$wide"
diff <("$dcs" export scope.h5 --csv) <("$dcs" export whole.h5 --csv) || fail "a metric added later has other values"
expect 1 "$dcs" run study.yaml -o scope.h5 --set "$narrow"
grep -q 'scope.h5: holds w2_coupling of point .*, where this study no longer asks for it; write to another file' err ||
  fail "narrowed: $(cat err)"

# a slip in a filter: measures nothing, and is told
slip='metrics=[kl, {w2: {steps: [32, 46], d: [3]}}, {w2_coupling: {steps: [32, 46]}}]'
expect 0 "$dcs" plan study.yaml --set "$slip"
grep -q '^filters      w2 at 0 of 4 points: no point has steps = 46; d = 3$' out || fail "plan, filters: $(cat out)"
grep -q '^filters      w2_coupling at 2 of 4 points: no point has steps = 46$' out || fail "plan, filters: $(cat out)"
expect 0 "$dcs" plan study.yaml --json --set "$slip"
valid_json
grep -q '"metric": "w2", "points": 0, "missing": "steps = 46; d = 3"' out || fail "plan --json, filters: $(cat out)"
expect 0 "$mpirun" -n 2 "$dcs" run -q study.yaml -o slip.h5 --set "$slip"
[[ $(cat err) == 'dcs: warning: study.yaml: w2 is asked for at none of the points: no point has steps = 46; d = 3' ]] || fail "run, filters: $(cat err)"

# one file, several sizes
cp study.yaml sizes.yaml
printf 'scales:\n  desk: {grid.steps: [16, 32, 64]}\n' >> sizes.yaml
expect 0 "$dcs" plan sizes.yaml --json
grep -q '"points": 4' out || fail "plan without a scale: $(cat out)"
expect 0 "$dcs" plan sizes.yaml --json --set scale=desk
grep -q '"points": 6' out || fail "plan --set scale=desk: $(cat out)"
expect 2 "$dcs" plan sizes.yaml --set scale=desc
grep -q "there is no 'desc' in 'scales'; nearest valid name: 'desk'" err || fail "a misspelt scale: $(cat err)"

# --set, in the canonical configuration too
expect 0 "$dcs" run study.yaml -o set.h5 --set 'grid.steps=[16]' --set stop.rel_error=0.125
expect 0 "$dcs" export --csv set.h5
[[ $(wc -l < out) == 3 ]] || fail "--set grid.steps: $(cat out)"
h5dump -d /config/canonical set.h5 > out
grep -q 'rel_error: 0.125' out || fail "--set is not in the canonical configuration: $(cat out)"

# a point cloud: here the numbers of a result file; every rank reads it, and all have to see the same
mkdir here there
cat > here/cloud.yaml << 'YAML'
study: cloud
target: {law: atoms, file: data.h5, dataset: kl, stddev: 0.1}
schedule: {levels: geometric, sigma_max: 20}
sampler: ddim
delta: 0.01
grid: {steps: [32, 64]}
metrics: [kl]
stop: {rel_error: 0.2, max_paths: 1.0e6}
claims:
  - {name: "KL falls as N^-2", metric: kl, versus: steps, exponent: [-5, 5]}
YAML
cp here/cloud.yaml there/
cp r.h5 here/data.h5
cp grown.h5 there/data.h5
expect 0 "$dcs" run here/cloud.yaml -o cloud.h5
expect 0 "$mpirun" -q -n 3 "$dcs" run here/cloud.yaml -o cloud3.h5
[[ $(digest cloud.h5) == "$(digest cloud3.h5)" ]] || fail "point cloud: other data on 3 ranks"
run "$dcs" check cloud.h5 # judged without the data file
[[ $status == 0 || $status == 3 ]] || fail "check without the point cloud: $(cat err)"
cp set.h5 there/data.h5
expect 1 "$mpirun" -q -n 1 "$dcs" run here/cloud.yaml -o apart.h5 : -n 1 "$dcs" run there/cloud.yaml -o apart.h5
grep -q 'rank 1 sees other points than rank 0: are its data files the same' err || fail "other data: $(cat err)"
[[ $(wc -l < err) == 1 && ! -e apart.h5 && ! -e apart.h5.journal ]] || fail "other data: $(cat err; ls)"
rm there/data.h5
expect 1 "$mpirun" -q -n 1 "$dcs" run here/cloud.yaml -o apart.h5 : -n 1 "$dcs" run there/cloud.yaml -o apart.h5
grep -q 'cloud.yaml:2: there/data.h5: No such file' err || fail "missing data: $(cat err)"

# stopped and gone on with: the same data
cat > long.yaml << 'YAML'
study: long
source: test
target: {law: mixture, d: 4, components: 4, stddev: 0.3}
schedule: {levels: geometric, sigma_max: 10}
delta: 0.01
grid: {sampler: [ddpm-posterior, ddim], steps: [32, 64]}
metrics: [kl]
stop: {rel_error: 0.02, max_paths: 1.0e6}
YAML
expect 0 "$dcs" run long.yaml -o straight.h5
expect 85 "$dcs" run long.yaml -o long.h5 --max-seconds 1
grep -q 'stopped at a checkpoint: run again to go on' err && [[ ! -e long.h5 ]] || fail "stopped: $(cat err)"
expect 0 "$mpirun" -q -n 2 "$dcs" run long.yaml -o long.h5
grep -q ' 0 blocks from an earlier run' err && fail "the stopped run left nothing: $(cat err)"
[[ $(digest long.h5) == "$(digest straight.h5)" ]] || fail "stopped run: other data"

cd "$work"
[[ ! -s failures ]] || exit 1
echo "ok"
