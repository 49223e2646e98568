#!/usr/bin/env bash
# The scripts in slurm/ without Slurm: srun, sbatch, squeue and scontrol are played by small scripts, so that every answer of
# theirs can be had at once.
#
#   test_submit.sh [DCS [DIRECTORY]]     default: $DCS and the working directory
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/compare.sh
source "$here/../compare.sh"
dcs=$(realpath "${1:-$DCS}")
export DCS=$dcs
cd "${2:-.}"
slurm=$(realpath "$here/../../slurm")
rm -rf bin work
mkdir bin work
# nothing of a job that this test may itself be part of
while read -r name; do unset "$name"; done < <(compgen -v | grep -E '^(SLURM|SBATCH|PMIX)_|^DCS_')

# --- the players. Each call is a line in the file `calls`; what they answer is in files, too. ---

cat > bin/srun << 'SH'
#!/usr/bin/env bash
echo "srun $*" >> calls
case $* in
  --mpi=list) echo "pmix" ;;
  *--overlap*) exit "$(cat probe)" ;;
  *)
    code=$(head -n 1 codes)
    sed -i 1d codes
    if [[ $code == touch* ]]; then # some work is done before the end
      mkdir -p R.h5.journal
      echo block >> R.h5.journal/r00000.log
      code=${code#touch}
    fi
    if [[ $code == usr1 ]]; then # Slurm says that the time is up, before the ranks can hear it
      kill -USR1 $PPID
      for ((i = 0; i < 100; i++)); do sleep 0.1; done
      exit 0
    fi
    if [[ $code == late ]]; then # it hears it, and is done before it has to stop
      trap 'echo "USR1 to srun" >> calls' USR1
      kill -USR1 $PPID
      for ((i = 0; i < 10; i++)); do sleep 0.1; done
      exit 0
    fi
    exit "$code"
    ;;
esac
SH
cat > bin/mpirun << 'SH'
#!/usr/bin/env bash
echo "mpirun $*" >> calls
exit "$(cat codes)"
SH
cat > bin/squeue << 'SH'
#!/usr/bin/env bash
cat state
SH
cat > bin/scontrol << 'SH'
#!/usr/bin/env bash
echo "scontrol $*" >> calls
if [[ $1 == show ]]; then cat config; else exit "$(cat scontrol.code)"; fi
SH
cat > bin/sbatch << 'SH'
#!/usr/bin/env bash
echo "sbatch DCS_LAUNCHER=${DCS_LAUNCHER-} DCS_SHARD_OFFSET=${DCS_SHARD_OFFSET-} $*" >> calls
answer=$(head -n 1 answers)
sed -i 1d answers
[[ -n $answer ]] || exit 1
echo "$answer"
SH
cat > bin/sleep << 'SH'
#!/usr/bin/env bash
echo "sleep $*" >> calls
exec /bin/sleep 0.1
SH
chmod +x bin/*
PATH=$PWD/bin:$PATH
cd work

# scene CODES: the exit codes of the launches to come; a job of one node that runs
scene() {
  rm -rf ./*
  printf '%s\n' "$@" > codes
  : > calls
  echo RUNNING > state
  echo 0 > probe
  echo 0 > scontrol.code
  printf '%s\n' 'MaxArraySize            = 5' 'SlurmdTimeout           = 30 sec' > config
}

# expect CODE COMMAND..: stdout in `out`, stderr in `err`
expect() {
  local code=$1 status=0
  "${@:2}" > out 2> err || status=$?
  [[ $status == "$code" ]] || fail "exit code $status instead of $code: ${*:2}: $(cat err calls)"
}

# has FILE PATTERN..
has() {
  local pattern
  for pattern in "${@:2}"; do grep -Eq -- "$pattern" "$1" || fail "no '$pattern' in $1: $(cat "$1")"; done
}

# hasnt FILE PATTERN
hasnt() { ! grep -Eq -- "$2" "$1" || fail "'$2' in $1: $(cat "$1")"; }

# calls PATTERN N: so many calls
calls() { [[ $(grep -Ec -- "$1" calls) == "$2" ]] || fail "not $2 calls of '$1': $(cat calls)"; }

# batch CODE [VARIABLE=VALUE..]: dcs.sbatch as Slurm calls it
batch() {
  expect "$1" env SLURM_JOB_ID=77 SLURM_NTASKS=4 SLURM_JOB_NUM_NODES=1 SLURM_JOB_NODELIST=n1 "${@:2}" \
    bash "$slurm/dcs.sbatch" study.yaml R.h5 --set seed=2
}
array=(SLURM_ARRAY_JOB_ID=77 SLURM_ARRAY_TASK_ID=3)

# --- dcs.sbatch ---

scene
expect 2 bash "$slurm/dcs.sbatch" study.yaml R.h5
has err 'submit.sh STUDY.yaml' 'mpirun -n 4 dcs run'
expect 2 env SLURM_JOB_ID=77 bash "$slurm/dcs.sbatch" study.yaml
batch 2 DCS_LAUNCHER=rsh
calls . 0

for code in 0 1 2 4 137; do
  scene "$code"
  batch "$code"
  calls 'scontrol requeue' 0
done
calls "^srun --mpi=pmix .*--wait=30 $dcs run study.yaml -o R.h5 --set seed=2$" 1
scene 0
batch 0 DCS_LAUNCHER=mpirun
calls "^mpirun $dcs run study.yaml -o R.h5 --set seed=2$" 1
scene 0
batch 0 SLURM_MPI_TYPE=pmi2
calls '^srun --mpi=pmi2 ' 1
scene 4
batch 0 "${array[@]}" # a shard that is done
has err 'some points were refused'

scene 85
batch 85
calls '^scontrol requeue 77$' 1
has err 'requeue 1 of at most 50'
scene 85
batch 85 "${array[@]}" SLURM_RESTART_COUNT=4
calls '^scontrol requeue 77_3$' 1
has err 'start 5' 'requeue 5 of at most 50'
scene 85
batch 85 SLURM_RESTART_COUNT=2 DCS_RESTARTS_MAX=2
calls 'scontrol requeue' 0
has err 'restart 2 of at most 2'
scene 85
echo COMPLETING > state
batch 85
calls 'scontrol requeue' 0
scene 85
echo 1 > scontrol.code
batch 85
has err 'scontrol requeue failed: submit the same again'
scene usr1
batch 85
calls '^scontrol requeue 77$' 1
scene late
batch 0
calls '^USR1 to srun$' 1
calls 'scontrol requeue' 0

scene 139 0
batch 0
calls '^srun --mpi' 2
has err 'crashed .* once more'
scene 139 139
batch 139
calls '^srun --mpi' 2
scene touch139 0
batch 139 # not at the launch
calls '^srun --mpi' 1

# A launcher that ends because a node has died: Slurm starts the job again, or we do. Else the code is passed on.
scene 205
echo 1 > probe
batch 205 SLURM_JOB_NUM_NODES=2
calls '^sleep 90$' 1
calls '^scontrol requeue 77$' 1
scene 205
batch 205 SLURM_JOB_NUM_NODES=2
calls 'scontrol requeue' 0
scene 205
echo 1 > probe
echo COMPLETING > state
batch 205 SLURM_JOB_NUM_NODES=2 # cancelled
calls '^srun .*--overlap' 0

# --- array.sbatch, merge.sbatch ---

cat > ../study.yaml << 'YAML'
study: submit
source: test
target: {law: gaussian, d: 3, variance: 0.5}
schedule: {levels: geometric, sigma_max: 10}
sampler: ddim
delta: 1.0e-2
grid: {steps: [16, 32, 64, 128, 256, 512]}
YAML

scene 0
expect 0 env SLURM_JOB_ID=78 SLURM_NTASKS=4 SLURM_JOB_NUM_NODES=1 "${array[@]}" DCS_SHARD_OFFSET=4 DCS_SLURM="$slurm" \
  bash "$slurm/array.sbatch" study.yaml R.h5 9 --set seed=2
calls "$dcs run study.yaml -o R.h5.shards-9/7.h5 --shard 7/9 --set seed=2$" 1
expect 2 env DCS_SLURM="$slurm" bash "$slurm/array.sbatch" study.yaml R.h5 9

scene
cp ../study.yaml .
mkdir R.h5.shards-3
for i in 1 3; do "$dcs" run -q study.yaml -o "R.h5.shards-3/$i.h5" --shard "$i/3"; done
expect 4 bash "$slurm/merge.sbatch" study.yaml R.h5 3
has err '1 of 3 shards are missing, so nothing is merged: 2$'
[[ ! -e R.h5 ]] || fail "merged without a shard"
"$dcs" run -q study.yaml -o R.h5.shards-3/2.h5 --shard 2/3
expect 0 bash "$slurm/merge.sbatch" study.yaml R.h5 3
"$dcs" run -q study.yaml -o whole.h5
same whole.h5 R.h5
expect 2 bash "$slurm/merge.sbatch" study.yaml R.h5

# --- submit.sh ---

# submission CODE ANSWERS OF SBATCH -- ARGUMENTS..
submission() {
  local code=$1
  scene
  cp ../study.yaml .
  shift
  : > answers
  for (( ; ; )); do
    [[ $1 != -- ]] || break
    echo "$1" >> answers
    shift
  done
  expect "$code" bash "$slurm/submit.sh" study.yaml "${@:2}"
}

submission 0 '123;cluster' -- -o there/R.h5 --nodes 2 --ntasks-per-node=8 --time 4:00:00 --set seed=2 --sbatch-arg --qos=q -- --account=a
[[ $(< out) == "run 123" ]] || fail "stdout: $(cat out)"
calls "^sbatch DCS_LAUNCHER=srun .*--nodes=2 --ntasks-per-node=8 --mem-per-cpu=256M --time=4:00:00 --signal=B:USR1@120 --output=$PWD/there/R-%j.log --qos=q --account=a $slurm/dcs.sbatch $PWD/study.yaml $PWD/there/R.h5 --set seed=2$" 1
has err 'study submit: 6 points, seed 2' 'core-hours' 'memory +about [0-9]+ MiB per rank' "^submit: env DCS=$dcs DCS_LAUNCHER=srun sbatch "

submission 0 1 2 3 -- --shards 6 --launcher mpirun
[[ $(xargs < out) == "run 1 run 2 merge 3" ]] || fail "stdout: $(cat out)"
calls "^sbatch DCS_LAUNCHER=mpirun DCS_SHARD_OFFSET=0 .*--array=1-4 .*$slurm/array.sbatch $PWD/study.yaml $PWD/results/submit.h5 6$" 1
calls '^sbatch DCS_LAUNCHER=mpirun DCS_SHARD_OFFSET=4 .*--array=1-2 ' 1
calls '^sbatch .*--dependency=afterok:1:2 --kill-on-invalid-dep=yes .*merge.sbatch .* 6$' 1

submission 1 7 -- --shards 6
has err 'sbatch failed \(exit code 1\)' 'already submitted: 7; to take it back: scancel 7$'
submission 1 'something else' --
has err 'sbatch failed'

submission 0 -- --shards 6 --dry-run
calls sbatch 0
[[ ! -s out && ! -e results ]] || fail "--dry-run did something"
has err '--array=1-4 ' '--array=1-2 ' 'merge.sbatch'

for time in 1=15 2:00=30 0:10:00=120 1-0=120; do
  submission 0 5 -- --time "${time%=*}"
  calls "--signal=B:USR1@${time#*=} " 1
done

# refused NAME PATTERN ARGUMENTS..: exit code 2 or 1, and nothing is submitted
refused() {
  submission "$1" 5 -- "${@:3}"
  has err "$2"
  hasnt err 'submit: env'
  calls sbatch 0
}
refused 1 'error: --mem-per-cpu 100M: a rank needs 1[0-9]+ MiB, [0-9]+ and 128 for MPI' --mem-per-cpu 100M
refused 2 '--mem=3G: give --mem-per-cpu' -- --mem=3G
refused 2 '--shards 7: the study has 6 points' --shards 7
refused 2 '--time soon: write minutes' --time soon
refused 2 '--nodes 0: not a number' --nodes 0
refused 2 'unknown option --node ' --node 2
refused 2 '--set wants a value' --set
refused 2 "one study file at a time, not also 'other.yaml'" other.yaml
refused 2 '--launcher rsh: srun or mpirun' --launcher rsh
refused 2 'sede' --set sede=2
expect 2 bash "$slurm/submit.sh"
expect 0 bash "$slurm/submit.sh" --help
has out '--ntasks-per-node P'
