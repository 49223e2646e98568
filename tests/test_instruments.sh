#!/usr/bin/env bash
# Every instrument on every kind of target: bounds hold, every refusal says which instrument and why, and the result is the
# same on 1, 2 and 3 ranks, stopped half way or not.
#
#   test_instruments.sh     DCS, DCS_SOURCE and MPIRUN are in the environment; works in the current directory
set -euo pipefail

# shellcheck source=tests/compare.sh
source "$(dirname "${BASH_SOURCE[0]}")/compare.sh"
mpirun=${MPIRUN:-mpirun}
study=$DCS_SOURCE/tests/instruments.yaml
rm -rf ./*.h5 ./*.journal

# run RANKS FILE [OPTION..]: prints the exit code
run() {
  local ranks=$1 file=$2 status=0
  shift 2
  "$mpirun" -q -n "$ranks" "$DCS" run "$study" -o "$file" "$@" > log 2>&1 || status=$?
  echo "$status"
}

for ranks in 1 2 3; do
  status=$(run "$ranks" "r$ranks.h5")
  [[ $status == 4 ]] || fail "$ranks ranks: exit code $status: $(cat log)" # some points are refused: incomplete
  [[ $(digest r1.h5) == "$(digest "r$ranks.h5")" ]] || fail "$ranks ranks: other data"
done

status=85
for ((i = 0; status == 85; i++)); do
  ((i < 50)) || fail "no end after $i stops"
  status=$(run $((i % 3 + 1)) stopped.h5 --max-seconds "$((i / 5)).$((i % 5 * 2))")
done
[[ $status == 4 ]] || fail "resumed: exit code $status: $(cat log)"
((i > 1)) || fail "it was never stopped"
[[ $(digest r1.h5) == "$(digest stopped.h5)" ]] || fail "resumed: other data"

"$DCS" verify r1.h5 > out || fail "verify: $(cat out)"
grep -q 'bounds    ok      [0-9][0-9] comparisons' out || fail "bounds were not compared: $(cat out)"
"$DCS" check r1.h5 > out || fail "claims: $(cat out)"
grep -q '^2 passed, 0 failed, 0 missing' out || fail "claims: $(cat out)"

# who measured what
"$DCS" export r1.h5 --csv > table.csv
"$DCS" export r1.h5 --levels > levels.csv
python=${PYTHON:-/usr/bin/python3}
"$python" - << 'PYTHON' || fail "methods"
import csv, math, sys

rows = list(csv.DictReader(open("table.csv")))
expected = {  # instrument of kl, by target, for samplers with noise
    "product": "quadrature", "mixture": "ratio", "radial": "radial", "codebook": "ratio", "gaussian": "gaussian"}
bad = []
for row in rows:
    where = f"{row['target']} {row['sampler']}"
    if row["sampler"] == "ddpm-posterior" and row["kl_method"] != expected[row["target"]]:
        bad.append(f"{where}: kl by {row['kl_method']}")
    if row["sampler"] in ("ddim", "heun"):  # no noise: infinite, and the reason says so
        if row["kl_path"] not in ("", "nan") or "infinite" not in row["reason"]:
            bad.append(f"{where}: kl_path {row['kl_path']}, {row['reason']}")
    for metric in ("information", "mmse", "smoothness", "w2_sliced", "w2_assignment"):
        if not math.isfinite(float(row[metric])):
            bad.append(f"{where}: {metric} is {row[metric]}")
    for floor in ("w2_sliced_floor", "w2_assignment_floor", "kl_knn_floor"):
        if floor not in row:
            bad.append(f"{floor} is not beside its metric")
levels = list(csv.DictReader(open("levels.csv")))
if len(levels) != 33 * len(rows):
    bad.append(f"{len(levels)} levels of {len(rows)} points")
first = [float(row["mmse"]) for row in levels[:33]]
if any(b > a * 1.2 for a, b in zip(first, first[1:])):
    bad.append(f"mmse does not fall with the noise: {first}")
print("\n".join(bad))
sys.exit(bool(bad))
PYTHON
echo ok
