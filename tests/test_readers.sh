#!/usr/bin/env bash
# Other people's programs read a result file: h5dump, ncdump, h5py, xarray with both engines. What is not installed is
# skipped, and said so; h5dump comes with the build's own packages.
set -euo pipefail

dcs=${1:-$DCS}
cat > readers.yaml << 'EOF'
study: readers
seed: 1
targets:
  normal: {law: gaussian, d: 3, variance: 0.25}
  two: {law: mixture, d: 2, means: [[-1, 0], [1, 0]], stddev: 0.3}
schedule: {levels: geometric, sigma_max: 20}
delta: 1.0e-2
grid: {target: [normal, two], sampler: [ddim, ddpm-posterior], steps: [32, 64]}
metrics: [kl, w2, mmse]
stop: {rel_error: 0.2, max_paths: 1.0e5}
EOF
rm -rf readers.h5 readers.h5.journal readers.csv levels.csv
status=0
"$dcs" run readers.yaml -o readers.h5 -q 2> readers.log || status=$?
[[ $status == 4 ]] || { echo "dcs run: exit $status, expected 4 (w2 is refused on a mixture in two dimensions)"; exit 1; }
"$dcs" export readers.h5 --csv -o readers.csv
"$dcs" export readers.h5 --levels -o levels.csv

h5dump -d /sampler readers.h5 > readers.txt
grep -q '"ddpm-posterior"' readers.txt
h5dump -A -d /levels/mmse_se readers.h5 > readers.txt
grep -q '"data units squared"' readers.txt
echo "h5dump: ok"
if command -v ncdump > /dev/null; then
  ncdump -v sampler,kl_method readers.h5 > readers.txt
  grep -q '"ddpm-posterior"' readers.txt
  ncdump -v /config/text readers.h5 > readers.txt
  grep -q 'study: readers' readers.txt
  ncdump -h readers.h5 > readers.txt
  grep -q 'double mmse(level) ;' readers.txt
  echo "ncdump: ok"
else
  echo "ncdump: skipped, not installed"
fi

# One process for each reader: their HDF5 libraries do not always tolerate each other.
compare='
import csv, math, sys
def check(column, level_column):
    table("readers.csv", ("kl", "kl_se", "w2", "steps", "sampler", "target", "kl_method", "reason"), column)
    table("levels.csv", ("mmse", "mmse_se", "mmse_bias", "mmse_n"), level_column)
def table(path, names, column):
    rows = list(csv.DictReader(open(path)))
    for name in names:
        assert len(column(name)) == len(rows) > 0, (name, len(rows))
        for row, value in zip(rows, column(name)):
            value = value.decode() if isinstance(value, bytes) else value
            if isinstance(value, str):
                assert value == row[name], (name, value, row[name])
            else:
                want = float(row[name])
                assert float(value) == want or (math.isnan(want) and math.isnan(value)), (name, value, want)
'
reader() { # NAME MODULES EXPRESSION
  local python
  for python in /usr/bin/python3 python3; do
    if "$python" -c "import $2" 2> /dev/null; then
      "$python" -c "$compare
import $2
check($3)"
      echo "$1: ok"
      return
    fi
  done
  echo "$1: skipped, python modules $2 not installed"
}
reader h5py h5py 'lambda name, f=h5py.File("readers.h5"): f[name][:], lambda name, f=h5py.File("readers.h5"): f["levels"][name][:]'
reader "xarray, netcdf4" "xarray, netCDF4" 'lambda name, d=xarray.open_dataset("readers.h5", engine="netcdf4"): d[name].values, lambda name, d=xarray.open_dataset("readers.h5", engine="netcdf4", group="levels"): d[name].values'
reader "xarray, h5netcdf" "xarray, h5netcdf" 'lambda name, d=xarray.open_dataset("readers.h5", engine="h5netcdf"): d[name].values, lambda name, d=xarray.open_dataset("readers.h5", engine="h5netcdf", group="levels"): d[name].values'
