#Requires -Version 7.4
# What the scripts beside it have in common; it is dot-sourced, never run.

# Exit codes are looked at and passed on; they are no exceptions, whatever a profile says.
$ErrorActionPreference = 'Stop'
$PSNativeCommandUseErrorActionPreference = $false

# Between two programs a pipe carries bytes as they are (since 7.4). What comes out of a script block goes through strings:
# both ways as UTF-8, without a byte order mark.
# https://learn.microsoft.com/powershell/module/microsoft.powershell.core/about/about_pipelines
$OutputEncoding = [System.Text.UTF8Encoding]::new($false)
try {
    [Console]::OutputEncoding = $OutputEncoding
} catch {
    Write-Verbose "there is no console whose encoding could be set: $_"
}

$me = Split-Path -Leaf $MyInvocation.PSCommandPath

function Write-Stderr([string] $Text) {
    [Console]::Error.WriteLine("${me}: $Text")
}

# A tool that is not there would leave no trace in a pipe.
function Assert-Tool {
    foreach ($tool in $args) {
        if (-not (Get-Command -Name $tool -CommandType Application -ErrorAction Ignore)) {
            Write-Stderr "$tool is not on the PATH; install the tools first"
            exit 3
        }
    }
}

# Runs one tool of several. That it finds something, or fails, must not keep the others from running: it is in its records,
# and pso-alert's exit code is that of the worst of all. One that could not even begin has none; a line that is no record
# makes pso-alert raise the alarm for it.
function Invoke-Step {
    # Always an array: `@rest` of nothing would be an argument.
    $tool, $rest = $args[0], @($args | Select-Object -Skip 1)
    & $tool @rest
    if ($LASTEXITCODE -notin 0, 1, 2, 3) {
        Write-Stderr "$tool died with exit code $LASTEXITCODE"
        "not a record: $tool died with exit code $LASTEXITCODE"
    }
}

function Get-RecordsArgument([string] $File) {
    if ($File) { '--records', (ConvertTo-NativePath $File) }
}

# A program does not know PowerShell's drives, nor \ as a separator where that is none. A plain name (`latest`) is left alone.
function ConvertTo-NativePath([string] $Path) {
    if (-not $IsWindows) { $Path = $Path.Replace('\', '/') }
    if ($Path -notmatch '[\\/]') { return $Path }
    $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($Path)
}
