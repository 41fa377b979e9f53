//! A server on a free port, and a client that shows an answer as it came.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use qdrant_standin::{Keys, Options, Server};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A server with its storage, both gone when dropped.
pub(crate) struct Standin {
    server: Option<Server>,
    pub(crate) storage: TempDir,
    keys: Keys,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Standin {
    pub(crate) fn start() -> Self {
        Self::with_keys(Keys::default())
    }

    pub(crate) fn with_keys(keys: Keys) -> Self {
        let storage = TempDir::new().expect("a temporary folder");
        let mut standin = Self { server: None, storage, keys };
        standin.restart();
        standin
    }

    /// With the collection `plans` of this many points.
    pub(crate) fn with_points(count: u64) -> Self {
        let standin = Self::start();
        standin.create("plans");
        standin.upsert("plans", 1..=count);
        standin
    }

    pub(crate) fn restart(&mut self) {
        self.server = None;
        let (storage, keys) = (self.storage.path().to_owned(), self.keys.clone());
        let options = Options { storage, host: IpAddr::V4(Ipv4Addr::LOCALHOST), port: 0, keys };
        self.server = Some(Server::start(options).expect("the server starts"));
    }

    pub(crate) fn create(&self, name: &str) {
        let body = json!({ "vectors": { "size": 8, "distance": "Cosine" } });
        let reply = self.json("PUT", &format!("/collections/{name}"), &body);
        assert_eq!((reply.status, reply.text()), (200, ok("true")));
    }

    pub(crate) fn upsert(&self, name: &str, ids: impl IntoIterator<Item = u64>) {
        let points: Vec<_> = ids.into_iter().map(point).collect();
        let reply = self.json("PUT", &format!("/collections/{name}/points?wait=true"), &json!({ "points": points }));
        assert_eq!(reply.status, 200, "{}", reply.text());
    }

    pub(crate) fn count(&self, name: &str) -> u64 {
        let reply = self.json("POST", &format!("/collections/{name}/points/count"), &json!({ "exact": true }));
        reply.value()["result"]["count"].as_u64().unwrap_or_else(|| panic!("no count: {}", reply.text()))
    }

    /// Every point with its payload and vector.
    pub(crate) fn content(&self, name: &str) -> Value {
        let body = json!({ "limit": 10_000, "with_vector": true });
        self.json("POST", &format!("/collections/{name}/points/scroll"), &body).value()["result"]["points"].take()
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.call("GET", path, "", b"")
    }

    pub(crate) fn json(&self, method: &str, path: &str, body: &Value) -> Reply {
        self.call(method, path, "Content-Type: application/json\r\n", body.to_string().as_bytes())
    }

    /// Uploads a file as the form field `snapshot`.
    pub(crate) fn upload(&self, path: &str, file_name: &str, file: &[u8]) -> Reply {
        self.upload_as("snapshot", path, file_name, file)
    }

    pub(crate) fn upload_as(&self, field: &str, path: &str, file_name: &str, file: &[u8]) -> Reply {
        let (head, form) = form(field, file_name, file);
        self.call("POST", path, &head, &form)
    }

    pub(crate) fn call(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Reply {
        let url = self.server.as_ref().expect("a server runs").url();
        call(&url, method, path, headers, body)
    }
}

/// Sends one request on a connection of its own; `headers` are whole lines.
pub(crate) fn call(url: &str, method: &str, path: &str, headers: &str, body: &[u8]) -> Reply {
    let address = url.strip_prefix("http://").expect("a URL of http");
    let mut stream = TcpStream::connect(address).expect("the server listens");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a time-out can be set");
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
    );
    stream.write_all(&[head.as_bytes(), body].concat()).expect("the request is taken");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer comes");
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("a head ends");
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Reply { status, head, body: answer[end + 4..].to_vec() }
}

/// The head and the body of a multipart form with one file.
pub(crate) fn form(field: &str, file_name: &str, file: &[u8]) -> (String, Vec<u8>) {
    let disposition = format!("Content-Disposition: form-data; name=\"{field}\"; filename=\"{file_name}\"");
    let start = format!("--bound\r\n{disposition}\r\nContent-Type: application/octet-stream\r\n\r\n");
    let form = [start.as_bytes(), file, b"\r\n--bound--\r\n"].concat();
    ("Content-Type: multipart/form-data; boundary=bound\r\n".to_owned(), form)
}

impl Reply {
    /// The body, without the digits of `"time":…` at its end.
    pub(crate) fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.body).into_owned();
        match text.rfind(r#","time":"#) {
            Some(start) if !text.ends_with(r#""time":0.0}"#) => format!(r#"{},"time":…}}"#, &text[..start]),
            _ => text,
        }
    }

    pub(crate) fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// Status, Content-Type and body at once.
    pub(crate) fn is(&self, status: u16, content_type: Option<&str>, text: &str) {
        assert_eq!((self.status, self.header("content-type"), self.text().as_str()), (status, content_type, text));
    }

    /// A JSON body.
    pub(crate) fn is_json(&self, status: u16, text: &str) {
        self.is(status, Some("application/json"), text);
    }

    /// A 404 with an empty body, as for an unknown path.
    pub(crate) fn is_no_path(&self) {
        self.is(404, None, "");
        assert_eq!(self.header("content-length"), Some("0"));
    }
}

/// The body of a success.
pub(crate) fn ok(result: &str) -> String {
    format!(r#"{{"result":{result},"status":"ok","time":…}}"#)
}

/// The body of a failure.
pub(crate) fn error(message: &str) -> String {
    format!(r#"{{"status":{{"error":{}}},"time":…}}"#, Value::from(message))
}

/// The body of a failure that a server finds before its clock starts.
pub(crate) fn untimed(message: &str) -> String {
    error(message).replace('…', "0.0")
}

/// A point that its id determines.
pub(crate) fn point(id: u64) -> Value {
    let vector: Vec<_> = (1..=8).map(|k| ((id * k) % 17) as f64 + 0.5).collect();
    json!({ "id": id, "vector": vector, "payload": { "plan_id": format!("plan-{id}"), "price": id * 10 } })
}

/// Tries until `done` gives something; a minute is the most that anything here may take.
pub(crate) fn wait_for<T>(what: &str, mut done: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(value) = done() {
            return value;
        }
        assert!(Instant::now() < deadline, "{what} did not happen");
        std::thread::yield_now();
    }
}
