//! What tests ask a Qdrant. It knows nothing of `pso-common`: a mistake there must not hide itself.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use ureq::http::Request;

use crate::wait;

/// A point of a collection.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// A number or a UUID.
    pub id: Value,
    /// The vector. Qdrant normalises it on its way in when the distance is cosine.
    pub vector: Vec<f32>,
    /// A JSON object.
    pub payload: Value,
}

/// A client of one store.
#[derive(Debug, Clone)]
pub struct QdrantClient {
    url: String,
    key: Option<String>,
    agent: ureq::Agent,
}

impl QdrantClient {
    /// A client for the store at `url` (`http://127.0.0.1:PORT`).
    #[must_use]
    pub fn new(url: &str, key: Option<&str>) -> Self {
        #[expect(clippy::disallowed_methods, reason = "the harness must not see the store through the code under test")]
        let config =
            ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(Duration::from_secs(60)));
        Self { url: url.to_owned(), key: key.map(str::to_owned), agent: config.build().new_agent() }
    }

    /// Any request, with its status and its body as text.
    ///
    /// # Errors
    /// When the store cannot be reached. Any status is an answer.
    pub fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Result<(u16, String)> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.url));
        if let Some(key) = &self.key {
            request = request.header("api-key", key);
        }
        let doing = || format!("{method} {path}");
        let answer = match body {
            Some(body) => {
                let request = request.header("Content-Type", "application/json").body(body.to_string());
                self.agent.run(request.with_context(doing)?)
            }
            None => self.agent.run(request.body(()).with_context(doing)?),
        };
        let mut answer = answer.with_context(doing)?;
        let text = answer.body_mut().with_config().limit(1 << 30).read_to_string().with_context(doing)?;
        Ok((answer.status().as_u16(), text))
    }

    /// A request that must succeed, and its `result`.
    ///
    /// # Errors
    /// When it does not; the message has the body.
    pub fn result(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        let (status, text) = self.request(method, path, body)?;
        if !(200..300).contains(&status) {
            bail!("{method} {path} answers {status}: {text}");
        }
        let mut answer: Value =
            serde_json::from_str(&text).with_context(|| format!("{method} {path} answers {text}"))?;
        Ok(answer["result"].take())
    }

    /// A PUT whose body is JSON text already, and that must succeed.
    ///
    /// # Errors
    /// When it does not; the message has the answer.
    pub fn put_text(&self, path: &str, body: &str) -> Result<()> {
        let mut request = Request::builder().method("PUT").uri(format!("{}{path}", self.url));
        if let Some(key) = &self.key {
            request = request.header("api-key", key);
        }
        let doing = || format!("PUT {path}");
        let request = request.header("Content-Type", "application/json").body(body).with_context(doing)?;
        let mut answer = self.agent.run(request).with_context(doing)?;
        let status = answer.status().as_u16();
        if !(200..300).contains(&status) {
            bail!("PUT {path} answers {status}: {}", answer.body_mut().read_to_string().with_context(doing)?);
        }
        Ok(())
    }

    /// Creates a collection as the maintained system has them: cosine, payload on disk.
    ///
    /// # Errors
    /// When it exists, or the store refuses.
    pub fn create_collection(&self, name: &str, dimensions: usize) -> Result<()> {
        let body = json!({"vectors": {"size": dimensions, "distance": "Cosine"}, "on_disk_payload": true});
        self.result("PUT", &format!("/collections/{}", encoded(name)), Some(&body)).map(|_| ())
    }

    /// Deletes a collection and says whether it was there.
    ///
    /// # Errors
    /// When the store refuses.
    pub fn delete_collection(&self, name: &str) -> Result<bool> {
        Ok(self.result("DELETE", &format!("/collections/{}", encoded(name)), None)? == true)
    }

    /// The names of the collections, sorted.
    ///
    /// # Errors
    /// When the store refuses.
    pub fn collections(&self) -> Result<Vec<String>> {
        let result = self.result("GET", "/collections", None)?;
        let listed = result["collections"].as_array().context("no list of collections")?;
        let mut names: Vec<String> =
            listed.iter().filter_map(|entry| entry["name"].as_str()).map(str::to_owned).collect();
        names.sort();
        Ok(names)
    }

    /// Inserts points and waits until they are there.
    ///
    /// # Errors
    /// When the store refuses.
    pub fn upsert(&self, collection: &str, points: &[Point]) -> Result<()> {
        for some in points.chunks(100) {
            let points: Vec<Value> = some
                .iter()
                .map(|point| json!({"id": point.id, "vector": point.vector, "payload": point.payload}))
                .collect();
            self.result(
                "PUT",
                &format!("/collections/{}/points?wait=true", encoded(collection)),
                Some(&json!({"points": points})),
            )?;
        }
        Ok(())
    }

    /// The exact number of points.
    ///
    /// # Errors
    /// When the collection is missing or the store refuses.
    pub fn count(&self, collection: &str) -> Result<u64> {
        let body = json!({"exact": true});
        let result = self.result("POST", &format!("/collections/{}/points/count", encoded(collection)), Some(&body))?;
        result["count"].as_u64().with_context(|| format!("no count in {result}"))
    }

    /// All points, by the text of their id.
    ///
    /// # Errors
    /// When the collection is missing or the store refuses.
    pub fn points(&self, collection: &str) -> Result<BTreeMap<String, Point>> {
        let mut all = BTreeMap::new();
        let mut body = json!({"limit": 200, "with_payload": true, "with_vector": true});
        loop {
            let mut result =
                self.result("POST", &format!("/collections/{}/points/scroll", encoded(collection)), Some(&body))?;
            for point in result["points"].as_array_mut().context("no points in the answer to scroll")? {
                let vector = point["vector"].as_array().context("a point without a vector")?;
                // Qdrant's vectors are f32: nothing is lost.
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "the number was an f32 before it was written as text"
                )]
                let vector = vector.iter().filter_map(Value::as_f64).map(|number| number as f32).collect();
                let point = Point { id: point["id"].clone(), vector, payload: point["payload"].take() };
                all.insert(point.id.to_string(), point);
            }
            match result["next_page_offset"].take() {
                Value::Null => return Ok(all),
                next => body["offset"] = next,
            }
        }
    }

    /// Names a collection once more.
    ///
    /// # Errors
    /// When the store refuses.
    pub fn create_alias(&self, alias: &str, collection: &str) -> Result<()> {
        let action = json!({"create_alias": {"collection_name": collection, "alias_name": alias}});
        self.result("POST", "/collections/aliases", Some(&json!({"actions": [action]}))).map(|_| ())
    }

    /// Takes an alias away.
    ///
    /// # Errors
    /// When the store refuses.
    pub fn delete_alias(&self, alias: &str) -> Result<()> {
        let action = json!({"delete_alias": {"alias_name": alias}});
        self.result("POST", "/collections/aliases", Some(&json!({"actions": [action]}))).map(|_| ())
    }

    /// All aliases with the collection that each means.
    ///
    /// # Errors
    /// When the store refuses.
    pub fn aliases(&self) -> Result<BTreeMap<String, String>> {
        let mut all = BTreeMap::new();
        for collection in self.collections()? {
            let result = self.result("GET", &format!("/collections/{}/aliases", encoded(&collection)), None)?;
            for alias in result["aliases"].as_array().context("no list of aliases")? {
                let name = alias["alias_name"].as_str().context("an alias without a name")?;
                all.insert(name.to_owned(), collection.clone());
            }
        }
        Ok(all)
    }

    /// The names of a collection's snapshots on the server.
    ///
    /// # Errors
    /// When the collection is missing or the store refuses.
    pub fn snapshots(&self, collection: &str) -> Result<Vec<String>> {
        let result = self.result("GET", &format!("/collections/{}/snapshots", encoded(collection)), None)?;
        let listed = result.as_array().context("no list of snapshots")?;
        Ok(listed.iter().filter_map(|entry| entry["name"].as_str()).map(str::to_owned).collect())
    }

    /// Waits until a collection's status is green.
    ///
    /// # Errors
    /// When `limit` passes first.
    pub fn wait_green(&self, collection: &str, limit: Duration) -> Result<()> {
        wait::until_ok(&format!("collection {collection} to be green"), limit, || {
            let status = self.result("GET", &format!("/collections/{}", encoded(collection)), None)?["status"].take();
            anyhow::ensure!(status == "green", "its status is {status}");
            Ok(())
        })
    }
}

/// A name as one part of a path.
fn encoded(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    name.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
