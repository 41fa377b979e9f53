#!/bin/sh
# The daily maintenance as one pipe: is every part up, what do the logs and the database say, one verified backup that has
# been restored somewhere harmless, and whoever must know is told. Records go to stdout; the exit code is that of the worst
# of them.
set -eu

usage() {
    cat <<'TEXT'
usage: daily-maintenance.sh [--hours-back HOURS] [--retention-days DAYS] [--no-rehearsal] [--format FORMAT]
                            [--records FILE]

Runs pso-health, pso-logscan, pso-pgstats, pso-backup and its verification, rehearses the restore of the newest archive
with pso-rehearse, and hands all records to pso-alert, which passes them on to stdout. The tools read config/config.yaml of
the current folder, or the file in PSO_CONFIG.

  --hours-back HOURS     how far back the logs are read (24)
  --retention-days DAYS  how long daily archives are kept (7)
  --format FORMAT        auto, jsonl, table, openmetrics or nagios: how stdout looks (auto: a table on a terminal)
  --no-rehearsal         for a machine without PostgreSQL's server programs, or where another machine rehearses
  --records FILE         also append all records to FILE as JSON lines; a table that has shrunk by half since the last
                         rehearsal in FILE is a warning

exit codes: 0 all is well, 1 warning, 2 high or critical, 3 something could not be looked at
cron:  30 2 * * *  cd /srv/planning && daily-maintenance.sh --records logs/maintenance.jsonl >/dev/null 2>>logs/maintenance.err
TEXT
}

hours=24 days=7 rehearsal=yes format=auto records=
while [ $# -gt 0 ]; do
    case $1 in
    --hours-back | --retention-days)
        case ${2:-} in
        '' | 0* | *[!0-9]* | ??????*)
            echo "daily-maintenance.sh: $1 wants a whole number from 1 to 99999, not '${2:-}'; see --help" >&2
            exit 3
            ;;
        esac
        if [ "$1" = --hours-back ]; then hours=$2; else days=$2; fi
        shift 2
        ;;
    --format | --records)
        if [ -z "${2:-}" ]; then
            echo "daily-maintenance.sh: $1 wants a value; see --help" >&2
            exit 3
        fi
        if [ "$1" = --format ]; then format=$2; else records=$2; fi
        shift 2
        ;;
    --no-rehearsal)
        rehearsal=no
        shift
        ;;
    -h | --help)
        usage
        exit 0
        ;;
    *)
        echo "daily-maintenance.sh: unknown argument '$1'; see --help" >&2
        exit 3
        ;;
    esac
done

# A tool that is not there would leave no trace in the pipe.
for tool in pso-health pso-logscan pso-pgstats pso-backup pso-rehearse pso-alert; do
    if [ "$tool$rehearsal" = pso-rehearseno ]; then
        continue
    fi
    if ! command -v "$tool" >/dev/null 2>&1; then
        echo "daily-maintenance.sh: $tool is not on the PATH; install the tools with 'make install'" >&2
        exit 3
    fi
done

# A tool that finds something, or fails, must not keep the others from running: what it found, and that it failed, is in
# its records, and pso-alert's exit code is that of the worst of all. One that could not even begin has none; a line that is
# no record makes pso-alert raise the alarm for it.
step() {
    code=0
    "$@" || code=$?
    if [ "$code" -gt 3 ]; then
        echo "daily-maintenance.sh: $1 died with exit code $code" >&2
        echo "not a record: $1 died with exit code $code"
    fi
}

{
    step pso-health
    step pso-logscan --since "${hours}h"
    step pso-pgstats
    step pso-backup create --keep-days "$days"
    step pso-backup verify latest
    # Where the backup failed, `latest` is the archive that would have to do now.
    if [ "$rehearsal" = yes ]; then
        step pso-rehearse latest ${records:+--trend "$records"}
    fi
} | pso-alert --tee --source daily-maintenance --format "$format" ${records:+--records "$records"}
