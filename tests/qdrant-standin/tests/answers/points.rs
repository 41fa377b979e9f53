//! Points, and the indexes on their payloads.

use serde_json::json;

use crate::client::{Standin, error, ok, untimed};

const POINTS: &str = "/collections/plans/points";

#[test]
fn what_cannot_be_written_is_refused_as_recorded() {
    let standin = Standin::with_points(3);
    let content = standin.content("plans");
    standin
        .json("PUT", "/collections/plans/points?wait=true", &json!({ "points": [{ "id": 1, "vector": [1, 2, 3] }] }))
        .is_json(400, &error("Wrong input: Vector dimension error: expected dim: 8, got 3"));
    let not_json = untimed("Format error in JSON body: expected ident at line 1 column 2");
    standin.call("PUT", POINTS, "", b"not json").is_json(400, &not_json);
    let huge = "JSON payload (34603008 bytes) is larger than allowed (limit: 33554432 bytes).";
    standin.call("PUT", POINTS, "", &vec![b' '; 34_603_008]).is_json(400, &untimed(huge));
    let empty = "Format error in JSON body: EOF while parsing a value at line 1 column 0";
    standin.call("PUT", "/collections/plans/index", "", b"").is_json(400, &untimed(empty));
    let no_field = "Format error in JSON body: missing field `field_name` at line 1 column 13";
    standin.json("PUT", "/collections/plans/index", &json!({ "wait": true })).is_json(400, &untimed(no_field));
    assert_eq!(standin.content("plans"), content);
}

#[test]
fn points_are_scrolled_page_by_page_and_come_back_as_written() {
    let standin = Standin::start();
    let body = json!({ "vectors": { "size": 2, "distance": "Dot" } });
    standin.json("PUT", "/collections/plans", &body).is_json(200, &ok("true"));
    let uuid = "5c56c793-69f3-4fbf-87e6-c4bf54c28c26";
    let points = json!({ "points": [
        { "id": 1, "vector": [0.1, -2.5], "payload": { "name": "Plän", "tags": ["a", "b"], "nested": { "n": 1.5 } } },
        { "id": uuid, "vector": [3, 4] },
    ] });
    let acknowledged = ok(r#"{"operation_id":1,"status":"acknowledged"}"#);
    standin.json("PUT", POINTS, &points).is_json(200, &acknowledged);
    let scroll = |body: &serde_json::Value| standin.json("POST", "/collections/plans/points/scroll", body).text();
    let first = r#"{"id":1,"payload":{"name":"Plän","tags":["a","b"],"nested":{"n":1.5}},"vector":[0.1,-2.5]}"#;
    assert_eq!(
        scroll(&json!({ "limit": 1, "with_vector": true })),
        ok(&format!(r#"{{"points":[{first}],"next_page_offset":"{uuid}"}}"#))
    );
    let second = format!(r#"{{"id":"{uuid}","vector":[3.0,4.0]}}"#);
    assert_eq!(
        scroll(&json!({ "offset": uuid, "with_vector": true, "with_payload": false })),
        ok(&format!(r#"{{"points":[{second}],"next_page_offset":null}}"#))
    );
}

#[test]
fn points_are_counted_filtered_and_deleted() {
    let standin = Standin::with_points(100);
    let filter = json!({ "must": [{ "key": "price", "range": { "lte": 300 } }] });
    let count = |body: &serde_json::Value| standin.json("POST", "/collections/plans/points/count", body).text();
    assert_eq!(count(&json!({ "exact": true })), ok(r#"{"count":100}"#));
    assert_eq!(count(&json!({ "exact": true, "filter": filter })), ok(r#"{"count":30}"#));
    let delete = "/collections/plans/points/delete?wait=true";
    standin.json("POST", delete, &json!({ "points": [1, 99, 1234] }));
    assert_eq!(standin.count("plans"), 98);
    standin.json("POST", delete, &json!({ "filter": filter }));
    assert_eq!(standin.count("plans"), 69);
}
