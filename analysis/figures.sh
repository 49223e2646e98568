#!/bin/bash
# Pictures of a result file: PNG, PDF and a CSV of what is plotted.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: bash analysis/figures.sh R.h5 [-o DIR] [-m METRIC]

Draws METRIC (default kl) against the number of steps, with local slopes below, and writes
DIR/METRIC-rates[-N].png, .pdf and DIR/METRIC-rates.csv (default DIR: figures).

environment: DCS     the dcs program (default: dcs from PATH, else the one in build*/)
             PYTHON  a Python 3 with h5py, numpy and matplotlib (default: /usr/bin/python3)
exit status: 0 drawn, 1 error, 2 usage, 4 drawn without points that are missing
TEXT
}

here=$(cd "$(dirname "$0")" && pwd)
result='' out=figures metric=kl
while [ $# -gt 0 ]; do
  case $1 in
    -o | -m)
      [ $# -ge 2 ] || { usage >&2; exit 2; }
      if [ "$1" = -o ]; then out=$2; else metric=$2; fi
      shift
      ;;
    -h | --help) usage; exit 0 ;;
    -*) usage >&2; exit 2 ;;
    *)
      [ -z "$result" ] || { usage >&2; exit 2; }
      result=$1
      ;;
  esac
  shift
done
[ -n "$result" ] || { usage >&2; exit 2; }

dcs=${DCS:-$(command -v dcs || find "$here"/../build* -maxdepth 3 -type f -name dcs -perm -u+x 2>/dev/null | head -n 1)}
[ -n "$dcs" ] || { echo "figures.sh: no dcs program: build it, or set DCS" >&2; exit 1; }

fits=$(mktemp)
trap 'rm -f "$fits"' EXIT
code=0
"$dcs" fit "$result" --metric "$metric" --versus steps --local --json >"$fits" || code=$?
[ "$code" -eq 0 ] || [ "$code" -eq 4 ] || exit "$code"
mkdir -p "$out"
"${PYTHON:-/usr/bin/python3}" "$here/plot_rates.py" "$result" "$fits" -o "$out"
exit "$code"
