//! The two JSON bodies of `/metrics`.

use super::Readings;
use crate::reading::{field, number, object, seconds, text};

/// Either form. `{"system":{…},"sync":{…}}` is what the specification's monitoring script reads;
/// `{"metrics":{"sync_operations":{…},"performance":{…}}}` is another version's.
pub(super) fn parse(body: &[u8]) -> Result<Readings, String> {
    let body = object(body)?;
    let nested = body.contains_key("metrics");
    let either = |path: &[&str], other: &[&str]| if nested { field(&body, path) } else { field(&body, other) };
    let operations = |name, other| either(&["metrics", "sync_operations", name], &["sync", other]);
    let performance = |name| either(&["metrics", "performance", name], &["system", name]);
    Ok(Readings {
        form: if nested { "JSON (metrics.sync_operations, metrics.performance)" } else { "JSON (system, sync)" }
            .to_owned(),
        cpu_usage: performance("cpu_usage").map(number),
        memory_usage: performance("memory_usage").map(number),
        sync_duration: operations("avg_duration", "avg_duration").map(seconds),
        total: operations("total", "total_operations").map(number),
        failed: operations("failed", "failed_operations").map(number),
        disk_io: performance("disk_io").map(number),
        period: match field(&body, &["period"]) {
            Some(period) => Some(text(period)),
            // That form has no numbers since the start.
            None => nested.then(|| "a period that it does not name".to_owned()),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_of_the_monitoring_script() {
        let readings = parse(
            br#"{"system":{"cpu_usage":"45.2%","memory_usage":61,"load":[1,2]},
                 "sync":{"total_operations":240,"failed_operations":3},"uptime":12}"#,
        )
        .expect("JSON");
        let expected = Readings {
            form: "JSON (system, sync)".to_owned(),
            cpu_usage: Some(Ok(45.2)),
            memory_usage: Some(Ok(61.0)),
            sync_duration: None,
            total: Some(Ok(240.0)),
            failed: Some(Ok(3.0)),
            disk_io: None,
            period: None,
        };
        assert_eq!(readings, expected);
    }

    #[test]
    fn the_nested_form() {
        let readings = parse(
            br#"{"period":"1h","metrics":{"sync_operations":{"total":240,"successful":237,"failed":3,"avg_duration":"1m2s"},
                 "performance":{"cpu_usage":"NaN","memory_usage":-3,"disk_io":1.2}},"time_series":[]}"#,
        )
        .expect("JSON");
        assert_eq!(readings.sync_duration, Some(Ok(62.0)));
        assert_eq!((readings.total, readings.failed), (Some(Ok(240.0)), Some(Ok(3.0))));
        assert_eq!((readings.disk_io, readings.period), (Some(Ok(1.2)), Some("1h".to_owned())));
        assert_eq!(readings.cpu_usage, Some(Err("NaN".to_owned())));
        assert_eq!(readings.memory_usage, Some(Err("-3".to_owned())));
    }

    #[test]
    fn missing_fields_are_absent() {
        assert_eq!(
            parse(b"{}").expect("JSON"),
            Readings { form: "JSON (system, sync)".to_owned(), ..Readings::default() }
        );
        for text in
            [r#"{"system":{"cpu_usage":null}}"#, r#"{"system":3}"#, r#"{"system":[90,80]}"#, r#"{"metrics":"no"}"#]
        {
            assert_eq!(parse(text.as_bytes()).expect("JSON").cpu_usage, None, "{text}");
        }
        let odd = parse(br#"{"system":{"cpu_usage":{"total":3},"memory_usage":5}}"#).expect("JSON");
        assert_eq!((odd.cpu_usage, odd.memory_usage), (Some(Err("{\"total\":3}".to_owned())), Some(Ok(5.0))));
    }
}
