#!/usr/bin/env bash
# Submits a study to Slurm: shows what it will cost and the exact commands, then runs them.
#
#   bash slurm/submit.sh STUDY.yaml [OPTIONS] [-- OPTIONS OF SBATCH]
#
#   -o, --output R.h5      result (default: results/STUDY-NAME.h5 in this directory)
#   --nodes N              default 1
#   --ntasks-per-node P    ranks on each node, one core each (default 4)
#   --time T               of one time slot, as sbatch has it (default 01:00:00); a longer study is requeued
#   --mem-per-cpu SIZE     memory of a rank, like 900M or 2G (default: what `dcs plan` says, and room for MPI)
#   --shards N             N tasks of job arrays, each with these resources, and a job that merges their results
#   --set KEY=VALUE        override a key of the study file; may be repeated
#   --launcher srun|mpirun default: srun where it speaks pmix, else mpirun
#   --sbatch-arg OPTION    passed on to every sbatch, like what follows -- (--partition=P --account=A --qos=Q)
#   --dry-run              show all, submit nothing
#
# The study is told on stderr, the jobs on stdout, one in a line: "run 123", "merge 124". DCS is the executable (default:
# build/release/src/dcs here, then dcs on the path). Exit code 0 when all was submitted; 1 error; 2 usage or study file.
set -euo pipefail

scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mpi_memory=128    # MiB of a rank for MPI; Open MPI 4.1 within a node took 12, the drivers of fast networks take more
least_memory=256  # MiB; nobody's queue gets shorter below
longest_lead=120  # s between USR1 and the end of a time slot; Slurm may send it 60 s earlier

study='' result='' nodes=1 ranks=4 time=01:00:00 memory='' shards=0 launcher='' dry_run=0
settings=() passed=()

say() { echo "submit: $*" >&2; }

die() {
  echo "submit: error: $1" >&2
  exit "${2:-1}"
}

# --- the command line ---

# count OPTION VALUE: dies unless VALUE is an integer from 1 to a million
count() { [[ $2 =~ ^[1-9][0-9]{0,5}$ ]] || die "$1 $2: not a number from 1 to 999999" 2; }

# mebibytes SIZE: as Slurm reads it
mebibytes() {
  [[ ${1^^} =~ ^([0-9]{1,9})([KMGT]?)B?$ ]] || return 1
  case ${BASH_REMATCH[2]} in
    K) echo $((BASH_REMATCH[1] / 1024)) ;;
    G) echo $((BASH_REMATCH[1] * 1024)) ;;
    T) echo $((BASH_REMATCH[1] * 1024 * 1024)) ;;
    *) echo "${BASH_REMATCH[1]}" ;;
  esac
}

# seconds TIME: M, M:S, H:M:S, D-H, D-H:M or D-H:M:S
seconds() {
  local day=0 a b c
  [[ $1 =~ ^([0-9]+-)?[0-9]+(:[0-9]+){0,2}$ ]] || return 1
  IFS=: read -r a b c <<< "${1#*-}"
  if [[ $1 == *-* ]]; then
    day=${1%%-*}
  elif [[ -z $c ]]; then # minutes come first
    c=${b:-0} b=$a a=0
  fi
  echo $((((10#$day * 24 + 10#$a) * 60 + 10#${b:-0}) * 60 + 10#${c:-0}))
}

while (($# > 0)); do
  option=$1
  case $option in
    --*=*)
      option=${1%%=*}
      set -- "$option" "${1#*=}" "${@:2}"
      ;;
  esac
  case $option in
    -o | --output | --nodes | --ntasks-per-node | --time | --mem-per-cpu | --shards | --set | --launcher | --sbatch-arg)
      if (($# < 2)); then die "$option wants a value" 2; fi
      ;;
  esac
  case $option in
    -o | --output) result=$2 && shift ;;
    --nodes) nodes=$2 && shift ;;
    --ntasks-per-node) ranks=$2 && shift ;;
    --time) time=$2 && shift ;;
    --mem-per-cpu) memory=$2 && shift ;;
    --shards) shards=$2 && shift ;;
    --set) settings+=(--set "$2") && shift ;;
    --launcher) launcher=$2 && shift ;;
    --sbatch-arg) passed+=("$2") && shift ;;
    --dry-run) dry_run=1 ;;
    -h | --help)
      sed -n '2,/^set -/{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"
      exit 0
      ;;
    --)
      passed+=("${@:2}")
      break
      ;;
    -*) die "unknown option $option (--help; options of sbatch come after --)" 2 ;;
    *)
      if [[ -n $study ]]; then die "one study file at a time, not also '$1'" 2; fi
      study=$1
      ;;
  esac
  shift
done

if [[ -z $study ]]; then die "no study file given (--help)" 2; fi
for option in "${passed[@]}"; do
  if [[ $option == --mem* ]]; then die "$option: give --mem-per-cpu before --, so that it can be compared with the plan" 2; fi
done
count --nodes "$nodes"
count --ntasks-per-node "$ranks"
if [[ $shards != 0 ]]; then count --shards "$shards"; fi
slot=$(seconds "$time") || die "--time $time: write minutes, HH:MM:SS or D-HH:MM:SS" 2
if ((slot < 60)); then die "--time $time: less than a minute" 2; fi
case $launcher in
  '') if srun --mpi=list 2>&1 | grep -q '\bpmix'; then launcher=srun; else launcher=mpirun; fi ;;
  srun | mpirun) ;;
  *) die "--launcher $launcher: srun or mpirun" 2 ;;
esac
if ((!dry_run)) && ! command -v sbatch > /dev/null; then
  die "no sbatch here: submit on a login node of a Slurm cluster (--dry-run shows the commands anyway)"
fi

# --- what it costs ---

dcs=${DCS:-$scripts/../build/release/src/dcs}
if [[ -z ${DCS:-} && ! -x $dcs ]]; then dcs=$(command -v dcs) || die "no dcs: build it, or set DCS to the executable"; fi
dcs=$(realpath "$dcs")
code=0
plan=$("$dcs" plan "$study" "${settings[@]}") || code=$?
if ((code != 0)); then exit "$code"; fi # it has said why

# planned PATTERN: the number in it
planned() { sed -nE "s/^$1.*/\1/p" <<< "$plan" | head -n 1; }

name=$(planned 'study ([^:]*):')
points=$(planned 'study [^:]*: ([0-9]+) points')
needed=$(planned 'memory +about ([0-9]+) MiB')
records=$(planned 'memory .*rank 0: ([0-9]+)') # of all blocks, on rank 0
if [[ -z $points || -z $needed ]]; then die "cannot read what '$dcs plan' says: is it of the same version?"; fi
grep -E '^(study|core-hours|result file|memory|refused|costliest|estimators|filters|    ) ?' <<< "$plan" | sed 's/^/submit:   /' >&2

needed=$((needed + mpi_memory + (${records:-0} + ranks - 1) / ranks)) # Slurm counts the ranks of a node together
if [[ -z $memory ]]; then
  megabytes=$((needed > least_memory ? needed : least_memory))
else
  megabytes=$(mebibytes "$memory") || die "--mem-per-cpu $memory: write 900M or 2G" 2
fi
if ((megabytes < needed)); then
  die "--mem-per-cpu $memory: a rank needs $needed MiB, $((needed - mpi_memory)) and $mpi_memory for MPI"
fi
if ((shards > points)); then die "--shards $shards: the study has $points points, so at most that many" 2; fi

# --- the jobs ---

study=$(realpath "$study")
result=$(realpath -m "${result:-results/$name.h5}")
lead=$((slot / 4 < longest_lead ? slot / 4 : longest_lead))
resources=(--nodes="$nodes" --ntasks-per-node="$ranks" --mem-per-cpu="${megabytes}M" --time="$time" --signal="B:USR1@$lead")
jobs=()
say "  $nodes x $ranks ranks$( ((shards > 0)) && echo ", $shards times"), $megabytes MiB each; slots of $slot s, of which $lead are kept for a checkpoint"

# submit WHAT VARIABLE=VALUE.. sbatch ARGUMENTS..: show it, do it, print the job's number
submit() {
  local what=$1 answer code=0
  shift
  say "env $(printf '%q ' "$@")"
  if ((dry_run)); then
    jobs+=("ID-OF-${what^^}-$((${#jobs[@]} + 1))")
    return
  fi
  answer=$(env "$@") || code=$?
  answer=${answer%%;*} # the number, and on some machines the name of the cluster
  if ((code != 0)) || [[ ! $answer =~ ^[0-9]+$ ]]; then
    say "sbatch failed (exit code $code)${answer:+: $answer}"
    if ((${#jobs[@]} > 0)); then say "already submitted: ${jobs[*]}; to take it back: scancel ${jobs[*]}"; fi
    exit 1
  fi
  jobs+=("$answer")
  echo "$what $answer"
}

if ((!dry_run)); then mkdir -p "$(dirname "$result")"; fi
environment=(DCS="$dcs" DCS_LAUNCHER="$launcher")
sbatch=(sbatch --parsable --export=ALL)
if ((shards == 0)); then
  submit run "${environment[@]}" "${sbatch[@]}" "${resources[@]}" --output="${result%.h5}-%j.log" "${passed[@]}" \
    "$scripts/dcs.sbatch" "$study" "$result" "${settings[@]}"
  exit
fi

largest=$(scontrol show config 2> /dev/null | sed -n 's/^MaxArraySize *= *//p')
if [[ -z $largest ]] && ((dry_run)); then
  say "no Slurm here: MaxArraySize taken to be 1001"
  largest=1001
fi
if [[ ! $largest =~ ^[0-9]+$ ]] || ((largest < 2)); then die "no job arrays on this machine (MaxArraySize ${largest:-unknown})"; fi

directory=$result.shards-$shards
if ((!dry_run)); then mkdir -p "$directory"; fi # Slurm opens the log before the script runs
for ((offset = 0; offset < shards; offset += largest - 1)); do
  size=$((shards - offset < largest - 1 ? shards - offset : largest - 1))
  submit run "${environment[@]}" DCS_SLURM="$scripts" DCS_SHARD_OFFSET="$offset" "${sbatch[@]}" --array="1-$size" \
    "${resources[@]}" --output="$directory/%A_%a.log" "${passed[@]}" \
    "$scripts/array.sbatch" "$study" "$result" "$shards" "${settings[@]}"
done
# --kill-on-invalid-dep: when a shard has failed for good, the merge ends instead of waiting for ever.
submit merge DCS="$dcs" "${sbatch[@]}" --dependency="afterok$(printf ':%s' "${jobs[@]}")" --kill-on-invalid-dep=yes \
  --output="${result%.h5}-merge-%j.log" "${passed[@]}" \
  "$scripts/merge.sbatch" "$study" "$result" "$shards" "${settings[@]}"
