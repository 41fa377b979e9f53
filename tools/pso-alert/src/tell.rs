//! What was judged, written as records and handed to the channels.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pso_common::record::{AlertDeliveryRecord, DeliveryState, IncidentState, Telling};
use pso_common::{Run, Severity};

use crate::batch::Known;
use crate::delivery::{Event, News, OnNews, Postman, expire_of_others, unusable};
use crate::evaluate::post;
use crate::heartbeat::Beating;
use crate::inbox::{Inbox, Item};
use crate::incident::Change;
use crate::notice::{Because, Notice};
use crate::policy::Policy;
use crate::settings::Settings;
use crate::store::{self, Store};

/// Writes records of incidents and deliveries, and has the channels told in the background.
pub(crate) struct Teller<'s> {
    settings: &'s Settings,
    store: Store,
    postman: Option<Postman>,
    /// Whether what incidents say counts for the exit code.
    counts: bool,
    /// Whether there was anything to tell.
    wanted: bool,
    heartbeat: Option<Beating>,
    /// Whether something was not delivered by this run.
    undelivered: bool,
    /// Whether the run ends with an error.
    has_failed: bool,
}

impl<'s> Teller<'s> {
    /// Opens the state and starts the channels' threads; what they do comes back through `inbox`.
    pub(crate) fn start(
        run: &mut Run<'_>,
        settings: &'s Settings,
        inbox: &Inbox,
        counts: bool,
    ) -> anyhow::Result<Self> {
        let store = open(run, settings)?;
        let inbox = inbox.clone();
        let on_news: OnNews = Arc::new(move |news| inbox.push(Item::News(news)));
        let postman = Postman::start(&settings.alerts, settings.limits, &store, run.cancel(), &on_news);
        Ok(Self {
            settings,
            store,
            postman: Some(postman),
            counts,
            wanted: false,
            heartbeat: None,
            undelivered: false,
            has_failed: false,
        })
    }

    pub(crate) const fn store(&self) -> &Store {
        &self.store
    }

    /// The subjects of what is not over.
    pub(crate) fn known(&self) -> anyhow::Result<Known> {
        self.store.read(|connection| Ok(store::load(connection, std::iter::empty())?.known()))
    }

    /// Writes what an evaluation gave, and wakes the channels.
    pub(crate) fn tell(&mut self, run: &mut Run<'_>, changes: &[Change]) -> anyhow::Result<()> {
        for change in changes {
            self.wanted |= change.because.is_some();
            write_change(run, &self.settings.alerts.policy, change, self.counts)?;
        }
        if let Some(postman) = &self.postman {
            postman.wake();
        }
        self.say_troubles(run);
        Ok(())
    }

    /// Puts a notice by hand into the outbox, and wakes the channels.
    pub(crate) fn send(&mut self, run: &mut Run<'_>, notice: &Notice) -> anyhow::Result<()> {
        self.wanted = true;
        let now = run.now();
        self.store.transaction(|transaction| post(transaction, &self.settings.alerts, notice, now))?;
        // The exit code says whether people were told, not what they were told.
        run.emit_uncounted(notice.severity, notice.rule.clone(), notice.message.clone(), notice.record(Telling::Now))?;
        self.tell(run, &[])
    }

    /// Writes what came of an attempt.
    pub(crate) fn hear(&mut self, run: &mut Run<'_>, news: News) -> anyhow::Result<()> {
        match news {
            News::Event(event) => {
                self.undelivered |= event.is_last || event.state == DeliveryState::Failed;
                write(run, event)
            }
            News::Changes(changes) => self.tell(run, &changes),
        }
    }

    /// Says what has happened to the state file meanwhile.
    fn say_troubles(&self, run: &mut Run<'_>) {
        for trouble in self.store.take_troubles() {
            run.warn(trouble.text);
            run.note(trouble.severity);
        }
    }

    /// Delivers what is due, and says what could not be.
    pub(crate) fn finish(mut self, run: &mut Run<'_>, inbox: &Inbox) -> anyhow::Result<()> {
        let changes = unusable(&self.store, &self.settings.alerts, run.now())?;
        self.tell(run, &changes)?;
        let deadline = Instant::now() + self.settings.deadline;
        if let Some(postman) = self.postman.take() {
            let done = inbox.clone();
            std::thread::spawn(move || {
                postman.finish(deadline);
                done.push(Item::Delivered);
            });
        }
        let mut delivered = false;
        while !delivered {
            for item in inbox.take(Duration::from_secs(1)) {
                match item {
                    Item::News(news) => self.hear(run, news)?,
                    Item::Delivered => delivered = true,
                    // The input is not read any more.
                    Item::Line(_) | Item::End(_) => {}
                }
            }
        }
        for event in expire_of_others(&self.store, &self.settings.alerts)? {
            write(run, event)?;
        }
        self.say_troubles(run);
        self.say_who_is_not_told(run)?;
        if let Some(heartbeat) = self.heartbeat.take() {
            let worst = if self.has_failed { Severity::Unknown } else { run.worst() };
            heartbeat.end(run, worst, self.undelivered);
        }
        Ok(())
    }

    /// Says to the dead man's switch that the run begins, and at its end how it went.
    pub(crate) fn start_heartbeat(&mut self, run: &mut Run<'_>) {
        self.heartbeat = Beating::start(run, self.settings.alerts.heartbeat.as_ref());
    }

    /// Says to the dead man's switch how a round went.
    pub(crate) fn beat(&self, worst: Severity) {
        if let Some(heartbeat) = &self.heartbeat {
            heartbeat.round(worst);
        }
    }

    /// The run is going to fail, whatever was found.
    pub(crate) const fn fails(&mut self) {
        self.has_failed = true;
    }

    /// Channels that cannot be used, and notices that reach nobody.
    fn say_who_is_not_told(&self, run: &mut Run<'_>) -> anyhow::Result<()> {
        self.settings.warn(run);
        let alerts = &self.settings.alerts;
        for problem in &alerts.problems {
            // Not "high": nothing was tried, the configuration must be put right first.
            let (waiting, _) = self.store.read(|connection| store::backlog(connection, &problem.channel))?;
            let text = match waiting {
                0 => problem.reason.clone(),
                1 => format!("{}; 1 notice waits until it can be told", problem.reason),
                _ => format!("{}; {waiting} notices wait until it can be told", problem.reason),
            };
            write_as(run, Severity::Unknown, Event::not_attempted(&problem.channel, waiting, text))?;
        }
        if self.wanted && alerts.channels.is_empty() && alerts.problems.is_empty() {
            let file = self.settings.file.display();
            let why = if self.settings.file.exists() { "enables no channel" } else { "does not exist" };
            run.warn(format_args!("nobody is told: {file} {why}; the notices are on stdout only"));
        }
        Ok(())
    }
}

/// Writes one moment of an incident; `counts` says whether it counts for the exit code.
pub(crate) fn write_change(run: &mut Run<'_>, policy: &Policy, change: &Change, counts: bool) -> anyhow::Result<()> {
    let Change { incident, telling, because } = change;
    let options = policy.of(&incident.rule);
    let notice = incident.notice(because.unwrap_or(Because::Again), options.runbook.as_deref());
    let record = notice.record(*telling);
    let (name, message) = (notice.rule, notice.message);
    match incident.state {
        IncidentState::Resolved => run.emit(Severity::Ok, name, format!("resolved: {message}"), record),
        IncidentState::Pending => run.emit_uncounted(incident.severity, name, message, record),
        _ if counts => run.emit(incident.severity, name, message, record),
        _ => run.emit_uncounted(incident.severity, name, message, record),
    }
}

/// The state file, or what is left when it cannot be used: a state in memory, and the loud word that it is so.
fn open(run: &mut Run<'_>, settings: &Settings) -> anyhow::Result<Store> {
    match Store::open(&settings.state) {
        Ok(store) => Ok(store),
        Err(error) => {
            run.warn(format_args!("{error:#}; going on without it: nothing is remembered from run to run"));
            run.note(Severity::Unknown);
            Store::in_the_place_of(&settings.state)
        }
    }
}

fn write(run: &mut Run<'_>, event: Event) -> anyhow::Result<()> {
    let severity = match event.state {
        DeliveryState::Sent => Severity::Ok,
        DeliveryState::Retrying if event.is_last => {
            run.warn(format_args!("{} is not told yet: {}", event.channel, event.message));
            Severity::Warning
        }
        DeliveryState::Retrying => Severity::Info,
        DeliveryState::Failed | DeliveryState::Expired => {
            run.warn(format_args!("{} was not told: {}", event.channel, event.message));
            Severity::High
        }
    };
    write_as(run, severity, event)
}

fn write_as(run: &mut Run<'_>, severity: Severity, event: Event) -> anyhow::Result<()> {
    let body = AlertDeliveryRecord {
        channel: event.channel.clone(),
        state: event.state,
        attempt: event.attempt,
        notices: event.notices,
        key: event.key,
        status: event.status,
        elapsed_ms: event.elapsed_ms,
    };
    run.emit(severity, event.channel, event.message, body)
}
