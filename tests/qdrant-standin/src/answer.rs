//! What a call is answered with, and how that goes over the wire.

use std::fs::File;
use std::io::{Cursor, Read as _};
use std::time::Duration;

use serde::Serialize;
use tiny_http::{Header, Response, ResponseBox, StatusCode};

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

/// A call that went well.
pub(crate) enum Answer {
    /// 200 with this JSON text as `result`. Text and not a value, as a value would widen `f32` to `f64` and print
    /// 0.1 as 0.10000000149011612.
    Result(String),
    /// 202: the work goes on in the background.
    Accepted,
    /// 200 with this whole JSON body.
    Json(String),
    /// 200 with a plain text.
    Text(String),
    /// 200 or 206 with the bytes of a file.
    File(FileAnswer),
    /// 416: a range beyond the end of a file of this many bytes.
    RangeBeyond(u64),
    /// 200 to a browser's question whether this origin may call.
    Preflight(String),
    /// 404 without a body: what a real server answers to a path or a method it does not know.
    NoSuchPath,
}

/// A file, or a part of it, read from disk while it is sent.
pub(crate) struct FileAnswer {
    /// Positioned at the first byte to send.
    pub(crate) file: File,
    pub(crate) name: String,
    pub(crate) size: u64,
    /// First and last byte, if a part was asked for.
    pub(crate) range: Option<(u64, u64)>,
    pub(crate) etag: String,
    pub(crate) last_modified: String,
}

impl Answer {
    /// 200 with `result` as JSON.
    pub(crate) fn result(result: &impl Serialize) -> Result<Self, Failure> {
        serde_json::to_string(result)
            .map(Self::Result)
            .map_err(|error| Failure::internal(format!("cannot write the answer: {error}")))
    }

    /// The response; `elapsed` becomes the `time` in its body, in seconds.
    pub(crate) fn into_response(self, elapsed: Duration) -> ResponseBox {
        let time = elapsed.as_secs_f64();
        match self {
            Self::Result(result) => {
                body(200, Some(JSON), format!(r#"{{"result":{result},"status":"ok","time":{}}}"#, number(time)))
            }
            Self::Accepted => body(202, Some(JSON), format!(r#"{{"status":"accepted","time":{}}}"#, number(time))),
            Self::Json(text) => body(200, Some(JSON), text),
            Self::Text(text) => body(200, Some(TEXT), text),
            Self::File(file) => file.into_response(),
            Self::RangeBeyond(size) => {
                with(body(416, None, String::new()), &[("content-range", &format!("bytes */{size}"))])
            }
            Self::Preflight(origin) => with(
                body(200, None, String::new()),
                &[
                    ("access-control-allow-origin", &origin),
                    ("access-control-allow-methods", "POST, PATCH, DELETE, OPTIONS, PUT, CONNECT, TRACE, GET, HEAD"),
                ],
            ),
            Self::NoSuchPath => body(404, None, String::new()),
        }
    }
}

impl FileAnswer {
    fn into_response(self) -> ResponseBox {
        let (status, start, end) = match self.range {
            Some((start, end)) => (206, start, end + 1),
            None => (200, 0, self.size),
        };
        let length = end - start;
        // Never chunked: a real server sends the length, and a downloader compares it.
        let known = usize::try_from(length).ok();
        let response = Response::new(StatusCode(status), Vec::new(), self.file.take(length), known, None)
            .with_chunked_threshold(usize::MAX)
            .boxed();
        let range = format!("bytes {start}-{}/{}", end.saturating_sub(1), self.size);
        let disposition = format!("attachment; filename=\"{}\"", self.name);
        let mut headers = vec![
            ("accept-ranges", "bytes"),
            ("last-modified", self.last_modified.as_str()),
            ("etag", &self.etag),
            ("content-disposition", &disposition),
            ("content-type", "application/octet-stream"),
        ];
        if self.range.is_some() {
            headers.extend([("content-encoding", "identity"), ("content-range", range.as_str())]);
        }
        with(response, &headers)
    }
}

/// A call that did not go well.
#[derive(Debug)]
pub(crate) struct Failure {
    status: u16,
    message: String,
    form: Form,
}

#[derive(Debug, Clone, Copy)]
enum Form {
    /// `{"status":{"error":…},"time":…}`.
    Json,
    /// The same with `"time":0.0`: a real server refuses these before its clock starts.
    JsonUntimed,
    /// Plain text: how a real server words failures of downloads and of the upload form.
    Text,
    /// Plain text without a Content-Type: how a real server refuses a key.
    Bare,
}

impl Failure {
    fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), form: Form::Json }
    }

    /// 400 `Wrong input: …`.
    pub(crate) fn wrong_input(what: impl std::fmt::Display) -> Self {
        Self::new(400, format!("Wrong input: {what}"))
    }

    /// 400 for what a real server can do and this stand-in cannot.
    pub(crate) fn unsupported(what: &str) -> Self {
        Self::new(400, format!("Not supported by qdrant-standin: {what}"))
    }

    /// 400 with this message as it is.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, message)
    }

    /// 400 for a JSON body that cannot be read.
    pub(crate) fn bad_json(error: &serde_json::Error) -> Self {
        Self::new(400, format!("Format error in JSON body: {error}")).untimed()
    }

    /// 404 `Not found: …`.
    pub(crate) fn not_found(what: impl std::fmt::Display) -> Self {
        Self::new(404, format!("Not found: {what}"))
    }

    /// 404 for a collection.
    pub(crate) fn no_collection(name: &str) -> Self {
        Self::not_found(format_args!("Collection `{name}` doesn't exist!"))
    }

    /// 404 for a snapshot.
    pub(crate) fn no_snapshot(name: &str) -> Self {
        Self::not_found(format_args!("Snapshot {name} not found"))
    }

    /// 409 for a name that is taken.
    pub(crate) fn conflict(what: impl std::fmt::Display) -> Self {
        Self::new(409, format!("Wrong input: {what}"))
    }

    /// 422 for a value that is well formed and not allowed.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(422, message).untimed()
    }

    /// 403 `Forbidden: …`.
    pub(crate) fn forbidden(what: impl std::fmt::Display) -> Self {
        Self::new(403, format!("Forbidden: {what}"))
    }

    /// 401, plain.
    pub(crate) fn unauthorized(message: &str) -> Self {
        Self { form: Form::Bare, ..Self::new(401, message) }
    }

    /// 500 `Service internal error: …`.
    pub(crate) fn internal(what: impl std::fmt::Display) -> Self {
        Self::new(500, format!("Service internal error: {what}"))
    }

    /// 500 for a file or a folder that could not be read or written; archives are worded the same way.
    pub(crate) fn file(error: &std::io::Error) -> Self {
        Self::internal(format_args!("File IO error: {error}"))
    }

    /// What went wrong.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// The same failure as plain text.
    pub(crate) fn plain(self) -> Self {
        Self { form: Form::Text, ..self }
    }

    /// The same failure with a `time` of zero.
    pub(crate) fn untimed(self) -> Self {
        Self { form: Form::JsonUntimed, ..self }
    }

    /// The response; `elapsed` becomes the `time` in its body, in seconds.
    pub(crate) fn into_response(self, elapsed: Duration) -> ResponseBox {
        let json = |time: f64| {
            let message = serde_json::Value::from(self.message.as_str());
            format!(r#"{{"status":{{"error":{message}}},"time":{}}}"#, number(time))
        };
        match self.form {
            Form::Json => body(self.status, Some(JSON), json(elapsed.as_secs_f64())),
            Form::JsonUntimed => body(self.status, Some(JSON), json(0.0)),
            Form::Text => body(self.status, Some(TEXT), self.message),
            Form::Bare => body(self.status, None, self.message),
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::file(&error)
    }
}

impl From<qdrant_edge::OperationError> for Failure {
    fn from(error: qdrant_edge::OperationError) -> Self {
        use qdrant_edge::OperationError as E;
        match error {
            E::ServiceError { description, .. } => Self::internal(description),
            E::InconsistentStorage { .. } | E::OutOfMemory { .. } | E::Cancelled { .. } | E::Timeout { .. } => {
                Self::internal(error)
            }
            _ => Self::wrong_input(error),
        }
    }
}

/// A JSON number, in the exponent form that a real server uses for very small ones (`3.135e-6`).
fn number(value: f64) -> serde_json::Value {
    serde_json::Value::from(value)
}

fn body(status: u16, content_type: Option<&str>, text: String) -> ResponseBox {
    let length = text.len();
    let response = Response::new(StatusCode(status), Vec::new(), Cursor::new(text.into_bytes()), Some(length), None)
        .with_chunked_threshold(usize::MAX)
        .boxed();
    match content_type {
        Some(value) => with(response, &[("content-type", value)]),
        None => response,
    }
}

fn with(mut response: ResponseBox, headers: &[(&str, &str)]) -> ResponseBox {
    for (name, value) in headers {
        // A value that no header can hold (a file name that is not ASCII) is left out rather than mangled.
        if let Ok(header) = Header::from_bytes(*name, *value) {
            response.add_header(header);
        }
    }
    response
}
