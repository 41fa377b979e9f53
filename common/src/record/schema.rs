//! The JSON Schema of the records, derived from their structs.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::{Kind, Metrics, Record};

/// A record kind as schema and as table: what generic code needs to know of it.
#[derive(Clone, Copy)]
pub struct KindInfo {
    /// The kind's name.
    pub kind: &'static str,
    /// The fields that a table shows.
    pub columns: &'static [&'static str],
    /// The fields that it shows below the row.
    pub below: &'static [&'static str],
    /// The fields that are measurements.
    pub metrics: Metrics,
    schema: fn() -> Value,
}

impl KindInfo {
    /// The information of kind `B`.
    #[must_use]
    pub const fn of<B: Kind>() -> Self {
        Self { kind: B::KIND, columns: B::COLUMNS, below: B::BELOW, metrics: B::METRICS, schema: kind_schema::<B> }
    }

    /// JSON Schema (2020-12) of one record of this kind. Fields that it does not name are refused: it is the contract
    /// of writers. Readers ignore fields they do not know.
    #[must_use]
    pub fn schema(&self) -> Value {
        (self.schema)()
    }
}

/// Every kind that the tools write.
pub const KINDS: &[KindInfo] = &joined::<{ OTHERS.len() + super::pg::KINDS.len() }>(OTHERS, super::pg::KINDS);

/// Two lists as one.
const fn joined<const N: usize>(first: &[KindInfo], second: &[KindInfo]) -> [KindInfo; N] {
    let mut all = [first[0]; N];
    let mut at = 0;
    while at < N {
        all[at] = if at < first.len() { first[at] } else { second[at - first.len()] };
        at += 1;
    }
    all
}

/// The kinds beside those of `pso-pgstats`, which has a list of its own.
const OTHERS: &[KindInfo] = &[
    KindInfo::of::<super::RunStartRecord>(),
    KindInfo::of::<super::RunEndRecord>(),
    KindInfo::of::<super::ConfigSettingRecord>(),
    KindInfo::of::<super::HealthCheckRecord>(),
    KindInfo::of::<super::HealthMetricRecord>(),
    KindInfo::of::<super::HealthRoundRecord>(),
    KindInfo::of::<super::HealthTargetRecord>(),
    KindInfo::of::<super::LogCountRecord>(),
    KindInfo::of::<super::LogEventRecord>(),
    KindInfo::of::<super::LogTemplateRecord>(),
    KindInfo::of::<super::LogLineRecord>(),
    KindInfo::of::<super::LogCoverageRecord>(),
    KindInfo::of::<super::BackupComponentRecord>(),
    KindInfo::of::<super::BackupArchiveRecord>(),
    KindInfo::of::<super::RestorePlanRecord>(),
    KindInfo::of::<super::RestoreStepRecord>(),
    KindInfo::of::<super::PruneStepRecord>(),
    KindInfo::of::<super::RehearseComponentRecord>(),
    KindInfo::of::<super::RehearseResultRecord>(),
    KindInfo::of::<super::AuditFindingRecord>(),
    KindInfo::of::<super::AuditSectionRecord>(),
    KindInfo::of::<super::AlertNoticeRecord>(),
    KindInfo::of::<super::AlertDeliveryRecord>(),
    KindInfo::of::<super::AlertSilenceRecord>(),
    KindInfo::of::<super::AlertChannelRecord>(),
];

/// The kind of this name, if the tools write it.
#[must_use]
pub fn find(kind: &str) -> Option<&'static KindInfo> {
    KINDS.iter().find(|info| info.kind == kind)
}

/// JSON Schema of a tool's output: any of `kinds`, told apart by `kind`.
#[must_use]
pub fn of_tool(tool: &str, kinds: &[&str]) -> Value {
    let schemas: Vec<Value> = KINDS.iter().filter(|info| kinds.contains(&info.kind)).map(KindInfo::schema).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": format!("Records of {tool}, one JSON object a line"),
        "oneOf": schemas,
    })
}

fn kind_schema<B: Kind>() -> Value {
    let generator = SchemaSettings::draft2020_12()
        .with(|settings| {
            settings.inline_subschemas = true;
            settings.meta_schema = None;
        })
        .into_generator();
    let mut schema: Map<String, Value> =
        generator.into_root_schema_for::<Record<B>>().as_object().cloned().unwrap_or_default();
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        properties.values_mut().for_each(forbid_null);
        properties.insert("kind".to_owned(), json!({"const": B::KIND}));
        properties.insert("schema".to_owned(), json!({"const": super::SCHEMA}));
    }
    schema.insert("title".to_owned(), B::KIND.into());
    schema.insert("additionalProperties".to_owned(), false.into());
    Value::Object(schema)
}

/// What does not apply is absent, not null: `Option<T>` is the schema of `T` alone.
fn forbid_null(schema: &mut Value) {
    let Value::Object(fields) = schema else { return };
    fields.retain(|key, value| !(key == "default" && value.is_null()));
    if let Some(Value::Array(types)) = fields.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            fields.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(values)) = fields.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    if let Some(Value::Array(any)) = fields.get_mut("anyOf") {
        any.retain(|schema| schema["type"] != "null");
    }
}

#[cfg(test)]
mod tests {
    use super::super::Measure;
    use super::*;

    #[test]
    fn a_schema_names_header_and_body_side_by_side() {
        let schema = find("health.metric").expect("known kind").schema();
        let properties = schema["properties"].as_object().expect("flat properties");
        for field in ["schema", "kind", "at", "severity", "name", "message", "value", "unit", "labels"] {
            assert!(properties.contains_key(field), "{field} missing in {schema:#}");
        }
        assert_eq!(properties["kind"]["const"], "health.metric");
        assert_eq!(properties["limit"]["type"], "number", "absent, not null");
        let required: Vec<_> = schema["required"].as_array().expect("required").iter().collect();
        assert!(required.contains(&&json!("value")) && !required.contains(&&json!("limit")));
    }

    #[test]
    fn metrics_are_of_fields_that_exist_and_each_name_is_of_one_measure() {
        let mut measures = std::collections::BTreeMap::new();
        for info in KINDS {
            let schema = info.schema();
            let fields = schema["properties"].as_object().expect("fields");
            let metrics = info.metrics;
            let labels = metrics.labels.iter().filter_map(|label| label.field());
            let given = metrics.gives.iter().map(|(_, field)| *field);
            let conditions = metrics.fields.iter().flat_map(|metric| [metric.with, metric.without]).flatten();
            let measured = metrics.fields.iter().filter_map(|metric| metric.field.split('.').next());
            for field in measured.chain(labels).chain(given).chain(conditions).chain(metrics.since) {
                assert!(fields.contains_key(field), "{}.{field}", info.kind);
            }
            for metric in metrics.fields {
                let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
                assert!(metric.name.starts_with("p") && metric.name.chars().all(letters), "{metric:?}");
                assert_eq!(*measures.entry(metric.name).or_insert(metric.measure), metric.measure, "{metric:?}");
                // Only a counter's name ends so (OpenMetrics 1.0, "Counter").
                assert!(metric.measure == Measure::Counter || !metric.name.ends_with("_total"), "{metric:?}");
            }
        }
    }

    #[test]
    fn tables_show_only_fields_that_exist() {
        for info in KINDS {
            let schema = info.schema();
            for column in info.columns {
                assert!(schema["properties"].get(column).is_some(), "{}.{column}", info.kind);
            }
        }
    }
}
