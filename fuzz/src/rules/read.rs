//! Reading fields and noting what is wrong with them.

use reference_broker::codec::ProtocolVersion;

use super::tables::{self, Type};
use super::{Break, Clause};

/// A packet that is read from the front, and the breaks found so far.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    /// Where the next field begins.
    pub at: usize,
    /// Where the fields end: with the packet, or with its properties.
    end: usize,
    pub breaks: Vec<Break>,
    /// What the fields hold, without their lengths, in the order of the bytes.
    pub contents: Vec<&'a [u8]>,
}

impl<'a> Reader<'a> {
    /// A reader of the whole packet whose fields begin at `at`.
    pub fn new(bytes: &'a [u8], at: usize) -> Reader<'a> {
        Reader { bytes, at, end: bytes.len(), breaks: Vec::new(), contents: Vec::new() }
    }

    pub fn is_at_end(&self) -> bool {
        self.at >= self.end
    }

    /// Notes a break in the field between `from` and here.
    pub fn broken(&mut self, clause: Clause, from: usize) {
        self.breaks.push(Break { clause, from, to: self.at });
    }

    /// The same, where nothing after it can be read.
    pub fn fatal<T>(&mut self, clause: Clause, from: usize) -> Option<T> {
        self.broken(clause, from);
        None
    }

    /// Something has to follow.
    pub fn at_least_one(&mut self, clause: Clause) {
        if self.is_at_end() {
            self.broken(clause, self.at);
        }
    }

    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let from = self.at;
        if self.end - from < count {
            self.breaks.push(Break { clause: Clause::WithinPacket, from, to: self.end });
            return None;
        }
        self.at += count;
        Some(&self.bytes[from..self.at])
    }

    /// The payload of PUBLISH: all that is left.
    pub fn rest(&mut self) {
        self.contents.push(&self.bytes[self.at..self.end]);
        self.at = self.end;
    }

    /// A field of this many bytes.
    pub fn field(&mut self, count: usize) -> Option<&'a [u8]> {
        let content = self.take(count)?;
        self.contents.push(content);
        Some(content)
    }

    pub fn byte(&mut self) -> Option<u8> {
        self.field(1).map(|bytes| bytes[0])
    }

    fn number(&mut self, width: usize) -> Option<u64> {
        self.field(width).map(|bytes| bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// Section 2.2.1.
    pub fn identifier(&mut self) -> Option<()> {
        let from = self.at;
        if self.number(2)? == 0 {
            self.broken(Clause::PacketIdentifier, from);
        }
        Some(())
    }

    /// Section 1.5.6.
    pub fn binary(&mut self) -> Option<&'a [u8]> {
        let length = self.take(2)?;
        self.field(usize::from(length[0]) << 8 | usize::from(length[1]))
    }

    /// Section 1.5.4.
    pub fn text(&mut self) -> Option<&'a [u8]> {
        let from = self.at;
        let bytes = self.binary()?;
        if !is_utf_8(bytes) {
            self.broken(Clause::Utf8, from);
        }
        if bytes.contains(&0) {
            self.broken(Clause::NoNull, from);
        }
        Some(bytes)
    }

    /// Section 1.5.5.
    fn variable(&mut self) -> Option<u64> {
        let from = self.at;
        let mut number = 0;
        for place in 0..4 {
            let byte = self.take(1)?[0];
            number += u64::from(byte % 128) << (7 * place);
            if byte < 128 {
                if place > 0 && byte == 0 {
                    self.broken(Clause::VariableShortest, from);
                }
                return Some(number);
            }
        }
        self.fatal(Clause::VariableTooLong, from)
    }

    /// Section 2.4; 3.2.2.3 and 3.9.3 of 3.1.1.
    pub fn code(&mut self, kind: u8, version: ProtocolVersion) -> Option<()> {
        let from = self.at;
        let code = self.byte()?;
        if !tables::codes(kind, version).contains(&code) {
            self.broken(Clause::ReasonCode, from);
        }
        Some(())
    }

    /// Reason Code and properties that may both be left out, or the properties alone. Before 5.0 there are none.
    pub fn short_form(&mut self, kind: u8, version: ProtocolVersion) -> Option<Vec<u8>> {
        if version != ProtocolVersion::V5 || self.is_at_end() {
            return Some(Vec::new());
        }
        self.code(kind, version)?;
        if self.is_at_end() { Some(Vec::new()) } else { self.properties(kind, version) }
    }

    /// Section 2.2.2. Answers which properties there are.
    pub fn properties(&mut self, place: u8, version: ProtocolVersion) -> Option<Vec<u8>> {
        if version != ProtocolVersion::V5 {
            return Some(Vec::new());
        }
        let from = self.at;
        let length = self.variable()? as usize;
        if self.end - self.at < length {
            return self.fatal(Clause::PropertyLength, from);
        }
        let whole = std::mem::replace(&mut self.end, self.at + length);
        let mut seen = Vec::new();
        while !self.is_at_end() {
            if self.property(place, &mut seen).is_none() {
                self.at = self.end;
            }
        }
        self.end = whole;
        Some(seen)
    }

    fn property(&mut self, place: u8, seen: &mut Vec<u8>) -> Option<()> {
        let from = self.at;
        let number = self.variable()?;
        self.contents.push(&self.bytes[from..self.at]);
        let Some(row) = tables::PROPERTIES.iter().find(|row| u64::from(row.number) == number) else {
            return self.fatal(Clause::PropertyKnown, from);
        };
        if !row.places.contains(&place) {
            self.broken(Clause::PropertyPlace, from);
        }
        if seen.contains(&row.number) && !row.repeatable.contains(&place) {
            self.broken(Clause::PropertyOnce, from);
        }
        seen.push(row.number);
        let from = self.at;
        let value = match row.kind {
            Type::Number(width) => self.number(width)?,
            Type::Variable => {
                let value = self.variable()?;
                self.contents.push(&self.bytes[from..self.at]);
                value
            }
            Type::Text => return self.text().map(|_| ()),
            Type::Binary => return self.binary().map(|_| ()),
            Type::Pair => {
                self.text()?;
                return self.text().map(|_| ());
            }
        };
        if !row.values.contains(&value) {
            self.broken(Clause::PropertyValue, from);
        }
        Some(())
    }
}

/// Well-formed UTF-8 by table 3-7 of the Unicode Standard, which leaves out surrogates and overlong forms.
pub(super) fn is_utf_8(mut bytes: &[u8]) -> bool {
    loop {
        bytes = match bytes {
            [] => return true,
            [0..=0x7F, rest @ ..]
            | [0xC2..=0xDF, 0x80..=0xBF, rest @ ..]
            | [0xE0, 0xA0..=0xBF, 0x80..=0xBF, rest @ ..]
            | [0xE1..=0xEC | 0xEE..=0xEF, 0x80..=0xBF, 0x80..=0xBF, rest @ ..]
            | [0xED, 0x80..=0x9F, 0x80..=0xBF, rest @ ..]
            | [0xF0, 0x90..=0xBF, 0x80..=0xBF, 0x80..=0xBF, rest @ ..]
            | [0xF1..=0xF3, 0x80..=0xBF, 0x80..=0xBF, 0x80..=0xBF, rest @ ..]
            | [0xF4, 0x80..=0x8F, 0x80..=0xBF, 0x80..=0xBF, rest @ ..] => rest,
            _ => return false,
        };
    }
}
