//! The deployment's folder.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use super::truth::LogTruth;
use super::{Spec, logs, plans};
use crate::smtp;

/// `config/alerts.yaml`, as the specification shows it.
const ALERTS: &str = include_str!("alerts.yaml");

const SCRIPTS: [(&str, &str); 4] = [
    (
        "daily-health-check.ps1",
        "# Vérification quotidienne\n\n$health = Invoke-RestMethod -Uri \"http://localhost:8080/health\"\n\
         if ($health.status -ne \"healthy\") {\n    ./scripts/send-alert.ps1 -Message \"Système dégradé ⚠️\" -Severity \"High\"\n}\n",
    ),
    (
        "backup-daily.ps1",
        "param(\n    [string]$BackupPath = \".\\backups\\daily\",\n    [int]$RetentionDays = 7\n)\n\n\
         Write-Host \"📦 Début backup quotidien...\" -ForegroundColor Green\n",
    ),
    (
        "send-alert.ps1",
        "param(\n    [Parameter(Mandatory=$true)]\n    [string]$Message,\n    [string]$Severity = \"Warning\"\n)\n\n\
         Write-Host \"[$Severity] $Message\"\n",
    ),
    (
        "weekly-maintenance.ps1",
        "param(\n    [int]$RetentionDays = 30\n)\n\nWrite-Host \"🧹 Début maintenance hebdomadaire...\"\n",
    ),
];

/// What was written.
#[derive(Debug, Clone)]
pub struct FilesTruth {
    /// The plans' paths, relative to `roadmaps/plans`, in the order of their making.
    pub plans: Vec<String>,
    /// The plans' bytes together.
    pub plans_bytes: u64,
    /// The scripts' names.
    pub scripts: Vec<String>,
    /// What the logs say.
    pub logs: LogTruth,
}

/// The specification's file, letter for letter but for the mail server.
fn alerts(spec: &Spec) -> String {
    match &spec.mail {
        Some((port, ca_file)) => {
            let ours = format!("smtp_server: localhost\n    smtp_port: {port}\n    ca_file: {}", ca_file.display());
            ALERTS
                .replace("smtp_server: smtp.gmail.com\n    smtp_port: 587", &ours)
                .replace("username: alerts@yourcompany.com", &format!("username: {}", smtp::USER))
        }
        None => ALERTS.replacen("enabled: true", "enabled: false", 1),
    }
}

/// Writes the deployment's files into a folder.
///
/// # Errors
/// When a file cannot be written.
pub fn write_files(folder: &Path, spec: &Spec) -> Result<FilesTruth> {
    for name in ["config", "logs", "scripts", "roadmaps/plans", "backups/daily", "backups/weekly"] {
        let path = folder.join(name);
        fs::create_dir_all(&path).with_context(|| format!("create {}", path.display()))?;
    }
    write(&folder.join("config/config.yaml"), &config(spec), 0o600)?;
    write(&folder.join("config/alerts.yaml"), &alerts(spec), 0o644)?;
    write(&folder.join("config/api-token.txt"), &format!("{}\n", spec.token), 0o600)?;
    for (name, text) in SCRIPTS {
        // PowerShell's editor on Windows: BOM and CRLF.
        let text = format!("\u{feff}{}", text.replace('\n', "\r\n"));
        write(&folder.join("scripts").join(name), &text, 0o644)?;
    }
    let plans = plans::plans(spec);
    for plan in &plans {
        let path = folder.join("roadmaps/plans").join(&plan.path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).with_context(|| format!("create {}", parent.display()))?;
        }
        write(&path, &plan.content, 0o644)?;
        let dated = spec.now - Duration::from_secs(plan.age_s);
        let file = File::options().write(true).open(&path);
        file.and_then(|file| file.set_modified(dated.into())).with_context(|| format!("date {}", path.display()))?;
    }
    Ok(FilesTruth {
        plans_bytes: plans.iter().map(|plan| plan.content.len() as u64).sum(),
        plans: plans.into_iter().map(|plan| plan.path).collect(),
        scripts: SCRIPTS.map(|(name, _)| name.to_owned()).to_vec(),
        logs: logs::write(&folder.join("logs"), spec)?,
    })
}

fn write(path: &Path, text: &str, mode: u32) -> Result<()> {
    let doing = || format!("write {}", path.display());
    let mut file = File::options().write(true).create(true).truncate(true).mode(mode).open(path).with_context(doing)?;
    file.write_all(text.as_bytes()).with_context(doing)?;
    // Whatever the umask, and whatever was there.
    file.set_permissions(fs::Permissions::from_mode(mode)).with_context(doing)
}

fn config(spec: &Spec) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let postgres = &spec.postgres;
    let ours: String = spec.maintenance.iter().map(|line| format!("  {line}\n")).collect();
    format!(
        "# Planning Ecosystem Sync – configuration du serveur\n\
         \n\
         server:\n  host: 127.0.0.1\n  port: {service}\n  read_timeout: 30s\n\
         \n\
         database:\n  postgres:\n    host: {host}\n    port: {port}\n    dbname: {dbname}\n    user: {user}\n    password: {password}\n    \
         max_connections: 20\n  qdrant:\n    host: 127.0.0.1\n    port: {qdrant}\n    collection: plans\n    vector_size: 384\n\
         \n\
         sync:\n  workers: 4\n  timeout: 60s\n  conflict_strategy: manual   # à la main\n  plans_path: roadmaps/plans\n\
         \n\
         monitoring:\n  port: {service}\n  metrics_enabled: true\n\
         \n\
         # Clés des outils pso.\n\
         maintenance:\n  service:\n    url: http://127.0.0.1:{service}\n{ours}",
        service = spec.service_port,
        host = postgres.host,
        port = postgres.port,
        dbname = quoted(&postgres.dbname),
        user = quoted(&postgres.user),
        password = quoted(&postgres.password),
        qdrant = spec.qdrant_port,
    )
}
