//! One HTTP request, taken apart.

use std::io::Read as _;

use serde::de::DeserializeOwned;
use tiny_http::Request;

use crate::answer::Failure;
use crate::auth::Access;

/// The limit of a real server (its `max_request_size_mb` is 32 unless configured).
const MAX_JSON_BYTES: u64 = 32 << 20;

/// A request with its path and query decoded, and what its sender may do.
pub(crate) struct Call<'r> {
    pub(crate) request: &'r mut Request,
    query: Vec<(String, String)>,
    pub(crate) access: Access,
}

impl<'r> Call<'r> {
    /// A call; `query` is what follows the `?`.
    pub(crate) fn new(request: &'r mut Request, query: &str, access: Access) -> Self {
        let query = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                (percent_decode(&name.replace('+', " ")), percent_decode(&value.replace('+', " ")))
            })
            .collect();
        Self { request, query, access }
    }

    /// The value of a query parameter.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// `?wait=`, which is `default` when absent.
    pub(crate) fn wait(&self, default: bool) -> Result<bool, Failure> {
        match self.parameter("wait") {
            None => Ok(default),
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            Some(_) => Err(Failure::bad_request(
                "Deserialize error in query parameters: provided string was not `true` or `false`",
            )
            .untimed()),
        }
    }

    /// The value of a header.
    pub(crate) fn header(&self, name: &'static str) -> Option<&str> {
        header(self.request, name)
    }

    /// The body as JSON.
    pub(crate) fn json<T: DeserializeOwned>(&mut self) -> Result<T, Failure> {
        let announced = self.request.body_length().map(|length| length as u64);
        if let Some(length) = announced.filter(|length| *length > MAX_JSON_BYTES) {
            return Err(Failure::bad_request(format!(
                "JSON payload ({length} bytes) is larger than allowed (limit: {MAX_JSON_BYTES} bytes)."
            ))
            .untimed());
        }
        let mut bytes = Vec::new();
        self.request.as_reader().take(MAX_JSON_BYTES + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_JSON_BYTES {
            let message = format!("JSON payload has exceeded limit ({MAX_JSON_BYTES} bytes).");
            return Err(Failure::bad_request(message).untimed());
        }
        serde_json::from_slice(&bytes).map_err(|error| Failure::bad_json(&error))
    }
}

/// The value of a header of a request.
pub(crate) fn header<'r>(request: &'r Request, name: &'static str) -> Option<&'r str> {
    request.headers().iter().find(|header| header.field.equiv(name)).map(|header| header.value.as_str())
}

/// Decodes `%2f` and the like; what is not such a triple stays as it is.
pub(crate) fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let pair = (first == b'%').then(|| tail.get(..2)).flatten();
        let decoded =
            pair.and_then(|pair| std::str::from_utf8(pair).ok()).and_then(|pair| u8::from_str_radix(pair, 16).ok());
        bytes.push(decoded.unwrap_or(first));
        rest = if decoded.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
