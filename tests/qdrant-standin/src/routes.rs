//! Which call is which: method and path to the function that answers it.

use std::sync::Arc;

use tiny_http::Request;

use crate::answer::{Answer, Failure};
use crate::auth::Keys;
use crate::call::{Call, header, percent_decode};
use crate::store::Store;
use crate::{VERSION, aliases, collections, metrics, points, restore, snapshots};

/// Answers a request.
pub(crate) fn answer(store: &Arc<Store>, keys: &Keys, request: &mut Request) -> Result<Answer, Failure> {
    let url = request.url().to_owned();
    let (path, query) = url.split_once('?').unwrap_or((&url, ""));
    let method = request.method().to_string();
    // Decoded after splitting: an encoded slash belongs to a name.
    let path: Vec<String> = path.trim_start_matches('/').split('/').map(percent_decode).collect();
    let path: Vec<&str> = path.iter().map(String::as_str).collect();

    if let ("OPTIONS", Some(origin)) = (method.as_str(), header(request, "Origin")) {
        return Ok(Answer::Preflight(origin.to_owned()));
    }
    // These are open even with a key set.
    match (method.as_str(), path.as_slice()) {
        ("GET", [""]) => {
            return Ok(Answer::Json(format!(r#"{{"title":"qdrant - vector search engine","version":"{VERSION}"}}"#)));
        }
        ("GET", ["healthz" | "livez"]) => return Ok(Answer::Text("healthz check passed".to_owned())),
        ("GET", ["readyz"]) => return Ok(Answer::Text("all shards are ready".to_owned())),
        _ => {}
    }
    let bearer = header(request, "Authorization").and_then(|value| value.strip_prefix("Bearer "));
    let access = keys.access(header(request, "api-key").or(bearer))?;
    let mut call = Call::new(request, query, access);
    match path.as_slice() {
        // No name is empty, so neither is any part of a path.
        path if path.contains(&"") => Ok(Answer::NoSuchPath),
        ["collections", name, "snapshots", rest @ ..] => of_snapshots(store, &mut call, &method, name, rest),
        ["collections", name, rest @ ..] if !rest.is_empty() => of_collection(store, &mut call, &method, name, rest),
        path => of_server(store, &mut call, &method, path),
    }
}

/// What concerns the server, or collections as such.
fn of_server(store: &Arc<Store>, call: &mut Call<'_>, method: &str, path: &[&str]) -> Result<Answer, Failure> {
    let access = call.access;
    match (method, path) {
        ("GET", ["metrics"]) => metrics::metrics(store),
        ("GET", ["cluster"]) => Answer::result(&serde_json::json!({ "status": "disabled" })),
        ("GET", ["aliases"]) => aliases::all(store),
        ("GET", ["collections"]) => collections::list(store),
        ("POST", ["collections", "aliases"]) => access.may_change().and_then(|()| aliases::change(store, call)),
        ("GET", ["collections", name]) => collections::info(store, name),
        ("PUT", ["collections", name]) => access.may_change().and_then(|()| collections::create(store, call, name)),
        ("PATCH", ["collections", name]) => access.may_change().and_then(|()| collections::update(store, call, name)),
        ("DELETE", ["collections", name]) => access.may_change().and_then(|()| collections::delete(store, name)),
        ("GET", ["snapshots"]) => snapshots::list_full(store),
        ("POST", ["snapshots"]) => access.may_change().and_then(|()| snapshots::create_full(store, call)),
        ("GET", ["snapshots", file]) => snapshots::download_full(store, call, file),
        ("DELETE", ["snapshots", file]) => access.may_change().and_then(|()| snapshots::delete_full(store, file)),
        _ => Ok(Answer::NoSuchPath),
    }
}

/// What concerns one collection, its snapshots apart. There is no `POST …/index`: the recorded server has none either.
fn of_collection(
    store: &Store,
    call: &mut Call<'_>,
    method: &str,
    name: &str,
    rest: &[&str],
) -> Result<Answer, Failure> {
    let access = call.access;
    match (method, rest) {
        ("GET", ["exists"]) => collections::exists(store, name),
        ("GET", ["cluster"]) => collections::cluster(store, name),
        ("GET", ["optimizations"]) => collections::optimizations(store, name),
        ("GET", ["aliases"]) => aliases::of_collection(store, name),
        ("POST", ["points", "count"]) => points::count(store, call, name),
        ("POST", ["points", "scroll"]) => points::scroll(store, call, name),
        ("PUT", ["points"]) => access.may_change().and_then(|()| points::upsert(store, call, name)),
        ("POST", ["points", "delete"]) => access.may_change().and_then(|()| points::delete(store, call, name)),
        ("PUT", ["index"]) => access.may_change().and_then(|()| points::create_index(store, call, name)),
        ("DELETE", ["index", field]) => {
            access.may_change().and_then(|()| points::delete_index(store, call, name, field))
        }
        _ => Ok(Answer::NoSuchPath),
    }
}

/// What concerns the snapshots of one collection.
fn of_snapshots(
    store: &Arc<Store>,
    call: &mut Call<'_>,
    method: &str,
    name: &str,
    rest: &[&str],
) -> Result<Answer, Failure> {
    let access = call.access;
    match (method, rest) {
        ("GET", []) => snapshots::list(store, name),
        ("POST", []) => access.may_change().and_then(|()| snapshots::create(store, call, name)),
        ("POST", ["upload"]) => {
            // The one refusal of a read-only key that was recorded as plain text.
            access.may_change().map_err(Failure::plain).and_then(|()| restore::upload(store, call, name))
        }
        ("PUT", ["recover"]) => access.may_change().and_then(|()| restore::recover(store, call, name)),
        ("GET", [file]) => snapshots::download(store, call, name, file),
        ("DELETE", [file]) => access.may_change().and_then(|()| snapshots::delete(store, name, file)),
        _ => Ok(Answer::NoSuchPath),
    }
}
