#Requires -Version 7.4
<#
.SYNOPSIS
Is anything open that should be closed, and who has tried to get in.

.DESCRIPTION
Runs pso-logscan (security events of the last seven days) and pso-audit (files, secrets, token, ports, PostgreSQL, Qdrant),
and hands the records to pso-alert, which passes them on to stdout. Nothing is changed. On Windows pso-audit does not examine
access control lists, and says so. The tools read config/config.yaml of the current folder, or the file in PSO_CONFIG.

.PARAMETER Format
auto, jsonl, table, openmetrics or nagios: how stdout looks (auto: a table on a terminal).

.PARAMETER Records
Also append all records to this file as JSON lines.

.EXAMPLE
./scripts/security-check.ps1

.NOTES
Exit codes: 0 all is well, 1 warning, 2 high or critical, 3 something could not be looked at. PowerShell itself answers 1 to
a wrong parameter.
#>
[CmdletBinding()]
param(
    [string] $Format = 'auto',
    [string] $Records = ''
)
. (Join-Path $PSScriptRoot 'lib.ps1')

Assert-Tool pso-logscan pso-audit pso-alert
$kept = @(Get-RecordsArgument $Records)

# How many errors there were is no matter of security, and a week has more of them than a day may have.
pso-logscan --since 7d --events security --last 100000 --max-errors 1000000000 |
    pso-audit - |
    pso-alert --tee --source security-check --format $Format @kept
exit $LASTEXITCODE
