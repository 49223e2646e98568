#!/usr/bin/env bash
# A Slurm cluster on this host for a test: munged, slurmctld and one slurmd for each virtual node, started by hand, on the
# loopback interface only. Needs no systemd, no cgroups and no root; leaves nothing behind.
#
#   cluster.sh up                start it; exit code 77 when Slurm is not installed
#   eval "$(cluster.sh env)"     what a shell needs to talk to it, and its jobs to run MPI
#   cluster.sh kill NODE         all processes of a node die at once, as at a power failure
#   cluster.sh boot NODE         start its slurmd again
#   cluster.sh processes [jobs|JOB|NODE]  what is alive of it: all, what belongs to jobs, to one job, to one node
#   cluster.sh down              cancel all jobs, stop everything, also what a killed test left; remove the directory
#
# DCS_CLUSTER: its directory (default /tmp/dcs-slurm-UID: short, as the path of a socket in it has at most 107 characters).
set -euo pipefail

directory=${DCS_CLUSTER:-/tmp/dcs-slurm-$UID}
nodes=(n1 n2)
cpus=8        # of a node: more than there are, so that jobs overlap on a small machine
memory=4000   # MiB of a node
first_port=26900
patience=30   # seconds for anything to start or to stop
PATH=$PATH:/usr/sbin:/sbin
export SLURM_CONF=$directory/slurm.conf
launcher=()

say() { echo "cluster: $*" >&2; }

# --- processes ---
# Every daemon has DCS_CLUSTER_MARK in its environment, and slurmstepd has it from its slurmd; Slurm gives every process of
# a job the name of the cluster. The mark is new at each start, so nothing of another cluster can be taken for ours.

# processes [jobs|JOB|NODE]: their ids
processes() {
  local mark job daemon
  mark=$(< "$directory/mark")
  job=$(grep -lsxzF "SLURM_CLUSTER_NAME=$mark" /proc/[0-9]*/environ || true)
  daemon=$(grep -lsxzF "DCS_CLUSTER_MARK=$mark" /proc/[0-9]*/environ || true)
  case ${1:-all} in
    all) printf '%s\n' "$job" "$daemon" ;;
    jobs) printf '%s\n' "$job" ;;
    *)
      xargs -r grep -lsxzF -e "SLURM_JOB_ID=$1" -e "SLURMD_NODENAME=$1" -e "DCS_CLUSTER_NODE=$1" <<< "$job $daemon"
      ;;
  esac | tr -dc '0-9\n' | sort -nu | grep . || true
}

# wait_until COMMAND..: true when it was in time
wait_until() {
  local end=$((SECONDS + patience))
  until "$@" > /dev/null 2>&1; do
    ((SECONDS < end)) || return 1
    sleep 0.2
  done
}

none() { [[ -z $(processes "$@") ]]; }

# signal SIGNAL [jobs|NODE]: to all of them
signal() {
  local pid
  for pid in $(processes "${@:2}"); do kill "-$1" "$pid" 2> /dev/null || true; done
}

# --- configuration ---

free_port() { ! (: < "/dev/tcp/127.0.0.1/$1") 2> /dev/null; }

# The first of so many ports in a row that nobody listens on.
choose_port() {
  local port=$first_port i
  for ((i = 0; i <= ${#nodes[@]}; i++)); do
    if ! free_port $((port + i)); then
      port=$((port + i + 1))
      i=-1
    fi
  done
  echo "$port"
}

configuration() {
  local host port i bind=NoCtldInAddrAny,NoInAddrAny
  host=$(hostname -s)
  port=$(choose_port)
  # Listen on what the host's name resolves to, where that is the loopback interface; else only the controller can.
  [[ $(getent ahostsv4 "$host") == 127.* ]] || bind=NoCtldInAddrAny
  cat << CONF
ClusterName=$(< "$directory/mark")
SlurmctldHost=$host(127.0.0.1)
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
CommunicationParameters=$bind
SlurmctldPort=$port
AuthType=auth/munge
CredType=cred/munge
# How long a credential lives is also how long a job that was requeued waits before it may start: 120 s by default.
AuthInfo=socket=$directory/munge.socket,cred_expire=5
SlurmctldPidFile=$directory/slurmctld.pid
SlurmdPidFile=$directory/slurmd.%n.pid
SlurmctldLogFile=$directory/log/slurmctld
SlurmdLogFile=$directory/log/slurmd.%n
StateSaveLocation=$directory/state
SlurmdSpoolDir=$directory/spool.%n
# The pmix plugins of two nodes would meet in one /tmp.
TmpFS=$directory/tmp.%n
# No cgroups: processes are found through /proc, and memory is checked every 2 s.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=2
JobAcctGatherParams=OverMemoryKill
# No database: what became of a job is one line of a text file.
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc=$directory/jobs
# Believe the CPUs of this file, not those of the machine.
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=100
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_interval=1
MpiDefault=none
JobRequeue=1
# As small as arrays can be tested with: indices up to 4.
MaxArraySize=5
KillWait=10
# A node that does not answer for so long is down (the default is 300 s); it may come back by itself.
SlurmdTimeout=10
ReturnToService=2
MinJobAge=3600
PropagateResourceLimits=NONE
CONF
  for i in "${!nodes[@]}"; do
    echo "NodeName=${nodes[i]} NodeHostname=$host NodeAddr=127.0.0.1 Port=$((port + 1 + i)) CPUs=$cpus RealMemory=$memory"
  done
  echo "PartitionName=main Nodes=$(IFS=, && echo "${nodes[*]}") Default=YES MaxTime=60 DefaultTime=10 State=UP"
}

# --- start ---

# daemon NODE COMMAND..: in a session of its own, with the mark
daemon() {
  DCS_CLUSTER_MARK=$(< "$directory/mark") DCS_CLUSTER_NODE=$1 setsid "${@:2}" < /dev/null >> "$directory/log/start.$1" 2>&1 &
  disown
}

# Where the system lets us, each node has a host name and a /dev/shm of its own: Open MPI tells by the name which ranks
# share memory, and two nodes of one name would write into each other's files there. See also environment().
namespaces() { unshare -u -m mount -t tmpfs none /dev/shm 2> /dev/null; }

boot() {
  local node=$1
  mkdir -p "$directory/tmp.$node"
  chmod 1777 "$directory/tmp.$node"
  launcher=()
  if [[ -e $directory/namespaces ]]; then
    # shellcheck disable=SC2016 # expanded in there
    launcher=(unshare -u -m bash -c 'hostname "$1" && mount -t tmpfs -o mode=1777 none /dev/shm &&
      mount --bind "$2/hosts" /etc/hosts && exec "${@:3}"' bash "$node" "$directory")
  fi
  daemon "$node" "${launcher[@]}" slurmd -D -c -N "$node" -f "$SLURM_CONF"
}

answers() { munge -n -S "$directory/munge.socket"; }

ready() { [[ $(timeout 5 sinfo -h -N -o %T | grep -cE '^(idle|mixed|allocated|completing)$') == "${#nodes[@]}" ]]; }

up() {
  local command node
  for command in munged munge slurmctld slurmd sbatch srun; do
    if ! command -v $command > /dev/null; then
      say "not installed: $command (Debian: slurm-wlm, munge)"
      return 77
    fi
  done
  down
  umask 022 # munged trusts no directory that others can write to
  mkdir -p "$directory"/{log,state}
  echo "dcs$$-$(date +%s)" > "$directory/mark"
  configuration > "$SLURM_CONF"
  : > "$directory/jobs"
  (umask 077 && head -c 128 /dev/urandom > "$directory/munge.key")
  if namespaces; then : > "$directory/namespaces"; fi
  {
    cat /etc/hosts
    printf '127.0.0.1 %s\n' "${nodes[@]}"
  } > "$directory/hosts"

  # --force: the directory is below /tmp, which everyone may write to
  daemon munged munged -F --force --num-threads=2 --key-file="$directory/munge.key" --socket="$directory/munge.socket" \
    --pid-file="$directory/munge.pid" --log-file="$directory/log/munged" --seed-file="$directory/munge.seed"
  if wait_until answers; then
    daemon slurmctld slurmctld -D -c -f "$SLURM_CONF"
    for node in "${nodes[@]}"; do boot "$node"; done
    if wait_until ready; then return 0; fi
  fi
  say "does not start:"
  tail -n 5 "$directory"/log/* >&2
  down
  return 1
}

environment() {
  cat << ENV
export SLURM_CONF=$SLURM_CONF PATH=$PATH
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
# every address of this cluster is on the loopback interface, which Open MPI leaves out by itself
export OMPI_MCA_btl_tcp_if_include=lo OMPI_MCA_oob_tcp_if_include=lo
# no ptrace rights in containers
export OMPI_MCA_btl_vader_single_copy_mechanism=none OMPI_MCA_btl_base_warn_component_unused=0
# more ranks than cores
export OMPI_MCA_mpi_yield_when_idle=1 OMPI_MCA_hwloc_base_binding_policy=none OMPI_MCA_rmaps_base_oversubscribe=1
ENV
  if [[ ! -e $directory/namespaces ]]; then echo "export OMPI_MCA_btl=self,tcp"; fi
}

# --- stop ---

no_jobs() { [[ -z $(timeout 5 squeue -h) ]]; }

down() {
  if [[ ! -e $directory ]]; then return 0; fi
  if [[ ! -s $directory/mark ]]; then
    say "$directory is not the directory of a cluster: remove it"
    return 1
  fi
  if timeout 5 scontrol ping 2> /dev/null | grep -q 'is UP'; then
    timeout 5 squeue -h -o %A | sort -u | xargs -r timeout 10 scancel 2> /dev/null || true
    wait_until no_jobs || say "jobs that do not end: $(timeout 5 squeue -h -o '%i %T')"
  fi
  signal TERM
  if ! wait_until none; then
    signal KILL
    if ! wait_until none; then
      say "processes that do not end: $(processes | xargs)"
      return 1
    fi
  fi
  rm -rf "$directory"
}

case ${1:-} in
  up) up ;;
  env) environment ;;
  kill)
    signal KILL "$2"
    wait_until none "$2"
    ;;
  boot) boot "$2" ;;
  processes) processes "${@:2}" ;;
  down) down ;;
  *)
    sed -n '2,/^set -/{/^#/s/^# \{0,1\}//p}' "$0" >&2
    exit 2
    ;;
esac
