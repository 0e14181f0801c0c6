//! Bytes that are wrong on purpose: what no [`Packet`](super::Packet) can say.

use super::wire::{put_str, put_u16, put_variable, variable_len};

/// The Remaining Length of a [`RawPacket`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RawLength {
    /// The true one.
    #[default]
    True,
    /// A lie: this value, in its shortest form.
    Lie(u32),
    /// The true one, padded with continuation bytes to this many bytes in all.
    Padded(u8),
    /// Five bytes, which no Remaining Length may have.
    FiveBytes,
}

/// A packet put together field by field, with nothing checked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RawPacket {
    first: u8,
    length: RawLength,
    body: Vec<u8>,
}

impl RawPacket {
    /// A packet with this first byte and nothing in it.
    pub fn new(first: u8) -> RawPacket {
        RawPacket { first, ..RawPacket::default() }
    }

    /// How the Remaining Length is written.
    pub fn length(mut self, length: RawLength) -> RawPacket {
        self.length = length;
        self
    }

    /// Appends bytes.
    pub fn bytes(mut self, bytes: &[u8]) -> RawPacket {
        self.body.extend_from_slice(bytes);
        self
    }

    /// Appends a two-byte integer.
    pub fn u16(mut self, value: u16) -> RawPacket {
        put_u16(&mut self.body, value);
        self
    }

    /// Appends a string with its length.
    pub fn str(mut self, text: &str) -> RawPacket {
        put_str(&mut self.body, text);
        self
    }

    /// Appends a Variable Byte Integer.
    pub fn variable(mut self, value: u32) -> RawPacket {
        put_variable(&mut self.body, value);
        self
    }

    /// The bytes on the wire.
    pub fn encoded(&self) -> Vec<u8> {
        let mut out = vec![self.first];
        let length = self.body.len() as u32;
        match self.length {
            RawLength::True => put_variable(&mut out, length),
            RawLength::Lie(length) => put_variable(&mut out, length),
            RawLength::Padded(count) => {
                put_variable(&mut out, length);
                pad(&mut out, usize::from(count).saturating_sub(variable_len(length)));
            }
            RawLength::FiveBytes => {
                put_variable(&mut out, length);
                pad(&mut out, 5 - variable_len(length));
            }
        }
        out.extend_from_slice(&self.body);
        out
    }
}

/// Makes the Variable Byte Integer at the end of `out` longer by `count` bytes without changing its value.
fn pad(out: &mut Vec<u8>, count: usize) {
    for _ in 0..count {
        if let Some(last) = out.last_mut() {
            *last |= 0x80;
        }
        out.push(0);
    }
}
