#Requires -Version 7.4
<#
.SYNOPSIS
The daily maintenance: health, logs, database, one verified and rehearsed backup, and whoever must know is told.

.DESCRIPTION
Runs pso-health, pso-logscan, pso-pgstats, pso-backup and its verification, rehearses the restore of the newest archive with
pso-rehearse, and hands all records to pso-alert, which passes them on to stdout.
The tools read config/config.yaml of the current folder, or the file in PSO_CONFIG.

.PARAMETER HoursBack
How far back the logs are read, in hours.

.PARAMETER RetentionDays
How long daily archives are kept, in days.

.PARAMETER NoRehearsal
For a machine without PostgreSQL's server programs, or where another machine rehearses.

.PARAMETER Format
auto, jsonl, table, openmetrics or nagios: how stdout looks (auto: a table on a terminal).

.PARAMETER Records
Also append all records to this file as JSON lines; a table that has shrunk by half since the last rehearsal in it is a
warning.

.EXAMPLE
./scripts/daily-maintenance.ps1 -Records logs/maintenance.jsonl

.NOTES
Exit codes: 0 all is well, 1 warning, 2 high or critical, 3 something could not be looked at. PowerShell itself answers 1 to
a wrong parameter.
#>
[CmdletBinding()]
param(
    [ValidateRange(1, 99999)] [int] $HoursBack = 24,
    [ValidateRange(1, 99999)] [int] $RetentionDays = 7,
    [switch] $NoRehearsal,
    [string] $Format = 'auto',
    [string] $Records = ''
)
. (Join-Path $PSScriptRoot 'lib.ps1')

Assert-Tool pso-health pso-logscan pso-pgstats pso-backup pso-alert
if (-not $NoRehearsal) { Assert-Tool pso-rehearse }
$kept = @(Get-RecordsArgument $Records)
$trend = @(if ($Records) { '--trend', (ConvertTo-NativePath $Records) })

& {
    Invoke-Step pso-health
    Invoke-Step pso-logscan --since "${HoursBack}h"
    Invoke-Step pso-pgstats
    Invoke-Step pso-backup create --keep-days $RetentionDays
    Invoke-Step pso-backup verify latest
    # Where the backup failed, `latest` is the archive that would have to do now.
    if (-not $NoRehearsal) { Invoke-Step pso-rehearse latest @trend }
} | pso-alert --tee --source daily-maintenance --format $Format @kept
exit $LASTEXITCODE
