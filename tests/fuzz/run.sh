#!/usr/bin/env bash
# One fuzzing target for DCS_FUZZ_SECONDS (default 15), from a fixed seed:
#
#   run.sh BINARY CORPUS [DICTIONARY]
#
# Works in a directory in memory. Inputs that break something are kept in DCS_BUILD/found, new ones worth keeping in
# DCS_BUILD/learnt, where the next run goes on from. To see one again: BINARY FILE.
set -euo pipefail

binary=$1 corpus=$2 dictionary=${3:-}
name=$(basename "$binary")
found=${DCS_BUILD:-.}/found learnt=${DCS_BUILD:-.}/learnt/$name
mkdir -p "$found" "$learnt"
work=$(mktemp -d /dev/shm/dcs_fuzz.XXXXXX 2> /dev/null || mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/corpus"
cp "$corpus"/* "$work/corpus"
gzip -dq "$work"/corpus/*.gz 2> /dev/null || true # there may be none
cd "$work"

# A large request is answered with NULL, as a limit of the machine would: the target has to take no for an answer.
export ASAN_OPTIONS="${ASAN_OPTIONS:-}:allocator_may_return_null=1:max_allocation_size_mb=512:quarantine_size_mb=16"
"$binary" -seed=1 -max_total_time="${DCS_FUZZ_SECONDS:-15}" -timeout=20 -rss_limit_mb=2048 -malloc_limit_mb=-1 -max_len=131072 \
  -detect_leaks=0 ${dictionary:+-dict="$dictionary"} -artifact_prefix="$found/$name-" \
  "$learnt" corpus 2>&1 | grep -v '^#[0-9]*.\(NEW\|REDUCE\|pulse\|RELOAD\)'
