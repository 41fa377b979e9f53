//! Which fields of a record are measurements: what OpenMetrics calls them, and what can be compared between two runs.
//!
//! Each kind declares its own beside its fields ([`super::Kind::METRICS`]); a kind that declares none is shown field by field.

/// The measurements of a kind.
#[derive(Clone, Copy, Debug)]
pub struct Metrics {
    /// What tells one record of the kind from another.
    pub labels: &'static [Label],
    /// What is measured; none where the records are no measurements, or where nobody has said so yet.
    pub fields: &'static [Metric],
    /// What a record of the kind says about all records after it: the names of labels that are [`Label::Given`].
    pub gives: &'static [(&'static str, &'static str)],
    /// The field that says since when the record's counters count; without it they are the database's, which `pg.server`
    /// knows of.
    pub since: Option<&'static str>,
}

impl Metrics {
    /// Of a kind that declares none.
    pub const NONE: Self = Self { labels: &[], fields: &[], gives: &[], since: None };

    /// Of a kind whose records are told apart by `labels`.
    #[must_use]
    pub const fn new(labels: &'static [Label], fields: &'static [Metric]) -> Self {
        Self { labels, fields, gives: &[], since: None }
    }

    /// And that gives labels to the records after it, each as the label's name and the field that it is taken from.
    #[must_use]
    pub const fn gives(mut self, gives: &'static [(&'static str, &'static str)]) -> Self {
        self.gives = gives;
        self
    }

    /// And whose counters count since the moment in this field.
    #[must_use]
    pub const fn since(mut self, field: &'static str) -> Self {
        self.since = Some(field);
        self
    }
}

/// A label of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// The field of this name.
    Field(&'static str),
    /// A field that the label calls by another name: the label, the field.
    As(&'static str, &'static str),
    /// What a record before it has said ([`Metrics::gives`]), such as the database of the run.
    Given(&'static str),
}

impl Label {
    /// The label's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Field(name) | Self::As(name, _) | Self::Given(name) => name,
        }
    }

    /// The field that it is taken from; none where another record gives it.
    #[must_use]
    pub const fn field(self) -> Option<&'static str> {
        match self {
            Self::Field(field) | Self::As(_, field) => Some(field),
            Self::Given(_) => None,
        }
    }
}

/// One measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// The field that it is taken from; a path with a dot of what is within it.
    pub field: &'static str,
    /// What OpenMetrics calls it. The units are seconds and bytes; where `postgres_exporter` has the metric it is its name and
    /// its unit. A span in milliseconds (`…_ms`) is divided where the name says seconds or an age.
    pub name: &'static str,
    /// What its value means.
    pub measure: Measure,
    /// Told only of records that have this field.
    pub with: Option<&'static str>,
    /// Told only of records that have not this field.
    pub without: Option<&'static str>,
    /// A label that its samples have besides those of the kind, and its value.
    pub extra: Option<(&'static str, &'static str)>,
}

/// What a value means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Only ever grows, until it is reset: the rate is worth knowing.
    Counter,
    /// Goes up and down, or grows on its own: how much is worth knowing.
    Level,
    /// Holds for the moment only (an age, a moment, whether something is so): not worth comparing.
    Moment,
    /// A word, which becomes one more label of a sample that is always 1.
    State,
    /// That there is the record at all: always 1.
    Presence,
}

impl Metric {
    const fn new(field: &'static str, name: &'static str, measure: Measure) -> Self {
        Self { field, name, measure, with: None, without: None, extra: None }
    }

    /// See [`Measure::Counter`].
    #[must_use]
    pub const fn counter(field: &'static str, name: &'static str) -> Self {
        Self::new(field, name, Measure::Counter)
    }

    /// See [`Measure::Level`].
    #[must_use]
    pub const fn level(field: &'static str, name: &'static str) -> Self {
        Self::new(field, name, Measure::Level)
    }

    /// See [`Measure::Moment`].
    #[must_use]
    pub const fn moment(field: &'static str, name: &'static str) -> Self {
        Self::new(field, name, Measure::Moment)
    }

    /// See [`Measure::State`].
    #[must_use]
    pub const fn state(field: &'static str, name: &'static str) -> Self {
        Self::new(field, name, Measure::State)
    }

    /// See [`Measure::Presence`].
    #[must_use]
    pub const fn presence(field: &'static str, name: &'static str) -> Self {
        Self::new(field, name, Measure::Presence)
    }

    /// With one more label: several fields that are told as one metric.
    #[must_use]
    pub const fn labelled(mut self, label: &'static str, value: &'static str) -> Self {
        self.extra = Some((label, value));
        self
    }

    /// Only of records that have this field: one name for the servers that tell it, or for one sort of the kind.
    #[must_use]
    pub const fn with(mut self, field: &'static str) -> Self {
        self.with = Some(field);
        self
    }

    /// Only of records that have not this field.
    #[must_use]
    pub const fn without(mut self, field: &'static str) -> Self {
        self.without = Some(field);
        self
    }

    /// Whether two runs can be compared by it.
    #[must_use]
    pub const fn compares(&self) -> bool {
        matches!(self.measure, Measure::Counter | Measure::Level)
    }
}
