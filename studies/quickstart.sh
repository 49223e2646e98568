#!/usr/bin/env bash
# From a bare machine to a first verdict: packages, build, a small study on all cores, its claims, a report with pictures.
#
#   bash studies/quickstart.sh [RESULT.h5]          default: results/quick.h5 of the source tree
#
# Run it again whenever you like: what is done is not done twice, and without anything missing no network is used.
# Exit code: that of `dcs check` (0 all claims hold, 3 a claim failed, 4 incomplete); 1 when a step before it failed.
# DCS_RANKS: number of MPI ranks (default: all cores).  DCS_NO_INSTALL=1: never install packages.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
result=$(realpath -m "${1:-$root/results/quick.h5}")
ranks=${DCS_RANKS:-$(nproc)}
cd "$root"
# shellcheck source=src/setup.sh
source src/setup.sh

setup_packages product
setup_mpi
setup_python

cmake --preset release > /dev/null
cmake --build --preset release -j "$(nproc)"
dcs=build/release/src/dcs

mkdir -p "$(dirname "$result")"
status=0
mpirun -n "$ranks" "$dcs" run studies/quick/study.yaml -o "$result" || status=$?
if ((status != 0 && status != 4)); then exit "$status"; fi # 4, incomplete: check says what is missing

status=0
table=$("$dcs" check "$result") || status=$?
report=${result%.h5}-report
DCS=$dcs bash analysis/report.sh "$result" -o "$report" > /dev/null || exit 1
printf '\n%s\n\nreport: %s\n' "$table" "$report/report.html"
exit "$status"
