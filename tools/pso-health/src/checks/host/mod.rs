//! `host`: this machine's CPUs, memory, swap, load and how long it has been up.
//!
//! A single run measures over [`WINDOW`]; with `--every` a round measures over the time since the one before it.

#[cfg(target_os = "linux")]
mod container;
#[cfg(target_os = "linux")]
mod kernel;

use std::borrow::Cow;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use pso_common::Severity;
use pso_common::config::ConfigValue as _;
use pso_common::io::elapsed_ms;
use pso_common::output::bytes;
use pso_common::record::{HealthCheckRecord, Labels};
use sysinfo::System;

use crate::check::{Check, Context};
use crate::finding::{Finding, Findings};
use crate::limits;

/// Over how long a single run measures: the shortest span for which `sysinfo` gives a CPU usage.
const WINDOW: Duration = sysinfo::MINIMUM_CPU_UPDATE_INTERVAL;

/// A machine that was started within this time has had a reason for it.
const FRESH: Duration = Duration::from_secs(3600);

/// One instance runs every round: it keeps what the counters were in the last one.
#[derive(Default)]
pub(crate) struct Host {
    before: Mutex<Option<Sample>>,
}

/// Counters at one moment.
struct Sample {
    at: Instant,
    system: System,
    /// Pages that went to the swap or came back.
    #[cfg(target_os = "linux")]
    swapped: Option<u64>,
}

impl Sample {
    fn take() -> Self {
        let mut system = System::new();
        system.refresh_cpu_usage();
        Self {
            at: Instant::now(),
            system,
            #[cfg(target_os = "linux")]
            swapped: kernel::Counters::read().map(|counters| counters.swapped),
        }
    }
}

/// What one round works with.
struct Round<'a> {
    context: &'a Context,
    findings: &'a Findings<'a>,
    started: Instant,
}

impl Check for Host {
    fn name(&self) -> &str {
        "host"
    }

    fn about(&self) -> Cow<'_, str> {
        "this machine: CPU, memory (the container's where it has a limit), swap, load per CPU, time since it was started".into()
    }

    /// A machine that does not tell of itself is not down: we run on it.
    fn silence(&self) -> Severity {
        Severity::Unknown
    }

    fn run(&self, context: &Context, findings: &Findings<'_>) {
        let round = Round { context, findings, started: Instant::now() };
        if !sysinfo::IS_SUPPORTED_SYSTEM {
            let message = "what this machine is like is not known on this operating system".to_owned();
            return round.whole(Severity::Unknown, message);
        }
        let mut before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        let first = before.is_none();
        let mut sample = before.take().unwrap_or_else(Sample::take);
        sample.system.refresh_memory();
        round.memory(&sample.system);
        round.swap(&sample.system);
        #[cfg(target_os = "linux")]
        round.kernel();
        let cpus = sample.system.cpus().len();
        #[cfg(unix)]
        round.load(cpus);
        let uptime = round.uptime();
        // Whoever gives a check less time than that gets no CPU usage from a single run, and is not made to wait; and rounds
        // that follow each other faster have one only where enough time has passed.
        let left = WINDOW.saturating_sub(sample.at.elapsed());
        if left.is_zero() || (first && left < context.settings.timeout) {
            thread::sleep(left);
            round.rates(&mut sample);
        }
        let total = bytes(sample.system.total_memory());
        let message = format!("CPUs: {cpus}, memory: {total}, up for {}", shown(uptime));
        *before = Some(sample);
        round.whole(Severity::Ok, message);
    }
}

impl Round<'_> {
    fn judge(&self, quantity: &limits::Quantity, value: f64, detail: &str) -> Finding {
        let elapsed_ms = elapsed_ms(self.started);
        self.context.settings.limits.judge(quantity, value, detail, elapsed_ms, Labels::new())
    }

    /// That it was looked at.
    fn whole(&self, severity: Severity, message: String) {
        let record = HealthCheckRecord { elapsed_ms: elapsed_ms(self.started), ..HealthCheckRecord::default() };
        self.findings.push(Finding::check(severity, "host", message, record));
    }

    /// What a new process could have counts, not what nobody uses: caches give way.
    fn memory(&self, system: &System) {
        let (total, available) = (system.total_memory(), system.available_memory());
        #[cfg(target_os = "linux")]
        let limit = container::Memory::read(std::path::Path::new(container::ROOT)).filter(|own| own.limit < total);
        #[cfg(target_os = "linux")]
        if let Some(own) = limit {
            let left = own.limit.saturating_sub(own.used);
            let detail = format!("of the container's limit of {}; {} are left", bytes(own.limit), bytes(left));
            return self.findings.push(self.judge(&limits::HOST_MEMORY_USAGE, percent(own.used, own.limit), &detail));
        }
        if total > 0 {
            let detail = format!("{} of {} are available", bytes(available), bytes(total));
            let used = percent(total.saturating_sub(available), total);
            self.findings.push(self.judge(&limits::HOST_MEMORY_USAGE, used, &detail));
        }
    }

    fn swap(&self, system: &System) {
        let (total, used) = (system.total_swap(), system.used_swap());
        if total > 0 {
            let detail = format!("{} of {}", bytes(used), bytes(total));
            self.findings.push(self.judge(&limits::SWAP_USAGE, percent(used, total), &detail));
        }
    }

    /// What only Linux tells.
    #[cfg(target_os = "linux")]
    fn kernel(&self) {
        if let Some(waited) = kernel::memory_pressure() {
            let detail = "of the last minute something waited for memory";
            self.findings.push(self.judge(&limits::MEMORY_PRESSURE, waited, detail));
        }
        let Some(kills) = kernel::Counters::read().and_then(|counters| counters.oom_kills) else { return };
        #[expect(clippy::cast_precision_loss, reason = "a count of processes")]
        let grown = self.context.history().grown("host.oom_kills", self.context.now, &[kills as f64]);
        if let Some(grown) = grown {
            let detail = format!("processes killed for want of memory, over {}", shown(grown.over));
            self.findings.push(self.judge(&limits::OOM_KILLS, grown.values[0], &detail));
        }
    }

    #[cfg(unix)]
    fn load(&self, cpus: usize) {
        let load = System::load_average();
        if cpus > 0 {
            #[expect(clippy::cast_precision_loss, reason = "a count of CPUs")]
            let per_cpu = load.five / cpus as f64;
            let detail = format!("load {} {} {} on {cpus} CPUs", load.one, load.five, load.fifteen);
            self.findings.push(self.judge(&limits::LOAD_PER_CPU, per_cpu, &detail));
        }
    }

    fn uptime(&self) -> Duration {
        let uptime = Duration::from_secs(System::uptime());
        if !uptime.is_zero() {
            let mut finding = self.judge(&limits::UPTIME, uptime.as_secs_f64(), "");
            if uptime < FRESH {
                finding.severity = finding.severity.max(Severity::Info);
                finding.message = format!("this machine was started {} ago", shown(uptime));
            }
            self.findings.push(finding);
        }
        uptime
    }

    /// What takes two looks.
    fn rates(&self, sample: &mut Sample) {
        sample.system.refresh_cpu_usage();
        let over = sample.at.elapsed();
        sample.at = Instant::now();
        let detail = format!("over {}", shown(over));
        let busy = f64::from(sample.system.global_cpu_usage());
        if busy.is_finite() {
            self.findings.push(self.judge(&limits::HOST_CPU_USAGE, busy, &detail));
        }
        #[cfg(target_os = "linux")]
        {
            let now = kernel::Counters::read().map(|counters| counters.swapped);
            // Without a swap there is nothing to say; and a counter that began anew says nothing.
            if let (Some(before), Some(now), true) = (sample.swapped, now, sample.system.total_swap() > 0)
                && now >= before
            {
                #[expect(clippy::cast_precision_loss, reason = "a rate")]
                let rate = (now - before) as f64 / over.as_secs_f64();
                self.findings.push(self.judge(&limits::SWAP_PAGES_PER_SECOND, rate, &detail));
            }
            sample.swapped = now;
        }
    }
}

fn percent(part: u64, whole: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    let (part, whole) = (part as f64, whole as f64);
    part / whole * 100.0
}

/// A span as people say it: no milliseconds beyond a minute, no seconds beyond an hour.
fn shown(span: Duration) -> String {
    let grain = match span.as_secs() {
        0..60 => 1,
        60..3600 => 1000,
        _ => 60_000,
    };
    let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(millis / grain * grain).show()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_as_people_say_them() {
        let text = |ms| shown(Duration::from_millis(ms));
        assert_eq!([text(203), text(65_430), text(90_061_001)], ["203ms", "1m 5s", "1d 1h 1m"]);
    }
}
