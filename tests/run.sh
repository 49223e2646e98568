#!/usr/bin/env bash
# Everything a change has to pass: both compilers with warnings as errors, all tests, a subset under the sanitizers, two
# ranks under the thread sanitizer and valgrind, a while of fuzzing.
#
#   bash tests/run.sh
#
# Installs what is missing (see src/setup.sh). Last line: "N passed, N failed"; a stage that does not configure or build
# is one failure. Exit code 0 only when nothing failed. Build trees and JUnit files stay in build/.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=src/setup.sh
source src/setup.sh

setup_packages tests
setup_mpi
setup_python

jobs=$(nproc)
passed=0 failed=0
times=()

build() { cmake --preset "$1" > /dev/null && cmake --build --preset "$1" -j "$jobs"; }

run_ctest() { ctest --preset "$1" -j "$jobs" --output-junit "$PWD/build/$1/junit.xml"; }

# stage NAME COMMAND..: run, print how long it took, return the command's status.
stage() {
  local name=$1 start=$SECONDS status=0
  shift
  printf '\n== %s\n' "$name"
  "$@" || status=$?
  times+=("$(printf '%-28s %5d s   %s' "$name" $((SECONDS - start)) "$([[ $status == 0 ]] && echo ok || echo FAILED)")")
  return "$status"
}

# Number that follows KEY=" in the first element that has it.
junit() { grep -o -m 1 "$2=\"[0-9]*\"" "build/$1/junit.xml" | head -n 1 | tr -dc 0-9; }

# test_stage NAME PRESET: run the tests of a built preset and add up what they say.
test_stage() {
  local status=0 bad
  rm -f "build/$2/junit.xml"
  stage "$1" run_ctest "$2" || status=$?
  if [[ -s build/$2/junit.xml ]]; then
    bad=$(junit "$2" failures)
    failed=$((failed + bad))
    passed=$((passed + $(junit "$2" tests) - bad - $(junit "$2" skipped) - $(junit "$2" disabled)))
    if ((bad > 0)); then status=0; fi # counted
  fi
  if ((status != 0)); then failed=$((failed + 1)); fi
}

if stage "build (ci)" build ci; then
  test_stage "tests (ci)" ci
else
  failed=$((failed + 1))
fi

if command -v clang > /dev/null; then
  stage "build (ci-clang)" build ci-clang || failed=$((failed + 1))
fi

# build_and_test NAME PRESET: one failure when it does not build.
build_and_test() {
  if stage "build ($2)" build "$2"; then
    test_stage "$1" "$2"
  else
    failed=$((failed + 1))
  fi
}

build_and_test "address, undefined" debug
build_and_test "thread sanitizer" tsan
build_and_test "valgrind" valgrind
if command -v clang > /dev/null; then
  build_and_test "fuzzing" fuzz
fi

printf '\n'
printf '%s\n' "${times[@]}"
printf '%d passed, %d failed\n' "$passed" "$failed"
((failed == 0))
