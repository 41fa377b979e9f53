//! Packed and encoded bytes, whole and damaged.

use std::io::{Cursor, Read as _, Write as _};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::fuzzing::choices::Choices;
use crate::fuzzing::lines::Trickle;
use crate::input::decode;

/// A few bytes can be unpacked to more than anybody wants to wait for.
const MOST: u64 = 1 << 20;

/// `decode`: unpacks bytes, or a text that is packed first, and damaged or not.
///
/// # Panics
/// When the text depends on how many bytes are read at a time, differs from what was packed, or a damage goes unnoticed
/// that cuts the text off.
pub fn decode(data: &[u8]) {
    let mut choices = Choices::of(data);
    let (packing, few, cut, flip) = (choices.below(4), choices.size(), choices.below(16), choices.below(32));
    let text = choices.rest();
    match packing {
        0 => packed(text, gz(text), few, cut, flip),
        1 => {
            let members = text.chunks((text.len() / 3).max(1));
            packed(text, members.flat_map(gz).collect(), few, cut, flip);
        }
        2 => packed(text, zstd::encode_all(text, 1).expect("in memory"), few, cut, flip),
        _ => {
            alike(text, few);
            if let (Some((found, _)), [0xff, 0xfe, units @ ..] | [0xfe, 0xff, units @ ..]) =
                (read(text, usize::MAX), text)
            {
                assert_eq!(String::from_utf8(found).as_deref(), Ok(&*utf16(units, text[0] == 0xff)));
            }
        }
    }
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("in memory");
    encoder.finish().expect("in memory")
}

/// The text and the error that ended it; `None` where the beginning already is refused.
fn read(bytes: &[u8], few: usize) -> Option<(Vec<u8>, Option<String>)> {
    let input = Trickle(Cursor::new(bytes.to_vec()), few);
    let mut text = Vec::new();
    let mut decoded = decode::decode(Box::new(input)).ok()?.text.take(MOST);
    let error = decoded.read_to_end(&mut text).err().map(|error| error.to_string());
    Some((text, error))
}

fn packed(text: &[u8], mut bytes: Vec<u8>, few: usize, cut: usize, flip: usize) {
    // What is packed may be UTF-16, or begin with a byte order mark.
    let expected = read(text, usize::MAX).filter(|_| !text.starts_with(&[0x1f, 0x8b]) && !is_zstd(text));
    let Some((found, error)) = read(&bytes, few) else { panic!("it was refused") };
    if let Some((expected, _)) = expected {
        assert_eq!((found, error), (expected.clone(), None));
        // Fewer bytes are not known to be packed. What is missing of the last of several members is told too.
        let end = bytes.len().saturating_sub(cut).max(6).min(bytes.len());
        let (part, error) = read(&bytes[..end], few).unwrap_or_default();
        assert!(expected.starts_with(&part) || text.starts_with(&[0xff, 0xfe]) || text.starts_with(&[0xfe, 0xff]));
        assert_eq!(error.is_some(), end < bytes.len(), "cut at {end} of {}", bytes.len());
    }
    if let Some(byte) = bytes.get_mut(flip) {
        *byte ^= 1 << (cut % 8);
        alike(&bytes, few);
    }
}

/// The same comes whatever is read at a time; how much of what is before a damage depends on it.
fn alike(bytes: &[u8], few: usize) {
    match (read(bytes, few), read(bytes, usize::MAX)) {
        (Some((one, Some(_))), Some((other, Some(_)))) => assert!(one.starts_with(&other) || other.starts_with(&one)),
        (one, other) => assert_eq!(one, other),
    }
}

fn is_zstd(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) || bytes.get(1..4) == Some(&[0x2a, 0x4d, 0x18])
}

fn utf16(units: &[u8], little: bool) -> String {
    let (pairs, odd) = units.as_chunks::<2>();
    let units = pairs.iter().map(|&pair| if little { u16::from_le_bytes(pair) } else { u16::from_be_bytes(pair) });
    let text = char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER));
    text.chain(odd.iter().map(|_| char::REPLACEMENT_CHARACTER)).collect()
}
