#!/usr/bin/env bash
# How fast are saved samples written? A gigabyte from two ranks, uncompressed, beside `dd conv=fsync` on the same disk, in turn;
# then read back and verified. Disks and busy machines differ from minute to minute: compare within a run, by medians.
#
#   bash tests/bench_samples.sh [DIRECTORY [PAIRS]]     default: the working directory, 5 pairs; DCS, MPIRUN, RANKS (2)
set -euo pipefail

source=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
dcs=$(realpath "${DCS:-$source/build/release/src/dcs}")
pairs=${2:-5}
directory=$(mktemp -d "${1:-.}/bench-samples.XXXXXX")
trap 'rm -rf "$directory"' EXIT
cd "$directory"

# one step of a Gaussian: as little work for each number as there can be
cat > study.yaml << 'YAML'
study: bench-samples
target: {law: gaussian, d: 64, variance: 1, decay: 2}
schedule: {levels: geometric, sigma_max: 10}
sampler: ddim
steps: 1
delta: 0.01
metrics: [mmse]
stop: {rel_error: 0.5}
save_samples: 2097152
YAML

median() { sort -g | awk '{x[NR] = $1} END {print NR % 2 ? x[(NR + 1) / 2] : (x[NR / 2] + x[NR / 2 + 1]) / 2}'; }

# On a virtual machine the first use of a page that the host had taken back costs more than the disk: have some ready.
warm() {
  dd if=/dev/zero of=warm bs=1M count=3072 2> /dev/null
  rm warm
}

for ((i = 0; i < pairs; i++)); do
  warm
  dd if=/dev/zero of=zeros bs=1M count=1024 conv=fsync 2> dd.log
  sed -n 's/.*copied, \([0-9.e-]*\) s.*/\1/p' dd.log >> dd.s
  rm zeros
  warm
  "${MPIRUN:-mpirun}" -n "${RANKS:-2}" "$dcs" run study.yaml -o r.h5 --compress 0 2> run.log
  sed -n 's/^dcs: samples: .* in \([0-9.]*\) s.*/\1/p' run.log >> all.s
  sed -n 's/^dcs: samples: .*, \([0-9.]*\) s of them for the file$/\1/p' run.log >> file.s
  "$dcs" verify r.h5 | grep -q '^  samples   ok'
  rm r.h5 r.samples.h5
  echo "$(tail -n 1 dd.s) s dd, $(tail -n 1 file.s) s the file, $(tail -n 1 all.s) s with drawing the particles"
done
awk -v dd="$(median < dd.s)" -v file="$(median < file.s)" -v all="$(median < all.s)" 'BEGIN {
  gib = 1.073741824
  printf "median: dd %.2f GB/s, the file %.2f GB/s (%.0f%% of dd), with drawing %.2f GB/s\n", gib / dd, gib / file, 100 * dd / file, gib / all
}'
