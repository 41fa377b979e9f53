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
        (Config, "key: \"-----BEGIN PRIVATE KEY-----\\nMIIB\"".into(), "private_key"),
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
        (Config, "smtp_pass: hunter2".into(), "password smtp_pass"),
        (Config, "mot_de_passe: hunter2".into(), "password mot_de_passe"),
        (Config, "encryption_key: 00112233445566778899aabbccddeeff".into(), "key encryption_key"),
        (Config, "secret_key_base: 8f14e45fceea167a".into(), "key secret_key_base"),
        (Config, "x: DefaultEndpointsProtocol=https;AccountKey=Zm9vYmFyMTIz==;".into(), "key AccountKey"),
        (Config, format!("stripe: {}", made("sk_live_", 24)), "stripe_key"),
        (Shell, "curl -d '{\"user\":\"a\",\"password\":\"hunter2\"}' x".into(), "password password"),
        (Shell, "docker login -u x -p hunter2 registry".into(), "argument"),
        (Shell, "sshpass -phunter2 ssh x".into(), "argument"),
        (Shell, "mysql -uroot -phunter2".into(), "argument"),
        (Shell, "redis-cli -h x -a hunter2".into(), "argument"),
        (Shell, "wget --http-password hunter2 x".into(), "argument http-password"),
        (Shell, ": \"${PGPASSWORD:=hunter2}\"".into(), "password PGPASSWORD"),
        (Shell, "setx PGPASSWORD \"hunter2\"".into(), "password PGPASSWORD"),
        (Shell, "DB_PASS='hunter2'".into(), "password DB_PASS"),
        (Shell, "echo \"db:5432:x:sync:hunter2\" > ~/.pgpass".into(), "pgpass_line"),
        (Shell, "psql -c \"ALTER USER sync PASSWORD 'hunter2'\"".into(), "sql_password"),
        (Code, "ConvertTo-SecureString -AsPlainText \"hunter2\" -Force".into(), "secure_string"),
        (Code, "\"hunter2\" | ConvertTo-SecureString -AsPlainText -Force".into(), "secure_string"),
        (
            Code,
            "[Environment]::SetEnvironmentVariable(\"PGPASSWORD\", \"hunter2\", \"User\")".into(),
            "password PGPASSWORD",
        ),
        (Code, "New-Object Net.NetworkCredential(\"sync\", \"hunter2\")".into(), "network_credential"),
        (Code, "schtasks /create /tn x /ru sync /rp hunter2".into(), "argument"),
        (Code, "irm \"http://x/?token=8f14e45fceea167a\"".into(), "key token"),
        (Log, "cfg=&{Host:db User:sync Password:hunter2}".into(), "password Password"),
        (Log, "password: hunter2hunter2".into(), "password password"),
        (Log, "statement: ALTER ROLE sync PASSWORD 'hunter2'".into(), "sql_password"),
        (Log, "user=a pass=hunter2".into(), "password pass"),
        (Prose, "with `PGPASSWORD=hunter2x`".into(), "password PGPASSWORD"),
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
        (Config, "existingSecret: pg-credentials"),
        (Config, "# password: see the vault"),
        (Config, "# password: <your password here>"),
        (Config, "password: ENC[AES256_GCM,data:x,iv:y]"),
        (Config, "password: env(PGPASSWORD)"),
        (Config, "password: op://vault/item/password"),
        (Config, "password: /etc/pso/password"),
        (Config, "password: ./secrets/pg.txt"),
        (Config, "pwd: /srv/planning"),
        (Config, "second_pass: 3"),
        (Config, "aws_access_key_id: AKIAIOSFODNN7EXAMPLE"),
        (Config, "grant_type: password"),
        (Shell, "OLDPWD=/srv/x"),
        (Shell, "tool --no-password db"),
        (Shell, "tool --password-command 'pass show x'"),
        (Shell, "tests_pass=12"),
        (Code, "Select-String -Pattern 'password=.*'"),
        (Code, "$line -replace 'password=\\S+', 'password=***'"),
        (Code, "$label_password = \"Password\""),
        (Code, "marker = '-----BEGIN RSA PRIVATE KEY-----'"),
        (Code, "\"client_secret\": \"client_secret\","),
        (Code, "# given by the --password option"),
        (Config, "id-token: write"),
        (Log, "password=[FILTERED]"),
        (Log, "continuation_token=abc123abc123abc123"),
        (Log, "sync-token=2025-06-12T09:00:00Z"),
        (Log, "token: expired at 2025-06-12T09:00:00Z"),
        (Log, "Le mot de passe : incorrect"),
        (Prose, "Le mot de passe : voir le coffre"),
        (Prose, "postgresql://[user[:password]@][host]"),
        (Prose, "https://user:pass@example.com"),
        (Prose, "postgres://sync:%s@db/x"),
        (Prose, "use ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
        (Prose, "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX"),
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
