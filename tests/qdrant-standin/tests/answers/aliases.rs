//! Aliases.

use serde_json::json;

use crate::client::{Standin, error, ok};

const ALIASES: &str = "/collections/aliases";

#[test]
fn an_alias_leads_to_its_collection_everywhere() {
    let mut standin = Standin::with_points(10);
    standin.get("/collections/plans/aliases").is_json(200, &ok(r#"{"aliases":[]}"#));
    let create = json!({ "actions": [{ "create_alias": { "collection_name": "plans", "alias_name": "current" } }] });
    standin.json("POST", ALIASES, &create).is_json(200, &ok("true"));
    let listed = ok(r#"{"aliases":[{"alias_name":"current","collection_name":"plans"}]}"#);
    standin.get("/collections/plans/aliases").is_json(200, &listed);
    standin.get("/aliases").is_json(200, &listed);
    standin.restart();
    standin.get("/aliases").is_json(200, &listed);
    assert_eq!(standin.count("current"), 10);
    let made = standin.call("POST", "/collections/current/snapshots", "", b"").value();
    assert!(made["result"]["name"].as_str().is_some_and(|name| name.starts_with("plans-")), "{made}");
    // It names no collection of its own.
    standin.get("/collections").is_json(200, &ok(r#"{"collections":[{"name":"plans"}]}"#));
    standin.call("DELETE", "/collections/current", "", b"").is_json(200, &ok("false"));
}

#[test]
fn all_of_the_actions_are_done_or_none() {
    let standin = Standin::with_points(1);
    let good = json!({ "create_alias": { "collection_name": "plans", "alias_name": "a" } });
    let bad = json!({ "create_alias": { "collection_name": "absent", "alias_name": "b" } });
    standin
        .json("POST", ALIASES, &json!({ "actions": [good, bad] }))
        .is_json(404, &error("Not found: Collection `absent` doesn't exist!"));
    standin.get("/aliases").is_json(200, &ok(r#"{"aliases":[]}"#));
    let rename = json!({ "rename_alias": { "old_alias_name": "a", "new_alias_name": "b" } });
    standin.json("POST", ALIASES, &json!({ "actions": [good, rename] })).is_json(200, &ok("true"));
    standin.get("/aliases").is_json(200, &ok(r#"{"aliases":[{"alias_name":"b","collection_name":"plans"}]}"#));
    let delete = json!({ "delete_alias": { "alias_name": "b" } });
    standin.json("POST", ALIASES, &json!({ "actions": [delete] })).is_json(200, &ok("true"));
    standin.get("/aliases").is_json(200, &ok(r#"{"aliases":[]}"#));
}

#[test]
fn a_deleted_collection_takes_its_aliases_along() {
    let standin = Standin::with_points(1);
    let create = json!({ "actions": [{ "create_alias": { "collection_name": "plans", "alias_name": "current" } }] });
    standin.json("POST", ALIASES, &create).is_json(200, &ok("true"));
    standin.call("DELETE", "/collections/plans", "", b"").is_json(200, &ok("true"));
    standin.get("/aliases").is_json(200, &ok(r#"{"aliases":[]}"#));
}
