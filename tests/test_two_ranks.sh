#!/usr/bin/env bash
# Everything two ranks do, on a study as small as can be: made for the sanitizers and valgrind, which find what no
# comparison of results shows. Every process has to end clean.
#
#   test_two_ranks.sh [DCS [DIRECTORY]]     default: $DCS and the working directory; MPIRUN names the launcher
#
# DCS_VALGRIND names a valgrind to run all of it under (preset valgrind).
set -euo pipefail

# shellcheck source=tests/compare.sh
source "$(dirname "${BASH_SOURCE[0]}")/compare.sh"
dcs=$(realpath "${1:-$DCS}")
suppressions=$(realpath "$(dirname "${BASH_SOURCE[0]}")/suppressions")
cd "${2:-.}"
mpirun=${MPIRUN:-mpirun}
rm -rf ./*.h5 ./*.journal ./*.tmp

under=()
if [[ -n ${DCS_VALGRIND:-} ]]; then
  under=("$DCS_VALGRIND" -q --error-exitcode=99 --leak-check=full --show-leak-kinds=definite
    --errors-for-leak-kinds=definite --suppressions="$suppressions/mpi_valgrind.supp")
  for theirs in /usr/share/openmpi/openmpi-valgrind.supp /usr/share/openmpi-x86_64/openmpi-valgrind.supp; do
    if [[ -e $theirs ]]; then under+=(--suppressions="$theirs"); fi
  done
fi

# closed forms, quadrature, density ratios, paths and samples; some pairs of target and metric are refused
cat > study.yaml << 'YAML'
study: two-ranks
targets:
  gaussian: {law: gaussian, d: 2, variance: 0.5}
  gmm: {law: mixture, d: 2, components: 2, stddev: 0.5}
schedule: {levels: geometric, sigma_max: 5}
grid: {target: [gaussian, gmm], sampler: [ddpm-posterior, ddim], steps: [4, 8]}
delta: 0.05
samples: 20
metrics: [kl, kl_path, w2_sliced]
stop: {rel_error: 1.0, max_paths: 128}
save_samples: 40
claims:
  - {name: falls, metric: kl, versus: steps, exponent: [-9, 9], per: [sampler, target]}
YAML

# clean CODES COMMAND..: stdout in `out`, stderr in `err`; the exit code is one of CODES and no tool complains
clean() {
  local codes=$1 status=0
  shift
  "$@" > out 2> err || status=$?
  [[ " $codes " == *" $status "* ]] || fail "exit code $status, not $codes: $*: $(cat out err)"
  ! grep -E 'Sanitizer|runtime error:|^==[0-9]+==' err || fail "$*: $(cat err)"
}
ranks() { clean "$1" "$mpirun" -n 2 "${under[@]}" "$dcs" run study.yaml -o r.h5 "${@:2}"; }
alone() { clean "$1" "${under[@]}" "$dcs" "${@:2}"; }

ranks 85 --max-seconds 0
[[ -d r.h5.journal ]] || fail "nothing to go on from: $(ls)"
ranks "0 4"
[[ -e r.h5 && -e r.samples.h5 && ! -e r.h5.journal ]] || fail "no result: $(ls)"
alone "0 4" verify r.h5
alone "0 3 4" check r.h5 --store
alone 0 show r.h5
