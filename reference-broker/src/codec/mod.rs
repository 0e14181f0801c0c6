//! Bytes ⇄ Control Packets of MQTT 3.1, 3.1.1 and 5.0, in one tree.
//!
//! * [`next_frame`] finds where a packet ends; [`decode`] turns one [`Frame`] into a [`Packet`]. Decoding
//!   is total (any bytes give a packet or a typed error), strict (every rule of chapters 2 and 3 that a
//!   single packet can break) and borrows from its input: a PUBLISH costs no allocation.
//! * [`encode`] appends a packet to a buffer. It does not ask whether the packet makes sense: a client
//!   that is wrong on purpose uses the same function, and [`RawPacket`] where no packet could say it.
//! * Properties and reason codes come from one table each ([`PropertyId::TABLE`], [`ReasonCode::table`]).
//!
//! Never the case: state between packets, a clock, input or output, a panic on foreign bytes.

mod decode;
mod encode;
mod error;
mod frame;
mod packet;
mod property;
mod raw;
mod reason;
mod wire;

pub use decode::{decode, decode_frame};
pub use encode::{EncodeError, encode, encoded};
pub use error::{Class, DecodeError, Rule};
pub use frame::{Frame, FrameError, Header, MAX_REMAINING_LENGTH, next_frame, next_frame_of_any_form};
pub use packet::{
    Ack, Auth, Connack, Connect, Disconnect, Packet, PacketType, ProtocolVersion, Publish, QoS,
    RetainHandling, Suback, Subscribe, Subscription, SubscriptionOptions, Unsuback, Unsubscribe, Will,
};
pub use property::{
    Place, Properties, Property, PropertyId, PropertyIter, PropertyRow, PropertyType, PropertyValue,
};
pub use raw::{RawLength, RawPacket};
pub use reason::{ReasonCode, ReasonRow, Sender, return_code_name};
pub use wire::{put_binary, put_str, put_u16, put_u32, put_variable, variable_len};

#[cfg(test)]
mod tests;
