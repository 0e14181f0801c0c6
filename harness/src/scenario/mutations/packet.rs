//! A valid packet as a list of named fields, and the words of `send_bytes` that make it, whole or with one field
//! changed.

use reference_broker::codec::{PacketType, Place, PropertyId, PropertyType, ProtocolVersion};

use super::super::bytes::{Names, assemble};
use super::Case;

/// A packet that every broker has to take, in one of the forms that its type has.
#[derive(Debug, Clone)]
pub(super) struct Packet {
    /// The type.
    pub kind: PacketType,
    /// The version.
    pub version: ProtocolVersion,
    /// Which of the type's forms this is; part of the names of its cases.
    pub form: &'static str,
    /// The first byte.
    pub first: u8,
    /// The fields behind the fixed header.
    pub fields: Vec<Field>,
    /// After how many of its fields a packet of this type may end as well.
    pub may_end: Vec<usize>,
    /// Codes with which a server may refuse even the valid packet.
    pub codes: &'static [u8],
}

/// A field and its name.
#[derive(Debug, Clone)]
pub(super) struct Field {
    /// The name in the standard, in kebab-case.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
}

/// What a field is, with its valid value.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    /// A number of this many bytes with no rule of its own: its bytes.
    Number(&'static [u8]),
    /// The Connect Flags.
    ConnectFlags(u8),
    /// A Packet Identifier of an exchange that the sender begins.
    NewIdentifier(u16),
    /// A UTF-8 Encoded String: the words of its text.
    Text(Text),
    /// Binary Data, in hexadecimal.
    Binary(&'static str),
    /// Properties. `probed`: every mutation of the table of properties is tried on this block.
    Properties {
        /// Where they stand.
        place: Place,
        /// Which there are.
        list: &'static [PropertyId],
        /// Whether the whole table is tried here.
        probed: bool,
    },
    /// The options of a subscription.
    Options(u8),
    /// A Reason Code.
    Reason(u8),
    /// The payload of PUBLISH: a text.
    Payload(&'static str),
}

/// The text of a string: words of `send_bytes`, and whether their length is known before the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Text {
    /// The words.
    pub words: &'static str,
    /// What the string is for.
    pub role: Role,
}

/// What a string is for, which decides the statements that it breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    ProtocolName,
    ClientId,
    WillTopic,
    UserName,
    TopicName,
    SubscribeFilter,
    UnsubscribeFilter,
}

impl Packet {
    /// The packet with all its fields.
    pub(super) fn whole(&self) -> String {
        self.up_to(self.fields.len(), "")
    }

    /// The packet with these words in place of one of its fields.
    pub(super) fn with(&self, at: usize, words: &str) -> String {
        let mut text = self.up_to(at, words);
        for field in &self.fields[at + 1..] {
            push(&mut text, &field.kind.words(self.version));
        }
        text
    }

    /// The first fields of the packet and then these words, with a Remaining Length that fits.
    pub(super) fn up_to(&self, fields: usize, words: &str) -> String {
        let mut text = format!("{:02X} remaining", self.first);
        for field in &self.fields[..fields] {
            push(&mut text, &field.kind.words(self.version));
        }
        push(&mut text, words);
        text
    }

    /// All fields of the packet, behind these words in place of the Remaining Length.
    pub(super) fn with_remaining(&self, words: &str) -> String {
        let mut text = format!("{:02X} {words}", self.first);
        for field in &self.fields {
            push(&mut text, &field.kind.words(self.version));
        }
        text
    }

    /// A case about this packet: the statements of its own that it breaks, codes besides the general ones, and
    /// its bytes.
    pub(super) fn case(&self, name: String, own: &[&'static str], codes: &[u8], bytes: String) -> Case {
        let v5 = self.version == ProtocolVersion::V5;
        let mut requirements = own.to_vec();
        match (self.kind, v5) {
            (PacketType::Connect, true) => requirements.extend(["MQTT-3.1.4-1", "MQTT-4.13.1-1"]),
            (PacketType::Connect, false) => requirements.push("MQTT-3.1.4-1"),
            // AUTH needs a method in CONNECT, and the offender has none.
            (PacketType::Auth, true) => requirements.extend(["MQTT-4.12.0-7", "U5-38", "MQTT-4.13.1-1"]),
            // What is no valid DISCONNECT leaves the will in force.
            (PacketType::Disconnect, true) => requirements.extend(["MQTT-3.1.2-8", "MQTT-4.13.1-1"]),
            (PacketType::Disconnect, false) => requirements.push("MQTT-3.1.2-8"),
            (_, true) => requirements.push("MQTT-4.13.1-1"),
            (_, false) => {}
        }
        if !v5 && self.kind != PacketType::Connect && !own.iter().any(|id| CLOSING.contains(id)) {
            requirements.push("MQTT-4.8.0-1");
        }
        let mut once: Vec<&'static str> = Vec::new();
        for id in requirements {
            if !once.contains(&id) {
                once.push(id);
            }
        }
        let mut reasons = Vec::new();
        if v5 {
            reasons.extend([0x81, 0x82]);
            reasons.extend(codes.iter().chain(self.codes));
        }
        Case { name, requirements: once, reasons, bytes }
    }
}

/// Statements of 3.1.1 that demand the close themselves; for all others MQTT-4.8.0-1 does.
const CLOSING: &[&str] = &[
    "MQTT-1.5.3-1",
    "MQTT-1.5.3-2",
    "MQTT-2.2.2-2",
    "MQTT-3.1.0-2",
    "MQTT-3.3.1-4",
    "MQTT-3.6.1-1",
    "MQTT-3.8.1-1",
    "MQTT-3.8.3-4",
    "MQTT-3.10.1-1",
    "MQTT-3.14.1-1",
];

fn push(text: &mut String, words: &str) {
    if !words.is_empty() {
        text.push(' ');
        text.push_str(words);
    }
}

impl Kind {
    /// The words of the valid value.
    pub(super) fn words(&self, version: ProtocolVersion) -> String {
        match self {
            Kind::Number(bytes) => hex(bytes),
            Kind::ConnectFlags(byte) | Kind::Options(byte) | Kind::Reason(byte) => format!("{byte:02X}"),
            Kind::NewIdentifier(id) => format!("u16 {id}"),
            Kind::Text(text) => text.field(),
            Kind::Binary(bytes) => format!("bin {{ {bytes} }}"),
            Kind::Properties { list, .. } if version == ProtocolVersion::V5 => properties(list),
            Kind::Properties { .. } => String::new(),
            Kind::Payload(text) => format!("\"{text}\""),
        }
    }

    /// The beginnings of the field at which a packet can be cut off: a name and the words up to there.
    pub(super) fn beginnings(&self) -> Vec<(String, String)> {
        let named = |list: Vec<(&str, String)>| {
            list.into_iter().map(|(name, words)| (name.to_string(), words)).collect::<Vec<_>>()
        };
        match self {
            Kind::Number(bytes) if bytes.len() > 1 => {
                named(vec![("ends-in", hex(&bytes[..bytes.len() - 1]))])
            }
            Kind::NewIdentifier(_) => named(vec![("ends-in", "00".into())]),
            Kind::Text(text) => named(vec![
                ("ends-in-the-length-of", "00".into()),
                ("ends-after-the-length-of", "u16 300".into()),
                ("ends-in", format!("u16 300 {}", text.words)),
            ]),
            Kind::Binary(bytes) => named(vec![
                ("ends-in-the-length-of", "00".into()),
                ("ends-after-the-length-of", "u16 300".into()),
                ("ends-in", format!("u16 300 {bytes}")),
            ]),
            Kind::Properties { list, .. } if !list.is_empty() => block_beginnings(list),
            _ => Vec::new(),
        }
    }
}

/// The beginnings of a block of properties whose Property Length stays as it is.
fn block_beginnings(list: &'static [PropertyId]) -> Vec<(String, String)> {
    let inner: Vec<String> = list.iter().map(|id| property(*id)).collect();
    let length = encoded(&inner.join(" ")).len();
    let mut found = vec![("ends-after-the-length-of".to_string(), format!("var {length}"))];
    let mut before = String::new();
    for (at, id) in list.iter().enumerate() {
        if at > 0 {
            found.push((format!("ends-before-{}-in", slug(*id)), format!("var {length}{before}")));
        }
        for (name, words) in value_beginnings(*id) {
            let words = format!("var {length}{before} {:02X} {words}", *id as u8);
            found.push((format!("ends-{name}-{}-in", slug(*id)), words.trim_end().to_string()));
        }
        push(&mut before, &inner[at]);
    }
    found
}

impl Text {
    /// The string with its length.
    pub(super) fn field(self) -> String {
        if self.is_plain() { format!("str {}", self.words) } else { format!("bin {{ {} }}", self.words) }
    }

    /// Whether its words are one text in quotes, so that its length is known.
    pub(super) fn is_plain(self) -> bool {
        self.words.starts_with('"')
    }
}

/// The valid value of a property, with its identifier.
pub(super) fn property(id: PropertyId) -> String {
    format!("{:02X} {}", id as u8, value(id))
}

/// A valid value of a property.
pub(super) fn value(id: PropertyId) -> &'static str {
    match (id, id.row().kind) {
        // What is put into a message must not look like another error.
        (PropertyId::SessionExpiryInterval, _) => "u32 0",
        (PropertyId::MaximumPacketSize | PropertyId::MessageExpiryInterval, _) => "u32 100000",
        (_, PropertyType::Byte) => "01",
        (_, PropertyType::TwoByteInteger) => "u16 10",
        (_, PropertyType::FourByteInteger) => "u32 10",
        (_, PropertyType::VariableByteInteger) => "var 1",
        (_, PropertyType::Utf8String) => "str \"text\"",
        (_, PropertyType::BinaryData) => "bin { 01 02 }",
        (_, PropertyType::Utf8StringPair) => "str \"name\" str \"value\"",
    }
}

/// The beginnings of a property's value: a name and the words up to there.
pub(super) fn value_beginnings(id: PropertyId) -> Vec<(&'static str, &'static str)> {
    let mut found = vec![("before-the-value-of", "")];
    found.extend_from_slice(match id.row().kind {
        PropertyType::Byte => &[],
        PropertyType::TwoByteInteger => &[("in", "00")],
        PropertyType::FourByteInteger => &[("early-in", "00"), ("in", "00 00"), ("late-in", "00 00 00")],
        PropertyType::VariableByteInteger => &[("in", "81")],
        PropertyType::Utf8String => {
            &[("in-the-length-of", "00"), ("after-the-length-of", "u16 300"), ("in", "u16 300 \"te\"")]
        }
        PropertyType::BinaryData => {
            &[("in-the-length-of", "00"), ("after-the-length-of", "u16 300"), ("in", "u16 300 01 02")]
        }
        PropertyType::Utf8StringPair => &[
            ("in-the-name-of", "u16 300 \"na\""),
            ("after-the-name-of", "str \"name\""),
            ("after-the-name-and-a-byte-of", "str \"name\" 00"),
            ("in", "str \"name\" u16 300 \"va\""),
        ],
    });
    found
}

/// A block of properties with its length.
pub(super) fn properties(list: &[PropertyId]) -> String {
    if list.is_empty() {
        return "properties".into();
    }
    let inner: Vec<String> = list.iter().map(|id| property(*id)).collect();
    format!("properties{{ {} }}", inner.join(" "))
}

/// The name of a property in kebab-case.
pub(super) fn slug(id: PropertyId) -> String {
    id.row().name.to_lowercase().replace(' ', "-")
}

/// Bytes in hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(" ")
}

/// The bytes of words in which no name of the run stands.
pub(super) fn encoded(words: &str) -> Vec<u8> {
    assemble(words, ProtocolVersion::V5, Names::default()).unwrap_or_default()
}
