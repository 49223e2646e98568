#!/usr/bin/env bash
# The scripts in slurm/ on a real Slurm of two nodes (cluster.sh): whatever ends a job, the study ends with the bytes of an
# undisturbed run, and nothing of a job is left behind. Skipped (exit code 77) where Slurm is not installed.
#
#   test_slurm.sh [DCS [DIRECTORY]]     default: $DCS and the working directory; MPIRUN names the launcher
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/compare.sh
source "$here/../compare.sh"
DCS=$(realpath "${1:-$DCS}")
export DCS
cd "${2:-.}"
mpirun=${MPIRUN:-mpirun}
slurm=$here/../../slurm
cluster() { bash "$here/cluster.sh" "$@" 9>&-; }
patience=300 # seconds that any one job may take; a loaded machine is slow, a hanging job is for ever

# One cluster at a time on this host, whoever tests: ports, names and the directory are the same. The lock ends with us.
exec 9> "/tmp/dcs-slurm-$UID.lock"
flock -w 600 9 || fail "another test holds /tmp/dcs-slurm-$UID.lock"

trap 'cluster down' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
code=0
cluster up || code=$?
if ((code == 77)); then
  trap - EXIT
  echo "SKIPPED: Slurm is not installed"
  exit 77
fi
((code == 0)) || fail "the cluster does not start"
eval "$(cluster env)"
rm -rf ./*.h5* ./*.log

cat > study.yaml << 'YAML'
study: slurm
source: test
seed: 7
target: {law: mixture, d: 8, components: 8, separation: 1.0, means_seed: 1, stddev: 0.3}
schedule: {levels: geometric, sigma_max: 10}
delta: 1.0e-2
grid:
  sampler: [ddpm-posterior, ddim]
  steps: [32, 48, 64]
metrics: [kl]
stop: {rel_error: 0.025, max_paths: 1.0e6}
YAML

# takes hours on any machine: for what is not to end by itself
endless=(--set stop.rel_error=0.0001 --set stop.max_paths=1.0e12)

# --- jobs ---

# submit ARGUMENTS of submit.sh..: its stdout in `job.list`, its stderr in `submit.log`; the first job's number in $job
submit() {
  bash "$slurm/submit.sh" "$@" > job.list 2> submit.log || fail "submit.sh $*: $(cat submit.log)"
  job=$(sed -n '1s/^run \([0-9]*\)$/\1/p' job.list)
  [[ -n $job ]] || fail "submit.sh printed no job: $(cat job.list)"
}

state() { squeue -h -t all -j "$1" -o %T; }

# wait_for WHAT COMMAND..: until it is true
wait_for() {
  local end=$((SECONDS + patience))
  until "${@:2}"; do
    ((SECONDS < end)) || fail "no $1 after $patience s: $(squeue -t all) $(tail -n 20 ./*.log)"
    sleep 0.3
  done
}

ended() { [[ $(state "$1") =~ ^(COMPLETED|FAILED|CANCELLED|TIMEOUT|NODE_FAIL|OUT_OF_MEMORY)$ ]]; }

# expect_state STATE JOB LOG
expect_state() {
  wait_for "end of job $2" ended "$2"
  [[ $(state "$2") == "$1" ]] || fail "job $2 is $(state "$2") instead of $1: $(cat "$3" 2>&1)"
}

computes() { [[ -n $(find "$1.journal" -name 'r*.log' -size +2k 2> /dev/null) ]]; }

says() { grep -Eq "$2" "$1" 2> /dev/null; }

# log_says LOG PATTERN
log_says() { says "$@" || fail "$1 has no '$2': $(cat "$1")"; }

no_processes() { [[ -z $(cluster processes "$1") ]]; }

down() { [[ $(sinfo -h -n "$1" -o %T) == down* ]]; }

# --- cases ---

# Runs over both nodes; USR1 to the batch script, as Slurm sends it: checkpoint, requeue, the same bytes at the end.
usr1() {
  local launcher
  local -A id
  for launcher in srun mpirun; do
    submit study.yaml -o "$launcher.h5" --nodes 2 --ntasks-per-node 2 --launcher "$launcher"
    id[$launcher]=$job
  done
  for launcher in srun mpirun; do
    wait_for "blocks of $launcher" computes "$launcher.h5"
    scancel --batch --signal=USR1 "${id[$launcher]}"
  done
  for launcher in srun mpirun; do
    job=${id[$launcher]}
    expect_state COMPLETED "$job" "$launcher-$job.log"
    log_says "$launcher-$job.log" "start 1: $launcher, 4 ranks on n\[1-2\]$"
    log_says "$launcher-$job.log" 'stopped at a checkpoint after [0-9]+ s: requeue 1 of at most 50$'
    log_says "$launcher-$job.log" ', [1-9][0-9]* blocks from an earlier run, 4 ranks$'
    log_says "$launcher-$job.log" 'start 2: .*'
    log_says "$launcher-$job.log" 'ends with exit code 0'
    same straight.h5 "$launcher.h5"
  done
}

# The USR1 that Slurm sends by itself, up to 60 s before its time: here within the first 30 s of each slot of a minute. The
# study is endless, so it is in the midst of it. It runs beside the other cases, on the node that does not fail, and is
# cancelled once it has gone on from its checkpoint.
time_limit_start() {
  submit study.yaml -o limit.h5 --nodes 1 --ntasks-per-node 1 --time 1 "${endless[@]}" -- --signal=B:USR1@30 --nodelist=n1
  limited=$job
}

time_limit() {
  wait_for "second start of job $limited" says "limit-$limited.log" 'start 2: '
  log_says "limit-$limited.log" 'stopped at a checkpoint after [0-9]+ s: requeue 1 of at most 50$'
  wait_for "its blocks" says "limit-$limited.log" ', [1-9][0-9]* blocks from an earlier run, 1 rank$'
  scancel "$limited"
  expect_state CANCELLED "$limited" "limit-$limited.log"
}

# A rank is killed, as when memory runs out: the job has failed, with the code of the rank, and is not started again.
killed() {
  submit study.yaml -o killed.h5 --nodes 1 --ntasks-per-node 2 --launcher srun "${endless[@]}"
  wait_for "blocks" computes killed.h5
  for process in $(cluster processes "$job"); do
    if [[ $(< "/proc/$process/comm") == dcs ]]; then break; fi
  done
  kill -KILL "$process"
  expect_state FAILED "$job" "killed-$job.log"
  log_says "killed-$job.log" 'ends with exit code 137 '
  [[ $(grep -c 'start [0-9]' "killed-$job.log") == 1 ]] || fail "started again after a rank was killed"
}

# scancel ends every process of the job, soon, and for good.
cancel() {
  local launcher
  for launcher in srun mpirun; do
    submit study.yaml -o "cancel-$launcher.h5" --nodes 2 --ntasks-per-node 2 --launcher "$launcher" "${endless[@]}"
    wait_for "blocks of $launcher" computes "cancel-$launcher.h5"
    [[ $(cluster processes "$job" | wc -l) -ge 5 ]] || fail "the processes of a job that runs are not seen"
    scancel "$job"
    expect_state CANCELLED "$job" "cancel-$launcher-$job.log"
    wait_for "end of the processes of $launcher" no_processes "$job"
    [[ $(grep -c 'start [0-9]' "cancel-$launcher-$job.log") == 1 ]] || fail "$launcher: started again after scancel"
    says "cancel-$launcher-$job.log" 'requeue [0-9]' && fail "$launcher: requeued after scancel"
    computes "cancel-$launcher.h5" || fail "$launcher: the checkpoint is gone"
  done
}

# A node loses its power. srun waits for it as long as Slurm does here; mpirun gives up at once, and the script keeps the job
# alive until Slurm has noticed. Then the job starts again and goes on from the journal.
node_failure() {
  local launcher
  local -A id
  for launcher in srun mpirun; do
    submit study.yaml -o "node-$launcher.h5" --nodes 2 --ntasks-per-node 2 --launcher "$launcher"
    id[$launcher]=$job
  done
  for launcher in srun mpirun; do wait_for "blocks of $launcher" computes "node-$launcher.h5"; done
  cluster kill n2
  wait_for "end of the launcher" says "node-mpirun-${id[mpirun]}.log" 'exit code [1-9]'
  log_says "node-mpirun-${id[mpirun]}.log" 'a node does not answer: waiting for Slurm'
  wait_for "notice of the failure" down n2
  cluster boot n2
  for launcher in srun mpirun; do
    job=${id[$launcher]}
    expect_state COMPLETED "$job" "node-$launcher-$job.log"
    log_says "node-$launcher-$job.log" 'start 2: .*'
    log_says "node-$launcher-$job.log" ', [1-9][0-9]* blocks from an earlier run, 4 ranks$'
    same straight.h5 "node-$launcher.h5"
  done
}

# Shards in two arrays, as an index of 5 is too large here, with points that are refused; the merge is the single run.
array() {
  local settings=(--set 'metrics=[kl, kl_path]' --set stop.rel_error=0.1) code=0
  "$mpirun" -n 2 "$DCS" run -q study.yaml -o single.h5 "${settings[@]}" 2> single.log || code=$?
  ((code == 4)) || fail "the single run: exit code $code: $(cat single.log)"
  submit study.yaml -o array.h5 --shards 6 --ntasks-per-node 1 "${settings[@]}"
  [[ $(sed 's/[0-9]*$//' job.list | xargs) == "run run merge" ]] || fail "jobs: $(cat job.list)"
  merge=$(sed -n 's/^merge //p' job.list)
  expect_state FAILED "$merge" "array-merge-$merge.log" # its exit code is 4: refused points
  log_says "array-merge-$merge.log" 'exit code 4: points .* were refused'
  cat array.h5.shards-6/*.log > shards.log
  log_says shards.log 'exit code 4 after .*: some points were refused'
  same single.h5 array.h5
}

# --- all of them ---

# timed NAME
timed() {
  local start=$SECONDS
  "$1"
  printf '%-14s %4d s\n' "$1" $((SECONDS - start))
}

# No process of a job is left, and the daemons end when they are told.
clean() {
  wait_for "end of all processes of jobs" no_processes jobs
  cluster down || fail "the cluster does not end"
  [[ ! -e ${DCS_CLUSTER:-/tmp/dcs-slurm-$UID} ]] || fail "the directory of the cluster is left"
}

straight() { "$mpirun" -n 2 "$DCS" run -q study.yaml -o straight.h5; }

time_limit_start
timed straight
timed usr1
timed cancel
timed killed
timed array
timed node_failure
timed time_limit
timed clean
