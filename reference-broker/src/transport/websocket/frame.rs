//! Frames of RFC 6455: a byte stream taken apart, and single frames put together.

use std::fmt;
use std::io::Cursor;

pub use tungstenite::protocol::frame::FrameHeader;
pub use tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};

/// The longest header: two bytes, eight of length, four of mask.
const LONGEST_HEADER: usize = 14;
/// The longest payload of a control frame (RFC 6455, 5.5).
const LONGEST_CONTROL: u64 = 125;

/// What is wrong with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameError {
    /// An operation code that is not defined.
    Reserved,
    /// A reserved bit is set, and no extension was agreed on.
    ReservedBits,
    /// A server's frame has a mask.
    Masked,
    /// A client's frame has none.
    Unmasked,
    /// The length has more bytes than it needs, or its first bit is set.
    Length,
    /// A control frame is fragmented or longer than 125 bytes.
    Control,
    /// A continuation with nothing to continue.
    NothingToContinue,
    /// A new message inside of a fragmented one.
    MessageInside,
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FrameError::Reserved => "a reserved operation code",
            FrameError::ReservedBits => "a reserved bit without an extension",
            FrameError::Masked => "a mask on a frame from the server",
            FrameError::Unmasked => "no mask on a frame from the client",
            FrameError::Length => "a length that is not written in its shortest form",
            FrameError::Control => "a control frame in fragments or of more than 125 bytes",
            FrameError::NothingToContinue => "a continuation with nothing to continue",
            FrameError::MessageInside => "a new message inside of a fragmented one",
        })
    }
}

impl std::error::Error for FrameError {}

/// What a stream of frames consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A data frame begins.
    Begin {
        /// Its header as it came.
        header: Vec<u8>,
        /// Whether its message is text.
        text: bool,
        /// Whether it continues a message.
        continues: bool,
    },
    /// Payload of the data frame that began last, without its mask; a frame may have several or none.
    Payload(Vec<u8>),
    /// The data frame has ended; whether its message has, too.
    End {
        /// It was the message's last frame.
        last: bool,
    },
    /// A control frame, whole.
    Control {
        /// Close, ping or pong.
        kind: Control,
        /// The frame as it came.
        raw: Vec<u8>,
        /// Its payload without the mask.
        payload: Vec<u8>,
    },
}

#[derive(Debug)]
struct Current {
    header: FrameHeader,
    raw: Vec<u8>,
    left: u64,
    /// Position in the payload, for the mask.
    at: usize,
    control: Option<Vec<u8>>,
}

/// Takes a stream apart. It keeps a header or a control frame at most, whatever is sent.
#[derive(Debug)]
pub struct FrameReader {
    masked: bool,
    header: Vec<u8>,
    current: Option<Current>,
    /// Whether a fragmented message is open, and whether it is text.
    message: Option<bool>,
}

impl FrameReader {
    /// A reader of frames that have to be masked (from a client) or must not be (from a server).
    pub fn new(masked: bool) -> FrameReader {
        FrameReader { masked, header: Vec::new(), current: None, message: None }
    }

    /// The bytes of the header that is incomplete or wrong.
    pub fn pending(&self) -> &[u8] {
        &self.header
    }

    /// The next event; takes its bytes from the front of `input`. `None` when all of them are taken.
    ///
    /// # Errors
    /// [`FrameError`]. The stream is then of no use any more.
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<Event>, FrameError> {
        if self.current.is_none() {
            loop {
                match self.begin()? {
                    Some(Some(event)) => return Ok(Some(event)),
                    Some(None) => break,
                    None => {}
                }
                let Some((first, rest)) = input.split_first() else { return Ok(None) };
                self.header.push(*first);
                *input = rest;
            }
        }
        let Some(current) = &mut self.current else { return Ok(None) };
        let count = usize::try_from(current.left).unwrap_or(usize::MAX).min(input.len());
        if count == 0 && current.left > 0 {
            return Ok(None);
        }
        let (taken, rest) = input.split_at(count);
        *input = rest;
        let mut payload = taken.to_vec();
        if let Some(mask) = current.header.mask {
            apply_mask(&mut payload, mask, current.at);
        }
        current.at += count;
        current.left -= count as u64;
        if let Some(control) = &mut current.control {
            control.extend_from_slice(&payload);
            current.raw.extend_from_slice(taken);
            if current.left > 0 {
                return Ok(None);
            }
            let current = self.current.take();
            return Ok(current.and_then(|it| match it.header.opcode {
                OpCode::Control(kind) => {
                    Some(Event::Control { kind, raw: it.raw, payload: it.control.unwrap_or_default() })
                }
                OpCode::Data(_) => None,
            }));
        }
        if payload.is_empty() {
            let last = current.header.is_final;
            self.current = None;
            return Ok(Some(Event::End { last }));
        }
        Ok(Some(Event::Payload(payload)))
    }

    /// Begins a frame if its header is there: the event of a data frame, nothing yet of a control frame.
    fn begin(&mut self) -> Result<Option<Option<Event>>, FrameError> {
        let mut cursor = Cursor::new(&self.header[..]);
        let Some((header, length)) = FrameHeader::parse(&mut cursor).map_err(|_| FrameError::Reserved)?
        else {
            debug_assert!(self.header.len() < LONGEST_HEADER, "a header has at most 14 bytes");
            return Ok(None);
        };
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return Err(FrameError::ReservedBits);
        }
        match (self.masked, header.mask.is_some()) {
            (true, false) => return Err(FrameError::Unmasked),
            (false, true) => return Err(FrameError::Masked),
            _ => {}
        }
        if header.len(length) != self.header.len() || length >> 63 != 0 {
            return Err(FrameError::Length);
        }
        let mut event = None;
        let mut control = None;
        match header.opcode {
            OpCode::Control(_) => {
                if !header.is_final || length > LONGEST_CONTROL {
                    return Err(FrameError::Control);
                }
                control = Some(Vec::new());
            }
            OpCode::Data(kind) => {
                let (text, continues) = match (kind, self.message) {
                    (Data::Continue, Some(text)) => (text, true),
                    (Data::Continue, None) => return Err(FrameError::NothingToContinue),
                    (_, Some(_)) => return Err(FrameError::MessageInside),
                    (kind, None) => (kind == Data::Text, false),
                };
                self.message = (!header.is_final).then_some(text);
                event = Some(Event::Begin { header: self.header.clone(), text, continues });
            }
        }
        let raw = std::mem::take(&mut self.header);
        self.current = Some(Current { header, raw, left: length, at: 0, control });
        Ok(Some(event))
    }
}

/// Puts a mask on bytes that begin at `at` of a payload, or takes it off.
pub fn apply_mask(bytes: &mut [u8], mask: [u8; 4], at: usize) {
    for (place, byte) in bytes.iter_mut().enumerate() {
        *byte ^= mask[(at + place) % 4];
    }
}

/// Appends a frame.
pub fn put(out: &mut Vec<u8>, opcode: OpCode, is_final: bool, mask: Option<[u8; 4]>, payload: &[u8]) {
    let header = FrameHeader { is_final, opcode, mask, ..FrameHeader::default() };
    // Writing to memory does not fail.
    let _ = header.format(payload.len() as u64, out);
    let start = out.len();
    out.extend_from_slice(payload);
    if let Some(mask) = mask {
        apply_mask(&mut out[start..], mask, 0);
    }
}
