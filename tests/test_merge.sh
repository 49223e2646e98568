#!/usr/bin/env bash
# Shards of a study, run apart and put together, are the bytes of the whole.
#
#   test_merge.sh [DCS [DIRECTORY]]     default: $DCS and the working directory; MPIRUN names the launcher
set -euo pipefail

# shellcheck source=tests/compare.sh
source "$(dirname "${BASH_SOURCE[0]}")/compare.sh"
dcs=$(realpath "${1:-$DCS}")
cd "${2:-.}"
mpirun=${MPIRUN:-mpirun}
rm -rf ./*.h5 ./*.journal there

cat > study.yaml << 'YAML'
study: shards
source: test
seed: 7
targets:
  gaussian: {law: gaussian, d: 3, variance: 0.5}
  gmm: {law: mixture, d: 3, components: 3, separation: 1.0, means_seed: 1, stddev: 0.3}
schedule: {levels: geometric, sigma_max: 10}
delta: 1.0e-2
grid:
  target: [gaussian, gmm]
  sampler: [ddpm-posterior, ddim]
  steps: [16, 32, 64]
metrics: [kl, mmse]
stop: {rel_error: 0.1, max_paths: 3.0e5}
claims:
  - {name: falls, metric: kl, versus: steps, exponent: [-2.5, -1.5], per: [target, sampler]}
YAML

# expect CODE COMMAND..: stdout in `out`, stderr in `err`
expect() {
  local code=$1 status=0
  shift
  "$@" > out 2> err || status=$?
  [[ $status == "$code" ]] || fail "exit code $status instead of $code: $*: $(cat err)"
}

expect 0 "$mpirun" -n 2 "$dcs" run study.yaml -o whole.h5
for i in 1 2 3; do
  expect 0 "$mpirun" -n "$i" "$dcs" run study.yaml -o "part-$i.h5" --shard "$i/3"
  expect 0 "$dcs" verify "part-$i.h5"
done

# each point in one shard, and none of them without the costly ones
"$dcs" export whole.h5 --csv | tail -n +2 | sort > whole.csv
for i in 1 2 3; do "$dcs" export "part-$i.h5" --csv | tail -n +2; done | sort > parts.csv
cut -d, -f 2- whole.csv | sort > a
cut -d, -f 2- parts.csv | sort > b
diff a b || fail "the shards together are not the study"
for i in 1 2 3; do
  "$dcs" export "part-$i.h5" --csv | grep -q ',gmm,' || fail "shard $i has none of the costly points"
done

expect 0 "$dcs" merge merged.h5 part-3.h5 part-1.h5 part-2.h5
grep -q '12 points of 3 files; written to merged.h5' err || fail "merge: $(cat err)"
same whole.h5 merged.h5
[[ ! -e merged.h5.journal ]] || fail "a journal is left"
expect 0 "$dcs" verify merged.h5
expect 0 "$dcs" check merged.h5
h5dump -g /provenance merged.h5 > out
grep -q "dcs merge merged.h5 part-3.h5" out || fail "the command is not in the provenance"

# again: nothing to do, nothing touched; a merged file takes part like a shard, copies count once
cp -p merged.h5 kept.h5
expect 0 "$dcs" merge merged.h5 part-1.h5 part-2.h5 part-3.h5
grep -q 'merged.h5 is complete: nothing to do' err || fail "merged again: $(cat err)"
cmp merged.h5 kept.h5 || fail "a complete result was written again"
expect 0 "$dcs" merge twice.h5 merged.h5 part-1.h5 part-1.h5
same whole.h5 twice.h5
expect 0 "$dcs" run study.yaml -o merged.h5
grep -q 'nothing to do' err || fail "run on a merged file: $(cat err)"

# a shard is missing: nothing written; in part on demand, and the run goes on from there
expect 4 "$dcs" merge some.h5 part-1.h5 part-3.h5
grep -Eq '^dcs: [0-9]+ of 12 points are not complete in the inputs; nothing is written: some.h5$' err || fail "$(cat err)"
[[ ! -e some.h5 && ! -e some.h5.journal ]] || fail "an incomplete merge left something"
expect 4 "$dcs" merge some.h5 part-1.h5 part-3.h5 --partial
expect 4 "$dcs" verify some.h5
expect 0 "$dcs" run study.yaml -o some.h5
same whole.h5 some.h5

# a shard grows into the whole
# `dcs merge part-*.h5`, the name of the result forgotten: nothing is lost, and it is said
cp part-1.h5 grown.h5
expect 0 "$dcs" merge grown.h5 part-2.h5 part-3.h5
grep -q 'grown.h5 was there, with [0-9]* of these points, and has grown' err || fail "a forgotten result: $(cat err)"
same whole.h5 grown.h5
expect 0 "$dcs" run study.yaml -o part-1.h5
same whole.h5 part-1.h5

# what cannot be
expect 2 "$dcs" run study.yaml -o x.h5 --shard 1/13
grep -q -- '--shard 1/13: the study has 12 points, so at most that many shards' err || fail "13 shards: $(cat err)"
for bad in 0/3 4/3 3 1/0 1/3/4 a/b -1/3 1/2000000; do
  expect 2 "$dcs" run study.yaml -o x.h5 --shard "$bad"
  grep -q -- "--shard $bad: write I/N" err || fail "--shard $bad: $(cat err)"
done
expect 0 "$dcs" run study.yaml -o seed.h5 --shard 1/12 --set seed=8
expect 1 "$dcs" merge x.h5 part-2.h5 seed.h5
grep -q "seed.h5 holds study 'shards' with seed 8, part-2.h5 'shards' with seed 7" err || fail "other seed: $(cat err)"
expect 0 "$dcs" run study.yaml -o error.h5 --shard 1/12 --set stop.rel_error=0.2
expect 1 "$dcs" merge x.h5 part-2.h5 error.h5
grep -q "error.h5 and part-2.h5 are not of the same study: 'stop: .*0.2.*' against 'stop: .*0.1" err || fail "other stop: $(cat err)"
expect 2 "$dcs" merge x.h5
expect 2 "$dcs" merge x.h5 part-2.h5 --set seed=7
expect 1 "$dcs" merge x.h5 nowhere.h5
grep -q 'nowhere.h5: No such file' err || fail "no such input: $(cat err)"
expect 1 "$dcs" merge study.yaml part-2.h5
grep -q 'study.yaml: not a result file' err || fail "would write over the study: $(cat err)"
[[ ! -e x.h5 && ! -e x.h5.journal ]] || fail "a refused merge left something"

# data files are found from the study file, wherever the results are
mkdir there
cat > there/cloud.yaml << 'YAML'
study: cloud
target: {law: atoms, file: data.h5, dataset: kl, stddev: 0.1}
schedule: {levels: geometric, sigma_max: 20}
sampler: ddpm-posterior
steps: 16
delta: 0.01
YAML
cp whole.h5 there/data.h5
sed -i 's/^steps: 16/grid: {steps: [16, 32]}/' there/cloud.yaml
for i in 1 2; do expect 0 "$dcs" run there/cloud.yaml -o "cloud-$i.h5" --shard "$i/2"; done
expect 1 "$dcs" merge cloud.h5 cloud-1.h5 cloud-2.h5
expect 0 "$dcs" merge cloud.h5 cloud-1.h5 cloud-2.h5 --study there/cloud.yaml
expect 1 "$dcs" merge x.h5 cloud-1.h5 cloud-2.h5 --study there/cloud.yaml --set stop.rel_error=0.3
grep -q 'there/cloud.yaml, with its --set, is not the study of cloud-1.h5' err || fail "another study: $(cat err)"
