//! Requests and their answers.

use std::fmt;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::model::{Alias, Aliases, ClusterInfo, CollectionInfo, Collections, Count, Failure, Root, Success};
use super::settings::QdrantSettings;
use crate::http::{Answer, HttpClient, HttpError, HttpSettings, Request};
use crate::secret::redact_url;

/// Why Qdrant did not do what it was asked.
#[derive(Debug)]
pub enum QdrantError {
    /// There was no answer.
    Http(HttpError),
    /// The answer is an error; its status and what it says.
    Status(u16, String),
    /// The answer is not what this version of the tools understands.
    Shape(String),
}

impl QdrantError {
    /// Whether the collection, alias or snapshot does not exist.
    #[must_use]
    pub const fn is_not_found(&self) -> bool {
        matches!(self, Self::Status(404, _))
    }
}

impl fmt::Display for QdrantError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(error @ (HttpError::Refused | HttpError::Resolve | HttpError::ConnectTimeout)) => {
                write!(f, "{error}; is Qdrant running there? Check PSO_QDRANT_URL or maintenance.qdrant.url")
            }
            Self::Http(error) => error.fmt(f),
            Self::Status(status @ (401 | 403), text) => {
                write!(
                    f,
                    "Qdrant refuses the key (HTTP {status}: {text}); set PSO_QDRANT_API_KEY or maintenance.qdrant.api_key_file"
                )
            }
            Self::Status(status, text) => write!(f, "Qdrant answered HTTP {status}: {text}"),
            Self::Shape(reason) => write!(f, "Qdrant's answer is not understood: {reason}"),
        }
    }
}

impl std::error::Error for QdrantError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Http(error) => std::error::Error::source(error),
            _ => None,
        }
    }
}

impl From<HttpError> for QdrantError {
    fn from(error: HttpError) -> Self {
        Self::Http(error)
    }
}

/// A client of one Qdrant server.
#[derive(Clone, Debug)]
pub struct QdrantClient {
    pub(super) http: HttpClient,
    pub(super) settings: QdrantSettings,
}

impl QdrantClient {
    /// A client; nothing is sent yet.
    #[must_use]
    pub fn new(settings: &QdrantSettings) -> Self {
        let http = HttpSettings {
            connect_timeout: settings.connect_timeout,
            timeout: settings.timeout,
            roots: settings.roots.clone(),
            ..HttpSettings::default()
        };
        Self { http: HttpClient::new(&http), settings: settings.clone() }
    }

    /// The server's URL as it may be shown.
    #[must_use]
    pub fn shown_url(&self) -> String {
        redact_url(&self.settings.url)
    }

    /// The server's version (`GET /`).
    ///
    /// # Errors
    /// When there is no such answer; so for all methods.
    pub fn version(&self) -> Result<String, QdrantError> {
        let answer = self.request("GET", "/").send()?;
        let root: Root = read(&answer)?;
        Ok(root.version)
    }

    /// Whether all shards are ready (`GET /readyz`); the text the server gives for it.
    ///
    /// # Errors
    /// When it is not ready, or there is no answer.
    pub fn ready(&self) -> Result<String, QdrantError> {
        let answer = self.request("GET", "/readyz").send()?;
        if !answer.is_success() {
            return Err(failure(&answer));
        }
        Ok(answer.excerpt())
    }

    /// The collections to look at: those of the settings, or all, sorted by name.
    ///
    /// # Errors
    /// When there is no such answer.
    pub fn collections(&self) -> Result<Vec<String>, QdrantError> {
        let mut names = self.settings.collections.clone();
        if names.is_empty() {
            names = self.all_collections()?;
        }
        names.sort();
        Ok(names)
    }

    /// All collections of the server (`GET /collections`).
    ///
    /// # Errors
    /// When there is no such answer.
    pub fn all_collections(&self) -> Result<Vec<String>, QdrantError> {
        let collections: Collections = self.call("GET", "/collections", None)?;
        Ok(collections.collections.into_iter().map(|collection| collection.name).collect())
    }

    /// A collection's state and configuration (`GET /collections/{c}`).
    ///
    /// # Errors
    /// When it does not exist, or there is no such answer.
    pub fn info(&self, collection: &str) -> Result<CollectionInfo, QdrantError> {
        self.call("GET", &path(collection, ""), None)
    }

    /// Makes the optimiser look at a collection; its configuration stays as it is (`PATCH /collections/{c}`, answered at once).
    /// What it does, [`QdrantClient::info`] tells.
    ///
    /// # Errors
    /// When it does not exist, the key may only read, or there is no such answer.
    pub fn optimise(&self, collection: &str) -> Result<(), QdrantError> {
        self.call::<bool>("PATCH", &path(collection, ""), Some(&json!({"optimizers_config": {}}))).map(drop)
    }

    /// The nodes of the cluster, and what this one knows of them (`GET /cluster`).
    ///
    /// # Errors
    /// When there is no such answer.
    pub fn cluster(&self) -> Result<ClusterInfo, QdrantError> {
        self.call("GET", "/cluster", None)
    }

    /// The exact number of points of a collection.
    ///
    /// # Errors
    /// When it does not exist, or there is no such answer.
    pub fn count(&self, collection: &str) -> Result<u64, QdrantError> {
        let count: Count = self.call("POST", &path(collection, "/points/count"), Some(&json!({"exact": true})))?;
        Ok(count.count)
    }

    /// All aliases of the server, sorted (`GET /aliases`).
    ///
    /// # Errors
    /// When there is no such answer.
    pub fn aliases(&self) -> Result<Vec<Alias>, QdrantError> {
        let mut aliases: Aliases = self.call("GET", "/aliases", None)?;
        aliases.aliases.sort();
        Ok(aliases.aliases)
    }

    /// Creates aliases, replacing what they stood for before.
    ///
    /// # Errors
    /// When a collection does not exist, or there is no such answer.
    pub fn set_aliases(&self, aliases: &[Alias]) -> Result<(), QdrantError> {
        let actions: Vec<Value> = aliases.iter().map(|alias| json!({"create_alias": alias})).collect();
        self.call::<bool>("POST", "/collections/aliases", Some(&json!({"actions": actions}))).map(drop)
    }

    /// Deletes an alias.
    ///
    /// # Errors
    /// When it does not exist, or there is no such answer.
    pub fn delete_alias(&self, alias: &str) -> Result<(), QdrantError> {
        let action = json!({"delete_alias": {"alias_name": alias}});
        self.call::<bool>("POST", "/collections/aliases", Some(&json!({"actions": [action]}))).map(drop)
    }

    /// Deletes a collection; whether it was there.
    ///
    /// # Errors
    /// When there is no such answer.
    pub fn delete_collection(&self, collection: &str) -> Result<bool, QdrantError> {
        self.call("DELETE", &path(collection, ""), None)
    }

    pub(super) fn request(&self, method: &'static str, path: &str) -> Request<'_> {
        let request = self.http.request(method, format!("{}{path}", self.settings.url));
        match &self.settings.api_key {
            Some(key) => request.header("api-key", key.expose()),
            None => request,
        }
    }

    pub(super) fn call<T: DeserializeOwned>(
        &self,
        method: &'static str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<T, QdrantError> {
        self.call_within(self.settings.timeout, method, path, body)
    }

    pub(super) fn call_within<T: DeserializeOwned>(
        &self,
        timeout: Duration,
        method: &'static str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<T, QdrantError> {
        let request = self.request(method, path).timeout(timeout);
        let answer = match body {
            Some(body) => request.send_json(body)?,
            None => request.send()?,
        };
        let success: Success<T> = read(&answer)?;
        Ok(success.result)
    }
}

/// The path of something in a collection; names may hold any character.
pub(super) fn path(collection: &str, rest: &str) -> String {
    format!("/collections/{}{rest}", encode(collection))
}

/// A path segment, percent-encoded.
pub(super) fn encode(segment: &str) -> String {
    segment
        .bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

pub(super) fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, QdrantError> {
    if !answer.is_success() {
        return Err(failure(answer));
    }
    answer.json().map_err(|error| QdrantError::Shape(error.to_string()))
}

/// What an answer with an error status says: JSON from most calls, plain text from some, nothing for unknown paths.
pub(super) fn failure(answer: &Answer) -> QdrantError {
    let text = answer.json::<Failure>().map_or_else(|_| answer.excerpt(), |failure| failure.status.error);
    QdrantError::Status(answer.status, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_encoded_into_one_segment() {
        assert_eq!(path("plans", "/points/count"), "/collections/plans/points/count");
        assert_eq!(encode("é/../x y"), "%C3%A9%2F..%2Fx%20y");
    }
}
