//! ZIP files by hand, byte by byte: as no library would write them.

/// One entry, right unless something is set.
#[derive(Clone, Debug)]
pub(crate) struct Raw {
    pub(crate) name: Vec<u8>,
    /// As packed.
    pub(crate) data: Vec<u8>,
    /// As claimed, unpacked.
    pub(super) size: u64,
    /// 0 = stored, 8 = deflated.
    pub(super) method: u16,
    pub(super) flags: u16,
    /// Kind and permissions, as Unix has them.
    pub(crate) mode: u32,
    /// Of the unpacked content; of `data` where there is none.
    pub(super) crc: Option<u32>,
    /// What the manifest says of the unpacked content; of `data` where there is none.
    pub(super) sha256: Option<String>,
    /// The name in the header before the content, where it is another.
    pub(super) local_name: Option<Vec<u8>>,
    /// Where the table of contents says it is.
    pub(super) offset: Option<u32>,
    /// Nothing but the line in the table of contents is written.
    pub(super) without_data: bool,
}

impl Raw {
    pub(crate) fn stored(name: &str, data: &[u8]) -> Self {
        Self {
            name: name.as_bytes().to_vec(),
            data: data.to_vec(),
            size: data.len() as u64,
            method: 0,
            flags: 0,
            mode: 0o100_644,
            crc: None,
            sha256: None,
            local_name: None,
            offset: None,
            without_data: false,
        }
    }

    /// Version to the room for extra fields, as both headers have them.
    fn common(&self, name: &[u8]) -> Vec<u8> {
        let mut crc = flate2::Crc::new();
        crc.update(&self.data);
        // Bit 11: the name is UTF-8.
        let flags = self.flags | if name.is_ascii() { 0 } else { 1 << 11 };
        let mut out = Vec::new();
        for field in [20, flags, self.method, 0, 0x5b76] {
            out.extend(field.to_le_bytes());
        }
        let packed = u32::try_from(self.data.len()).expect("small");
        for field in [self.crc.unwrap_or_else(|| crc.sum()), packed, u32::try_from(self.size).expect("small")] {
            out.extend(field.to_le_bytes());
        }
        out.extend(u16::try_from(name.len()).expect("short").to_le_bytes());
        out.extend(0_u16.to_le_bytes());
        out
    }

    pub(super) fn local_header(&self) -> Vec<u8> {
        let name = self.local_name.as_ref().unwrap_or(&self.name);
        [b"PK\x03\x04".as_slice(), &self.common(name), name].concat()
    }

    fn central_header(&self, offset: u32) -> Vec<u8> {
        let mut out = b"PK\x01\x02\x14\x03".to_vec();
        out.extend(self.common(&self.name));
        for field in [0_u16, 0, 0] {
            out.extend(field.to_le_bytes());
        }
        out.extend((self.mode << 16).to_le_bytes());
        out.extend(self.offset.unwrap_or(offset).to_le_bytes());
        out.extend(&self.name);
        out
    }
}

pub(crate) fn zip(entries: &[Raw]) -> Vec<u8> {
    let (mut out, mut table) = (Vec::new(), Vec::new());
    for entry in entries {
        let offset = u32::try_from(out.len()).expect("small");
        if !entry.without_data {
            out.extend(entry.local_header());
            out.extend(&entry.data);
        }
        table.extend(entry.central_header(offset));
    }
    let (count, start) = (u16::try_from(entries.len()).expect("few"), u32::try_from(out.len()).expect("small"));
    let size = u32::try_from(table.len()).expect("small");
    out.extend(table);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend([count.to_le_bytes(), count.to_le_bytes()].concat());
    out.extend([size.to_le_bytes(), start.to_le_bytes()].concat());
    out.extend([0, 0]);
    out
}

/// What a byte that is no content belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Signature,
    Time,
    /// "Version made by": of the maker and its system.
    Maker,
    /// "Version needed".
    Needed,
    Flags,
    /// Inner and outer attributes: permissions, and whether it is text.
    Attributes,
    Disk,
    Extra,
    Name,
    /// Of the content, in the table of contents.
    Crc,
    /// Method, CRC and sizes before the content, which the table of contents has again.
    Repeated,
    /// Method, sizes, lengths, offsets, counts.
    Essential,
}

/// Every byte of the headers and of the table of contents, with its meaning.
pub(super) fn fields(whole: &[u8]) -> Vec<(usize, Field)> {
    let number = |at: usize, bytes: usize| -> usize {
        whole[at..at + bytes].iter().rev().fold(0, |value, byte| value << 8 | usize::from(*byte))
    };
    let mut found = Vec::new();
    let mut mark = |from: usize, layout: &[(usize, Field)]| {
        let mut at = from;
        for (length, field) in layout {
            found.extend((at..at + length).map(|at| (at, *field)));
            at += length;
        }
        at
    };
    use Field::{Attributes, Crc, Disk, Essential, Extra, Flags, Maker, Name, Needed, Repeated, Signature, Time};
    let end = whole.len() - 22;
    mark(end, &[(4, Signature), (4, Disk), (2, Essential), (2, Essential), (4, Essential), (4, Essential), (2, Extra)]);
    let (count, mut at) = (number(end + 10, 2), number(end + 16, 4));
    for _ in 0..count {
        let (name, extra, comment) = (number(at + 28, 2), number(at + 30, 2), number(at + 32, 2));
        let local = number(at + 42, 4);
        at = mark(
            at,
            &[
                (4, Signature),
                (2, Maker),
                (2, Needed),
                (2, Flags),
                (2, Essential),
                (4, Time),
                (4, Crc),
                (14, Essential),
                (2, Disk),
                (6, Attributes),
                (4, Essential),
                (name, Name),
                (extra, Extra),
                (comment, Extra),
            ],
        );
        let (name, extra) = (number(local + 26, 2), number(local + 28, 2));
        mark(
            local,
            &[
                (4, Signature),
                (2, Needed),
                (2, Flags),
                (2, Repeated),
                (4, Time),
                (12, Repeated),
                (4, Essential),
                (name, Name),
                (extra, Extra),
            ],
        );
    }
    found
}
