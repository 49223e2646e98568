# shellcheck shell=bash
# Functions for tests that compare result files; sourced.

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

digest() { h5dump -a /data_digest "$1" | grep '(0)'; }

# same A.h5 B.h5: everything but /provenance. The list of references that HDF5 keeps for a dimension scale is no data: it
# is written with uninitialised padding.
same() {
  [[ $(digest "$1") == "$(digest "$2")" ]] || fail "$1 and $2: other data_digest"
  h5diff --exclude-path /provenance "$1" "$2" > diff || true
  sed '/<REFERENCE_LIST of/,+1d' diff | grep . && fail "$1 and $2 differ"
  return 0
}
