//! What secrets look like. All expressions are linear (crate `regex`); none is looked for in a line that has none of the
//! words of [`TRIGGER`].

use regex::bytes::{Regex, RegexBuilder};

use super::value::{Standing, is_example, is_mixed, is_outcome, is_path, is_random, standing};

/// What a text is written in: it decides what a bare word after `=` means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Language {
    /// YAML, JSON, INI: a bare word is a value.
    Config,
    /// sh, cmd, .env: a bare word after `NAME=` is a value.
    Shell,
    /// PowerShell, Python, …: only what is quoted is a value.
    Code,
    /// Logs: people and programs speak of passwords there.
    Log,
    /// Prose with examples in it: only what cannot be anything else.
    Prose,
}

/// Something that looks like a secret. The secret itself is not kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Hit {
    /// What it is, such as `password` or `aws_access_key`.
    pub(crate) kind: &'static str,
    /// The key it stands under, where it has one.
    pub(crate) key: Option<String>,
    /// One of those that are tried first.
    pub(crate) is_default: bool,
}

/// A line without any of these has no secret that a pattern knows.
const TRIGGER: &str = r"passw|passphrase|passe\b|\bmdp|_mdp|pwd|secret|token|(?:api|access|private|encryption|auth|signing|master|account|shared)[_\- ]?key|bearer|authorization|[_.\-/]pass\b|\bpass[\x22']?[:=]|pgpass|:5432:|securestring|networkcredential|/rp\s|curl|sshpass|mysql|redis-cli|docker|://[^\s/@]*@|AKIA|ASIA|AIza|gh[pousr]_|github_pat_|glpat-|xox[abprs]-|[sr]k_live_|npm_|\bSG\.|hooks\.slack|api/webhooks|webhookb2|age-secret-key|eyJ";

const PASSWORD_KEYS: &str =
    r"(?:[\w.\-]*(?:password|passwd|passphrase|pwd|mot_?de_?passe)|\b(?:[\w.\-]*[_.\-])?(?:pass|mdp))";
const OTHER_KEYS: &str = r"[\w.\-]*(?:secret|token|(?:api|access|secret|private|encryption|auth|signing|master|account|shared)[_\-]?key|secret[_\-]?key[_\-]?base)";
const QUOTED: &str = r#""(?:[^"\\]|\\.)*"|'[^']*'"#;

struct Pattern {
    kind: &'static str,
    regex: Regex,
    languages: &'static [Language],
    check: Check,
}

/// What makes a match a secret.
#[derive(Clone, Copy)]
enum Check {
    /// The value is no placeholder.
    Value,
    /// As in a log: no word for how it went either, and for keys other than passwords it looks made by a machine.
    Logged,
    /// Where words of a sentence may stand: letters and digits, some of each.
    Mixed,
    /// The value stands inside of a quoted text, as in a connection string.
    InQuotes,
    /// It looks made by a machine.
    Random,
    /// The match alone.
    Certain,
}

pub(crate) struct Patterns {
    trigger: Regex,
    patterns: Vec<Pattern>,
}

impl Patterns {
    /// # Errors
    /// When an expression is too large, which a test rules out.
    pub(crate) fn new() -> anyhow::Result<Self> {
        use Language::{Code, Config, Log, Prose, Shell};
        const EVERYWHERE: &[Language] = &[Config, Shell, Code, Log, Prose];
        const NO_PROSE: &[Language] = &[Config, Shell, Code, Log];
        const SCRIPTS: &[Language] = &[Shell, Code];
        let mut patterns = Vec::new();
        let mut add = |kind, languages, check, text: &str| {
            let regex = RegexBuilder::new(text).unicode(false).case_insensitive(true).build()?;
            patterns.push(Pattern { kind, regex, languages, check });
            anyhow::Ok(())
        };
        for (kind, keys) in [("password", PASSWORD_KEYS), ("key", OTHER_KEYS)] {
            // With an anchor or a tag before it, or as a block of YAML on the next lines.
            let value = format!(r"(?P<v>{QUOTED}|\$\{{[^}}]*\}}|[|>][-+0-9]*\s*$|[^\s,}}\]\[&|>#!{{][^\s,}}\]]*)");
            add(
                kind,
                &[Config],
                Check::Value,
                &format!(r#"(?P<k>{keys})["']?\s*[:=]\s*(?:&\w+\s+)?(?:!!\w+\s+)?{value}"#),
            )?;
            add(kind, &[Shell], Check::Value, &format!(r"\b(?P<k>{keys})=(?P<v>{QUOTED}|[^\s;&|()`]+)"))?;
            add(
                kind,
                &[Code],
                Check::Value,
                &format!(r#"(?P<k>{keys})["']?\]?\s*(?::|=>?|:=)\s*[urbf]?(?P<v>{QUOTED})"#),
            )?;
            add(
                kind,
                &[Log],
                Check::Logged,
                &format!(r#"(?P<k>{keys})(?:=|\\?["']\s*:\s*\\?)(?P<v>{QUOTED}|[^\s,;}}"')\]&]+)"#),
            )?;
        }
        for (kind, keys) in [("password", PASSWORD_KEYS), ("key", OTHER_KEYS)] {
            add(kind, &[Shell], Check::Value, &format!(r#"\\?["'](?P<k>{keys})\\?["']\s*:\s*\\?(?P<v>"[^"\\]*)"#))?;
            add(kind, &[Shell], Check::Value, &format!(r"\$\{{(?P<k>{keys}):?[=\-](?P<v>[^}}]+)\}}"))?;
            // `setx NAME value`, `[Environment]::SetEnvironmentVariable("NAME", "value")`, `Set-Item Env:NAME "value"`.
            let set = r#"(?:\bsetx\s+|SetEnvironmentVariable\(\s*|\benv:)["']?"#;
            add(
                kind,
                SCRIPTS,
                Check::Value,
                &format!(r#"{set}(?P<k>{keys})["']?(?:\s*,\s*|\s+)(?:-Value\s+)?(?P<v>{QUOTED}|[^\s"'(=|)\-][^\s)]*)"#),
            )?;
            // Go's `%+v` of a structure.
            add(kind, &[Log], Check::Logged, &format!(r"[{{\s](?P<k>{keys}):(?P<v>[^\s{{}}\[\],]+)"))?;
            add(
                kind,
                &[Log],
                Check::Mixed,
                &format!(r#"(?P<k>{keys})\s?:\s+(?P<v>{QUOTED}|[^\s"',;]+)(?:[,;]|\s*$)"#),
            )?;
        }
        add("password", &[Code], Check::InQuotes, &format!(r#"\b(?P<k>{PASSWORD_KEYS})=(?P<v>[^\s;&"'()\[\]{{}}]+)"#))?;
        add("key", &[Config, Code], Check::Random, &format!(r#"[?&](?P<k>{OTHER_KEYS})=(?P<v>[^\s&"'<>]+)"#))?;
        add(
            "password",
            &[Prose],
            Check::Mixed,
            r#"(?-i)\b(?P<k>[A-Z0-9_]*PASS(?:WORD|WD)?)=(?P<v>"[^"]*"|'[^']*'|[^\s`"']+)"#,
        )?;
        let flag = format!(
            r#"(?:^|[\s"'])(?P<k>--?(?:[a-z0-9\-]+-)?(?:password|passwd|passphrase|pass|pwd|token|api-?key|secret))(?:=|:|\s+)(?P<v>{QUOTED}|[^\s"'`;|)\-][^\s"'`;|)]*)"#
        );
        add("argument", &[Config, Shell, Code, Log], Check::Value, &flag)?;
        // Programs with a letter for it: sshpass, docker login, mysql, redis-cli; cmdkey and schtasks of Windows.
        let letter = format!(
            r#"(?:\bsshpass\s+-p\s*|\b(?:docker|podman|helm)\b.*\blogin\b.*\s-p\s+|\bmysql(?:dump|admin)?\s(?:.*\s)?-p|\bredis-cli\s(?:.*\s)?-a\s+|\bcmdkey\b.*/pass:|\bschtasks\b.*/rp\s+)(?P<v>{QUOTED}|[^\s"'\-|;][^\s"'|;]*)"#
        );
        add("argument", SCRIPTS, Check::Value, &letter)?;
        let secure = format!(
            r#"ConvertTo-SecureString(?:\s+-(?:AsPlainText|Force|String))*\s+(?P<v>{QUOTED}|[^\s"'\-(|][^\s|)]*)|(?P<w>{QUOTED})\s*\|\s*ConvertTo-SecureString"#
        );
        add("secure_string", SCRIPTS, Check::Value, &secure)?;
        add(
            "network_credential",
            &[Code],
            Check::Value,
            &format!(r"NetworkCredential\(\s*[^,()]+,\s*(?P<v>{QUOTED})"),
        )?;
        add(
            "sql_password",
            NO_PROSE,
            Check::Value,
            r"\b(?:role|user|encrypted|with|login)\b[^;]*?\bpassword\s+(?P<v>'[^']+')",
        )?;
        // The form of `.pgpass`.
        add(
            "pgpass_line",
            &[Config, Shell, Code],
            Check::Value,
            r#"(?:^|["'\s])[\w.\-*]+:(?:[0-9]{2,5}|\*):[\w\-*]+:[\w\-*]+:(?P<v>[^\s"':]+)"#,
        )?;
        add("curl_user", NO_PROSE, Check::Value, r#"\bcurl\b.*?\s(?:-u|--user)[\s=]*["']?[^\s:"']+:(?P<v>[^\s"']+)"#)?;
        add(
            "url_password",
            EVERYWHERE,
            Check::Value,
            r#"\b[a-z][a-z0-9+.\-]{1,20}://[^\s/:@"'<>]*:(?P<v>[^\s/@"'<>]+)@[^\s/]"#,
        )?;
        add(
            "authorization_header",
            NO_PROSE,
            Check::Value,
            r#"authorization["']?\]?\s*[:=,]\s*["']?(?:bearer|basic|token|apikey)\s+(?P<v>[a-z0-9._~+/=\-]{8,})"#,
        )?;
        add("bearer_token", NO_PROSE, Check::Random, r"\bbearer\s+(?P<v>[a-z0-9._~+/=\-]{16,})")?;
        add("api_key_header", SCRIPTS, Check::Value, r#"\b(?:x-)?api-key\s*:\s*(?P<v>[^\s"']+)"#)?;
        for (kind, text) in [
            // Code that looks for keys has the line in quotes.
            ("private_key", r#"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?:\s*$|[^\s'"`.,)])"#),
            ("age_key", r"AGE-SECRET-KEY-1[0-9A-Z]{58}"),
            ("aws_access_key", r"(?-i)\b(?:AKIA|ASIA)[A-Z2-7]{16}\b"),
            ("google_api_key", r"(?-i)\bAIza[0-9A-Za-z_\-]{35}"),
            ("github_token", r"(?-i)\b(?:gh[pousr]_[0-9A-Za-z]{36,}|github_pat_[0-9A-Za-z_]{22,})"),
            ("gitlab_token", r"(?-i)\bglpat-[0-9A-Za-z_\-]{20,}"),
            ("slack_token", r"(?-i)\bxox[abprs]-[0-9A-Za-z\-]{10,}"),
            ("stripe_key", r"(?-i)\b[sr]k_live_[0-9A-Za-z]{16,}"),
            ("npm_token", r"(?-i)\bnpm_[0-9A-Za-z]{36}\b"),
            ("sendgrid_key", r"(?-i)\bSG\.[0-9A-Za-z_\-]{16,}\.[0-9A-Za-z_\-]{32,}"),
            ("teams_webhook", r"webhook\.office\.com/webhookb2/[0-9a-z@\-]+/IncomingWebhook/[0-9a-z]+"),
            ("slack_webhook", r"hooks\.slack\.com/(?:services|workflows)/[0-9A-Za-z]+/[0-9A-Za-z]+/[0-9A-Za-z]+"),
            ("discord_webhook", r"discord(?:app)?\.com/api/webhooks/[0-9]+/[0-9A-Za-z_\-]+"),
            ("jwt", r"(?-i)\beyJ[0-9A-Za-z_\-]{10,}\.eyJ[0-9A-Za-z_\-]{10,}\.[0-9A-Za-z_\-]{10,}"),
        ] {
            add(kind, EVERYWHERE, Check::Certain, text)?;
        }
        let trigger = RegexBuilder::new(TRIGGER).unicode(false).case_insensitive(true).build()?;
        Ok(Self { trigger, patterns })
    }

    /// Where the next word stands, from `at` on, that a secret may stand beside.
    pub(super) fn trigger(&self, text: &[u8], at: usize) -> Option<usize> {
        self.trigger.find_at(text, at).map(|found| found.start())
    }

    /// What is in a line, each kind and key once.
    pub(super) fn line(&self, line: &[u8], language: Language) -> Vec<Hit> {
        let mut hits: Vec<Hit> = Vec::new();
        let mut taken: Vec<std::ops::Range<usize>> = Vec::new();
        for pattern in self.patterns.iter().filter(|pattern| pattern.languages.contains(&language)) {
            for found in pattern.regex.captures_iter(line) {
                let Some(whole) = found.get(0) else { continue };
                let key = found.name("k").map(|key| key.as_bytes());
                let value = found.name("v").or_else(|| found.name("w")).map(|value| value.range());
                let range = value.clone().unwrap_or_else(|| whole.range());
                // One secret is told once: `Authorization: Bearer eyJ…` is three things.
                if taken.iter().any(|other| other.start < range.end && range.start < other.end) {
                    continue;
                }
                let raw = value.map_or(&b""[..], |value| &line[value]);
                let around = Around { line, whole: whole.range(), value: range.clone(), language };
                let Some(is_default) = pattern.judge(&around, key, raw) else { continue };
                taken.push(range);
                hits.push(Hit { kind: pattern.kind, key: key.map(shown_key), is_default });
            }
        }
        hits.sort();
        hits.dedup();
        hits
    }
}

/// Where a match stands.
struct Around<'a> {
    line: &'a [u8],
    whole: std::ops::Range<usize>,
    value: std::ops::Range<usize>,
    language: Language,
}

impl Around<'_> {
    /// `# password: see the vault`: a sentence in a comment.
    fn is_remark(&self) -> bool {
        let line = self.line.trim_ascii_start();
        let is_comment = line.starts_with(b"#") || line.starts_with(b"//") || line.starts_with(b";");
        let rest = self.line.get(self.value.end..).unwrap_or_default();
        is_comment && matches!(rest, [b' ', word, ..] if word.is_ascii_alphabetic())
    }
}

impl Pattern {
    /// Whether it is a secret, and then whether a default one.
    fn judge(&self, around: &Around<'_>, key: Option<&[u8]>, raw: &[u8]) -> Option<bool> {
        let language = around.language;
        let key = key.map(<[u8]>::to_ascii_lowercase);
        let key_ends = |end: &[u8]| key.as_ref().is_some_and(|key| key.ends_with(end));
        let by_value = || match standing(raw) {
            // A block of YAML: what it is stands on the next lines.
            _ if matches!(raw.first(), Some(b'|' | b'>')) => Some(false),
            Standing::Placeholder => None,
            _ if key.as_ref().is_some_and(|key| is_other(key)) => None,
            // `"client_secret": "client_secret"`
            _ if self.kind == "key" && key.as_ref().is_some_and(|key| is_name(key, raw)) => None,
            // The working folder.
            _ if key_ends(b"pwd") && is_path(raw) => None,
            // The usage's `--password PASSWORD`.
            _ if self.kind == "argument" && key_ends(&raw.to_ascii_lowercase()) => None,
            // A lifetime under `token:`; tests that passed.
            _ if (self.kind == "key" || key_ends(b"pass")) && raw.len() < 6 && raw.iter().all(u8::is_ascii_digit) => {
                None
            }
            _ if language == Language::Config && self.kind != "url_password" && around.is_remark() => None,
            // A label of a form.
            Standing::Default if language == Language::Code && is_label(raw) => None,
            // Documentation shows how a URL is written.
            Standing::Default => (language != Language::Prose).then_some(true),
            Standing::Literal => Some(false),
        };
        match self.check {
            Check::Value => by_value(),
            Check::Logged if is_outcome(raw) || self.kind == "key" && !is_random(raw) => None,
            Check::Logged => by_value(),
            Check::InQuotes => is_in_quotes(&around.line[..around.whole.start]).then(by_value).flatten(),
            Check::Random => is_random(raw).then(by_value).flatten(),
            Check::Mixed => is_mixed(raw).then(by_value).flatten(),
            Check::Certain => (!is_example(&around.line[around.whole.clone()])).then_some(false),
        }
    }
}

/// Keys that only look like those of a secret: a place in a list, a name of one that lies elsewhere, the flag for none.
fn is_other(key: &[u8]) -> bool {
    let key: Vec<u8> = key.iter().copied().filter(|byte| !matches!(byte, b'_' | b'-' | b'.')).collect();
    let tokens: [&[u8]; 8] = [
        b"continuationtoken",
        b"nexttoken",
        b"pagetoken",
        b"synctoken",
        b"cursortoken",
        b"resumetoken",
        b"existingsecret",
        b"pullsecret",
    ];
    key.starts_with(b"no") && key.ends_with(b"password") && key.len() <= 12
        || tokens.iter().any(|end| key.ends_with(end))
}

/// Whether the value is the key's own name.
fn is_name(key: &[u8], raw: &[u8]) -> bool {
    let letters = |text: &[u8]| -> Vec<u8> {
        text.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase).collect()
    };
    let (key, value) = (letters(key), letters(raw));
    value.len() >= 3 && key.ends_with(&value)
}

/// `"Password"`, `"Mot de passe"`.
fn is_label(raw: &[u8]) -> bool {
    matches!(raw, [b'"' | b'\'', first, ..] if first.is_ascii_uppercase())
}

fn is_in_quotes(before: &[u8]) -> bool {
    let count = |quote| before.iter().filter(|byte| **byte == quote).count();
    count(b'"') % 2 == 1 || count(b'\'') % 2 == 1
}

/// A key for a record: it is of letters, digits, dots, dashes and underscores.
fn shown_key(key: &[u8]) -> String {
    String::from_utf8_lossy(key).trim_start_matches('-').chars().take(64).collect()
}

#[cfg(test)]
mod tests;
