//! A server with a certificate.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};

use anyhow::{Context as _, Result};

use super::TempPg;
use crate::certificates::Certificates;

impl TempPg {
    /// Gives the running server that certificate; it uses it a moment later.
    ///
    /// # Errors
    /// When the files cannot be put into its data folder, or it does not take the settings.
    pub fn speak_tls(&self, certificates: &Certificates) -> Result<()> {
        for (name, from) in [("tls.crt", certificates.certificate_file()), ("tls.key", certificates.key_file())] {
            let to = self.data_folder().join(name);
            fs::copy(from, &to).with_context(|| format!("copy {name} into the data folder"))?;
            fs::set_permissions(&to, fs::Permissions::from_mode(0o600)).context("close it to others")?;
            chown(&to, self.runs_as(), None).context("give it to the server")?;
        }
        let mut admin = self.admin("postgres")?;
        for sql in [
            "ALTER SYSTEM SET ssl_cert_file = 'tls.crt'",
            "ALTER SYSTEM SET ssl_key_file = 'tls.key'",
            "ALTER SYSTEM SET ssl = on",
            "SELECT pg_reload_conf()",
        ] {
            admin.batch_execute(sql).with_context(|| sql.to_owned())?;
        }
        Ok(())
    }
}
