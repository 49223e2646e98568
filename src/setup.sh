# shellcheck shell=bash
# What a machine needs before dcs can be built and run; sourced by studies/quickstart.sh and tests/run.sh. It lives beside
# src/CMakeLists.txt because both list the same packages. Packages are installed only when one is missing; then and only
# then is the network used.

setup_die() {
  printf 'dcs: error: %s\n' "$1" >&2
  exit 1
}

# setup_packages product|tests: compiler, libraries, python; with `tests` also what the tests need.
# DCS_NO_INSTALL=1 leaves it all to the caller (environment modules, Spack): cmake still checks everything.
setup_packages() {
  local what=$1 package install query
  local -a wanted missing=() become_root=()
  if [[ ${DCS_NO_INSTALL:-0} == 1 ]]; then return; fi

  if command -v dpkg-query > /dev/null; then
    wanted=(gcc libc6-dev make cmake git openmpi-bin libopenmpi-dev libhdf5-openmpi-dev hdf5-tools libgsl-dev
      libopenblas-dev librandom123-dev libsleef-dev libyaml-dev zlib1g-dev
      python3-h5py python3-matplotlib python3-numpy)
    if [[ $what == tests ]]; then wanted+=(libcmocka-dev slurm-wlm munge valgrind clang libclang-rt-dev); fi
    query=setup_has_deb
    install='apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends'
  elif command -v dnf > /dev/null; then
    wanted=(gcc glibc-devel make cmake git openmpi-devel hdf5-openmpi-devel hdf5 gsl-devel openblas-devel
      Random123-devel sleef-devel libyaml-devel zlib-devel python3-h5py python3-matplotlib python3-numpy)
    if [[ $what == tests ]]; then wanted+=(libcmocka-devel valgrind libasan libubsan libtsan clang compiler-rt); fi
    query=setup_has_rpm
    install='dnf install -y'
  else
    return # no package manager we know: cmake names what is missing
  fi

  for package in "${wanted[@]}"; do
    "$query" "$package" || missing+=("$package")
  done
  if ((${#missing[@]} == 0)); then return; fi

  install+=" ${missing[*]}"
  if ((EUID != 0)); then
    if ! command -v sudo > /dev/null || ! sudo -n true 2> /dev/null; then
      setup_die "packages are missing. As root, run:
  $install
or set DCS_NO_INSTALL=1 if environment modules or Spack provide them."
    fi
    become_root=(sudo -n)
  fi
  printf 'installing: %s\n' "${missing[*]}" >&2
  "${become_root[@]}" bash -c "$install" >&2 || setup_die "installing packages failed; the command was: $install"
}

setup_has_deb() { [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2> /dev/null) == installed ]]; }

setup_has_rpm() { rpm -q --whatprovides "$1" > /dev/null 2>&1; }

# Environment for mpirun and for one BLAS thread per rank.
setup_mpi() {
  if [[ -x /usr/lib64/openmpi/bin/mpirun ]]; then # Fedora keeps it off the path
    export PATH="/usr/lib64/openmpi/bin:$PATH"
  fi
  command -v mpirun > /dev/null || setup_die "mpirun is not on the path (Open MPI)"
  export OPENBLAS_NUM_THREADS=1
  export OMPI_MCA_rmaps_base_oversubscribe=1 # hardware threads count as slots too
  if ((EUID == 0)); then
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
  fi
}

# PYTHON: the system's before whatever else (pyenv, conda) is first on the path, as its packages are those installed above.
setup_python() {
  local candidate
  for candidate in ${PYTHON:+"$PYTHON"} /usr/bin/python3 python3; do
    if "$candidate" -c 'import h5py, matplotlib, numpy' > /dev/null 2>&1; then
      export PYTHON=$candidate
      return
    fi
  done
  setup_die "no python3 with h5py, numpy and matplotlib (set PYTHON to one that has them)"
}
