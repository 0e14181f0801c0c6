//! The blocks of a pcapng file, as far as a capture that was never on a wire needs them.
//!
//! Everything is little-endian. A block is its type, its length, a body that ends at a multiple of four, and its
//! length again; options come last in a body.

use std::net::Ipv4Addr;

const SECTION_HEADER: u32 = 0x0A0D_0D0A;
const INTERFACE_DESCRIPTION: u32 = 1;
const NAME_RESOLUTION: u32 = 4;
const ENHANCED_PACKET: u32 = 6;
const BYTE_ORDER: u32 = 0x1A2B_3C4D;

/// Packets begin with the header of IPv4 or IPv6.
const LINKTYPE_RAW: u16 = 101;

const OPTION_END: u16 = 0;
const OPTION_COMMENT: u16 = 1;
const SHB_USER_APPLICATION: u16 = 4;
const IF_NAME: u16 = 2;
const IF_DESCRIPTION: u16 = 3;
const IF_TIME_RESOLUTION: u16 = 9;
const EPB_FLAGS: u16 = 2;
const NAME_IPV4: u16 = 1;

/// Times count units of 10 to the power of minus this many seconds.
const NANOSECONDS: u8 = 9;

/// The longest text of an option: its length has 16 bits, and padding must not lengthen it beyond them.
const LONGEST_TEXT: usize = 60_000;

/// Which way a packet went, seen from its interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// It arrived.
    Inbound,
    /// It left.
    Outbound,
}

/// A pcapng file that grows.
#[derive(Debug)]
pub(super) struct Blocks {
    bytes: Vec<u8>,
}

impl Blocks {
    /// A file that holds a section header, with its comment and the application that made it.
    pub(super) fn new(comment: &str, application: &str) -> Blocks {
        let mut body = Vec::new();
        body.extend(BYTE_ORDER.to_le_bytes());
        body.extend(1u16.to_le_bytes());
        body.extend(0u16.to_le_bytes());
        // The section ends where the file does.
        body.extend(u64::MAX.to_le_bytes());
        text(&mut body, OPTION_COMMENT, comment);
        text(&mut body, SHB_USER_APPLICATION, application);
        option(&mut body, OPTION_END, &[]);
        let mut blocks = Blocks { bytes: Vec::new() };
        blocks.block(SECTION_HEADER, &body);
        blocks
    }

    /// Names for addresses.
    pub(super) fn names(&mut self, names: &[(Ipv4Addr, &str)]) {
        let mut body = Vec::new();
        for (address, name) in names {
            let mut value = address.octets().to_vec();
            // The name ends with a zero byte, so it cannot have one.
            value.extend(shortened(name).bytes().filter(|byte| *byte != 0));
            value.push(0);
            option(&mut body, NAME_IPV4, &value);
        }
        // The end of the names looks like the end of options, and no options follow.
        option(&mut body, OPTION_END, &[]);
        self.block(NAME_RESOLUTION, &body);
    }

    /// An interface. Interfaces are numbered in their order, from 0.
    pub(super) fn interface(&mut self, name: &str, description: &str) {
        let mut body = Vec::new();
        body.extend(LINKTYPE_RAW.to_le_bytes());
        body.extend(0u16.to_le_bytes());
        // No limit to the length of a packet.
        body.extend(0u32.to_le_bytes());
        text(&mut body, IF_NAME, name);
        text(&mut body, IF_DESCRIPTION, description);
        option(&mut body, IF_TIME_RESOLUTION, &[NANOSECONDS]);
        option(&mut body, OPTION_END, &[]);
        self.block(INTERFACE_DESCRIPTION, &body);
    }

    /// A packet with its time in nanoseconds and its comments.
    pub(super) fn packet(
        &mut self,
        interface: u32,
        nanoseconds: u64,
        packet: &[u8],
        direction: Direction,
        comments: &[String],
    ) {
        let mut body = Vec::with_capacity(packet.len() + 64);
        body.extend(interface.to_le_bytes());
        body.extend(((nanoseconds >> 32) as u32).to_le_bytes());
        body.extend((nanoseconds as u32).to_le_bytes());
        // As captured and as it was: nothing is left out.
        body.extend((packet.len() as u32).to_le_bytes());
        body.extend((packet.len() as u32).to_le_bytes());
        body.extend_from_slice(packet);
        pad(&mut body);
        for comment in comments {
            text(&mut body, OPTION_COMMENT, comment);
        }
        let flags: u32 = match direction {
            Direction::Inbound => 1,
            Direction::Outbound => 2,
        };
        option(&mut body, EPB_FLAGS, &flags.to_le_bytes());
        option(&mut body, OPTION_END, &[]);
        self.block(ENHANCED_PACKET, &body);
    }

    /// The file.
    pub(super) fn finish(self) -> Vec<u8> {
        self.bytes
    }

    fn block(&mut self, kind: u32, body: &[u8]) {
        let length = (body.len() + 12) as u32;
        self.bytes.extend(kind.to_le_bytes());
        self.bytes.extend(length.to_le_bytes());
        self.bytes.extend_from_slice(body);
        self.bytes.extend(length.to_le_bytes());
    }
}

fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    body.extend(code.to_le_bytes());
    body.extend((value.len() as u16).to_le_bytes());
    body.extend_from_slice(value);
    pad(body);
}

fn text(body: &mut Vec<u8>, code: u16, text: &str) {
    option(body, code, shortened(text).as_bytes());
}

/// As much of a text as an option can hold.
fn shortened(text: &str) -> &str {
    let mut end = text.len().min(LONGEST_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Type and body of every block; both lengths of each are compared.
    fn blocks(bytes: &[u8]) -> Vec<(u32, Vec<u8>)> {
        let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"));
        let mut at = 0;
        let mut found = Vec::new();
        while at < bytes.len() {
            let length = number(at + 4) as usize;
            assert_eq!(length % 4, 0);
            assert_eq!(number(at + length - 4) as usize, length);
            found.push((number(at), bytes[at + 8..at + length - 4].to_vec()));
            at += length;
        }
        found
    }

    #[test]
    fn a_section_begins_with_its_byte_order_and_its_comment() {
        let bytes = Blocks::new("abc", "it").finish();
        let expected: [&[u8]; 9] = [
            &[0x0A, 0x0D, 0x0D, 0x0A, 48, 0, 0, 0],
            &[0x4D, 0x3C, 0x2B, 0x1A],
            &[1, 0, 0, 0],
            &[0xFF; 8],
            &[1, 0, 3, 0, b'a', b'b', b'c', 0],
            &[4, 0, 2, 0, b'i', b't', 0, 0],
            &[0, 0, 0, 0],
            &[48, 0, 0, 0],
            &[],
        ];
        assert_eq!(bytes, expected.concat());
    }

    #[test]
    fn a_packet_has_its_time_both_lengths_and_every_comment() {
        let mut file = Blocks::new("", "");
        let comments = ["x".to_string(), "five!".to_string()];
        file.packet(3, 0x0000_0001_0000_0002, &[9; 5], Direction::Outbound, &comments);
        let (kind, body) = blocks(&file.finish()).remove(1);
        assert_eq!(kind, 6);
        let expected: [&[u8]; 8] = [
            &[3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0],
            &[5, 0, 0, 0, 5, 0, 0, 0],
            &[9, 9, 9, 9, 9, 0, 0, 0],
            &[1, 0, 1, 0, b'x', 0, 0, 0],
            &[1, 0, 5, 0, b'f', b'i', b'v', b'e', b'!', 0, 0, 0],
            &[2, 0, 4, 0, 2, 0, 0, 0],
            &[0, 0, 0, 0],
            &[],
        ];
        assert_eq!(body, expected.concat());
    }

    #[test]
    fn an_interface_counts_nanoseconds() {
        let mut file = Blocks::new("", "");
        file.interface("a", "bcde");
        let (kind, body) = blocks(&file.finish()).remove(1);
        assert_eq!(kind, 1);
        let expected: [&[u8]; 5] = [
            &[101, 0, 0, 0, 0, 0, 0, 0],
            &[2, 0, 1, 0, b'a', 0, 0, 0],
            &[3, 0, 4, 0, b'b', b'c', b'd', b'e'],
            &[9, 0, 1, 0, 9, 0, 0, 0],
            &[0, 0, 0, 0],
        ];
        assert_eq!(body, expected.concat());
    }

    #[test]
    fn names_end_with_a_zero_and_have_no_other() {
        let mut file = Blocks::new("", "");
        file.names(&[(Ipv4Addr::new(1, 2, 3, 4), "ab"), (Ipv4Addr::new(5, 6, 7, 8), "c\0d")]);
        let (kind, body) = blocks(&file.finish()).remove(1);
        assert_eq!(kind, 4);
        let expected: [&[u8]; 3] = [
            &[1, 0, 7, 0, 1, 2, 3, 4, b'a', b'b', 0, 0],
            &[1, 0, 7, 0, 5, 6, 7, 8, b'c', b'd', 0, 0],
            &[0, 0, 0, 0],
        ];
        assert_eq!(body, expected.concat());
    }

    #[test]
    fn a_text_that_is_too_long_is_cut_between_characters() {
        let long = format!("x{}", "é".repeat(40_000));
        assert_eq!(shortened(&long).len(), LONGEST_TEXT - 1);
        assert_eq!(shortened("short"), "short");
        let file = Blocks::new(&long, "").finish();
        assert_eq!(blocks(&file).len(), 1);
    }
}
