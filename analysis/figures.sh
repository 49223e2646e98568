#!/bin/bash
# Pictures of a result file: PNG, PDF, and a CSV of what is plotted.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: bash analysis/figures.sh R.h5 [-o DIR] [-m METRIC] [--all]

Draws every figure for which R.h5 holds the data (README.md in this folder lists them) into DIR (default: figures): pages as
PNG and PDF, one CSV for each kind with every plotted number, and figures.json, which names them. The names of the files are
printed.

  -m METRIC  only METRIC against the number of steps: DIR/METRIC-rates[-N].png, .pdf and DIR/METRIC-rates.csv
  --all      more than 8 pages of a kind

environment: DCS     the dcs program (default: dcs from PATH, else the one in build*/)
             PYTHON  a Python 3 with h5py, numpy and matplotlib (default: /usr/bin/python3)
exit status: 0 drawn, 1 error, 2 usage, 4 drawn without points that are missing
TEXT
}

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=analysis/arguments.sh
source "$here/arguments.sh"
options=(-o figures)
read_arguments '-o -m' '--all' "$@"

"$dcs" show "$result" > /dev/null || exit 1 # what no HDF5 survives is named, and not given to Python's
PYTHONPATH=$here${PYTHONPATH:+:$PYTHONPATH} exec "${PYTHON:-/usr/bin/python3}" -B -m plot "$result" --dcs "$dcs" "${options[@]}"
