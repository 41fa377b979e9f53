//! The program: its line on stdout, its end, and what a kill leaves.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::client::{call, ok, point};

struct Program {
    child: Child,
    url: String,
}

fn command(storage: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_qdrant-standin"));
    command.env_clear().arg("--storage").arg(storage).arg("--until-stdin-closes");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn start(storage: &Path) -> Program {
    let mut child = command(storage).spawn().expect("the program starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("a stdout")).read_line(&mut line).expect("a line");
    let ready: Value = serde_json::from_str(&line).expect("a line of JSON");
    assert_eq!(ready["version"], "1.18.2");
    Program { child, url: ready["url"].as_str().expect("a URL").to_owned() }
}

#[test]
fn what_was_answered_survives_a_kill() {
    let storage = tempfile::tempdir().unwrap();
    let mut program = start(storage.path());
    let put = |url: &str, path: &str, body: &Value| {
        let reply = call(url, "PUT", path, "", body.to_string().as_bytes());
        assert_eq!(reply.status, 200, "{}", reply.text());
    };
    put(&program.url, "/collections/plans", &json!({ "vectors": { "size": 8, "distance": "Cosine" } }));
    let points: Vec<_> = (1..=200).map(point).collect();
    put(&program.url, "/collections/plans/points?wait=true", &json!({ "points": points }));
    let snapshot = call(&program.url, "POST", "/collections/plans/snapshots", "", b"").value();
    program.child.kill().unwrap();
    program.child.wait().unwrap();

    let mut program = start(storage.path());
    let count = call(&program.url, "POST", "/collections/plans/points/count", "", br#"{"exact":true}"#);
    count.is_json(200, &ok(r#"{"count":200}"#));
    let list = call(&program.url, "GET", "/collections/plans/snapshots", "", b"").value();
    assert_eq!(list["result"][0], snapshot["result"]);
    drop(program.child.stdin.take());
    assert_eq!(program.child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_key_that_is_not_in_the_environment_is_an_error() {
    let storage = tempfile::tempdir().unwrap();
    let output = command(storage.path()).args(["--api-key-env", "ABSENT_KEY"]).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(output.stdout.is_empty());
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "qdrant-standin: read an API key from the environment variable ABSENT_KEY: environment variable not found\n"
    );
}
