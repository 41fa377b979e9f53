#!/usr/bin/env bash
# One archive of the database, the vectors, the configuration, the scripts and the plans, read back when it is written; those
# past their retention go; whoever must know is told.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: backup-daily.sh [--backup-path FOLDER] [--retention-days DAYS] [--format FORMAT] [--records FILE]

Runs pso-backup and hands its records to pso-alert, which passes them on to stdout. The tools read config/config.yaml of the
current folder, or the file in PSO_CONFIG.

  --backup-path FOLDER   where the archive is put (that of the configuration: ./backups/daily)
  --retention-days DAYS  how long the archives there are kept (7)
  --format FORMAT        auto, jsonl, table, openmetrics or nagios: how stdout looks (auto: a table on a terminal)
  --records FILE         also append all records to FILE as JSON lines

exit codes: 0 the archive is there, 1 with warnings, 2 the backup failed, 3 nothing was attempted
TEXT
}

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$(readlink -f -- "$0")")/lib.sh"

backup_path='' retention_days=7 format=auto records=''
options 'backup-path=text retention-days=number format=text records=text' "$@"
need pso-backup pso-alert

pso-backup create --keep-days "$retention_days" ${backup_path:+--to "$backup_path"} |
    pso-alert --tee --source backup-daily --format "$format" ${records:+--records "$records"}
