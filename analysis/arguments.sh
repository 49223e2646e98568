# shellcheck shell=bash
# The command line of figures.sh and report.sh; sourced. They define `usage`, and the defaults in `options`.

# die CODE MESSAGE..
die() {
  echo "$(basename "$0"): ${*:2}" >&2
  exit "$1"
}

# read_arguments VALUED PLAIN ARGUMENT..: the result file goes to $result, options to the array `options`, the dcs program to
# $dcs. VALUED: names of options that take a value; PLAIN: of those that take none
read_arguments() {
  local valued=$1 plain=$2
  shift 2
  result=''
  while (($# > 0)); do
    case $1 in
      -h | --help) usage; exit 0 ;;
      -*)
        if [[ " $valued " == *" $1 "* ]]; then
          (($# > 1)) || die 2 "$1 wants a value; see --help"
          [[ $1 != -o || ! -e $2 || -d $2 ]] || die 1 "$2: is not a folder"
          options+=("$1" "$2")
          shift
        elif [[ " $plain " == *" $1 "* ]]; then
          options+=("$1")
        else
          die 2 "no option '$1'; see --help"
        fi
        ;;
      *)
        [[ -z $result ]] || die 2 "one result file at a time, not also '$1'"
        result=$1
        ;;
    esac
    shift
  done
  [[ -n $result ]] || die 2 "no result file given; see --help"
  [[ -f $result ]] || die 1 "no such file: $result"
  dcs=${DCS:-$(command -v dcs || find "$here"/../build* -maxdepth 3 -type f -name dcs -perm -u+x 2> /dev/null | head -n 1)}
  [[ -n $dcs ]] || die 1 "no dcs program: build it, or set DCS"
}
