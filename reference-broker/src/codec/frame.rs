//! The fixed header (section 2.1; 2.2 in 3.1.1): where a packet ends in a stream of bytes.

use std::fmt;

use super::packet::PacketType;

/// The largest Remaining Length that four bytes can express.
pub const MAX_REMAINING_LENGTH: u32 = 268_435_455;

/// The first byte of a packet and its Remaining Length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Packet type in the high nibble, flags in the low one.
    pub first: u8,
    /// Bytes that follow the fixed header.
    pub remaining: u32,
    /// Length of the fixed header itself: 2 to 5 bytes.
    pub len: usize,
}

/// One packet cut out of a stream, not decoded yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Its fixed header.
    pub header: Header,
    /// Variable header and payload: exactly Remaining Length bytes.
    pub body: &'a [u8],
}

impl Frame<'_> {
    /// Length of the whole packet, which is what Maximum Packet Size counts.
    pub const fn len(&self) -> usize {
        self.header.len + self.body.len()
    }

    /// A packet is never empty: its fixed header alone has two bytes.
    pub const fn is_empty(&self) -> bool {
        false
    }

    /// The packet type, unless it is the reserved 0.
    pub const fn packet_type(&self) -> Option<PacketType> {
        PacketType::from_number(self.header.first >> 4)
    }
}

/// Why no packet can be cut from a stream any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameError {
    /// A Remaining Length of more than four bytes (U3-02, U5-03).
    RemainingLengthTooLong,
    /// A Remaining Length that is not in its shortest form (MQTT-1.5.5-1 in 5.0).
    RemainingLengthNotMinimal,
    /// The packet would be longer than the limit: its size in bytes, fixed header included.
    TooLarge(u64),
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FrameError::RemainingLengthTooLong => f.write_str("Remaining Length has more than four bytes"),
            FrameError::RemainingLengthNotMinimal => {
                f.write_str("Remaining Length is not in its shortest form")
            }
            FrameError::TooLarge(size) => write!(f, "a packet of {size} bytes is larger than the limit"),
        }
    }
}

impl std::error::Error for FrameError {}

/// Cuts the first packet from `bytes`.
///
/// `Ok(None)` means that the packet is not complete yet. `limit` is the largest packet to accept, fixed
/// header included; a larger one is refused as soon as its length is known.
///
/// # Errors
/// [`FrameError`] if no more bytes can make the stream right.
#[inline]
pub fn next_frame(bytes: &[u8], limit: Option<u32>) -> Result<Option<Frame<'_>>, FrameError> {
    cut(bytes, limit, false)
}

/// As [`next_frame`], for a receiver that takes a Remaining Length that is longer than it needs to be.
///
/// # Errors
/// [`FrameError`], but never [`FrameError::RemainingLengthNotMinimal`].
#[inline]
pub fn next_frame_of_any_form(bytes: &[u8], limit: Option<u32>) -> Result<Option<Frame<'_>>, FrameError> {
    cut(bytes, limit, true)
}

#[inline]
fn cut(bytes: &[u8], limit: Option<u32>, any_form: bool) -> Result<Option<Frame<'_>>, FrameError> {
    let Some((&first, rest)) = bytes.split_first() else { return Ok(None) };
    let mut remaining = 0u32;
    for place in 0..4 {
        let Some(&byte) = rest.get(place) else { return Ok(None) };
        remaining |= u32::from(byte & 0x7F) << (7 * place);
        if byte & 0x80 != 0 {
            continue;
        }
        if byte == 0 && place > 0 && !any_form {
            return Err(FrameError::RemainingLengthNotMinimal);
        }
        let len = place + 2;
        let total = len + remaining as usize;
        if limit.is_some_and(|limit| total > limit as usize) {
            return Err(FrameError::TooLarge(total as u64));
        }
        return Ok(bytes
            .get(len..total)
            .map(|body| Frame { header: Header { first, remaining, len }, body }));
    }
    Err(FrameError::RemainingLengthTooLong)
}
