//! The vector store, real or stand-in.

use std::time::Duration;

use pso_tests::qdrant::{Point, QdrantClient, TempQdrant};
use serde_json::json;

#[test]
fn keeps_points_and_aliases_over_a_restart() {
    let mut store = TempQdrant::start().unwrap();
    let client = store.client();
    client.create_collection("plans", 4).unwrap();
    let points: Vec<Point> = (1..=250u8)
        .map(|number| Point {
            id: json!(number),
            vector: vec![f32::from(number), 1.0, 0.5, 0.25],
            payload: json!({"title": format!("Plan n° {number} 📊")}),
        })
        .collect();
    client.upsert("plans", &points).unwrap();
    client.create_alias("plans_current", "plans").unwrap();
    client.wait_green("plans", Duration::from_secs(30)).unwrap();
    let before = client.points("plans").unwrap();
    assert_eq!((client.count("plans").unwrap(), before.len()), (250, 250));
    assert_eq!(before["7"].payload["title"], "Plan n° 7 📊");
    assert_eq!(client.aliases().unwrap().get("plans_current").map(String::as_str), Some("plans"));
    store.stop().unwrap();
    assert!(client.count("plans").is_err(), "it was stopped");
    store.restart().unwrap();
    assert_eq!(client.points("plans").unwrap(), before);
    assert_eq!(client.aliases().unwrap().len(), 1);
    assert!(client.delete_collection("plans").unwrap());
    assert!(!client.delete_collection("plans").unwrap());
    assert_eq!(client.collections().unwrap(), Vec::<String>::new());
}

#[test]
fn asks_for_its_key() {
    let store = TempQdrant::start_with_key("s3cr3t-key").unwrap();
    assert_eq!(store.client().request("GET", "/collections", None).unwrap().0, 200);
    for key in [None, Some("wrong")] {
        assert_eq!(QdrantClient::new(&store.url(), key).request("GET", "/collections", None).unwrap().0, 401);
    }
}
