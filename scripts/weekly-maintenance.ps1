#Requires -Version 7.4
<#
.SYNOPSIS
The weekly maintenance: a verified backup, then the cleaning of logs, rows, PostgreSQL and Qdrant.

.DESCRIPTION
Makes a weekly archive with pso-backup, verifies it, cleans with pso-prune (logs, rows, vacuum, Qdrant, what killed runs have
left), and hands all records to pso-alert, which passes them on to stdout. When the archive cannot be made or does not hold,
nothing is cleaned. What would be cleaned: pso-prune --dry-run.
The tools read config/config.yaml of the current folder, or the file in PSO_CONFIG.

.PARAMETER RetentionDays
How long logs and rows of sync_operations are kept, in days.

.PARAMETER Format
auto, jsonl, table, openmetrics or nagios: how stdout looks (auto: a table on a terminal).

.PARAMETER Records
Also append all records to this file as JSON lines.

.EXAMPLE
./scripts/weekly-maintenance.ps1 -RetentionDays 60 -Records logs/maintenance.jsonl

.NOTES
Exit codes: 0 all is well, 1 warning, 2 high or critical, 3 something could not be looked at. PowerShell itself answers 1 to
a wrong parameter.
#>
[CmdletBinding()]
param(
    [ValidateRange(1, 99999)] [int] $RetentionDays = 30,
    [string] $Format = 'auto',
    [string] $Records = ''
)
. (Join-Path $PSScriptRoot 'lib.ps1')

Assert-Tool pso-backup pso-prune pso-alert
$kept = @(Get-RecordsArgument $Records)

& {
    Invoke-Step pso-backup create --kind weekly
    $made = $LASTEXITCODE
    Invoke-Step pso-backup verify latest
    if ($made -in 0, 1 -and $LASTEXITCODE -in 0, 1) {
        Invoke-Step pso-prune --yes --retention-days $RetentionDays
    } else {
        Write-Stderr 'nothing was cleaned, for there is no good backup of today'
    }
} | pso-alert --tee --source weekly-maintenance --format $Format @kept
exit $LASTEXITCODE
