//! Mutations of blocks of properties: what may not stand there, stands there twice, has a wrong value or a wrong
//! length (5.0 only).

use reference_broker::codec::{PacketType, Place, PropertyId};

use super::Case;
use super::packet::{Kind, Packet, encoded, properties, property, slug, value, value_beginnings};

/// Identifiers that no property has, with a byte as their value.
const UNKNOWN: &[(&str, &str)] = &[
    ("00", "00 00"),
    ("04", "04 00"),
    ("0a", "0A 00"),
    ("10", "10 00"),
    ("14", "14 00"),
    ("1b", "1B 00"),
    ("20", "20 00"),
    ("2b", "2B 00"),
    ("7f", "7F 00"),
    ("128", "80 01 00"),
    ("16383", "FF 7F 00"),
    ("268435455", "FF FF FF 7F 00"),
];

/// Lengths and identifiers that do not end in four bytes.
const ENDLESS: &[(&str, &str)] =
    &[("in-five-bytes", "80 80 80 80 01"), ("of-five-full-bytes", "FF FF FF FF 7F")];

/// Everything that can be wrong with the blocks of a packet.
pub(super) fn properties_of(packet: &Packet, out: &mut Vec<Case>) {
    for (at, field) in packet.fields.iter().enumerate() {
        let Kind::Properties { place, list, probed } = field.kind else { continue };
        let block = Block { packet, at, place, name: field.name };
        block.lengths(list, out);
        if probed {
            block.strangers(out);
            for row in PropertyId::TABLE.iter().filter(|row| row.id.allowed_in(place)) {
                block.twice(row.id, out);
                block.cut(row.id, out);
            }
            block.values(out);
        }
    }
}

/// A block in its packet.
struct Block<'p> {
    packet: &'p Packet,
    at: usize,
    place: Place,
    name: &'static str,
}

impl Block<'_> {
    fn push(&self, name: &str, own: &[&'static str], codes: &[u8], words: &str, out: &mut Vec<Case>) {
        let name = format!("{}/{}/{name}", self.packet.form, self.name);
        out.push(self.packet.case(name, own, codes, self.packet.with(self.at, words)));
    }

    /// A block with these words in it.
    fn filled(&self, name: &str, own: &[&'static str], codes: &[u8], inner: &str, out: &mut Vec<Case>) {
        self.push(name, own, codes, &format!("properties{{ {inner} }}"), out);
    }

    /// The Property Length.
    fn lengths(&self, list: &[PropertyId], out: &mut Vec<Case>) {
        let inner: Vec<String> = list.iter().map(|id| property(*id)).collect();
        let inner = inner.join(" ");
        let length = encoded(&inner).len();
        let with = |length: usize| format!("var {length} {inner}").trim_end().to_string();
        // One byte more is the length of a string, or a payload: neither begins a property.
        self.push("one-byte-too-long", &["U5-49"], &[], &with(length + 1), out);
        self.push("beyond-the-end", &["U5-49"], &[], &with(length + 2000), out);
        self.push("far-beyond-the-end", &["U5-49"], &[], &with(268_435_455), out);
        if length > 0 {
            self.push("one-byte-too-short", &["U5-49", "U5-05"], &[], &with(length - 1), out);
        }
        for (name, words) in ENDLESS {
            let words = format!("{words} {inner}");
            self.push(&format!("length-{name}"), &["MQTT-1.5.5-1", "U5-03"], &[], words.trim_end(), out);
        }
    }

    /// What may not stand here.
    fn strangers(&self, out: &mut Vec<Case>) {
        for row in PropertyId::TABLE.iter().filter(|row| !row.id.allowed_in(self.place)) {
            let name = format!("{}-does-not-belong", slug(row.id));
            self.filled(&name, &["U5-05"], &[], &property(row.id), out);
        }
        for (id, words) in UNKNOWN {
            self.filled(&format!("unknown-{id}"), &["U5-05"], &[], words, out);
        }
        for (name, words) in ENDLESS {
            let name = format!("identifier-{name}");
            self.filled(&name, &["MQTT-1.5.5-1", "U5-03"], &[], &format!("{words} 00"), out);
        }
        let known = if self.place == Place::Packet(PacketType::Auth) {
            PropertyId::ReasonString
        } else {
            PropertyId::UserProperty
        };
        let words = format!("{} 7F 00", property(known));
        self.filled("unknown-after-a-known-one", &["U5-05"], &[], &words, out);
    }

    /// A property twice, where the standard says that it occurs once.
    fn twice(&self, id: PropertyId, out: &mut Vec<Case>) {
        let own = match (self.place, id) {
            (_, PropertyId::UserProperty) => return,
            // A server's, or a client's in no case: other errors than the repetition.
            (Place::Packet(PacketType::Disconnect), PropertyId::ServerReference)
            | (Place::Packet(PacketType::Publish), PropertyId::SubscriptionIdentifier) => return,
            // The standard is silent about these two.
            (
                Place::Packet(PacketType::Publish),
                PropertyId::PayloadFormatIndicator | PropertyId::MessageExpiryInterval,
            ) => return,
            (_, PropertyId::ReasonString) => "U5-30",
            (Place::Will, _) => "U5-12",
            (Place::Packet(PacketType::Connect), _) => "U5-08",
            (Place::Packet(PacketType::Publish), _) => "U5-25",
            (Place::Packet(PacketType::Subscribe), _) => "U5-31",
            (Place::Packet(PacketType::Disconnect), _) => "U5-36",
            _ => "U5-38",
        };
        let codes = self.refusals(id);
        let both = format!("{} {}", property(id), property(id));
        self.filled(&format!("{}-twice", slug(id)), &[own], codes, &both, out);
        let apart = format!("{} {} {}", property(id), property(PropertyId::UserProperty), property(id));
        self.filled(&format!("{}-twice-with-another-between", slug(id)), &[own], codes, &apart, out);
    }

    /// A property whose value ends before its time, with the block, or goes on after it.
    fn cut(&self, id: PropertyId, out: &mut Vec<Case>) {
        for (name, words) in value_beginnings(id) {
            let words = format!("{:02X} {words}", id as u8);
            let name = format!("ends-{name}-{}", slug(id));
            self.filled(&name, &["U5-05", "U5-49"], &[], words.trim_end(), out);
        }
        // The byte would be the identifier of one more property, and there is none with that number.
        let words = format!("{:02X} {} 00", id as u8, value(id));
        let name = format!("{}-one-byte-more", slug(id));
        self.filled(&name, &["U5-05", "U5-49"], self.refusals(id), &words, out);
    }

    /// Values that the standard excludes.
    fn values(&self, out: &mut Vec<Case>) {
        let Place::Packet(kind) = self.place else { return };
        let list: &[(&str, &[&'static str], &[u8], &str)] = match kind {
            PacketType::Connect => &[
                ("receive-maximum-0", &["U5-09"], &[], "21 u16 0"),
                ("maximum-packet-size-0", &["U5-09"], &[], "27 u32 0"),
                ("request-problem-information-2", &["U5-10"], &[], "17 02"),
                ("request-problem-information-255", &["U5-10"], &[], "17 FF"),
                ("request-response-information-2", &["U5-10"], &[], "19 02"),
                ("request-response-information-255", &["U5-10"], &[], "19 FF"),
                ("authentication-data-without-method", &["U5-11"], &[], "16 bin { 01 02 }"),
                ("empty-authentication-data-without-method", &["U5-11"], &[], "16 bin { }"),
            ],
            PacketType::Publish => &[
                ("topic-alias-0", &["MQTT-3.3.2-8", "U5-26"], &[0x94], "23 u16 0"),
                ("subscription-identifier-0", &["MQTT-3.3.4-6", "U5-28"], &[], "0B var 0"),
                ("subscription-identifier-1", &["MQTT-3.3.4-6", "U5-28"], &[], "0B var 1"),
                ("subscription-identifier-268435455", &["MQTT-3.3.4-6", "U5-28"], &[], "0B var 268435455"),
                (
                    "subscription-identifier-in-five-bytes",
                    &["MQTT-1.5.5-1", "U5-03"],
                    &[],
                    "0B 80 80 80 80 01",
                ),
            ],
            PacketType::Subscribe => &[
                ("subscription-identifier-0", &["U5-31"], &[0xA1], "0B var 0"),
                (
                    "subscription-identifier-in-five-bytes",
                    &["MQTT-1.5.5-1", "U5-03"],
                    &[],
                    "0B 80 80 80 80 01",
                ),
                (
                    "subscription-identifier-of-five-full-bytes",
                    &["MQTT-1.5.5-1", "U5-03"],
                    &[],
                    "0B FF FF FF FF 7F",
                ),
            ],
            PacketType::Disconnect => &[
                ("session-expiry-interval-raised-to-1", &["U5-36"], &[], "11 u32 1"),
                ("session-expiry-interval-raised-to-never", &["U5-36"], &[], "11 u32 4294967295"),
            ],
            _ => &[],
        };
        for (name, own, codes, words) in list {
            self.filled(name, own, codes, words, out);
        }
        if kind == PacketType::Auth {
            self.push("without-method", &["U5-38"], &[], &properties(&[PropertyId::ReasonString]), out);
        }
    }

    /// Codes with which a server may refuse the property itself, wherever it stands once.
    fn refusals(&self, id: PropertyId) -> &'static [u8] {
        match (self.place, id) {
            (Place::Packet(PacketType::Connect), PropertyId::AuthenticationMethod) => &[0x87, 0x8C],
            (Place::Packet(PacketType::Publish), PropertyId::TopicAlias) => &[0x94],
            (Place::Packet(PacketType::Subscribe), PropertyId::SubscriptionIdentifier) => &[0xA1],
            _ => &[],
        }
    }
}
