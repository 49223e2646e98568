#!/usr/bin/env bash
# The same study gives the same bytes on 1, 2, 3, 5 and 8 ranks, stopped half way or not.
#
#   test_mpi.sh [DCS [DIRECTORY]]     default: $DCS and the working directory; MPIRUN names the launcher
set -euo pipefail

# shellcheck source=tests/compare.sh
source "$(dirname "${BASH_SOURCE[0]}")/compare.sh"
dcs=$(realpath "${1:-$DCS}")
cd "${2:-.}"
mpirun=${MPIRUN:-mpirun}
rm -rf ./*.h5 ./*.journal

# run RANKS FILE [OPTION..]: prints the exit code
run() {
  local ranks=$1 file=$2 status=0
  shift 2
  "$mpirun" -n "$ranks" "$dcs" run study.yaml -o "$file" "$@" > log 2>&1 || status=$?
  echo "$status"
}

cat > study.yaml << 'YAML'
study: ranks
source: test
seed: 5
targets:
  gaussian: {law: gaussian, d: 3, variance: 0.5, decay: 0.5}
  gmm: {law: mixture, d: 3, components: 3, separation: 1.0, means_seed: 1, stddev: 0.3}
schedule: {levels: geometric, sigma_max: 10}
init: exact
delta: 1.0e-2
grid:
  target: [gaussian, gmm]
  sampler: [ddpm-posterior, ddim]
  steps: [16, 24, 32]
metrics: [kl, chi2, w2, mmse]
stop: {rel_error: 0.05, max_paths: 3.0e5}
YAML

# w2 has no instrument for a mixture: 6 of 12 points are refused, and the exit code says incomplete
for ranks in 1 2 3 5 8; do
  status=$(run "$ranks" "r$ranks.h5")
  [[ $status == 4 ]] || fail "$ranks ranks: exit code $status: $(cat log)"
  grep -q '6 of 12 points refused, 0 failed' log || fail "$ranks ranks: no warning: $(cat log)"
  [[ ! -e r$ranks.h5.journal ]] || fail "$ranks ranks: journal left behind"
  same r1.h5 "r$ranks.h5"
done

# without mpirun
status=0
"$dcs" run -q study.yaml -o single.h5 2> log || status=$?
[[ $status == 4 ]] || fail "no mpirun: exit code $status: $(cat log)"
same r1.h5 single.h5

# stopped again and again, with another number of ranks each time
status=85
for ((i = 0; status == 85; i++)); do # a little longer each time: starting alone may take a second on a busy machine
  ((i < 50)) || fail "no end after $i stops"
  status=$(run $((i % 3 + 1)) stopped.h5 --max-seconds "$((i / 5)).$((i % 5 * 2))")
  if [[ $status == 85 ]]; then
    grep -q 'stopped at a checkpoint: run again to go on' log || fail "no message: $(cat log)"
    [[ ! -e stopped.h5 ]] || fail "an unfinished result was written"
  fi
done
[[ $status == 4 ]] || fail "stopped: exit code $status: $(cat log)"
echo "stopped $((i - 1)) times"
same r1.h5 stopped.h5

# a complete result is not touched
cp r1.h5 kept.h5
status=$(run 2 r1.h5)
[[ $status == 4 ]] || fail "again: exit code $status: $(cat log)"
grep -q 'complete: nothing to do' log || fail "again: $(cat log)"
cmp r1.h5 kept.h5 || fail "a complete result was written again"

# more points: the old blocks are used, and the result is that of a straight run; fewer points: refused
sed -i 's/\[16, 24, 32\]/[16, 24, 32, 40]/' study.yaml
status=$(run 2 grown.h5)
cp r1.h5 extended.h5
status=$(run 2 extended.h5)
[[ $status == 4 ]] || fail "extended: exit code $status: $(cat log)"
grep -q '16 points (12 done)' log || fail "old blocks were not used: $(cat log)"
same grown.h5 extended.h5
sed -i 's/\[16, 24, 32, 40\]/[16, 24]/' study.yaml
status=$(run 2 r1.h5)
[[ $status == 1 ]] || fail "fewer points: exit code $status: $(cat log)"
grep -q 'holds 4 points that this study no longer has' log || fail "fewer points: $(cat log)"
cmp r1.h5 kept.h5 || fail "a refused run changed the result"
[[ ! -e r1.h5.journal ]] || fail "a refused run left a journal behind"

# a wrong study file is said once, whatever the number of ranks
sed -i 's/^seed:/sede:/' study.yaml
status=$(run 3 wrong.h5)
[[ $status == 2 ]] || fail "wrong key: exit code $status: $(cat log)"
[[ $(grep -c '^dcs: error: study.yaml:' log) == 1 ]] || fail "wrong key: $(cat log)"
status=$(run 3 wrong.h5 --frobnicate)
[[ $status == 2 ]] || fail "wrong option: exit code $status: $(cat log)"
[[ $(grep -c 'frobnicate' log) == 1 ]] || fail "wrong option: $(cat log)"
echo ok
