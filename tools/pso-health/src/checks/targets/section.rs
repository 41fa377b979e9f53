//! `maintenance.health.targets`: targets as they stand in the file.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use pso_common::Secret;
use pso_common::config::{CommandField, Config, Field, FieldOr, Paths, RequiredField};
use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};

use super::spec::{Spec, Statuses};

/// One target.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TargetSection {
    name: Field,
    http: Field,
    tcp: Field,
    command: CommandField,
    method: Field,
    status: OneOrMany,
    contains: Field,
    json: BTreeMap<String, RequiredField>,
    max_ms: Field,
    headers: BTreeMap<String, FieldOr<HeaderFile>>,
    tls: Field,
    ca_file: Field,
    timeout: Field,
    retries: Field,
}

/// A header's value that stands in a file of its own.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct HeaderFile {
    file: Field,
}

impl TargetSection {
    /// What it says. `place` is its own, such as `maintenance.health.targets[2]`.
    ///
    /// # Errors
    /// When it holds a bad value; the message names the line.
    pub(super) fn spec(&self, config: &Config, place: &str, paths: &Paths) -> anyhow::Result<Spec> {
        let key = |name: &str| format!("{place}.{name}");
        Ok(Spec {
            name: config.pick(key("name")).file(&self.name).optional()?,
            http: config.pick(key("http")).file(&self.http).optional()?,
            tcp: config.pick(key("tcp")).file(&self.tcp).optional()?,
            command: config.pick(key("command")).file_command(&self.command).optional()?,
            method: config.pick(key("method")).file(&self.method).optional()?,
            status: self.status.0.as_ref().map(|list| Statuses(list.clone())),
            contains: config.pick(key("contains")).file(&self.contains).optional()?,
            json: self
                .json
                .iter()
                .map(|(path, field)| {
                    let field = Some(field.clone());
                    let expected: Option<String> = config.pick(key(&format!("json.{path}"))).file(&field).optional()?;
                    Ok((path.clone(), expected.unwrap_or_default()))
                })
                .collect::<anyhow::Result<_>>()?,
            max_ms: config.pick(key("max_ms")).file(&self.max_ms).optional()?,
            headers: self
                .headers
                .iter()
                .map(|(name, value)| {
                    let key = key(&format!("headers.{name}"));
                    let pick = config.pick::<Secret>(key.as_str());
                    let found = match value {
                        FieldOr::Field(field) => pick.file(&Some(field.clone())),
                        FieldOr::Mapping(HeaderFile { file }) => {
                            let path: Option<PathBuf> = config.pick(format!("{key}.file")).file(file).optional()?;
                            pick.secret_file(path.map(|path| paths.join(&path)).as_deref())
                        }
                    };
                    anyhow::Context::context(found.optional()?, format!("{key}: expected a text, or {{file: PATH}}"))
                        .map(|value| (name.clone(), value))
                })
                .collect::<anyhow::Result<_>>()?,
            tls: config.pick(key("tls")).file(&self.tls).optional()?.unwrap_or(false),
            ca_file: paths.ca_file(config, &key("ca_file"), None, &self.ca_file)?,
            timeout: config.pick(key("timeout")).file(&self.timeout).optional()?,
            retries: config.pick(key("retries")).file(&self.retries).optional()?,
            withheld: false,
        })
    }
}

/// A status, or a list of them.
#[derive(Debug, Default)]
struct OneOrMany(Option<Vec<u16>>);

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = OneOrMany;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a status such as 200, or a list of them")
            }

            fn visit_u64<E: serde::de::Error>(self, status: u64) -> Result<OneOrMany, E> {
                let status =
                    u16::try_from(status).map_err(|_| E::custom(format_args!("{status} is no status of HTTP")))?;
                Ok(OneOrMany(Some(vec![status])))
            }

            fn visit_i64<E: serde::de::Error>(self, status: i64) -> Result<OneOrMany, E> {
                // The parser has the positive ones as unsigned.
                Err(E::custom(format_args!("{status} is no status of HTTP")))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<OneOrMany, A::Error> {
                let mut all = Vec::new();
                while let Some(status) = list.next_element()? {
                    all.push(status);
                }
                Ok(OneOrMany(Some(all)))
            }
        }

        deserializer.deserialize_any(Either)
    }
}
