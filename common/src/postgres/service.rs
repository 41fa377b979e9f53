//! `pg_service.conf`, as libpq reads it.

use std::collections::BTreeMap;

use anyhow::{Context as _, anyhow};

use crate::config::ConfigValue;
use crate::io::Env;

/// The parameters of a named service.
#[derive(Debug, Default)]
pub(super) struct Service {
    pub(super) values: BTreeMap<String, String>,
    pub(super) source: String,
}

impl Service {
    pub(super) fn parse<T: ConfigValue>(&self, name: &str) -> anyhow::Result<Option<T>> {
        let Some(text) = self.values.get(name) else { return Ok(None) };
        let value = T::parse(text)
            .ok_or_else(|| anyhow!("{}: {name}: expected {}, found {text:?}", self.source, T::EXPECTED))?;
        Ok(Some(value))
    }
}

/// Reads the named service from `PGSERVICEFILE` or `~/.pg_service.conf`, else from `PGSYSCONFDIR/pg_service.conf`.
pub(super) fn service_values(name: Option<&str>, env: &Env) -> anyhow::Result<Service> {
    let Some(name) = name else { return Ok(Service::default()) };
    let own = env.path("PGSERVICEFILE").or_else(|| Some(env.home()?.join(".pg_service.conf")));
    let system = env.path("PGSYSCONFDIR").map(|folder| folder.join("pg_service.conf"));
    for path in own.into_iter().chain(system) {
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
        };
        if let Some(values) = section(&text, name) {
            return Ok(Service { values, source: format!("{} [{name}]", path.display()) });
        }
    }
    Err(anyhow!("the PostgreSQL service {name:?} (PGSERVICE) stands in no pg_service.conf"))
}

fn section(text: &str, name: &str) -> Option<BTreeMap<String, String>> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.find(|line| line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) == Some(name))?;
    let values = lines.take_while(|line| !line.starts_with('[')).filter_map(|line| line.split_once('='));
    Some(values.map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned())).collect())
}
