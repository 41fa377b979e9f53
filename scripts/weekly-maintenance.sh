#!/usr/bin/env bash
# The weekly maintenance as one pipe: a verified backup, then the cleaning of logs, rows, PostgreSQL and Qdrant, and whoever
# must know is told. Without that backup nothing is cleaned.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: weekly-maintenance.sh [--retention-days DAYS] [--format FORMAT] [--records FILE]

Makes a weekly archive with pso-backup, verifies it, cleans with pso-prune (logs, rows, vacuum, Qdrant, what killed runs have
left), and hands all records to pso-alert, which passes them on to stdout. When the archive cannot be made or does not hold,
nothing is cleaned. What would be cleaned:  pso-prune --dry-run. The tools read config/config.yaml of the current folder, or
the file in PSO_CONFIG.

  --retention-days DAYS  how long logs and rows of sync_operations are kept (30)
  --format FORMAT        auto, jsonl, table, openmetrics or nagios: how stdout looks (auto: a table on a terminal)
  --records FILE         also append all records to FILE as JSON lines

exit codes: 0 all is well, 1 warning, 2 high or critical, 3 something could not be looked at
cron:  0 4 * * 0  cd /srv/planning && weekly-maintenance.sh --records logs/maintenance.jsonl >/dev/null
TEXT
}

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$(readlink -f -- "$0")")/lib.sh"

retention_days=30 format=auto records=''
options 'retention-days=number format=text records=text' "$@"
need pso-backup pso-prune pso-alert

{
    step pso-backup create --kind weekly
    made=$code
    step pso-backup verify latest
    if [ "$made" -lt 2 ] && [ "$code" -lt 2 ]; then
        step pso-prune --yes --retention-days "$retention_days"
    else
        echo "$me: nothing was cleaned, for there is no good backup of today" >&2
    fi
} | pso-alert --tee --source weekly-maintenance --format "$format" ${records:+--records "$records"}
