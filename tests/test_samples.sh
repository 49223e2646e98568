#!/usr/bin/env bash
# Saved samples: the same numbers on any number of ranks, whole or not there, damage found.
#
#   test_samples.sh [DCS [DIRECTORY]]     default: $DCS and the working directory; MPIRUN names the launcher
set -euo pipefail

# shellcheck source=tests/compare.sh
source "$(dirname "${BASH_SOURCE[0]}")/compare.sh"
dcs=$(realpath "${1:-$DCS}")
cd "${2:-.}"
mpirun=${MPIRUN:-mpirun}
rm -rf ./*.h5 ./*.journal ./*.tmp

# chunks of 131072 numbers: one and a part of one for d = 2, seven for d = 128
cat > study.yaml << 'YAML'
study: samples
target: {law: mixture, d: $d, components: 3, stddev: 0.3}
schedule: {levels: geometric, sigma_max: 10}
grid: {d: [2, 128], sampler: [ddim, jain-zhang]}
steps: 4
delta: 0.01
metrics: [mmse]
stop: {rel_error: 0.5}
save_samples: 7000
YAML
sed 's/d: \[2, 128\]/d: [2, 128, 20000]/; s/7000/70/' study.yaml > wide.yaml

# expect CODE COMMAND..: stdout in `out`, stderr in `err`
expect() {
  local code=$1 status=0
  shift
  "$@" > out 2> err || status=$?
  [[ $status == "$code" ]] || fail "exit code $status instead of $code: $*: $(cat err)"
}

for ranks in 1 2 3; do
  expect 0 "$mpirun" -n "$ranks" "$dcs" run study.yaml -o "r$ranks.h5"
  [[ -e r$ranks.samples.h5 && ! -e r$ranks.samples.h5.tmp ]] || fail "$ranks ranks: $(ls)"
  h5diff r1.samples.h5 "r$ranks.samples.h5" > diff || fail "$ranks ranks: other samples: $(cat diff)"
  expect 0 "$dcs" verify "r$ranks.h5"
  grep -q '^  samples   ok      4 points of 7000 particles$' out || fail "verify: $(cat out)"
done
[[ $(h5dump -H r1.samples.h5 | grep -c 'SIMPLE { ( 7000, 128 )') == 2 ]] || fail "shape: $(h5dump -H r1.samples.h5)"
expect 0 "$dcs" run study.yaml -o plain.h5 --compress 0
h5diff r1.samples.h5 plain.samples.h5 || fail "compression changed the samples"
h5dump -Hp plain.samples.h5 > out
[[ $(grep -c CONTIGUOUS out) == 8 ]] || fail "level 0: $(cat out)" # samples and checksums of four points
h5dump -Hp r1.samples.h5 > out
grep -q 'DEFLATE { LEVEL 1 }' out || fail "level 1: $(cat out)"

# shards, merged; one without its samples; one damaged
for i in 1 2 3; do expect 0 "$dcs" run study.yaml -o "part$i.h5" --shard "$i/3" --compress $((i - 1)); done
expect 0 "$dcs" merge joined.h5 part1.h5 part2.h5 part3.h5
h5diff r1.samples.h5 joined.samples.h5 > diff || fail "merged: other samples: $(cat diff)"
expect 0 "$dcs" verify joined.h5
grep -q '4 points of 7000 particles' out || fail "merged: $(cat out)"
mv part2.samples.h5 kept.h5
expect 4 "$dcs" merge gap.h5 part1.h5 part2.h5 part3.h5
grep -q 'warning: [12] points have no samples beside the inputs' err || fail "a gap: $(cat err)"
[[ -e gap.h5 && ! -e gap.samples.h5 ]] || fail "a gap: $(ls)"
mv kept.h5 part2.samples.h5
printf '\x7f' | dd of=part1.samples.h5 bs=1 seek=$(($(stat -c %s part1.samples.h5) / 2)) conv=notrunc 2> err
expect 1 "$dcs" merge gap.h5 part1.h5 part2.h5 part3.h5
grep -q 'part1.samples.h5: [0-9a-f]*: damaged' err || fail "a damaged part: $(cat err)"
[[ ! -e gap.samples.h5 && ! -e gap.samples.h5.tmp ]] || fail "a damaged part: $(ls)"

# the checksums are what the README says, for a reader without dcs
python=${PYTHON:-/usr/bin/python3}
if "$python" -c 'import h5py' 2> /dev/null; then
  "$python" - r1.samples.h5 plain.samples.h5 << 'EOF'
import sys, zlib, h5py
for path in sys.argv[1:]:
    with h5py.File(path) as f:
        assert len(f["samples"]) == 4
        for name, x in f["samples"].items():
            c = f["checksums"][name]
            rows = int(c.attrs["rows"])
            assert [zlib.crc32(x[i : i + rows].tobytes()) for i in range(0, len(x), rows)] == list(c), name
EOF
fi

# rows wider than a chunk's megabyte, fewer particles than lanes of a chunk
expect 0 "$mpirun" -n 2 "$dcs" run wide.yaml -o wide.h5
expect 0 "$dcs" verify wide.h5

# a whole file is left alone; one with fewer particles is made anew, its own among the new ones
cp -p r1.samples.h5 kept.h5
expect 0 "$dcs" run study.yaml -o r1.h5
cmp kept.h5 r1.samples.h5 && [[ ! r1.samples.h5 -nt kept.h5 ]] || fail "whole samples were written again"
expect 1 "$dcs" run study.yaml -o r1.h5 --set save_samples=6000
grep -q 'r1.samples.h5: holds 7000 particles of each point, more than 6000; move it away' err || fail "fewer: $(cat err)"
cmp kept.h5 r1.samples.h5 || fail "a refused run changed the samples"
expect 0 "$mpirun" -n 2 "$dcs" run study.yaml -o r1.h5 --set save_samples=9000
expect 0 "$dcs" verify r1.h5
grep -q '4 points of 9000 particles' out || fail "more: $(cat out)"
name=$(h5ls r1.samples.h5/samples | tail -n 1 | cut -d ' ' -f 1)
for file in r1 kept; do
  [[ $file == kept ]] || file=r1.samples
  h5dump -y -w 0 -d "/samples/$name" -s 0,0 -c 7000,2 "$file.h5" | sed -n '/DATA {/,$p' > "$file.txt"
done
cmp r1.samples.txt kept.txt || fail "other particles among more of them"

# a flipped bit; samples of another study
size=$(stat -c %s plain.samples.h5)
cp plain.h5 flip.h5
cp plain.samples.h5 flip.samples.h5
printf '\x7f' | dd of=flip.samples.h5 bs=1 seek=$((size / 2)) conv=notrunc 2> err
cmp -s plain.samples.h5 flip.samples.h5 && fail "nothing was flipped"
expect 1 "$dcs" verify flip.h5
grep -q 'flip.samples.h5: [0-9a-f]*: damaged' err || fail "flipped: $(cat out err)"
cp wide.samples.h5 flip.samples.h5
truncate -s -20000 flip.samples.h5
expect 1 "$dcs" verify flip.h5
expect 0 "$dcs" run study.yaml -o other.h5 --set seed=2
cp other.samples.h5 flip.samples.h5
expect 1 "$dcs" run study.yaml -o flip.h5
grep -q 'flip.samples.h5: holds particles of another study or seed; move it away' err || fail "other seed: $(cat err)"
cmp -s other.samples.h5 flip.samples.h5 || fail "samples of another study were written over"

# a signal on the way: exit code 85, nothing half-written, the same command goes on
"$mpirun" -n 2 "$dcs" run study.yaml -o stop.h5 --set save_samples=3.0e6 --set steps=64 > out 2> err &
pid=$!
for _ in $(seq 300); do
  [[ ! -e stop.samples.h5.tmp ]] || break
  sleep 0.1
done
[[ -e stop.samples.h5.tmp ]] || fail "no samples after half a minute"
kill -USR1 "$pid"
status=0
wait "$pid" || status=$?
[[ $status == 85 ]] || fail "signal: exit code $status: $(cat err)"
[[ -e stop.h5 && ! -e stop.samples.h5 && ! -e stop.samples.h5.tmp ]] || fail "signal: $(ls)"
expect 0 "$dcs" run study.yaml -o stop.h5 --set steps=64
expect 0 "$dcs" verify stop.h5

# no room: the result stays
mkdir full.samples.h5.tmp
expect 1 "$dcs" run study.yaml -o full.h5
grep -q 'full.samples.h5.tmp: cannot make the file' err || fail "cannot write: $(cat err)"
expect 0 "$dcs" verify full.h5
