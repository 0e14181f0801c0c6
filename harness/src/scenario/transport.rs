//! What carries a client's bytes: TCP, or a WebSocket on it.

use reference_broker::transport::websocket::SUBPROTOCOL;

use super::field::{Field, FieldValue, Value};

/// How a client puts packets into WebSocket frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Framing {
    /// One binary message of one frame for each packet.
    #[default]
    OnePerPacket,
    /// One frame for each byte.
    Bytes,
    /// What is sent at one moment is one frame.
    Together,
    /// Frames end in the middle of packets: one and a half in each, as far as packets are sent at one moment.
    Misaligned,
    /// Each packet is a message of three fragments.
    Fragmented,
    /// The same, with a ping frame between the fragments.
    FragmentedWithPings,
}

impl Framing {
    /// The words, in the order of the variants.
    pub const WORDS: &'static [&'static str] =
        &["one_per_packet", "bytes", "together", "misaligned", "fragmented", "fragmented_with_pings"];

    const ALL: [Framing; 6] = [
        Framing::OnePerPacket,
        Framing::Bytes,
        Framing::Together,
        Framing::Misaligned,
        Framing::Fragmented,
        Framing::FragmentedWithPings,
    ];

    /// The framing with this name.
    pub fn from_name(name: &str) -> Option<Framing> {
        Framing::WORDS.iter().zip(Framing::ALL).find(|(word, _)| **word == name).map(|(_, framing)| framing)
    }
}

/// What the upgrade request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebSocketPlace {
    /// The `Host`.
    pub host: String,
    /// The path.
    pub path: String,
}

impl Default for WebSocketPlace {
    fn default() -> WebSocketPlace {
        WebSocketPlace { host: "localhost".into(), path: "/mqtt".into() }
    }
}

/// What carries a client's bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Transport {
    /// The network connection itself.
    #[default]
    Tcp,
    /// A WebSocket on it (section 6).
    WebSocket {
        /// How packets are put into frames.
        framing: Framing,
        /// The subprotocols that are offered, in this order.
        offered: Vec<String>,
    },
}

impl Transport {
    /// Whether it is a WebSocket.
    pub fn is_websocket(&self) -> bool {
        *self != Transport::Tcp
    }

    /// The transport that a client's options ask for.
    pub(super) fn of(options: &[FieldValue]) -> Transport {
        let last = |wanted: Field| options.iter().rev().find(|it| it.field == wanted).map(|it| &it.value);
        if last(Field::Transport) != Some(&Value::Text("websocket".into())) {
            return Transport::Tcp;
        }
        let framing = match last(Field::Frames) {
            Some(Value::Text(word)) => Framing::from_name(word).unwrap_or_default(),
            _ => Framing::default(),
        };
        let offered = match last(Field::Subprotocols) {
            Some(Value::List(list)) => list
                .iter()
                .filter_map(|it| match it {
                    Value::Text(name) => Some(name.clone()),
                    _ => None,
                })
                .collect(),
            _ => vec![SUBPROTOCOL.to_string()],
        };
        Transport::WebSocket { framing, offered }
    }

    /// An option that means nothing without a WebSocket, if there is one.
    pub(super) fn websocket_only(options: &[FieldValue]) -> Option<&FieldValue> {
        options.iter().find(|it| matches!(it.field, Field::Frames | Field::Subprotocols))
    }

    /// The option that belongs to a client as a whole and not to one of its connections, if there is one.
    pub(super) fn misplaced(options: &[FieldValue]) -> Option<&FieldValue> {
        options.iter().find(|it| matches!(it.field, Field::Transport | Field::Frames | Field::Subprotocols))
    }
}
