//! A second reading of the packet format: which clauses of the standard a packet breaks, and where.
//!
//! Written from the standard and not from the codec: it shares no table and no code with it, collects every
//! break instead of stopping at the first, and is plain rather than fast. Where the codec and this reading
//! differ, one of them is wrong, and `decode` finds it. It is also the judge of other codecs: not how many of
//! them agree, but whether a clause is broken.
//!
//! A packet by itself is judged: what only a Session or a configuration can decide is not.

mod clause;
mod read;
mod tables;
mod told;

use reference_broker::codec::ProtocolVersion;

pub use clause::{Clause, clause_of};
pub use told::told;

use read::Reader;

/// A clause that is broken, and the field that breaks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Break {
    /// What is broken.
    pub clause: Clause,
    /// Where the field begins: bytes from the beginning of the packet.
    pub from: usize,
    /// Where it ends, or the packet does.
    pub to: usize,
}

/// What the first bytes of a stream are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// The beginning of a packet.
    Incomplete,
    /// No packet, however many bytes follow.
    Unframed {
        /// Why.
        breaks: Vec<Break>,
    },
    /// A packet.
    Packet {
        /// Its length, fixed header included.
        length: usize,
        /// All that is wrong with it, in the order of its bytes; empty for a good one.
        breaks: Vec<Break>,
    },
}

/// What the fields of a packet hold, without their lengths, in the order of its bytes: for a good one, all of it but
/// the fixed header.
pub fn contents(packet: &[u8], version: ProtocolVersion) -> Vec<Vec<u8>> {
    let header = 2 + packet[1..].iter().take(4).take_while(|byte| **byte >= 128).count();
    let mut reader = Reader::new(packet, header);
    let _ = self::packet(packet[0], &mut reader, version);
    reader.contents.into_iter().map(<[u8]>::to_vec).collect()
}

/// Judges the first packet in `bytes`. CONNECT says its version itself.
pub fn judge(bytes: &[u8], version: ProtocolVersion) -> Judgement {
    let mut remaining = 0usize;
    let mut at = 1;
    loop {
        if at > 4 {
            let breaks = vec![Break { clause: Clause::RemainingLength, from: 1, to: 4 }];
            return Judgement::Unframed { breaks };
        }
        let Some(byte) = bytes.get(at) else { return Judgement::Incomplete };
        remaining += usize::from(byte % 128) << (7 * (at - 1));
        at += 1;
        if *byte < 128 {
            if at > 2 && *byte == 0 {
                let breaks = vec![Break { clause: Clause::ShortestLength, from: 1, to: at }];
                return Judgement::Unframed { breaks };
            }
            break;
        }
    }
    let length = at + remaining;
    if bytes.len() < length {
        return Judgement::Incomplete;
    }
    let mut reader = Reader::new(&bytes[..length], at);
    let _ = packet(bytes[0], &mut reader, version);
    Judgement::Packet { length, breaks: reader.breaks }
}

/// `None` where nothing can be said about what follows.
fn packet(first: u8, reader: &mut Reader<'_>, version: ProtocolVersion) -> Option<()> {
    let kind = first >> 4;
    let flags = first & 15;
    let v5 = version == ProtocolVersion::V5;
    if kind == 0 {
        return reader.fatal(Clause::PacketType, 0);
    }
    // Table 2.2; MQTT 3.1 gives DUP a meaning on the three packets that it sends at QoS 1.
    let good = match kind {
        3 => true,
        6 | 8 | 10 => flags == 2 || (flags == 10 && version == ProtocolVersion::V3_1),
        _ => flags == 0,
    };
    if !good {
        reader.broken(Clause::HeaderFlags, 0);
    }
    match kind {
        1 => connect(reader)?,
        2 => {
            let at = reader.at;
            let flags = reader.byte()?;
            if flags > 1 && version != ProtocolVersion::V3_1 {
                reader.broken(Clause::ConnackFlags, at);
            }
            reader.code(kind, version)?;
            reader.properties(kind, version)?;
        }
        3 => return publish(flags, reader, version),
        4..=7 => {
            reader.identifier()?;
            reader.short_form(kind, version)?;
        }
        8 => {
            reader.identifier()?;
            reader.properties(kind, version)?;
            reader.at_least_one(Clause::Filters);
            while !reader.is_at_end() {
                reader.text()?;
                options(reader, v5)?;
            }
        }
        9 | 11 => {
            reader.identifier()?;
            reader.properties(kind, version)?;
            if kind == 9 || v5 {
                reader.at_least_one(Clause::ReasonCodes);
                while !reader.is_at_end() {
                    reader.code(kind, version)?;
                }
            }
        }
        10 => {
            reader.identifier()?;
            reader.properties(kind, version)?;
            reader.at_least_one(Clause::Filters);
            while !reader.is_at_end() {
                reader.text()?;
            }
        }
        12 | 13 => {}
        14 => {
            reader.short_form(kind, version)?;
        }
        _ if !v5 => return reader.fatal(Clause::PacketType, 0),
        _ => {
            let at = reader.at;
            let seen = reader.short_form(kind, version)?;
            if !seen.contains(&0x15) {
                reader.broken(Clause::Method, at);
            }
        }
    }
    if !reader.is_at_end() {
        reader.broken(Clause::NothingLeftOver, reader.at);
    }
    Some(())
}

/// Section 3.1.
fn connect(reader: &mut Reader<'_>) -> Option<()> {
    let name_at = reader.at;
    let name = reader.text()?;
    let level_at = reader.at;
    let level = reader.byte()?;
    let version = match (name, level) {
        (b"MQIsdp", 3) => ProtocolVersion::V3_1,
        (b"MQTT", 4) => ProtocolVersion::V3_1_1,
        (b"MQTT", 5) => ProtocolVersion::V5,
        (b"MQIsdp" | b"MQTT", _) => return reader.fatal(Clause::ProtocolVersion, level_at),
        _ => return reader.fatal(Clause::ProtocolName, name_at),
    };
    let v5 = version == ProtocolVersion::V5;
    let flags_at = reader.at;
    let flags = reader.byte()?;
    let bit = |place: u32| flags >> place & 1 == 1;
    let will_qos = flags >> 3 & 3;
    for (broken, clause) in [
        (bit(0), Clause::ConnectReserved),
        (will_qos == 3, Clause::WillQos),
        (!bit(2) && (will_qos != 0 || bit(5)), Clause::WillFlags),
        (!v5 && bit(6) && !bit(7), Clause::PasswordFlag),
    ] {
        if broken {
            reader.broken(clause, flags_at);
        }
    }
    reader.field(2)?;
    let properties_at = reader.at;
    let seen = reader.properties(1, version)?;
    if seen.contains(&0x16) && !seen.contains(&0x15) {
        reader.broken(Clause::DataWithoutMethod, properties_at);
    }
    let client_id_at = reader.at;
    let client_id = reader.text()?;
    if client_id.is_empty() && !bit(1) && !v5 {
        reader.broken(Clause::ClientIdentifier, client_id_at);
    }
    if bit(2) {
        reader.properties(tables::WILL, version)?;
        reader.text()?;
        reader.binary()?;
    }
    if bit(7) {
        reader.text()?;
    }
    if bit(6) {
        reader.binary()?;
    }
    Some(())
}

/// Section 3.3.
fn publish(flags: u8, reader: &mut Reader<'_>, version: ProtocolVersion) -> Option<()> {
    let qos = flags >> 1 & 3;
    if flags & 8 != 0 && qos == 0 {
        reader.broken(Clause::PublishDup, 0);
    }
    if qos == 3 {
        return reader.fatal(Clause::PublishQos, 0);
    }
    let topic_at = reader.at;
    let topic = reader.text()?;
    if qos > 0 {
        reader.identifier()?;
    }
    let seen = reader.properties(3, version)?;
    if topic.is_empty() && !seen.contains(&0x23) {
        reader.broken(Clause::TopicName, topic_at);
    }
    reader.rest();
    Some(())
}

/// Section 3.8.3.1.
fn options(reader: &mut Reader<'_>, v5: bool) -> Option<()> {
    let at = reader.at;
    let options = reader.byte()?;
    let reserved = if v5 { options >> 6 != 0 } else { options >> 2 != 0 };
    for (broken, clause) in [
        (reserved, Clause::OptionsReserved),
        (options & 3 == 3, Clause::OptionsQos),
        (v5 && options >> 4 & 3 == 3, Clause::RetainHandling),
    ] {
        if broken {
            reader.broken(clause, at);
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clauses(bytes: &[u8], version: ProtocolVersion) -> Vec<Clause> {
        match judge(bytes, version) {
            Judgement::Packet { breaks, .. } | Judgement::Unframed { breaks } => {
                breaks.iter().map(|it| it.clause).collect()
            }
            Judgement::Incomplete => panic!("{bytes:?} is complete"),
        }
    }

    #[test]
    fn every_break_of_a_packet_is_found() {
        // SUBSCRIBE with bad flags, identifier 0, a topic with a null character and QoS 3.
        let bytes = [0x80, 7, 0, 0, 0, 1, 0, 3, 0];
        assert_eq!(
            clauses(&bytes[..], ProtocolVersion::V3_1_1),
            [
                Clause::HeaderFlags,
                Clause::PacketIdentifier,
                Clause::NoNull,
                Clause::OptionsQos,
                Clause::WithinPacket
            ][..]
        );
    }

    #[test]
    fn utf_8_is_read_by_its_table() {
        for (text, good) in [
            (&b"\xC3\xA4"[..], true),
            (b"\xC0\x80", false),
            (b"\xED\x9F\xBF", true),
            (b"\xED\xA0\x80", false),
            (b"\xE0\x9F\xBF", false),
            (b"\xF4\x8F\xBF\xBF", true),
            (b"\xF4\x90\x80\x80", false),
            (b"\xF0\x8F\x80\x80", false),
            (b"\xE2\x82", false),
            (b"\x80", false),
        ] {
            assert_eq!(read::is_utf_8(text), good, "{text:x?}");
            assert_eq!(std::str::from_utf8(text).is_ok(), good);
        }
    }
}
