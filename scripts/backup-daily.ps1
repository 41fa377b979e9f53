#Requires -Version 7.4
<#
.SYNOPSIS
One archive of the database, the vectors, the configuration, the scripts and the plans, read back when it is written.

.DESCRIPTION
Runs pso-backup, which also removes archives past their retention, and hands its records to pso-alert, which passes them on to
stdout. The tools read config/config.yaml of the current folder, or the file in PSO_CONFIG.

.PARAMETER BackupPath
Where the archive is put; the folder of the configuration (./backups/daily) when it is not given.

.PARAMETER RetentionDays
How long the archives there are kept, in days.

.PARAMETER Format
auto, jsonl, table, openmetrics or nagios: how stdout looks (auto: a table on a terminal).

.PARAMETER Records
Also append all records to this file as JSON lines.

.EXAMPLE
./scripts/backup-daily.ps1 -BackupPath .\backups\daily -RetentionDays 14

.NOTES
Exit codes: 0 the archive is there, 1 with warnings, 2 the backup failed, 3 nothing was attempted. PowerShell itself answers 1
to a wrong parameter.
#>
[CmdletBinding()]
param(
    [string] $BackupPath = '',
    [ValidateRange(1, 99999)] [int] $RetentionDays = 7,
    [string] $Format = 'auto',
    [string] $Records = ''
)
. (Join-Path $PSScriptRoot 'lib.ps1')

Assert-Tool pso-backup pso-alert
$kept = @(Get-RecordsArgument $Records)
$to = @(if ($BackupPath) { '--to', (ConvertTo-NativePath $BackupPath) })

pso-backup create --keep-days $RetentionDays @to |
    pso-alert --tee --source backup-daily --format $Format @kept
exit $LASTEXITCODE
