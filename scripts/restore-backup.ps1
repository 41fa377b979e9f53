#Requires -Version 7.4
<#
.SYNOPSIS
Puts everything that an archive has back, or says what that would do.

.DESCRIPTION
Runs pso-restore, without asking: the archive is verified before anything is touched, what was there is kept, what fails is
undone. The service is stopped and started where maintenance.restore.service says how, and its health is looked at in the end.
The tools read config/config.yaml of the current folder, or the file in PSO_CONFIG.

.PARAMETER BackupPath
A path, a name of `pso-backup list`, or latest.

.PARAMETER DryRun
Say what would be done, and change nothing.

.PARAMETER Format
auto, jsonl, table, openmetrics or nagios: how stdout looks (auto: a table on a terminal).

.PARAMETER Records
Also append all records to this file as JSON lines.

.EXAMPLE
./scripts/restore-backup.ps1 -BackupPath .\backups\daily\20261122_090000.zip -DryRun

.NOTES
Exit codes: 0 restored and compared, or the plan was printed; 1 the same, with warnings; 2 it failed, and everything is as it
was; 3 nothing was attempted. PowerShell itself answers 1 to a wrong parameter.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory)] [string] $BackupPath,
    [switch] $DryRun,
    [string] $Format = 'auto',
    [string] $Records = ''
)
. (Join-Path $PSScriptRoot 'lib.ps1')

Assert-Tool pso-restore
$kept = @(Get-RecordsArgument $Records)
$archive = ConvertTo-NativePath $BackupPath

if ($DryRun) {
    pso-restore --dry-run --format $Format @kept -- $archive
} else {
    pso-restore --yes --format $Format @kept -- $archive
}
exit $LASTEXITCODE
