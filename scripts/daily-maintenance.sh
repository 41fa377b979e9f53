#!/usr/bin/env bash
# The daily maintenance as one pipe: is every part up, what do the logs and the database say, one verified backup that has
# been restored somewhere harmless, and whoever must know is told. Records go to stdout; the exit code is that of the worst
# of them.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: daily-maintenance.sh [--hours-back HOURS] [--retention-days DAYS] [--no-rehearsal] [--format FORMAT]
                            [--records FILE]

Runs pso-health, pso-logscan, pso-pgstats, pso-backup and its verification, rehearses the restore of the newest archive
with pso-rehearse, and hands all records to pso-alert, which passes them on to stdout. The tools read config/config.yaml of
the current folder, or the file in PSO_CONFIG.

  --hours-back HOURS     how far back the logs are read (24)
  --retention-days DAYS  how long daily archives are kept (7)
  --no-rehearsal         for a machine without PostgreSQL's server programs, or where another machine rehearses
  --format FORMAT        auto, jsonl, table, openmetrics or nagios: how stdout looks (auto: a table on a terminal)
  --records FILE         also append all records to FILE as JSON lines; a table that has shrunk by half since the last
                         rehearsal in FILE is a warning

exit codes: 0 all is well, 1 warning, 2 high or critical, 3 something could not be looked at
cron:  30 2 * * *  cd /srv/planning && daily-maintenance.sh --records logs/maintenance.jsonl >/dev/null 2>>logs/maintenance.err
TEXT
}

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$(readlink -f -- "$0")")/lib.sh"

hours_back=24 retention_days=7 no_rehearsal='' format=auto records=''
options 'hours-back=number retention-days=number no-rehearsal=switch format=text records=text' "$@"
need pso-health pso-logscan pso-pgstats pso-backup pso-alert
[ -n "$no_rehearsal" ] || need pso-rehearse

{
    step pso-health
    step pso-logscan --since "${hours_back}h"
    step pso-pgstats
    step pso-backup create --keep-days "$retention_days"
    step pso-backup verify latest
    # Where the backup failed, `latest` is the archive that would have to do now.
    if [ -z "$no_rehearsal" ]; then
        step pso-rehearse latest ${records:+--trend "$records"}
    fi
} | pso-alert --tee --source daily-maintenance --format "$format" ${records:+--records "$records"}
