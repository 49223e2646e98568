#!/usr/bin/env bash
# Whatever happens to a run, the next one goes on from its journal and ends with the bytes of an undisturbed run; what cannot
# be done is refused in one line and nothing on disk is changed.
#
#   test_faults.sh [DCS [DIRECTORY]]     default: $DCS and the working directory; MPIRUN names the launcher
set -euo pipefail

# shellcheck source=tests/compare.sh
source "$(dirname "${BASH_SOURCE[0]}")/compare.sh"
dcs=$(realpath "${1:-$DCS}")
cd "${2:-.}"
mpirun=${MPIRUN:-mpirun}
rm -rf ./*.h5 ./*.journal ./*.tmp directory.h5 as_it_was before
RANDOM=1 # the moments of the kills; which blocks they hit depends on the machine all the same

# one_error PATTERN: the log has exactly one error line of ours, and it says PATTERN
one_error() {
  [[ $(grep -c '^dcs: error:' log) == 1 ]] || fail "not one error line: $(cat log)"
  grep -q "^dcs: error:.*$1" log || fail "no '$1': $(cat log)"
}

# run COMMAND..: exit code in $status, output in log
run() {
  status=0
  "$@" > log 2>&1 || status=$?
}

# ranks_of PID: processes of the ranks that this mpirun started
ranks_of() { pgrep -P "$1" -x dcs; }

# as_straight FILE: it is what the straight run wrote, and nothing else is left
as_straight() {
  same straight.h5 "$1"
  [[ ! -e $1.journal && ! -e $1.tmp ]] || fail "$1: something left behind"
}

# wait_for_blocks FILE BYTES: until the first journal is that long
wait_for_blocks() {
  for ((tries = 0; tries < 600; tries++)); do
    [[ -e $1.journal/r00000.log && $(stat -c %s "$1.journal/r00000.log") -gt $2 ]] && return
    sleep 0.02
  done
  fail "$1: no blocks: $(cat log)"
}

cat > study.yaml << 'YAML'
study: faults
source: test
seed: 7
target: {law: mixture, d: 4, components: 4, separation: 1.0, means_seed: 1, stddev: 0.3}
schedule: {levels: geometric, sigma_max: 10}
init: exact
delta: 1.0e-2
grid:
  sampler: [ddpm-posterior, ddim]
  steps: [32, 48, 64]
metrics: [kl, chi2]
stop: {rel_error: 0.02, max_paths: 1.0e6}
YAML

run "$dcs" run study.yaml -o straight.h5
[[ $status == 0 ]] || fail "straight run: exit code $status: $(cat log)"
journal=r00000.log

# --- killed at random moments: one rank without mpirun, one of two ranks, mpirun itself; fifty times at least ---
total=0
for ((round = 0; round < 10 && total < 50; round++)); do
  for kind in single rank mpirun; do
    kills=0
    for ((attempt = 0; attempt < 200; attempt++)); do
      # later and later, so that it ends; the sum is well above the time of one run
      delay=$(awk "BEGIN {print (0.2 + 0.04 * $attempt) * (0.5 + $RANDOM / 32768)}")
      if [[ $kind == single ]]; then
        "$dcs" run -q study.yaml -o killed.h5 > log 2>&1 &
      else
        "$mpirun" -n 2 "$dcs" run -q study.yaml -o killed.h5 > log 2>&1 &
      fi
      pid=$!
      victim=$pid
      if [[ $kind != single ]]; then
        until ranks=$(ranks_of "$pid") && [[ -n $ranks ]]; do
          kill -0 "$pid" 2> /dev/null || fail "mpirun started nothing: $(cat log)"
          sleep 0.02
        done
      fi
      if [[ $kind == rank ]]; then victim=$(shuf -n 1 <<< "$ranks"); fi # mpirun ends the other
      sleep "$delay"
      if kill -KILL "$victim" 2> /dev/null; then kills=$((kills + 1)); fi
      status=0
      wait "$pid" 2> /dev/null || status=$?
      if [[ $kind == mpirun ]]; then # nobody is left to end the ranks
        for _ in $(seq 600); do
          # shellcheck disable=SC2086 # several numbers
          ps -o stat= -p $ranks | grep -qv Z || break
          sleep 0.05
        done
        # shellcheck disable=SC2086
        ! ps -o stat= -p $ranks | grep -v Z || fail "ranks outlive their mpirun"
      fi
      if [[ $status == 0 ]]; then break; fi
      [[ $status == 137 ]] || fail "killed run: exit code $status: $(cat log)"
    done
    [[ $status == 0 ]] || fail "no end after $attempt kills"
    ((kills > 0)) || fail "no run was killed"
    echo "$kind: killed $kills times"
    total=$((total + kills))
    as_straight killed.h5
    rm killed.h5
  done
done
((total >= 50)) || fail "only $total kills"

# --- the study changes between a run and the next: refused, with the difference ---
"$mpirun" -n 2 "$dcs" run study.yaml -o changed.h5 > log 2>&1 &
pid=$!
wait_for_blocks changed.h5 2000
kill -USR1 "$pid"
status=0
wait "$pid" || status=$?
[[ $status == 85 ]] || fail "USR1 to mpirun: exit code $status: $(cat log)"
cp -r changed.h5.journal as_it_was
run "$dcs" run study.yaml -o changed.h5 --set 'grid.steps=[32]'
[[ $status == 1 ]] || fail "changed study: exit code $status: $(cat log)"
one_error "holds blocks of .* points that this study no longer has; .*; it was run with 'grid: .*32, 48, 64.*' against 'grid: .*\\[32\\]"
diff -r as_it_was changed.h5.journal || fail "a refused run changed the journal"
run "$dcs" run study.yaml -o changed.h5
[[ $status == 0 ]] || fail "changed back: exit code $status: $(cat log)"
as_straight changed.h5

# --- signals: one rank gets it, all stop ---
for signal in USR1 TERM INT; do
  "$mpirun" -n 2 "$dcs" run study.yaml -o $signal.h5 > log 2>&1 &
  pid=$!
  wait_for_blocks $signal.h5 2000
  kill -"$signal" "$(ranks_of "$pid" | tail -n 1)"
  status=0
  wait "$pid" || status=$?
  [[ $status == 85 ]] || fail "SIG$signal: exit code $status: $(cat log)"
  grep -q 'run again to go on' log || fail "SIG$signal: $(cat log)"
  [[ ! -e $signal.h5 ]] || fail "SIG$signal: a result of half a study"
done

# --- damaged journals: torn tails, garbage, a flipped byte, an empty file, a header alone ---
cp -r INT.h5.journal kept.journal
damage() {
  rm -rf damaged.h5 damaged.h5.journal
  cp -r kept.journal damaged.h5.journal
}
finish_damaged() {
  run "$dcs" run study.yaml -o damaged.h5
  [[ $status == 0 ]] || fail "$1: exit code $status: $(cat log)"
  as_straight damaged.h5
}
for cut in 1 7 300; do
  damage
  truncate -s "-$cut" damaged.h5.journal/$journal
  finish_damaged "torn by $cut bytes"
done
damage
head -c 1000 /dev/urandom >> damaged.h5.journal/$journal
finish_damaged "garbage at the end"
damage
printf 'x' | dd of=damaged.h5.journal/$journal bs=1 seek=$(($(stat -c %s damaged.h5.journal/$journal) / 2)) conv=notrunc status=none
finish_damaged "flipped byte"
damage
: > damaged.h5.journal/$journal
truncate -s 32 damaged.h5.journal/r00001.log
finish_damaged "empty and header alone"

# --- another study's journal and result: refused, untouched ---
damage
find damaged.h5.journal -type f -exec sha256sum {} + > before
sed 's/^seed: 7/seed: 8/' study.yaml > other.yaml
run "$dcs" run other.yaml -o damaged.h5
[[ $status == 1 ]] || fail "foreign journal: exit code $status: $(cat log)"
one_error 'damaged.h5.journal/.*another study'
find damaged.h5.journal -type f -exec sha256sum {} + | diff before - || fail "a foreign journal was changed"
run "$dcs" run other.yaml -o straight.h5
[[ $status == 1 ]] || fail "foreign result: exit code $status: $(cat log)"
one_error 'straight.h5: holds study'
[[ ! -e straight.h5.journal ]] || fail "a refused run left a journal behind"
head -c 1000 /dev/urandom > noise.h5
cp noise.h5 noise.kept
run "$dcs" run study.yaml -o noise.h5
[[ $status == 1 ]] || fail "noise: exit code $status: $(cat log)"
one_error 'noise.h5'
cmp noise.h5 noise.kept || fail "a file that is not ours was overwritten"

# --- another run holds the output ---
mkdir locked.h5.journal
exec 9> locked.h5.journal/lock
flock -n 9
run "$dcs" run study.yaml -o locked.h5
[[ $status == 1 ]] || fail "locked: exit code $status: $(cat log)"
one_error 'another run'
exec 9>&-

# --- disk full: a limit on the size of files stands in for it; it holds for the ranks alone, not for mpirun ---
export PMIX_MCA_gds=hash OMPI_MCA_btl=self,tcp # no shared-memory files, which would meet the limit first
limited() { # KIB FILE: a rank's command
  command=(bash -c "trap '' XFSZ; ulimit -f $1; exec '$dcs' run -q study.yaml -o $2")
}
limited 4 full.h5 # some blocks fit
run "$mpirun" -n 1 "${command[@]}"
[[ $status == 1 ]] || fail "disk full: exit code $status: $(cat log)"
one_error 'full.h5.journal/r00000.log: .*blocks of this log are safe'
run "$dcs" run study.yaml -o full.h5
[[ $status == 0 ]] || fail "after disk full: exit code $status: $(cat log)"
grep -q ' [1-9][0-9]* blocks from an earlier run' log || fail "after disk full: no block was kept: $(cat log)"
as_straight full.h5
rm full.h5

# on one rank of two: both end, one line
run "$mpirun" -n 1 "$dcs" run -q study.yaml -o full.h5 : -n 1 "${command[@]}"
[[ $status == 1 ]] || fail "disk full on rank 1: exit code $status: $(cat log)"
one_error 'full.h5.journal/r00001.log'
run "$dcs" run study.yaml -o full.h5
as_straight full.h5

# the journal fits, the result does not: the journal stays
damage
limited $((($(stat -c %s straight.h5) - 1) / 1024)) damaged.h5
run "$mpirun" -n 4 "${command[@]}"
[[ $status == 1 ]] || fail "no room for the result: exit code $status: $(cat log)"
[[ ! -e damaged.h5 && ! -e damaged.h5.tmp ]] || fail "half a result was written"
run "$dcs" run study.yaml -o damaged.h5
[[ $status == 0 ]] || fail "after no room for the result: exit code $status: $(cat log)"
as_straight damaged.h5

# --- paths that cannot be written: said at the start ---
mkdir directory.h5
run "$dcs" run study.yaml -o directory.h5
[[ $status == 1 ]] || fail "directory: exit code $status"
one_error 'directory.h5: is not a regular file'
run "$mpirun" -n 2 "$dcs" run study.yaml -o nowhere/r.h5
[[ $status == 1 ]] || fail "no directory: exit code $status"
one_error 'nowhere/r.h5'
if [[ $(id -u) != 0 ]]; then # root may write everywhere
  mkdir -p closed
  chmod a-w closed
  run "$dcs" run study.yaml -o closed/r.h5
  [[ $status == 1 ]] || fail "no permission: exit code $status"
  one_error 'closed/r.h5'
  chmod u+w closed
fi
mkdir blocked.h5.journal
mkdir blocked.h5.journal/r00001.log # rank 1 alone cannot open its journal
run "$mpirun" -n 2 "$dcs" run study.yaml -o blocked.h5
[[ $status == 1 ]] || fail "blocked journal: exit code $status: $(cat log)"
one_error 'r00001.log'
run "$dcs" run nosuch.yaml -o r.h5
[[ $status != 0 ]] || fail "no study file: exit code $status"
one_error 'nosuch.yaml'
echo ok
