//! Files with secrets and states that the configuration, the environment and libpq's defaults name.

use std::path::{Path, PathBuf};

use pso_common::config::{Config, Paths};
use serde_json::Value;

use super::Role;

/// The files, each once.
pub(super) fn named(config: &Config, paths: &Paths) -> Vec<(PathBuf, Role)> {
    let mut named = Vec::new();
    let mut add = |path: PathBuf, role: Role| {
        if !named.iter().any(|(known, _)| *known == path) {
            named.push((path, role));
        }
    };
    // What is in effect, whichever layer it came from.
    for effective in config.effective() {
        if let Some(role) = role_of(&effective.key) {
            add(paths.join(Path::new(&effective.shown)), role);
        }
    }
    // Sections of other tools, and the server's own keys. With a variable in it the path is theirs to resolve.
    // What no JSON can hold (keys that are no texts) is the server's, and names no file.
    each_text(&config.read::<Value>().unwrap_or_default(), "", &mut |key, text| {
        if let Some(role) = role_of(key)
            && !text.is_empty()
            && !text.contains("${")
        {
            add(paths.join(Path::new(text)), role);
        }
    });
    let env = config.env();
    let home = |name: &str| env.home().map(|home| home.join(name));
    for (variable, default) in [("PGPASSFILE", ".pgpass"), ("PGSSLKEY", ".postgresql/postgresql.key")] {
        if let Some(path) = env.path(variable).or_else(|| home(default)) {
            add(path, Role::Secret);
        }
    }
    named
}

/// What a key that names a file names it for.
fn role_of(key: &str) -> Option<Role> {
    let last = key.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    if ["sslkey", "passfile", "keyfile", "identity"].contains(&last.as_str()) {
        return Some(Role::Secret);
    }
    if ["state", "state_file", "bookmark"].contains(&last.as_str()) {
        return Some(Role::State);
    }
    let what = last.strip_suffix("_file")?;
    let secrets = ["password", "passphrase", "secret", "token", "key", "identity", "credentials", "credential", "url"];
    secrets.iter().any(|word| what.ends_with(word)).then_some(Role::Secret)
}

/// Calls with the dotted path and the text of every scalar that is a text.
fn each_text(value: &Value, path: &str, call: &mut dyn FnMut(&str, &str)) {
    match value {
        Value::String(text) => call(path, text),
        Value::Array(items) => items.iter().for_each(|item| each_text(item, path, call)),
        Value::Object(keys) => keys.iter().for_each(|(key, value)| each_text(value, &format!("{path}.{key}"), call)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use pso_common::config::ServiceSettings;
    use pso_common::io::Env;

    use super::*;

    #[test]
    fn every_layer_names_files() {
        let mut env = Env::default();
        env.set("HOME", "/home/ops");
        env.set("PSO_TOKEN_FILE", "/run/token");
        let text = "server: {tls: {sslkey: certs/server.key}}\nmaintenance:\n  restore: {identity_file: /etc/age/key.txt}\n  \
                    alert: {state: var/alert.db, channels: [{url_file: hook.txt}, {password_file: \"${X}/p\"}]}\n  \
                    audit: {sections: [files]}\n";
        let config = Config::from_text("/srv/ps/config/config.yaml", text, env).expect("valid");
        let paths = Paths::resolve(&config).expect("valid");
        ServiceSettings::resolve(&config, &paths, None, None).expect("valid");
        let expected = [
            ("/run/token", Role::Secret),
            ("/srv/ps/certs/server.key", Role::Secret),
            ("/etc/age/key.txt", Role::Secret),
            ("/srv/ps/var/alert.db", Role::State),
            ("/srv/ps/hook.txt", Role::Secret),
            ("/home/ops/.pgpass", Role::Secret),
            ("/home/ops/.postgresql/postgresql.key", Role::Secret),
        ];
        let expected: Vec<(PathBuf, Role)> = expected.iter().map(|(path, role)| (PathBuf::from(path), *role)).collect();
        assert_eq!(named(&config, &paths), expected);
    }
}
