//! The error rate: of the last hour where that is known, from what the counters have grown by.

use std::time::Duration;

use pso_common::config::ConfigValue as _;

use super::Readings;
use crate::check::Context;
use crate::history::Growth;
use crate::reading::Reading;

/// Under this name the counters stand in the history.
const SERIES: &str = "metrics.operations";

/// Failed operations in percent of all, and over which time; none where the server does not count both.
pub(super) fn error_rate(readings: &Readings, context: &Context) -> Option<(Reading, String)> {
    let (total, failed) = match (readings.total.as_ref()?, readings.failed.as_ref()?) {
        (Ok(total), Ok(failed)) => (*total, *failed),
        (Err(text), _) | (_, Err(text)) => return Some((Err(text.clone()), String::new())),
    };
    if let Some(period) = &readings.period {
        return Some(rate(total, failed, &format!("within {period}, as the server counts")));
    }
    let grown = context.history().grown(SERIES, context.now, &[total, failed]);
    Some(of_counters(total, failed, grown.as_ref()))
}

fn of_counters(total: f64, failed: f64, grown: Option<&Growth>) -> (Reading, String) {
    let Some(growth) = grown else {
        return rate(total, failed, "since the server started: nothing earlier to compare with");
    };
    let again = match growth.resets {
        0 => "",
        1 => ", in which the counters began anew",
        _ => ", in which the counters began anew more than once",
    };
    let millis = u64::try_from(growth.over.as_millis()).unwrap_or(u64::MAX);
    let over = Duration::from_millis(if millis < 1000 { millis } else { millis / 1000 * 1000 });
    let [total, failed] = growth.values[..] else { return rate(total, failed, "since the server started") };
    rate(total, failed, &format!("within {}{again}", over.show()))
}

/// None at all is a rate of 0.
fn rate(total: f64, failed: f64, when: &str) -> (Reading, String) {
    if failed > total {
        return (Err(format!("{failed} failed of {total}")), String::new());
    }
    if total <= 0.0 {
        return (Ok(0.0), format!("no operation {when}"));
    }
    (Ok(failed / total * 100.0), format!("{failed} of {total} operations failed {when}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_growth_and_never_nan() {
        let grown = |total, failed, resets| Growth {
            values: vec![total, failed],
            over: Duration::from_millis(300_400),
            resets,
        };
        let of = |grown: Option<Growth>| of_counters(240.0, 3.0, grown.as_ref());
        let since = "since the server started: nothing earlier to compare with";
        assert_eq!(of(None), (Ok(1.25), format!("3 of 240 operations failed {since}")));
        assert_eq!(of(Some(grown(10.0, 1.0, 0))), (Ok(10.0), "1 of 10 operations failed within 5m".to_owned()));
        let reset = (Ok(0.0), "no operation within 5m, in which the counters began anew".to_owned());
        assert_eq!(of(Some(grown(0.0, 0.0, 1))), reset);
        assert_eq!(of(Some(grown(1.0, 2.0, 0))).0, Err("2 failed of 1".to_owned()));
        assert_eq!(of_counters(0.0, 0.0, None).0, Ok(0.0));
        assert_eq!(of_counters(3.0, 5.0, None).0, Err("5 failed of 3".to_owned()));
    }
}
