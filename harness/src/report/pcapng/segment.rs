//! TCP segments in IPv4 packets: headers, checksums, and streams in pieces of the greatest size.

use std::net::SocketAddrV4;

/// As much as fits into an IPv4 packet beside both headers, so that nearly every MQTT packet is one segment.
pub(super) const MAXIMUM_SEGMENT_SIZE: usize = 65_535 - IPV4_HEADER - TCP_HEADER;

const IPV4_HEADER: usize = 20;
const TCP_HEADER: usize = 20;

const PROTOCOL_TCP: u8 = 6;
/// For experiments (RFC 3692): no reader takes its content for anything.
const PROTOCOL_EXPERIMENT: u8 = 253;

pub(super) const FIN: u8 = 0x01;
pub(super) const SYN: u8 = 0x02;
pub(super) const RST: u8 = 0x04;
pub(super) const PSH: u8 = 0x08;
pub(super) const ACK: u8 = 0x10;

/// What a SYN says: the greatest segment, a byte of padding, and that windows count units of 2^14 bytes. A window is
/// not in the history; this one is never full.
const SYN_OPTIONS: [u8; 8] =
    [2, 4, (MAXIMUM_SEGMENT_SIZE >> 8) as u8, MAXIMUM_SEGMENT_SIZE as u8, 1, 3, 3, 14];
const WINDOW: u16 = 65_535;

/// One TCP segment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment<'a> {
    pub(super) from: SocketAddrV4,
    pub(super) to: SocketAddrV4,
    pub(super) sequence: u32,
    /// What it acknowledges, if [`ACK`] is among the flags.
    pub(super) acknowledgement: u32,
    pub(super) flags: u8,
    /// At most [`MAXIMUM_SEGMENT_SIZE`] bytes.
    pub(super) payload: &'a [u8],
}

impl Segment<'_> {
    /// How far the segment moves the sequence number: its bytes, and one for SYN and FIN each.
    pub(super) const fn length(&self) -> u32 {
        self.payload.len() as u32 + (self.flags & SYN != 0) as u32 + (self.flags & FIN != 0) as u32
    }

    /// The IPv4 packet.
    pub(super) fn packet(&self) -> Vec<u8> {
        let options: &[u8] = if self.flags & SYN != 0 { &SYN_OPTIONS } else { &[] };
        let header = TCP_HEADER + options.len();
        let mut tcp = Vec::with_capacity(header + self.payload.len());
        tcp.extend(self.from.port().to_be_bytes());
        tcp.extend(self.to.port().to_be_bytes());
        tcp.extend(self.sequence.to_be_bytes());
        tcp.extend((if self.flags & ACK != 0 { self.acknowledgement } else { 0 }).to_be_bytes());
        tcp.push(((header / 4) as u8) << 4);
        tcp.push(self.flags);
        tcp.extend(WINDOW.to_be_bytes());
        // Checksum and urgent pointer.
        tcp.extend([0; 4]);
        tcp.extend_from_slice(options);
        tcp.extend_from_slice(self.payload);
        let mut pseudo = Vec::with_capacity(12);
        pseudo.extend(self.from.ip().octets());
        pseudo.extend(self.to.ip().octets());
        pseudo.extend([0, PROTOCOL_TCP]);
        pseudo.extend((tcp.len() as u16).to_be_bytes());
        let sum = checksum(&[&pseudo, &tcp]);
        tcp[16..18].copy_from_slice(&sum.to_be_bytes());
        ipv4(self.from, self.to, PROTOCOL_TCP, &tcp)
    }
}

/// A packet that carries nothing but the comment it is given.
pub(super) fn empty_packet(at: SocketAddrV4) -> Vec<u8> {
    ipv4(at, at, PROTOCOL_EXPERIMENT, &[])
}

fn ipv4(from: SocketAddrV4, to: SocketAddrV4, protocol: u8, content: &[u8]) -> Vec<u8> {
    let mut packet = Vec::with_capacity(IPV4_HEADER + content.len());
    // Version 4, a header of five words, no service type.
    packet.extend([0x45, 0]);
    packet.extend(((IPV4_HEADER + content.len()) as u16).to_be_bytes());
    // Identification; not to be fragmented; 64 hops.
    packet.extend([0, 0, 0x40, 0, 64, protocol, 0, 0]);
    packet.extend(from.ip().octets());
    packet.extend(to.ip().octets());
    let sum = checksum(&[&packet]);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet.extend_from_slice(content);
    packet
}

/// The Internet checksum (RFC 1071) over parts, each but the last of an even length.
fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum: u64 = 0;
    for part in parts {
        for pair in part.chunks(2) {
            sum += u64::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
        }
    }
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const CLIENT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 2), 0xC000);
    const BROKER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1), 1883);

    #[test]
    fn the_checksum_is_that_of_the_rfc() {
        // RFC 1071, section 3: the sum of these is DDF2, folded.
        assert_eq!(checksum(&[&[0x00, 0x01, 0xF2, 0x03, 0xF4, 0xF5, 0xF6, 0xF7]]), !0xDDF2);
        // In parts it is the same, and an odd byte counts as the upper half of a word.
        assert_eq!(checksum(&[&[0x00, 0x01, 0xF2, 0x03], &[0xF4, 0xF5, 0xF6, 0xF7]]), !0xDDF2);
        assert_eq!(checksum(&[&[0x12]]), !0x1200);
        assert_eq!(checksum(&[&[0xFF; 65_000]]), 0);
    }

    #[test]
    fn a_segment_with_data_is_as_computed_by_hand() {
        let segment = Segment {
            from: CLIENT,
            to: BROKER,
            sequence: 0x0102_0304,
            acknowledgement: 0x0506_0708,
            flags: PSH | ACK,
            payload: &[0xC0, 0x00, 0x01],
        };
        assert_eq!(segment.length(), 3);
        // IPv4: 4500+002B+4000+4006+0A00+0002+0A00+0001 = D934, of which the complement is 26CB.
        let ip = [0x45, 0, 0, 43, 0, 0, 0x40, 0, 64, 6, 0x26, 0xCB, 10, 0, 0, 2, 10, 0, 0, 1];
        // TCP: 0A00+0002+0A00+0001+0006+0017 for the pseudo header make 1420; C000+075B+0102+0304+0506+0708+5018+FFFF
        // +C000+0100 on top 2_FCA6; folded FCA8, of which the complement is 0357.
        let tcp = [
            0xC0, 0, 0x07, 0x5B, 1, 2, 3, 4, 5, 6, 7, 8, 0x50, 0x18, 0xFF, 0xFF, 0x03, 0x57, 0, 0, 0xC0, 0, 1,
        ];
        assert_eq!(segment.packet(), [&ip[..], &tcp].concat());
    }

    #[test]
    fn a_syn_counts_one_and_names_the_greatest_segment() {
        let segment =
            Segment { from: CLIENT, to: BROKER, sequence: 7, acknowledgement: 99, flags: SYN, payload: &[] };
        assert_eq!(segment.length(), 1);
        let packet = segment.packet();
        assert_eq!(packet.len(), 48);
        // Seven words of header, and no acknowledgement without the flag.
        assert_eq!(packet[28..34], [0, 0, 0, 0, 0x70, 0x02]);
        assert_eq!(packet[40..], [2, 4, 0xFF, 0xD7, 1, 3, 3, 14]);
        // Over the whole of pseudo header and segment the sum is 0.
        let pseudo = [10, 0, 0, 2, 10, 0, 0, 1, 0, 6, 0, 28];
        assert_eq!(checksum(&[&pseudo, &packet[20..]]), 0);
        assert_eq!(checksum(&[&packet[..20]]), 0);
    }

    #[test]
    fn the_greatest_segment_fills_a_packet() {
        let payload = vec![1; MAXIMUM_SEGMENT_SIZE];
        let segment = Segment {
            from: CLIENT,
            to: BROKER,
            sequence: 0,
            acknowledgement: 0,
            flags: ACK,
            payload: &payload,
        };
        let packet = segment.packet();
        assert_eq!(packet.len(), 65_535);
        assert_eq!(packet[2..4], [0xFF, 0xFF]);
    }
}
