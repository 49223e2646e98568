#!/bin/bash
# One self-contained page about a result file: claims, verdicts, figures, provenance, how to reproduce it.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: bash analysis/report.sh R.h5 [-o DIR]

Writes DIR/report.html (default DIR: report) with all figures inside, and beside it what analysis/figures.sh draws
and DIR/points.csv, every number of the result.

environment: DCS     the dcs program (default: dcs from PATH, else the one in build*/)
             PYTHON  a Python 3 with h5py, numpy and matplotlib (default: /usr/bin/python3)
exit status: 0 written, whatever the verdicts (ask `dcs check` for them); 1 error; 2 usage
TEXT
}

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=analysis/arguments.sh
source "$here/arguments.sh"
options=(-o report)
read_arguments '-o' '' "$@"

"$dcs" show "$result" >/dev/null || exit 1 # a damaged file is named once, before anything is drawn
code=0
DCS=$dcs bash "$here/figures.sh" "$result" "${options[@]}" || code=$?
[ "$code" -eq 0 ] || [ "$code" -eq 4 ] || exit 1 # 4: drawn without points that are missing; the page names them
"${PYTHON:-/usr/bin/python3}" -B "$here/report.py" "$result" --dcs "$dcs" "${options[@]}"
