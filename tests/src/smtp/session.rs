//! One connection: RFC 5321, with STARTTLS (RFC 3207) and AUTH (RFC 4954).

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use rustls::{ServerConnection, StreamOwned};

use super::{Fault, How, Mail, PASSWORD, Security, Shared, Stage, USER};
use crate::http_end::locked;

/// How long a client may be silent.
const PATIENCE: Duration = Duration::from_secs(30);

/// RFC 5321, 4.5.3.1.6: a line of text has 1,000 bytes at most, its end included.
const MAX_LINE: usize = 1_000;

/// Mails beyond it are refused with 552.
const MAX_MAIL: usize = 1 << 20;

/// Plain or encrypted.
enum Wire {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

struct Session<'s> {
    wire: Wire,
    buffer: Vec<u8>,
    shared: &'s Shared,
    fault: Option<Fault>,
    user: Option<String>,
    from: Option<String>,
    to: Vec<String>,
}

/// A client that fails, or goes away, is the test's affair.
pub(super) fn serve(stream: TcpStream, number: u64, shared: &Arc<Shared>) {
    let limits = stream.set_read_timeout(Some(PATIENCE)).and_then(|()| stream.set_write_timeout(Some(PATIENCE)));
    if limits.and_then(|()| stream.set_nodelay(true)).is_err() {
        return;
    }
    let planned = locked(&shared.planned).pop_front();
    let decide = locked(&shared.decide).clone();
    let fault = planned.unwrap_or_else(|| decide.and_then(|decide| decide(number)));
    let mut session = Session {
        wire: Wire::Plain(stream),
        buffer: Vec::new(),
        shared,
        fault,
        user: None,
        from: None,
        to: Vec::new(),
    };
    let _ = session.run();
    if let Wire::Tls(stream) = &mut session.wire {
        stream.conn.send_close_notify();
        let _ = stream.flush();
    }
}

fn gone() -> io::Error {
    ErrorKind::ConnectionAborted.into()
}

impl Session<'_> {
    fn run(&mut self) -> io::Result<()> {
        if self.shared.options.security == Security::Implicit {
            self.encrypt()?;
        }
        if !self.stumble(Stage::Greeting)? {
            self.say("220 mail.example.com ESMTP")?;
        }
        loop {
            let line = self.line()?;
            let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
            match verb.to_ascii_uppercase().as_str() {
                "EHLO" => self.ehlo()?,
                "STARTTLS" => self.starttls()?,
                "AUTH" => self.auth(rest)?,
                "MAIL" => self.mail(rest)?,
                "RCPT" => self.rcpt(rest)?,
                "DATA" => self.data()?,
                "RSET" => {
                    self.forget();
                    self.say("250 2.0.0 Ok")?;
                }
                "NOOP" => self.say("250 2.0.0 Ok")?,
                "QUIT" => return self.say("221 2.0.0 Bye"),
                _ => self.say("500 5.5.1 Command unknown")?,
            }
        }
    }

    fn say(&mut self, line: &str) -> io::Result<()> {
        self.wire.write_all(format!("{line}\r\n").as_bytes())?;
        self.wire.flush()
    }

    /// A line without its end.
    fn line(&mut self) -> io::Result<String> {
        String::from_utf8(self.bytes()?).map_err(|_| ErrorKind::InvalidData.into())
    }

    fn bytes(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\r\n") {
                let line = self.buffer.drain(..end + 2).take(end).collect();
                return Ok(line);
            }
            if self.buffer.len() > MAX_MAIL {
                return Err(ErrorKind::InvalidData.into());
            }
            let mut chunk = [0; 8_192];
            let read = self.wire.read(&mut chunk)?;
            if read == 0 {
                return Err(gone());
            }
            self.buffer.extend_from_slice(&chunk[..read]);
        }
    }

    /// Whether something goes wrong here: then the answer has been given, or the connection is to end.
    fn stumble(&mut self, at: Stage) -> io::Result<bool> {
        let Some(fault) = self.fault.take_if(|fault| fault.at == at) else { return Ok(false) };
        match fault.how {
            How::Answer(line) => {
                self.say(&line)?;
                if line.starts_with("421") { Err(gone()) } else { Ok(true) }
            }
            How::Drop | How::Accept => Err(gone()),
            How::Silence => {
                let (ended, changed) = &self.shared.ended;
                let ended = ended.lock().unwrap_or_else(PoisonError::into_inner);
                drop(changed.wait_timeout_while(ended, Duration::from_secs(86_400), |ended| !*ended));
                Err(gone())
            }
        }
    }

    fn ehlo(&mut self) -> io::Result<()> {
        if self.stumble(Stage::Ehlo)? {
            return Ok(());
        }
        let options = self.shared.options;
        let encrypted = self.is_encrypted();
        let mut lines = vec!["mail.example.com".to_owned(), "8BITMIME".to_owned(), "SMTPUTF8".to_owned()];
        if options.security == Security::StartTls && !encrypted {
            lines.push("STARTTLS".to_owned());
        } else if !options.mechanisms.is_empty() {
            lines.push(format!("AUTH {}", options.mechanisms));
        }
        lines.push(format!("SIZE {MAX_MAIL}"));
        let last = lines.len() - 1;
        for (number, line) in lines.iter().enumerate() {
            self.say(&format!("250{}{line}", if number == last { ' ' } else { '-' }))?;
        }
        Ok(())
    }

    const fn is_encrypted(&self) -> bool {
        matches!(self.wire, Wire::Tls(_))
    }

    /// Whether TLS must come first; then that has been said.
    fn wants_tls(&mut self) -> io::Result<bool> {
        let wanted = self.shared.options.security == Security::StartTls && !self.is_encrypted();
        if wanted {
            self.say("530 5.7.0 Must issue a STARTTLS command first")?;
        }
        Ok(wanted)
    }

    fn starttls(&mut self) -> io::Result<()> {
        if self.stumble(Stage::StartTls)? {
            return Ok(());
        }
        if self.is_encrypted() || self.shared.options.security != Security::StartTls {
            return self.say("502 5.5.1 Not offered");
        }
        self.say("220 2.0.0 Ready to start TLS")?;
        self.encrypt()
    }

    fn encrypt(&mut self) -> io::Result<()> {
        // What was sent in the clear after STARTTLS must not count as sent through TLS: CVE-2011-0411.
        if !self.buffer.is_empty() {
            return Err(gone());
        }
        let connection = ServerConnection::new(Arc::clone(&self.shared.tls)).map_err(io::Error::other)?;
        let Wire::Plain(stream) = &self.wire else { return Err(gone()) };
        let mut stream = StreamOwned::new(connection, stream.try_clone()?);
        while stream.conn.is_handshaking() {
            if let Err(error) = stream.conn.complete_io(&mut stream.sock) {
                // To the client's end, so that our alert arrives.
                let _ = stream.conn.write_tls(&mut stream.sock);
                return Err(error);
            }
        }
        self.wire = Wire::Tls(Box::new(stream));
        Ok(())
    }

    fn auth(&mut self, rest: &str) -> io::Result<()> {
        if self.wants_tls()? {
            return Ok(());
        }
        let (mechanism, initial) = rest.split_once(' ').unwrap_or((rest, ""));
        let known = self.shared.options.mechanisms.split(' ').any(|known| known.eq_ignore_ascii_case(mechanism));
        let (user, password) = match mechanism.to_ascii_uppercase().as_str() {
            "PLAIN" if known => {
                let text = if initial.is_empty() {
                    self.say("334 ")?;
                    self.line()?
                } else {
                    initial.to_owned()
                };
                let plain = from_base64(&text);
                let mut parts = plain.split('\0').skip(1).map(str::to_owned);
                (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
            }
            "LOGIN" if known => {
                self.say("334 VXNlcm5hbWU6")?;
                let user = from_base64(&self.line()?);
                self.say("334 UGFzc3dvcmQ6")?;
                (user, from_base64(&self.line()?))
            }
            _ => return self.say("504 5.5.4 Unrecognized authentication type"),
        };
        if self.stumble(Stage::Auth)? {
            return Ok(());
        }
        if (user.as_str(), password.as_str()) != (USER, PASSWORD) {
            return self.say("535 5.7.8 Username and Password not accepted");
        }
        self.user = Some(user);
        self.say("235 2.7.0 Accepted")
    }

    fn mail(&mut self, rest: &str) -> io::Result<()> {
        if self.wants_tls()? || self.stumble(Stage::Mail)? {
            return Ok(());
        }
        if !self.shared.options.mechanisms.is_empty() && self.user.is_none() {
            return self.say("530 5.7.0 Authentication Required");
        }
        let Some(from) = address(rest, "FROM:") else { return self.say("501 5.5.4 Syntax: MAIL FROM:<address>") };
        self.forget();
        self.from = Some(from);
        self.say("250 2.1.0 Ok")
    }

    fn rcpt(&mut self, rest: &str) -> io::Result<()> {
        if self.from.is_none() {
            return self.say("503 5.5.1 Need MAIL command");
        }
        if self.stumble(Stage::Rcpt)? {
            return Ok(());
        }
        let Some(to) = address(rest, "TO:") else { return self.say("501 5.5.4 Syntax: RCPT TO:<address>") };
        let refused = locked(&self.shared.refused).iter().find(|(known, _)| *known == to).map(|(_, line)| line.clone());
        if let Some(line) = refused {
            return self.say(&line);
        }
        self.to.push(to);
        self.say("250 2.1.5 Ok")
    }

    fn data(&mut self) -> io::Result<()> {
        if self.from.is_none() || self.to.is_empty() {
            return self.say("554 5.5.1 No valid recipients");
        }
        if self.stumble(Stage::Data)? {
            return Ok(());
        }
        self.say("354 End data with <CR><LF>.<CR><LF>")?;
        let (mut text, mut complaint) = (Vec::new(), None);
        loop {
            let line = self.bytes()?;
            if text.is_empty() && self.stumble(Stage::Text)? {
                return Ok(());
            }
            if line == b"." {
                break;
            }
            complaint = complaint.or_else(|| strictly(&line));
            text.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
            text.extend_from_slice(b"\r\n");
        }
        let lost = self.fault.as_ref().is_some_and(|fault| fault.how == How::Accept);
        if !lost && self.stumble(Stage::End)? {
            self.forget();
            return Ok(());
        }
        if text.len() > MAX_MAIL {
            complaint = Some("552 5.3.4 Message too big");
        }
        let Ok(text) = String::from_utf8(text) else { return self.say("554 5.6.0 The text is not UTF-8") };
        complaint = complaint.or_else(|| heads(&text));
        if let Some(line) = complaint {
            self.forget();
            return self.say(line);
        }
        let mail = Mail {
            from: self.from.take().unwrap_or_default(),
            to: std::mem::take(&mut self.to),
            text,
            encrypted: self.is_encrypted(),
            user: self.user.clone(),
            at: Instant::now(),
        };
        locked(&self.shared.mails).push(mail);
        if lost { Err(gone()) } else { self.say("250 2.0.0 Ok: queued as 4CxYz") }
    }

    fn forget(&mut self) {
        self.from = None;
        self.to.clear();
    }
}

/// What a line of a mail must not be.
fn strictly(line: &[u8]) -> Option<&'static str> {
    if line.len() + 2 > MAX_LINE {
        return Some("500 5.5.2 Line too long");
    }
    // Postfix since 3.9: <https://www.postfix.org/postconf.5.html#smtpd_forbid_bare_newline>.
    line.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)).then_some("550 5.5.2 Bare <LF>, bare <CR> or NUL")
}

/// RFC 5322: lines of ASCII, each a name and a value or the rest of one; a date and one sender, each once.
fn heads(text: &str) -> Option<&'static str> {
    let head = text.split_once("\r\n\r\n").map_or(text, |(head, _)| head);
    let mut names = Vec::new();
    for line in head.split("\r\n") {
        if !line.is_ascii() {
            return Some("554 5.6.7 A header that is not ASCII");
        }
        if line.starts_with([' ', '\t']) {
            continue;
        }
        match line.split_once(':') {
            Some((name, _)) if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic()) => {
                names.push(name.to_ascii_lowercase());
            }
            _ => return Some("554 5.6.0 A line of the head is no header"),
        }
    }
    let once = |name: &str| names.iter().filter(|known| *known == name).count() == 1;
    let all =
        ["date", "from", "to", "subject", "message-id", "mime-version", "content-type"].iter().all(|name| once(name));
    (!all).then_some("554 5.6.0 A header is missing, or there twice")
}

fn address(rest: &str, word: &str) -> Option<String> {
    let rest = rest.get(..word.len()).filter(|start| start.eq_ignore_ascii_case(word)).map(|_| &rest[word.len()..])?;
    let (address, _options) = rest.trim().strip_prefix('<')?.split_once('>')?;
    Some(address.to_owned())
}

/// The text behind base64; empty where it is none.
fn from_base64(text: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bits, mut count, mut bytes) = (0_u32, 0, Vec::new());
    for byte in text.trim().trim_end_matches('=').bytes() {
        let Some(value) = ALPHABET.iter().position(|known| *known == byte) else { return String::new() };
        bits = (bits << 6) | u32::try_from(value).unwrap_or_default();
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from((bits >> count) & 0xff).unwrap_or_default());
        }
    }
    String::from_utf8(bytes).unwrap_or_default()
}
