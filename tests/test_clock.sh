#!/usr/bin/env bash
# Nothing but the provenance looks at the wall clock or at the age of a file: a run whose clock falls back again and again, or
# stands still, that is killed and goes on from journals of the next century, ends with the bytes of an undisturbed run.
#
#   test_clock.sh SHIM     SHIM: the library clock_backwards; DCS and MPIRUN are in the environment
set -euo pipefail

# shellcheck source=tests/compare.sh
source "$(dirname "${BASH_SOURCE[0]}")/compare.sh"
shim=$(realpath "$1")
mpirun=${MPIRUN:-mpirun}
export OMPI_MCA_pml=ob1 # libpsm2, which `cm` loads, measures the processor by the wall clock: for ever, where that stands still
rm -rf ./*.h5 ./*.journal

# run CODE RANKS FILE [OPTION..]: on so many ranks with the clock that $clock names, which ends with that exit code
run() {
  local code=$1 ranks=$2 file=$3 status=0
  shift 3
  timeout -k 5 60 "$mpirun" -n "$ranks" env LD_PRELOAD="$shim" DCS_CLOCK="$clock" "$DCS" run study.yaml -o "$file" "$@" \
    > log 2>&1 || status=$?
  [[ $status == "$code" ]] || fail "clock $clock, $file: exit code $status: $(cat log)"
}

# when KEY FILE: seconds since 1970 that the provenance of the file has for `start` or `end`
when() { date +%s -d "$(h5dump -a "/provenance/$1" "$2" | sed -n 's/.*(0): "\(.*\)"/\1/p')"; }

# aged FILE.. STAMP: everything there is with these names is of that date
aged() { find "${@:1:$#-1}" -exec touch -d "${!#}" {} +; }

cat > study.yaml << 'YAML'
study: clock
source: test
seed: 9
target: {law: mixture, d: 4, components: 4, separation: 1.0, means_seed: 1, stddev: 0.3}
schedule: {levels: geometric, sigma_max: 10}
delta: 1.0e-2
save_samples: 50
grid:
  sampler: [ddpm-posterior, ddim]
  steps: [32, 48]
metrics: [kl, chi2]
stop: {rel_error: 0.02, max_paths: 1.0e6}
YAML

# --- the shim does what it is for: later is earlier, and time passes all the same ---
DCS_CLOCK=backwards LD_PRELOAD=$shim "${PYTHON:-/usr/bin/python3}" - << 'PYTHON' || fail "the clock does not fall back"
import time
wall = [time.time() for _ in range(10)]
steady = [time.monotonic() for _ in range(10)]
assert wall[9] < wall[0] - 7200 and time.localtime().tm_year > 2000, wall
assert all(a <= b for a, b in zip(steady, steady[1:])), steady
PYTHON
(($(DCS_CLOCK=backwards LD_PRELOAD=$shim date +%s) < $(date +%s) - 3000)) || fail "date does not feel the shim"
[[ $(DCS_CLOCK=still LD_PRELOAD=$shim date +%s) == 1000000000 ]] || fail "date does not feel the clock that stands still"

began=$(date +%s)
"$mpirun" -n 2 "$DCS" run -q study.yaml -o straight.h5
(($(when start straight.h5) >= began && $(when end straight.h5) >= $(when start straight.h5))) || fail "the straight run's times"

for clock in backwards still; do
  file=$clock.h5
  # killed, once there are blocks
  "$mpirun" -n 2 env LD_PRELOAD="$shim" DCS_CLOCK=$clock "$DCS" run study.yaml -o "$file" > log 2>&1 &
  pid=$!
  until [[ -e $file.journal/r00000.log && $(stat -c %s "$file.journal/r00000.log") -gt 2000 ]]; do
    kill -0 $pid 2> /dev/null || fail "$clock: no blocks: $(cat log)"
    sleep 0.02
  done
  kill -KILL "$(pgrep -P $pid -x dcs | tail -n 1)"
  status=0
  wait $pid 2> /dev/null || status=$?
  [[ $status == 137 ]] || fail "$clock, killed: exit code $status: $(cat log)"
  # what is there is of the next century, then of 1970; a time limit is kept, as it is no matter of the date
  aged "$file"* 2100-01-01
  run 85 3 "$file" --max-seconds 0
  aged "$file"* 1970-01-02
  run 0 1 "$file"
  grep -q ' [1-9][0-9]* blocks from an earlier run' log || fail "$clock: no block was kept: $(cat log)"
  same straight.h5 "$file"
  cmp straight.samples.h5 $clock.samples.h5 || fail "$clock: other samples"
  [[ ! -e $file.journal ]] || fail "$clock: a journal is left"
  # a complete result of any age is complete
  for year in 1970 2100; do
    aged "$clock".* $year-01-02
    cp "$file" kept
    run 0 2 "$file"
    grep -q "$file is complete: nothing to do" log || fail "$clock, result of $year: $(cat log)"
    cmp "$file" kept || fail "$clock, result of $year: written again"
  done
done
# the provenance, which does look, says what it was shown
(($(when end backwards.h5) < began - 3000)) || fail "the run did not feel the shim"
[[ $(when start still.h5) == 1000000000 && $(when end still.h5) == 1000000000 ]] || fail "the run did not feel the clock that stands still"

# results of any age grow
sed -i 's/\[32, 48\]/[16, 32, 48]/' study.yaml
clock=backwards
"$mpirun" -n 2 "$DCS" run -q study.yaml -o straight.h5
run 0 2 backwards.h5
same straight.h5 backwards.h5
echo ok
