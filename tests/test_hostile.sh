#!/usr/bin/env bash
# Files that once broke something: every command that reads results ends with an exit code of its own and at most one line
# of complaint. They are in fuzz/corpus/hostile:
#
#   link_table     right checksums, wrong structure: HDF5 1.10.8 frees what it never allocated
#   text_factor    a coordinate that the claims multiply by is text
#
#   test_hostile.sh [DCS [DIRECTORY]]     default: $DCS and the working directory
set -euo pipefail

# shellcheck source=tests/compare.sh
source "$(dirname "${BASH_SOURCE[0]}")/compare.sh"
dcs=$(realpath "${1:-$DCS}")
corpus=$(realpath "$(dirname "${BASH_SOURCE[0]}")/fuzz/corpus/hostile")
cd "${2:-.}"
rm -f ./*.h5

# quiet FILE COMMAND..: the exit code is one that README.md lists, and stderr is empty or one line on FILE
quiet() {
  local file=$1 status=0
  shift
  "$@" > out 2> err || status=$?
  [[ $status -le 4 ]] || fail "exit code $status: $*: $(cat err)"
  [[ $(wc -l < err) -le 1 ]] || fail "$*: $(cat err)"
  ! grep -v "^dcs: error: $file: " err || fail "$*: $(cat err)"
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
  gzip -dc "$packed" | cmp - "$file" || fail "$file was changed"
  n=$((n + 1))
done
((n >= 2)) || fail "only $n files"

# their cause is found again: with other versions of HDF5 another complaint is as good
"$dcs" show link_table.h5 > out 2> err && fail "link_table.h5 was read"
"$dcs" check text_factor.h5 > out || true
grep -q "the result has no number 'steps'" out || fail "text_factor: $(cat out)"
