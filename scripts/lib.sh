# shellcheck shell=bash
# What the scripts beside it have in common; it is sourced, never run. They are bash because a pipe must not hide that what
# stands before its last command has failed (pipefail), which /bin/sh of Debian 12 (dash) cannot say; 4.4 or newer, for
# monitoring-daemon.sh waits for a process substitution.

me=${0##*/}

# Exit code 3: nothing was attempted.
refuse() {
    echo "$me: $*; see --help" >&2
    exit 3
}

# options 'NAME=KIND …' "$@" reads `--NAME VALUE` or `--NAME=VALUE` into the variable of that name, with _ for -. KIND is
# `number` (1 to 99999), `text` (not empty) or `switch` (the variable becomes `yes`). --help prints what usage() prints.
options() {
    local known=" $1 " name value
    shift
    while [ $# -gt 0 ]; do
        case $1 in
        -h | --help)
            usage
            exit 0
            ;;
        --*=*)
            name=${1%%=*} value=${1#*=}
            shift
            set -- "$name" "$value" "$@"
            ;;
        esac
        name=${1#--}
        case "$1$known" in
        --*" $name=switch "*)
            printf -v "${name//-/_}" yes
            shift
            continue
            ;;
        --*" $name=number "*)
            case ${2:-} in
            '' | 0* | *[!0-9]* | ??????*) refuse "$1 wants a whole number from 1 to 99999, not '${2:-}'" ;;
            esac
            ;;
        --*" $name=text "*)
            [ -n "${2:-}" ] || refuse "$1 wants a value"
            ;;
        *) refuse "unknown argument '$1'" ;;
        esac
        printf -v "${name//-/_}" %s "$2"
        shift 2
    done
}

# A tool that is not there would leave no trace in a pipe.
need() {
    local tool
    for tool in "$@"; do
        if ! command -v "$tool" >/dev/null 2>&1; then
            echo "$me: $tool is not on the PATH; install the tools with 'make install'" >&2
            exit 3
        fi
    done
}

# Runs one tool of several. That it finds something, or fails, must not keep the others from running: it is in its records,
# and pso-alert's exit code is that of the worst of all. One that could not even begin has none; a line that is no record
# makes pso-alert raise the alarm for it. Its exit code is in `code`.
step() {
    code=0
    "$@" || code=$?
    if [ "$code" -gt 3 ]; then
        echo "$me: $1 died with exit code $code" >&2
        echo "not a record: $1 died with exit code $code"
    fi
}
