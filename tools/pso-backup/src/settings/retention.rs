//! How long archives are kept, resolved for one series.

use anyhow::Context as _;
use pso_common::config::Config;

use super::section::BackupSection;
use crate::cli::{ArchiveKind, RetentionArgs};
use crate::retention::Policy;

impl Policy {
    /// The policy of a series: each rule from the flags, else from `maintenance.backup.retention`; where neither has
    /// any, from `keep_days` and `weekly_keep_days` as before there were others.
    pub(crate) fn resolve(config: &Config, kind: ArchiveKind, args: &RetentionArgs) -> anyhow::Result<Self> {
        Self::of_section(config, &config.section()?, kind, args)
    }

    pub(super) fn of_section(
        config: &Config,
        section: &BackupSection,
        kind: ArchiveKind,
        args: &RetentionArgs,
    ) -> anyhow::Result<Self> {
        let none = Default::default();
        let rules = section.retention.as_ref().unwrap_or(&none);
        let pick = |name: &str, flag: Option<u32>, field| -> anyhow::Result<Option<u32>> {
            config.pick(format!("maintenance.backup.retention.{name}")).flag(flag).file(field).optional()
        };
        let keep_daily = pick("keep_daily", args.keep_daily, &rules.keep_daily)?;
        let keep_weekly = pick("keep_weekly", args.keep_weekly, &rules.keep_weekly)?;
        let keep_monthly = pick("keep_monthly", args.keep_monthly, &rules.keep_monthly)?;
        let (key, variable, field, default) = match kind {
            ArchiveKind::Daily => ("keep_days", "PSO_BACKUP_KEEP_DAYS", &section.keep_days, 7),
            ArchiveKind::Weekly => ("weekly_keep_days", "PSO_BACKUP_WEEKLY_KEEP_DAYS", &section.weekly_keep_days, 35),
        };
        let key = format!("maintenance.backup.{key}");
        let days = config
            .pick(key)
            .flag(args.keep_days)
            .env(variable)
            .file_at("maintenance.backup.retention.keep_days", &rules.keep_days)
            .file(field);
        let has_others = keep_daily.is_some() || keep_weekly.is_some() || keep_monthly.is_some();
        // The default is for those who say nothing at all.
        let keep_days = if has_others { days.optional()?.unwrap_or(0) } else { days.or(default)? };
        let policy = Self {
            keep_days,
            keep_daily: keep_daily.unwrap_or(0),
            keep_weekly: keep_weekly.unwrap_or(0),
            keep_monthly: keep_monthly.unwrap_or(0),
            minimum: config
                .pick("maintenance.backup.retention.minimum")
                .flag(args.minimum)
                .file(&rules.minimum)
                .or(1)?,
            rehearsed_only: config
                .pick("maintenance.backup.retention.rehearsed_only")
                .flag(args.rehearsed_only.then_some(true))
                .file(&rules.rehearsed_only)
                .or(false)?,
        };
        policy.check().with_context(|| format!("the retention of the {} archives", kind.as_str()))?;
        Ok(policy)
    }
}

#[cfg(test)]
mod tests {
    use pso_common::io::Env;

    use super::*;

    fn policy(text: &str, kind: ArchiveKind, args: &RetentionArgs) -> anyhow::Result<Policy> {
        let mut env = Env::default();
        env.set("PSO_BACKUP_WEEKLY_KEEP_DAYS", "50");
        Policy::resolve(&Config::from_text("config/config.yaml", text, env)?, kind, args)
    }

    #[test]
    fn each_rule_comes_from_the_strongest_layer_that_has_it() {
        let none = RetentionArgs::default();
        let text = "maintenance: {backup: {keep_days: 3}}";
        let days = |text, kind, args: &RetentionArgs| policy(text, kind, args).expect("valid").keep_days;
        assert_eq!(days("{}", ArchiveKind::Daily, &none), 7);
        assert_eq!(days(text, ArchiveKind::Daily, &none), 3);
        assert_eq!(days(text, ArchiveKind::Weekly, &none), 50);
        let text = "maintenance: {backup: {retention: {keep_daily: 7, keep_monthly: 12, minimum: 2}}}";
        let flags = RetentionArgs { keep_daily: Some(2), ..none };
        let policy = policy(text, ArchiveKind::Daily, &flags).expect("valid");
        let expected =
            Policy { keep_days: 0, keep_daily: 2, keep_weekly: 0, keep_monthly: 12, minimum: 2, rehearsed_only: false };
        assert_eq!(policy, expected);
        let text = "maintenance: {backup: {retention: {rehearsed_only: yes}}}";
        assert!(self::policy(text, ArchiveKind::Daily, &RetentionArgs::default()).expect("valid").rehearsed_only);
        let flags = RetentionArgs { rehearsed_only: true, ..RetentionArgs::default() };
        assert!(self::policy("{}", ArchiveKind::Daily, &flags).expect("valid").rehearsed_only);
    }

    #[test]
    fn an_empty_policy_is_refused() {
        for text in ["keep_days: 0", "retention: {keep_daily: 0}", "retention: {minimum: 0}"] {
            let text = format!("maintenance: {{backup: {{{text}}}}}");
            assert!(policy(&text, ArchiveKind::Daily, &RetentionArgs::default()).is_err(), "{text}");
        }
    }
}
