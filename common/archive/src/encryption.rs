//! Encrypted archives: the whole file, in the format of [age](https://age-encryption.org/v1).
//!
//! `age --decrypt -i KEY NAME.zip.age > NAME.zip` gives the ZIP file without these tools.

use std::fmt;
use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;

use age::stream::{StreamReader, StreamWriter};
use age::x25519;
use anyhow::{Context as _, anyhow, ensure};

use crate::durable::open_file;
use crate::obstacle::{Blocked, Obstacle};

/// What follows `.zip` in the name of an encrypted archive.
pub(crate) const SUFFIX: &str = ".age";

/// How every file of age begins.
const MAGIC: &[u8] = b"age-encryption.org/v1";

/// Whether a file is encrypted, whatever its name; one that cannot be read is not.
#[must_use]
pub fn is_encrypted(path: &Path) -> bool {
    let mut head = [0; MAGIC.len()];
    open_file(path).and_then(|mut file| file.read_exact(&mut head)).is_ok() && head == *MAGIC
}

/// A header longer than this is none (bytes): some 600 recipients fit.
const MAX_HEADER_BYTES: u64 = 64 << 10;
/// How the last line of a header begins, behind the line before.
const HEADER_END: &[u8] = b"\n--- ";

/// Refuses a file whose header has no end: age would look for it without end, and in memory.
///
/// # Errors
/// When there is none, or the file cannot be read.
pub(crate) fn check_header(from: impl Read) -> anyhow::Result<()> {
    let mut head = Vec::new();
    from.take(MAX_HEADER_BYTES).read_to_end(&mut head)?;
    let end = head.windows(HEADER_END.len()).position(|part| part == HEADER_END);
    let line = end.and_then(|end| head.get(end + HEADER_END.len()..)).unwrap_or_default();
    ensure!(line.contains(&b'\n'), "it is not a whole file of age: its header has no end");
    Ok(())
}

/// Who can read what is written. Nobody in particular: it is not encrypted.
#[derive(Clone, Default)]
pub struct Recipients(Vec<x25519::Recipient>);

impl Recipients {
    /// Understands public keys, `age1…` each.
    ///
    /// # Errors
    /// Names the one that is none.
    pub fn parse<'a>(keys: impl IntoIterator<Item = &'a str>) -> anyhow::Result<Self> {
        let parse = |key: &str| {
            key.parse().map_err(|reason| anyhow!("`{key}` is not a recipient of age ({reason}); one looks like age1…"))
        };
        Ok(Self(keys.into_iter().map(parse).collect::<anyhow::Result<_>>()?))
    }

    /// Reads public keys from a file: one a line; empty lines and those that begin with `#` are skipped.
    ///
    /// # Errors
    /// When it cannot be read, or holds none.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let context = || format!("read the recipients in {}", path.display());
        let text = fs::read_to_string(path).with_context(context)?;
        let keys = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        // A private key in the wrong file must not be shown.
        ensure!(
            !text.contains("AGE-SECRET-KEY-"),
            "{} holds a private key; recipients are public keys",
            path.display()
        );
        let recipients = Self::parse(keys).with_context(context)?;
        ensure!(!recipients.is_empty(), "there is no recipient in {}", path.display());
        Ok(recipients)
    }

    /// Those of both.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn encrypt<W: Write>(&self, to: W) -> anyhow::Result<StreamWriter<W>> {
        let recipients = self.0.iter().map(|recipient| recipient as &dyn age::Recipient);
        let encryptor = age::Encryptor::with_recipients(recipients).context("prepare the encryption")?;
        encryptor.wrap_output(to).context("begin the encrypted file")
    }
}

/// Private keys. They are shown nowhere.
#[derive(Clone, Default)]
pub struct Identities(Arc<Vec<x25519::Identity>>);

impl Identities {
    /// Reads private keys from a file as `age-keygen` writes it.
    ///
    /// # Errors
    /// When it cannot be read, or holds none.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("read the keys in {}", path.display()))?;
        let keys: Vec<x25519::Identity> = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(|line| {
                line.parse().map_err(|reason| anyhow!("a line of {} is not a key of age: {reason}", path.display()))
            })
            .collect::<anyhow::Result<_>>()?;
        ensure!(!keys.is_empty(), "there is no key in {}", path.display());
        Ok(Self(Arc::new(keys)))
    }

    /// A key for one run, and who it belongs to: whoever writes an archive can read it back without the keys of those it
    /// is for, and nobody can once this is dropped.
    #[must_use]
    pub fn of_this_run() -> (Recipients, Self) {
        let key = x25519::Identity::generate();
        (Recipients(vec![key.to_public()]), Self(Arc::new(vec![key])))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn decrypt<R: Read>(&self, from: R) -> anyhow::Result<StreamReader<R>> {
        if self.is_empty() {
            let text = "it is encrypted, and there is no key: name the file with it (--identity, PSO_BACKUP_IDENTITY_FILE, or \
                        maintenance.backup.encryption.identity_file)";
            return Err(Blocked::error(Obstacle::Key, text));
        }
        let decryptor =
            age::Decryptor::new(from).map_err(|reason| anyhow!("it is not a whole file of age: {reason}"))?;
        let keys = self.0.iter().map(|key| key as &dyn age::Identity);
        decryptor.decrypt(keys).map_err(|error| match error {
            age::DecryptError::NoMatchingKeys => Blocked::error(
                Obstacle::Key,
                "it is encrypted for other keys than these; name the file with its key (--identity)",
            ),
            error => anyhow!("{error}"),
        })
    }
}

impl fmt::Debug for Recipients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(ToString::to_string)).finish()
    }
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} keys", self.0.len())
    }
}

/// What an archive is written to.
pub(crate) enum Output<W: Write> {
    Plain(W),
    Encrypted(StreamWriter<W>),
}

impl<W: Write> Output<W> {
    pub(crate) fn new(to: W, recipients: &Recipients) -> anyhow::Result<Self> {
        if recipients.is_empty() { Ok(Self::Plain(to)) } else { recipients.encrypt(to).map(Self::Encrypted) }
    }

    /// Ends the encryption; without it the file would be cut off.
    pub(crate) fn finish(self) -> io::Result<W> {
        match self {
            Self::Plain(to) => Ok(to),
            Self::Encrypted(writer) => writer.finish(),
        }
    }
}

impl<W: Write> Write for Output<W> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(to) => to.write(piece),
            Self::Encrypted(to) => to.write(piece),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(to) => to.flush(),
            Self::Encrypted(to) => to.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_without_an_end_is_refused() {
        let head = b"age-encryption.org/v1\n-> X25519 ";
        for rest in [io::repeat(b'a').take(1 << 40), io::repeat(b'\n').take(100), io::repeat(b'-').take(0)] {
            let refused = check_header(head.chain(rest)).expect_err("no end").to_string();
            assert!(refused.contains("no end"), "{refused}");
        }
        let (recipients, _) = Identities::of_this_run();
        let sealed = recipients.encrypt(Vec::new()).and_then(|writer| Ok(writer.finish()?)).expect("sealed");
        check_header(&sealed[..]).expect("whole");
    }

    #[test]
    fn keys_are_read_and_never_shown() {
        let folder = tempfile::tempdir().expect("a folder");
        let key = x25519::Identity::generate();
        let public = key.to_public().to_string();
        let secret = age::secrecy::ExposeSecret::expose_secret(&key.to_string()).to_owned();
        let file = folder.path().join("key.txt");
        fs::write(&file, format!("# created: today\n# public key: {public}\n{secret}\n")).expect("written");
        let identities = Identities::read(&file).expect("read");
        assert_eq!(format!("{identities:?}"), "1 keys");
        let error = format!("{:#}", Recipients::read(&file).expect_err("a private key"));
        assert!(error.contains("private key") && !error.contains(&secret), "{error}");
        let recipients = Recipients::parse([public.as_str()]).expect("a key");
        let mut writer = recipients.encrypt(Vec::new()).expect("encrypts");
        writer.write_all(b"plans").expect("written");
        let sealed = writer.finish().expect("finished");
        let mut text = String::new();
        identities.decrypt(&sealed[..]).expect("opens").read_to_string(&mut text).expect("read");
        assert_eq!(text, "plans");
        let other = Identities(Arc::new(vec![x25519::Identity::generate()]));
        let refused = other.decrypt(&sealed[..]).map(drop).expect_err("another key").to_string();
        assert!(refused.contains("other keys"), "{refused}");
        assert!(Recipients::parse(["age1nonsense"]).is_err());
    }
}
