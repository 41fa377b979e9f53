//! Collections as a whole, and the server itself.

use serde_json::json;

use crate::client::{Standin, error, ok, untimed, wait_for};

const INFO: &str = concat!(
    r#"{"status":"green","optimizer_status":"ok","indexed_vectors_count":0,"points_count":100,"segments_count":1,"#,
    r#""config":{"params":{"vectors":{"size":8,"distance":"Cosine"},"shard_number":1,"replication_factor":1,"#,
    r#""write_consistency_factor":1,"on_disk_payload":true},"hnsw_config":{"m":16,"ef_construct":100,"#,
    r#""full_scan_threshold":10000,"max_indexing_threads":0,"on_disk":false},"#,
    r#""optimizer_config":{"deleted_threshold":0.2,"vacuum_min_vector_number":1000,"default_segment_number":0,"#,
    r#""max_segment_size":null,"memmap_threshold":null,"indexing_threshold":10000,"flush_interval_sec":5,"#,
    r#""max_optimization_threads":null,"prevent_unoptimized":null},"wal_config":{"wal_capacity_mb":32,"#,
    r#""wal_segments_ahead":0,"wal_retain_closed":1},"quantization_config":null},"#,
    r#""payload_schema":{"plan_id":{"data_type":"keyword","points":100}},"update_queue":{"length":0}}"#,
);

#[test]
fn an_empty_server_answers_as_recorded() {
    let standin = Standin::start();
    let text = Some("text/plain; charset=utf-8");
    standin.get("/").is_json(200, r#"{"title":"qdrant - vector search engine","version":"1.18.2"}"#);
    standin.get("/healthz").is(200, text, "healthz check passed");
    standin.get("/livez").is(200, text, "healthz check passed");
    standin.get("/readyz").is(200, text, "all shards are ready");
    standin.get("/collections").is_json(200, &ok(r#"{"collections":[]}"#));
    standin.get("/cluster").is_json(200, &ok(r#"{"status":"disabled"}"#));
    standin.get("/collections/plans/exists").is_json(200, &ok(r#"{"exists":false}"#));
    let missing = error("Not found: Collection `plans` doesn't exist!");
    standin.get("/collections/plans").is_json(404, &missing);
    standin.get("/collections/plans/snapshots").is_json(404, &missing);
    standin.call("POST", "/collections/plans/snapshots", "", b"").is_json(404, &missing);
    standin.json("POST", "/collections/plans/points/count", &json!({ "exact": true })).is_json(404, &missing);
    standin.json("PATCH", "/collections/plans", &json!({ "optimizers_config": {} })).is_json(404, &missing);
    standin.call("DELETE", "/collections/plans", "", b"").is_json(200, &ok("false"));
    let metrics = standin.get("/metrics");
    assert_eq!((metrics.status, metrics.header("content-type")), (200, text));
    assert!(metrics.text().starts_with(concat!(
        "# HELP app_info information about qdrant server\n# TYPE app_info gauge\n",
        "app_info{name=\"qdrant\",version=\"1.18.2\"} 1\n# HELP app_status_recovery_mode features enabled in qdrant server\n",
    )));
}

#[test]
fn what_is_no_call_is_an_empty_404() {
    let standin = Standin::with_points(1);
    standin.get("/nosuchpath").is_no_path();
    standin.get("/collections/").is_no_path();
    standin.call("HEAD", "/healthz", "", b"").is(404, None, "");
    standin.call("PUT", "/collections/plans/snapshots", "", b"").is_no_path();
    // The maintenance procedures call it, and it does not exist.
    standin.call("POST", "/collections/plans/index", "", b"").is_no_path();
    standin.json("POST", "/collections/plans/index", &json!({ "wait": true })).is_no_path();
    let preflight = standin.call("OPTIONS", "/collections", "Origin: http://evil.example\r\n", b"");
    assert_eq!(preflight.header("access-control-allow-origin"), Some("http://evil.example"));
}

#[test]
fn a_collection_is_created_described_and_deleted() {
    let standin = Standin::with_points(100);
    let body = json!({ "vectors": { "size": 8, "distance": "Cosine" } });
    let taken = error("Wrong input: Collection `plans` already exists!");
    standin.json("PUT", "/collections/plans", &body).is_json(409, &taken);
    let name = r#"Validation error in path parameters: [collection_name: collection name cannot contain "/" char]"#;
    standin.json("PUT", "/collections/x%2Fy", &body).is_json(422, &untimed(name));
    standin
        .json(
            "PUT",
            "/collections/plans/index?wait=true",
            &json!({ "field_name": "plan_id", "field_schema": "keyword" }),
        )
        .is_json(200, &ok(r#"{"operation_id":2,"status":"completed"}"#));
    standin.get("/collections").is_json(200, &ok(r#"{"collections":[{"name":"plans"}]}"#));
    standin.get("/collections/plans").is_json(200, &ok(INFO));
    standin.get("/collections/plans/exists").is_json(200, &ok(r#"{"exists":true}"#));
    let cluster = standin.get("/collections/plans/cluster").value();
    assert_eq!(cluster["result"]["local_shards"], json!([{ "shard_id": 0, "points_count": 100, "state": "Active" }]));
    assert!(standin.get("/metrics").text().contains("\ncollection_points{id=\"plans\"} 100\n"));
    standin.call("DELETE", "/collections/plans", "", b"").is_json(200, &ok("true"));
    standin.get("/collections/plans").is_json(404, &error("Not found: Collection `plans` doesn't exist!"));
}

#[test]
fn everything_is_there_again_after_a_restart() {
    let mut standin = Standin::with_points(100);
    standin.json("PUT", "/collections/plans/index", &json!({ "field_name": "plan_id", "field_schema": "keyword" }));
    let content = standin.content("plans");
    standin.restart();
    standin.get("/collections/plans").is_json(200, &ok(INFO));
    assert_eq!(standin.content("plans"), content);
    standin.upsert("plans", 101..=110);
    assert_eq!(standin.count("plans"), 110);
}

#[test]
fn a_patch_changes_the_configuration_and_wakes_the_optimizer() {
    let standin = Standin::with_points(1000);
    standin.json("PATCH", "/collections/plans", &json!({})).is_json(200, &ok("true"));
    standin.json("PATCH", "/collections/plans", &json!({ "optimizers_config": {} })).is_json(200, &ok("true"));
    let idle = r#"{"summary":{"queued_optimizations":0,"queued_segments":0,"queued_points":0,"idle_segments":1},"running":[]}"#;
    standin.get("/collections/plans/optimizations").is_json(200, &ok(idle));
    assert_eq!(standin.get("/collections/plans").value()["result"]["status"], "green");
    // 1000 vectors of 8 floats are 32 kB.
    let lower = json!({ "optimizers_config": { "indexing_threshold": 10 } });
    standin.json("PATCH", "/collections/plans", &lower).is_json(200, &ok("true"));
    let info = wait_for("a green collection", || {
        let info = standin.get("/collections/plans").value();
        assert!(info["result"]["status"] == "yellow" || info["result"]["status"] == "green", "{info}");
        (info["result"]["status"] == "green").then_some(info)
    });
    assert_eq!(info["result"]["indexed_vectors_count"], 1000);
    assert_eq!(info["result"]["config"]["optimizer_config"]["indexing_threshold"], 10);
    assert_eq!(standin.count("plans"), 1000);
}
