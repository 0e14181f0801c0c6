//! The data representations of section 1.5: integers, strings, binary data, variable byte integers.

use super::error::{DecodeError, Rule};

/// Reads fields from the front of one packet, remembering how far into the packet it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// A reader over `bytes`, which begin `at` bytes into the packet.
    pub(super) const fn new(bytes: &'a [u8], at: usize) -> Reader<'a> {
        Reader { bytes, at }
    }

    /// How many bytes into the packet the next field begins.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Skips a zero byte; answers whether there was one.
    #[inline(always)]
    pub(super) fn skip_zero(&mut self) -> bool {
        match self.bytes {
            [0, rest @ ..] => {
                self.bytes = rest;
                self.at += 1;
                true
            }
            _ => false,
        }
    }

    /// All that is left.
    pub(super) fn rest(&mut self) -> &'a [u8] {
        let rest = self.bytes;
        self.at += rest.len();
        self.bytes = &[];
        rest
    }

    #[inline(always)]
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        match self.bytes.split_at_checked(count) {
            Some((head, tail)) => {
                self.bytes = tail;
                self.at += count;
                Ok(head)
            }
            None => Err(Rule::Truncated.at(self.at)),
        }
    }

    #[inline(always)]
    pub(super) fn u8(&mut self) -> Result<u8, DecodeError> {
        Ok(self.take(1)?[0])
    }

    #[inline(always)]
    pub(super) fn u16(&mut self) -> Result<u16, DecodeError> {
        let bytes = self.take(2)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    pub(super) fn u32(&mut self) -> Result<u32, DecodeError> {
        let bytes = self.take(4)?;
        Ok(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    /// A Packet Identifier, which is never 0 (MQTT-2.3.1-1, U5-52).
    pub(super) fn packet_id(&mut self) -> Result<u16, DecodeError> {
        let at = self.at;
        match self.u16()? {
            0 => Err(Rule::PacketIdentifierZero.at(at)),
            id => Ok(id),
        }
    }

    #[inline(always)]
    pub(super) fn binary(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.u16()?;
        self.take(usize::from(length))
    }

    /// A UTF-8 Encoded String (section 1.5.4; 1.5.3 in 3.1.1): well-formed, no surrogates, no U+0000.
    #[inline(always)]
    pub(super) fn string(&mut self) -> Result<&'a str, DecodeError> {
        let bytes = self.binary()?;
        // Without a branch in the loop: nearly every string is short, of ASCII and right.
        let plain = !bytes.iter().fold(false, |other, byte| other | (byte.wrapping_sub(1) >= 0x7F));
        if plain {
            #[allow(unsafe_code, reason = "the general check costs a third of decoding a short PUBLISH")]
            // SAFETY: every byte is one of 0x01 to 0x7F, and each of these is a character of its own in UTF-8.
            return Ok(unsafe { std::str::from_utf8_unchecked(bytes) });
        }
        self.other_string(bytes)
    }

    /// A string that is not of ASCII alone.
    #[inline(never)]
    fn other_string(&self, bytes: &'a [u8]) -> Result<&'a str, DecodeError> {
        match std::str::from_utf8(bytes) {
            Ok(text) if !bytes.contains(&0) => Ok(text),
            text => Err(self.refuse_string(bytes, text.is_ok())),
        }
    }

    /// Where a string that has just been read breaks its rules.
    #[cold]
    fn refuse_string(&self, bytes: &[u8], well_formed: bool) -> DecodeError {
        let start = self.at - bytes.len();
        match std::str::from_utf8(bytes) {
            Err(error) if !well_formed => Rule::IllFormedUtf8.at(start + error.valid_up_to()),
            _ => Rule::NullCharacter.at(start + bytes.iter().position(|byte| *byte == 0).unwrap_or_default()),
        }
    }

    /// A Variable Byte Integer (section 1.5.5): at most four bytes, in the shortest form.
    #[inline(always)]
    pub(super) fn variable(&mut self) -> Result<u32, DecodeError> {
        let start = self.at;
        let mut value = 0;
        for place in 0..4 {
            let byte = self.u8()?;
            value |= u32::from(byte & 0x7F) << (7 * place);
            if byte & 0x80 == 0 {
                return if byte == 0 && place > 0 {
                    Err(Rule::VariableByteIntegerNotMinimal.at(start))
                } else {
                    Ok(value)
                };
            }
        }
        Err(Rule::VariableByteIntegerTooLong.at(start))
    }
}

/// Appends a two-byte integer, high byte first.
pub fn put_u16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_be_bytes());
}

/// Appends a four-byte integer, high byte first.
pub fn put_u32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_be_bytes());
}

/// Appends a Variable Byte Integer in its shortest form; values above 268,435,455 do not fit and wrap.
pub fn put_variable(out: &mut Vec<u8>, mut value: u32) {
    loop {
        let byte = (value & 0x7F) as u8;
        value >>= 7;
        if value == 0 {
            out.push(byte);
            return;
        }
        out.push(byte | 0x80);
    }
}

/// How many bytes [`put_variable`] appends for `value`.
pub const fn variable_len(value: u32) -> usize {
    match value {
        0..=0x7F => 1,
        0x80..=0x3FFF => 2,
        0x4000..=0x1F_FFFF => 3,
        _ => 4,
    }
}

/// Appends Binary Data with its two-byte length; what does not fit into 65,535 bytes is cut off.
pub fn put_binary(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = bytes.len().min(usize::from(u16::MAX));
    put_u16(out, length as u16);
    out.extend_from_slice(&bytes[..length]);
}

/// Appends a UTF-8 Encoded String with its two-byte length; what does not fit is cut off.
pub fn put_str(out: &mut Vec<u8>, text: &str) {
    put_binary(out, text.as_bytes());
}
