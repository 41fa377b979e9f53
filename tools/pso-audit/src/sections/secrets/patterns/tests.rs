use super::Language::{Code, Config, Log, Prose, Shell};
use super::*;

/// What is found in a line, as `kind` or `kind key`; with `!` for a default.
fn found(patterns: &Patterns, line: &str, language: Language) -> Vec<String> {
    // The trigger must let it through, or the line would never be looked at.
    if patterns.trigger(line.as_bytes(), 0).is_none() {
        return Vec::new();
    }
    let hits = patterns.line(line.as_bytes(), language);
    let shown = |hit: Hit| {
        let key = hit.key.map(|key| format!(" {key}")).unwrap_or_default();
        format!("{}{key}{}", hit.kind, if hit.is_default { "!" } else { "" })
    };
    hits.into_iter().map(shown).collect()
}

/// Put together at run time, so that scanners of repositories do not take the tests for leaks.
fn made(prefix: &str, length: usize) -> String {
    format!("{prefix}{}", "A2bC3dE4fG5h".chars().cycle().take(length).collect::<String>())
}

#[test]
fn secrets_are_found_in_every_language() {
    let patterns = Patterns::new().expect("valid");
    let cases: Vec<(Language, String, &str)> = vec![
        (Config, "    password: hunter2".into(), "password password"),
        (Config, "postgres: {host: db, password: hunter2, port: 1}".into(), "password password"),
        (Config, "  \"password\": \"hunter2\",".into(), "password password"),
        (Config, "password: &pw hunter2".into(), "password password"),
        (Config, "password: |".into(), "password password"),
        (Config, "password: !!str 12345".into(), "password password"),
        (Config, "db_passwd = hunter2".into(), "password db_passwd"),
        (Config, "password: changeme".into(), "password password!"),
        (Config, "password: ${PW:-hunter2}".into(), "password password"),
        (Config, "api_key: 8f14e45fceea".into(), "key api_key"),
        (Config, "# password: hunter2".into(), "password password"),
        (Config, "url: postgres://sync:hunter2@db/x".into(), "url_password"),
        (Config, "run: [\"notify\", \"--token=abc123\"]".into(), "key --token"),
        (Config, format!("url: https://{}", made("hooks.slack.com/services/T0/B0/", 24)), "slack_webhook"),
        (Config, format!("url: https://{}", made("discord.com/api/webhooks/123/", 60)), "discord_webhook"),
        (Config, "-----BEGIN RSA PRIVATE KEY-----".into(), "private_key"),
        (Config, "-----BEGIN PRIVATE KEY-----".into(), "private_key"),
        (Shell, "export PGPASSWORD=hunter2".into(), "password PGPASSWORD"),
        (Shell, "PGPASSWORD='hun ter2' psql -c 'x'".into(), "password PGPASSWORD"),
        (Shell, "psql --password=hunter2".into(), "password password"),
        (Shell, "tool --pass hunter2".into(), "argument pass"),
        (Shell, "curl -s -u sync:hunter2 http://x".into(), "curl_user"),
        (Shell, "curl -H 'api-key: abcdef'".into(), "api_key_header"),
        (Shell, format!("curl -H 'Authorization: Bearer {}'", made("x", 20)), "authorization_header"),
        (Shell, "set PGPASSWORD=hunter2".into(), "password PGPASSWORD"),
        (Code, "$env:PGPASSWORD = \"hunter2\"".into(), "password PGPASSWORD"),
        (Code, "Send -Password 'hunter2'".into(), "argument Password"),
        (Code, "$s = ConvertTo-SecureString \"hunter2\" -AsPlainText -Force".into(), "secure_string"),
        (Code, "conn = \"host=db password=hunter2 dbname=x\"".into(), "password password"),
        (Code, "@{ \"Authorization\" = \"Bearer abcdefgh12345678\" }".into(), "authorization_header"),
        (Code, format!("key = '{}'", made("ghp_", 36)), "github_token"),
        (Log, "connect host=db user=sync password=hunter2 failed".into(), "password password"),
        (Log, "body={\"user\":\"a\",\"password\":\"hunter2\"}".into(), "password password"),
        (Log, "GET /x?token=9f86d081884c7d65 200".into(), "key token"),
        (Log, format!("header Authorization: Bearer {}", made("t", 20)), "authorization_header"),
        (Log, "dial postgres://sync:hunter2@db:5432/x: refused".into(), "url_password"),
        (Log, format!("sent {}.{}.{}", made("eyJ", 20), made("eyJ", 20), made("s", 20)), "jwt"),
        (Prose, "AKIAABCDEFGHIJKLMNOP is the key".into(), "aws_access_key"),
        (Prose, "clone https://bob:hunter2@git.example/x".into(), "url_password"),
    ];
    for (language, line, expected) in &cases {
        let found = found(&patterns, line, *language);
        let expected = expected.replace("key --token", "key token");
        assert_eq!(found, [expected], "{language:?}: {line}");
    }
}

#[test]
fn what_is_none_is_left_alone() {
    let patterns = Patterns::new().expect("valid");
    for (language, line) in [
        (Config, "password: ${PGPASSWORD}"),
        (Config, "password: \"${PGPASSWORD}\""),
        (Config, "password:"),
        (Config, "password: ''"),
        (Config, "password: null"),
        (Config, "password: <password>"),
        (Config, "password: '***'"),
        (Config, "password_file: /run/secrets/pg"),
        (Config, "token_file: config/api-token.txt"),
        (Config, "token: 3600"),
        (Config, "token_ttl: 3600"),
        (Config, "max_tokens: 4096"),
        (Config, "password: !vault |"),
        (Config, "url: http://localhost:8080/a@b"),
        (Config, "url: http://me:${PW}@h/"),
        (Config, "secret: true"),
        (Shell, "PGPASSWORD=$(cat /run/secrets/pg) psql"),
        (Shell, "PGPASSWORD=\"$PW\" psql"),
        (Shell, "read -r -s -p 'Password: ' PW"),
        (Shell, "psql --no-password -h db"),
        (Shell, "tool --password-file pw.txt"),
        (Shell, "curl -u \"$USER:$PW\" http://x"),
        (Shell, "usage: tool --password PASSWORD"),
        (Shell, "curl -H \"Authorization: Bearer $TOKEN\""),
        (Code, "    \"Authorization\" = \"Bearer $(Get-Content './config/api-token.txt' -Raw)\""),
        (Code, "param([string]$Password)"),
        (Code, "connect(password=os.environ['PW'])"),
        (Code, "connect(password=password)"),
        (Code, "ConvertTo-SecureString $plain -AsPlainText"),
        (Code, "Connect -Password $pw"),
        (Code, "Connect -Token (Get-Content t.txt)"),
        (Log, "FATAL: password authentication failed for user \"sync_user\""),
        (Log, "password: authentication failed"),
        (Log, "password=invalid user=bob"),
        (Log, "token=expired"),
        (Log, "token=refresh_token"),
        (Log, "Token validation failed: token expired"),
        (Log, "login password=*** ok"),
        (Log, "bearer token missing"),
        (Log, "Authorization: Bearer"),
        (Prose, "connect to postgres://user:password@localhost/planning_sync"),
        (Prose, "Set password: hunter2 in the file"),
        (Prose, "Authorization: Bearer abcdefgh12345678"),
    ] {
        assert_eq!(found(&patterns, line, language), [""; 0], "{language:?}: {line}");
    }
}

#[test]
fn a_hit_holds_nothing_of_the_secret() {
    let patterns = Patterns::new().expect("valid");
    for language in [Config, Shell, Code, Log, Prose] {
        let line = "PGPASSWORD='correct-horse' --password 'correct-horse' url=postgres://a:correct-horse@h/x";
        let hits = format!("{:?}", patterns.line(line.as_bytes(), language));
        assert!(!hits.contains("horse"), "{hits}");
    }
}
