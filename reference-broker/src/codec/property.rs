//! Properties of MQTT 5.0 (section 2.2.2), from one table.
//!
//! [`Properties`] keeps them in their encoded form: decoding a packet checks them without taking them
//! apart, forwarding a message copies them, and their order is kept by itself (MQTT-3.3.2-18).

use std::borrow::Cow;
use std::fmt;

use super::error::{DecodeError, Rule};
use super::packet::PacketType;
use super::wire::{Reader, put_binary, put_str, put_u16, put_u32, put_variable};

/// The data type of a property's value (section 1.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the standard's names say it")]
pub enum PropertyType {
    Byte,
    TwoByteInteger,
    FourByteInteger,
    VariableByteInteger,
    Utf8String,
    BinaryData,
    Utf8StringPair,
}

/// Where properties stand: in a packet, or in the Will Properties of CONNECT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The properties of a packet of this type.
    Packet(PacketType),
    /// The Will Properties.
    Will,
}

/// One row of the table of properties.
#[derive(Debug, Clone, Copy)]
pub struct PropertyRow {
    /// The property.
    pub id: PropertyId,
    /// Its name in the standard.
    pub name: &'static str,
    /// The type of its value.
    pub kind: PropertyType,
    /// The packets that may carry it.
    pub packets: &'static [PacketType],
    /// Whether the Will Properties may carry it.
    pub will: bool,
    /// The smallest value that is allowed.
    pub min: u32,
    /// The largest value that is allowed.
    pub max: u32,
}

macro_rules! properties {
    ($($variant:ident = $id:literal, $name:literal, $kind:ident, [$($packet:ident),*], $will:literal, $min:literal..=$max:literal;)*) => {
        /// The identifier of a property (table 2-4).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        #[allow(missing_docs, reason = "the standard's names say it")]
        pub enum PropertyId { $($variant = $id),* }

        impl PropertyId {
            /// The table of properties, by identifier.
            pub const TABLE: &'static [PropertyRow] = &[
                $(PropertyRow {
                    id: PropertyId::$variant,
                    name: $name,
                    kind: PropertyType::$kind,
                    packets: &[$(PacketType::$packet),*],
                    will: $will,
                    min: $min,
                    max: $max,
                },)*
            ];

            /// The property with this identifier.
            pub const fn from_number(number: u32) -> Option<PropertyId> {
                match number {
                    $($id => Some(PropertyId::$variant),)*
                    _ => None,
                }
            }

            /// The row of the table.
            pub const fn row(self) -> &'static PropertyRow {
                const ROWS: [Option<usize>; 64] = {
                    let mut rows = [None; 64];
                    let mut index = 0;
                    while index < PropertyId::TABLE.len() {
                        rows[PropertyId::TABLE[index].id as usize] = Some(index);
                        index += 1;
                    }
                    rows
                };
                match ROWS[self as usize] {
                    Some(index) => &PropertyId::TABLE[index],
                    None => &PropertyId::TABLE[0],
                }
            }
        }
    };
}

properties! {
    PayloadFormatIndicator = 0x01, "Payload Format Indicator", Byte, [Publish], true, 0..=1;
    MessageExpiryInterval = 0x02, "Message Expiry Interval", FourByteInteger, [Publish], true, 0..=0xFFFF_FFFF;
    ContentType = 0x03, "Content Type", Utf8String, [Publish], true, 0..=0;
    ResponseTopic = 0x08, "Response Topic", Utf8String, [Publish], true, 0..=0;
    CorrelationData = 0x09, "Correlation Data", BinaryData, [Publish], true, 0..=0;
    SubscriptionIdentifier = 0x0B, "Subscription Identifier", VariableByteInteger, [Publish, Subscribe], false, 1..=268_435_455;
    SessionExpiryInterval = 0x11, "Session Expiry Interval", FourByteInteger, [Connect, Connack, Disconnect], false, 0..=0xFFFF_FFFF;
    AssignedClientIdentifier = 0x12, "Assigned Client Identifier", Utf8String, [Connack], false, 0..=0;
    ServerKeepAlive = 0x13, "Server Keep Alive", TwoByteInteger, [Connack], false, 0..=65_535;
    AuthenticationMethod = 0x15, "Authentication Method", Utf8String, [Connect, Connack, Auth], false, 0..=0;
    AuthenticationData = 0x16, "Authentication Data", BinaryData, [Connect, Connack, Auth], false, 0..=0;
    RequestProblemInformation = 0x17, "Request Problem Information", Byte, [Connect], false, 0..=1;
    WillDelayInterval = 0x18, "Will Delay Interval", FourByteInteger, [], true, 0..=0xFFFF_FFFF;
    RequestResponseInformation = 0x19, "Request Response Information", Byte, [Connect], false, 0..=1;
    ResponseInformation = 0x1A, "Response Information", Utf8String, [Connack], false, 0..=0;
    ServerReference = 0x1C, "Server Reference", Utf8String, [Connack, Disconnect], false, 0..=0;
    ReasonString = 0x1F, "Reason String", Utf8String, [Connack, Puback, Pubrec, Pubrel, Pubcomp, Suback, Unsuback, Disconnect, Auth], false, 0..=0;
    ReceiveMaximum = 0x21, "Receive Maximum", TwoByteInteger, [Connect, Connack], false, 1..=65_535;
    TopicAliasMaximum = 0x22, "Topic Alias Maximum", TwoByteInteger, [Connect, Connack], false, 0..=65_535;
    TopicAlias = 0x23, "Topic Alias", TwoByteInteger, [Publish], false, 1..=65_535;
    MaximumQoS = 0x24, "Maximum QoS", Byte, [Connack], false, 0..=1;
    RetainAvailable = 0x25, "Retain Available", Byte, [Connack], false, 0..=1;
    UserProperty = 0x26, "User Property", Utf8StringPair, [Connect, Connack, Publish, Puback, Pubrec, Pubrel, Pubcomp, Subscribe, Suback, Unsubscribe, Unsuback, Disconnect, Auth], true, 0..=0;
    MaximumPacketSize = 0x27, "Maximum Packet Size", FourByteInteger, [Connect, Connack], false, 1..=0xFFFF_FFFF;
    WildcardSubscriptionAvailable = 0x28, "Wildcard Subscription Available", Byte, [Connack], false, 0..=1;
    SubscriptionIdentifierAvailable = 0x29, "Subscription Identifier Available", Byte, [Connack], false, 0..=1;
    SharedSubscriptionAvailable = 0x2A, "Shared Subscription Available", Byte, [Connack], false, 0..=1;
}

impl PropertyId {
    /// Whether the property is allowed there.
    pub fn allowed_in(self, place: Place) -> bool {
        match place {
            Place::Will => self.row().will,
            Place::Packet(packet) => self.row().packets.contains(&packet),
        }
    }

    /// Whether it may occur more than once there: User Property everywhere, Subscription Identifier in
    /// PUBLISH (MQTT-3.3.4-4).
    pub fn repeatable_in(self, place: Place) -> bool {
        match self {
            PropertyId::UserProperty => true,
            PropertyId::SubscriptionIdentifier => place == Place::Packet(PacketType::Publish),
            _ => false,
        }
    }

    /// The property with this name in the standard.
    pub fn from_name(name: &str) -> Option<PropertyId> {
        PropertyId::TABLE.iter().find(|row| row.name == name).map(|row| row.id)
    }
}

impl fmt::Display for PropertyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row().name)
    }
}

/// The value of a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PropertyValue<'a> {
    /// Byte.
    Byte(u8),
    /// Two Byte Integer.
    Two(u16),
    /// Four Byte Integer.
    Four(u32),
    /// Variable Byte Integer.
    Variable(u32),
    /// UTF-8 Encoded String.
    Text(&'a str),
    /// Binary Data.
    Binary(&'a [u8]),
    /// UTF-8 String Pair: name and value.
    Pair(&'a str, &'a str),
}

impl<'a> PropertyValue<'a> {
    /// The number, whatever its width.
    pub const fn number(self) -> Option<u32> {
        match self {
            PropertyValue::Byte(value) => Some(value as u32),
            PropertyValue::Two(value) => Some(value as u32),
            PropertyValue::Four(value) | PropertyValue::Variable(value) => Some(value),
            _ => None,
        }
    }

    /// The text of a UTF-8 Encoded String.
    pub const fn text(self) -> Option<&'a str> {
        match self {
            PropertyValue::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The bytes of Binary Data.
    pub const fn binary(self) -> Option<&'a [u8]> {
        match self {
            PropertyValue::Binary(bytes) => Some(bytes),
            _ => None,
        }
    }
}

/// A property: what it is and its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Property<'a> {
    /// The property.
    pub id: PropertyId,
    /// Its value.
    pub value: PropertyValue<'a>,
}

/// The properties of a packet in their encoded form, without the Property Length.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Properties<'a>(Cow<'a, [u8]>);

impl<'a> Properties<'a> {
    /// No properties.
    pub const fn new() -> Properties<'a> {
        Properties(Cow::Borrowed(&[]))
    }

    /// Reads and checks the properties of a packet, Property Length included.
    pub(super) fn read(reader: &mut Reader<'a>, place: Place) -> Result<Properties<'a>, DecodeError> {
        let length_at = reader.at();
        let length = reader.variable()? as usize;
        if length == 0 {
            return Ok(Properties::new());
        }
        let at = reader.at();
        let bytes = reader.take(length).map_err(|_| Rule::PropertiesTooLong.at(length_at))?;
        let mut fields = Reader::new(bytes, at);
        let mut seen = 0u64;
        while !fields.is_empty() {
            let at = fields.at();
            let number = fields.variable()?;
            let id = PropertyId::from_number(number).ok_or(Rule::UnknownProperty(number).at(at))?;
            if !id.allowed_in(place) {
                return Err(Rule::PropertyNotAllowed(id).at(at));
            }
            let bit = 1u64 << (id as u8);
            if seen & bit != 0 && !id.repeatable_in(place) {
                return Err(Rule::DuplicateProperty(id).at(at));
            }
            seen |= bit;
            let row = id.row();
            let value_at = fields.at();
            let number = match row.kind {
                PropertyType::Byte => u32::from(fields.u8()?),
                PropertyType::TwoByteInteger => u32::from(fields.u16()?),
                PropertyType::FourByteInteger => fields.u32()?,
                PropertyType::VariableByteInteger => fields.variable()?,
                PropertyType::Utf8String => {
                    fields.string()?;
                    continue;
                }
                PropertyType::BinaryData => {
                    fields.binary()?;
                    continue;
                }
                PropertyType::Utf8StringPair => {
                    fields.string()?;
                    fields.string()?;
                    continue;
                }
            };
            if number < row.min || number > row.max {
                return Err(Rule::PropertyOutOfRange(id).at(value_at));
            }
        }
        Ok(Properties(Cow::Borrowed(bytes)))
    }

    /// Properties from bytes that are taken as they are: for a sender that is wrong on purpose.
    ///
    /// Iteration ends at the first byte that cannot be read.
    pub fn from_encoded(bytes: impl Into<Cow<'a, [u8]>>) -> Properties<'a> {
        Properties(bytes.into())
    }

    /// The encoded form, without the Property Length.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The properties in their order.
    pub fn iter(&self) -> PropertyIter<'_> {
        PropertyIter { reader: Reader::new(&self.0, 0) }
    }

    /// The first property with this identifier.
    pub fn get(&self, id: PropertyId) -> Option<PropertyValue<'_>> {
        if self.0.is_empty() {
            return None;
        }
        self.iter().find(|property| property.id == id).map(|property| property.value)
    }

    /// The first such property as a number.
    pub fn number(&self, id: PropertyId) -> Option<u32> {
        self.get(id).and_then(PropertyValue::number)
    }

    /// The first such property as text.
    pub fn text(&self, id: PropertyId) -> Option<&str> {
        self.get(id).and_then(PropertyValue::text)
    }

    /// The first such property as bytes.
    pub fn binary(&self, id: PropertyId) -> Option<&[u8]> {
        self.get(id).and_then(PropertyValue::binary)
    }

    /// The user properties in their order.
    pub fn user_properties(&self) -> impl Iterator<Item = (&str, &str)> {
        self.iter().filter_map(|property| match property.value {
            PropertyValue::Pair(name, value) => Some((name, value)),
            _ => None,
        })
    }

    /// Appends a property. The value is written as it is, whatever the type of the property says.
    pub fn push(&mut self, id: PropertyId, value: PropertyValue<'_>) {
        let out = self.0.to_mut();
        put_variable(out, id as u32);
        match value {
            PropertyValue::Byte(value) => out.push(value),
            PropertyValue::Two(value) => put_u16(out, value),
            PropertyValue::Four(value) => put_u32(out, value),
            PropertyValue::Variable(value) => put_variable(out, value),
            PropertyValue::Text(text) => put_str(out, text),
            PropertyValue::Binary(bytes) => put_binary(out, bytes),
            PropertyValue::Pair(name, value) => {
                put_str(out, name);
                put_str(out, value);
            }
        }
    }

    /// Appends a property whose value is a number, in the width of its type.
    pub fn push_number(&mut self, id: PropertyId, value: u32) {
        self.push(
            id,
            match id.row().kind {
                PropertyType::Byte => PropertyValue::Byte(value as u8),
                PropertyType::TwoByteInteger => PropertyValue::Two(value as u16),
                PropertyType::VariableByteInteger => PropertyValue::Variable(value),
                _ => PropertyValue::Four(value),
            },
        );
    }

    /// These properties without those that `keep` refuses, in the same order.
    pub fn filtered(&self, mut keep: impl FnMut(&Property<'_>) -> bool) -> Properties<'static> {
        let mut kept = Properties::new();
        for property in self.iter().filter(|property| keep(property)) {
            kept.push(property.id, property.value);
        }
        kept
    }

    /// The same properties, owning their bytes.
    pub fn into_owned(self) -> Properties<'static> {
        if self.0.is_empty() { Properties::new() } else { Properties(Cow::Owned(self.0.into_owned())) }
    }

    /// The same properties, borrowed.
    pub fn borrowed(&self) -> Properties<'_> {
        Properties(Cow::Borrowed(&self.0))
    }
}

impl fmt::Debug for Properties<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// The properties of a packet, one after the other.
#[derive(Debug, Clone)]
pub struct PropertyIter<'a> {
    reader: Reader<'a>,
}

impl<'a> PropertyIter<'a> {
    fn read(&mut self) -> Result<Property<'a>, DecodeError> {
        let at = self.reader.at();
        let number = self.reader.variable()?;
        let id = PropertyId::from_number(number).ok_or(Rule::UnknownProperty(number).at(at))?;
        let value = match id.row().kind {
            PropertyType::Byte => PropertyValue::Byte(self.reader.u8()?),
            PropertyType::TwoByteInteger => PropertyValue::Two(self.reader.u16()?),
            PropertyType::FourByteInteger => PropertyValue::Four(self.reader.u32()?),
            PropertyType::VariableByteInteger => PropertyValue::Variable(self.reader.variable()?),
            PropertyType::Utf8String => PropertyValue::Text(self.reader.string()?),
            PropertyType::BinaryData => PropertyValue::Binary(self.reader.binary()?),
            PropertyType::Utf8StringPair => PropertyValue::Pair(self.reader.string()?, self.reader.string()?),
        };
        Ok(Property { id, value })
    }
}

impl<'a> Iterator for PropertyIter<'a> {
    type Item = Property<'a>;

    fn next(&mut self) -> Option<Property<'a>> {
        if self.reader.is_empty() {
            return None;
        }
        match self.read() {
            Ok(property) => Some(property),
            Err(_) => {
                self.reader.rest();
                None
            }
        }
    }
}
