#!/usr/bin/env bash
# Files that once broke something: every command that reads results ends with an exit code of its own and at most one line
# of complaint. They are in fuzz/corpus/hostile:
#
#   link_table     right checksums, wrong structure: HDF5 1.10.8 frees what it never allocated
#   text_factor    a coordinate that the claims multiply by is text
#   terminal       texts that act on a terminal
#
#   test_hostile.sh [DCS [DIRECTORY]]     default: $DCS and the working directory; MPIRUN names the launcher
set -euo pipefail

# shellcheck source=tests/compare.sh
source "$(dirname "${BASH_SOURCE[0]}")/compare.sh"
dcs=$(realpath "${1:-$DCS}")
corpus=$(realpath "$(dirname "${BASH_SOURCE[0]}")/fuzz/corpus/hostile")
mpirun=${MPIRUN:-mpirun}
cd "${2:-.}"
rm -rf ./*.h5 ./*.yaml in_place

# quiet FILE COMMAND..: the exit code is one that README.md lists, stderr has at most one line of error, on FILE, beside
# warnings, and nothing of what is said acts on a terminal
quiet() {
  local file=$1 status=0
  shift
  "$@" > out 2> err || status=$?
  [[ $status -le 4 ]] || fail "exit code $status: $*: $(cat err)"
  [[ $(grep -vc '^dcs: warning: ' err) -le 1 ]] || fail "$*: $(cat err)"
  ! grep -v '^dcs: warning: ' err | grep -v "^dcs: error: $file: " || fail "$*: $(cat err)"
  [[ "$*" == *"export "* ]] || plain out
  plain err
}

# plain FILE: UTF-8 without control characters but newlines
plain() {
  iconv -f UTF-8 -t UTF-8 "$1" > /dev/null || fail "$1: not UTF-8"
  ! LC_ALL=C grep -aP '[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xa8-\xae]' "$1" || fail "$1: control characters"
}

n=0
for packed in "$corpus"/*.h5.gz; do
  file=$(basename "$packed" .gz)
  gzip -dc "$packed" > "$file"
  for command in show check verify fit "export --csv" "export --levels" "check --json" "show --json"; do
    # shellcheck disable=SC2086
    quiet "$file" "$dcs" $command "$file"
  done
  quiet "$file" "$dcs" merge merged.h5 "$file"
  rm -f merged.h5
  gzip -dc "$packed" | cmp - "$file" || fail "$file was changed"
  n=$((n + 1))
done
((n >= 3)) || fail "only $n files"

# their cause is found again: with other versions of HDF5 another complaint is as good
"$dcs" show link_table.h5 > out 2> err && fail "link_table.h5 was read"
"$dcs" check text_factor.h5 > out || true
grep -q "the result has no number 'steps'" out || fail "text_factor: $(cat out)"

# what a text would do is shown, and on a terminal also by export, whose table is the texts themselves elsewhere
"$dcs" show terminal.h5 > out
grep -qF 'study   s\x1b[31m' out && grep -qF 'dd\x0dim\x0asampler = good\xff\xc2\x9b  ' out && grep -qF 'glü\x1b[2Jcklich' out &&
  grep -qF '\x1b[1A\x1b[2K, "quoted"\x0d\x0a' out || fail "show: $(cat out)"
"$dcs" check terminal.h5 > out || true
grep -qF 'c\xc2\x9b31m\x7f: kl in [0, 9]  (\xe2\x80\xaecba)' out || fail "check: $(cat out)"
"$dcs" fit terminal.h5 > out 2> err || true
grep -qF 'glü\x1b[2Jcklich' out && grep -qF 'warning: sampler=glü\x1b[2Jcklich: not fitted' err || fail "fit: $(cat out err)"
for command in "show --json" "check --json" "fit --json"; do
  # shellcheck disable=SC2086
  { "$dcs" $command terminal.h5 2> err || true; } | /usr/bin/python3 -c 'import json, sys; json.load(sys.stdin)' || fail "$command"
done
"$dcs" export --csv terminal.h5 > out
/usr/bin/python3 - << 'PYTHON' || fail "export: $(cat -v out)"
import csv
rows = list(csv.DictReader(open("out", newline="", encoding="latin-1")))
assert len(rows) == 4 and rows[0]["sampler"] == "dd\rim\nsampler = good\xff\xc2\x9b" and rows[0]["kl_method"] == "rat\bio"
assert rows[1]["reason"] == "\x1b[1A\x1b[2K, \"quoted\"\r\n", rows[1]
PYTHON
script -qec "'$dcs' export --csv terminal.h5" /dev/null < /dev/null | tr -d '\r' > out # script's own line ends
plain out
grep -qF 'dd\x0dim\x0asampler = good\xff\xc2\x9b' out || fail "export on a terminal: $(cat out)"

# files that are there already, and those a study names: they are read before MPI is initialised
cat > study.yaml << 'YAML'
study: hostile
target: {law: gaussian, d: 2}
schedule: {levels: geometric, sigma_max: 20}
sampler: ddim
delta: 0.1
grid: {steps: [8, 16]}
metrics: [kl]
save_samples: 100
YAML
"$mpirun" -q -n 2 "$dcs" run study.yaml -o good.h5 > out 2> err || fail "good: $(cat err)"
mkdir in_place
for ranks in 1 2; do
  launch=("$mpirun" -q -n "$ranks")
  ((ranks > 1)) || launch=()
  cp link_table.h5 in_place/r.h5
  quiet in_place/r.h5 "${launch[@]}" "$dcs" run study.yaml -o in_place/r.h5
  grep -q 'in_place/r.h5: damaged: HDF5 crashed on it' err || fail "result in place: $(cat err)"
  cp good.h5 in_place/r.h5
  cp link_table.h5 in_place/r.samples.h5
  quiet in_place/r.samples.h5 "${launch[@]}" "$dcs" run study.yaml -o in_place/r.h5
  grep -q 'r.samples.h5: ' err || fail "samples in place: $(cat err)"
  for target in link_table.h5 good.h5; do
    sed "s/law: gaussian, d: 2/law: atoms, stddev: 0.1, file: $target, dataset: nothing/" study.yaml > cloud.yaml
    quiet cloud.yaml:2 "${launch[@]}" "$dcs" run cloud.yaml -o cloud.h5
    quiet cloud.yaml:2 "$dcs" plan cloud.yaml
  done
  [[ ! -e in_place/r.h5.journal && ! -e cloud.h5 && ! -e cloud.h5.journal ]] || fail "something was left: $(ls . in_place)"
done
cp link_table.h5 merged.h5
quiet merged.h5 "$dcs" merge merged.h5 good.h5
grep -q 'merged.h5: damaged: HDF5 crashed on it' err || fail "merge into: $(cat err)"
quiet in_place/r.samples.h5 "$dcs" verify in_place/r.h5
cmp link_table.h5 merged.h5 && cmp link_table.h5 in_place/r.samples.h5 || fail "a damaged file was written over"

# Python reads what dcs has read
for script in figures report; do
  status=0
  DCS=$dcs bash "$(dirname "$corpus")/../../../analysis/$script.sh" link_table.h5 -o drawn > out 2> err || status=$?
  [[ $status == 1 && $(cat err) == "dcs: error: link_table.h5: damaged: HDF5 crashed on it" ]] || fail "$script.sh: $(cat err)"
done
