#!/usr/bin/env bash
# Puts parts of an archive back, or says what that would do.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: restore-selective.sh --backup-path ARCHIVE [--components LIST] [--dry-run] [--format FORMAT] [--records FILE]

Runs pso-restore, without asking: the archive is verified before anything is touched, what was there is kept, what fails is
undone. The tool reads config/config.yaml of the current folder, or the file in PSO_CONFIG.

  --backup-path ARCHIVE  a path, a name of `pso-backup list`, or latest
  --components LIST      of postgres, qdrant, config, scripts and plans, separated by commas (postgres,qdrant,config,plans)
  --dry-run              say what would be done, and change nothing
  --format FORMAT        auto, jsonl, table, openmetrics or nagios: how stdout looks (auto: a table on a terminal)
  --records FILE         also append all records to FILE as JSON lines

exit codes: 0 restored and compared, or the plan was printed; 1 the same, with warnings; 2 it failed, and everything is as it
            was; 3 nothing was attempted
TEXT
}

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$(readlink -f -- "$0")")/lib.sh"

backup_path='' components=postgres,qdrant,config,plans dry_run='' format=auto records=''
options 'backup-path=text components=text dry-run=switch format=text records=text' "$@"
[ -n "$backup_path" ] || refuse '--backup-path is missing'
need pso-restore

if [ -n "$dry_run" ]; then
    pso-restore --only "$components" --dry-run --format "$format" ${records:+--records "$records"} -- "$backup_path"
else
    pso-restore --only "$components" --yes --format "$format" ${records:+--records "$records"} -- "$backup_path"
fi
