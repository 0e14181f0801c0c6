//! Topics that keep cases apart that run side by side on one broker, and whether they did.
//!
//! A broker that gives a client what nobody but others asked for mixes the cases up; which of its failures are a
//! case's own can only be told when that case has the broker to itself.
//!
//! Never the case: a finding that stands on another case's message.

use reference_broker::codec::{Packet, ProtocolVersion};

use crate::history::{Fact, History, whole_packet};

/// What the topics of a case are put below.
pub(super) fn topic_prefix(nonce: u64, case: usize) -> String {
    format!("{:04x}/{case}", (nonce >> 24) & 0xFFFF)
}

/// Whether a client of this case got a message that can be another's: one that is not below the case's topics. A broker
/// that changes topics does so alone as well.
pub(super) fn hears_others(history: &History, nonce: u64, case: usize) -> bool {
    let own = format!("{}/", topic_prefix(nonce, case));
    history.events().iter().any(|event| {
        let Fact::Received { bytes, .. } = event.fact else { return false };
        // To 3.1.1 what 5.0 puts behind the topic is payload.
        match whole_packet(history.bytes(bytes), ProtocolVersion::V3_1_1) {
            Some(Packet::Publish(publish)) => {
                !publish.topic.starts_with(&own) && !publish.topic.starts_with('$')
            }
            _ => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Link;
    use reference_broker::codec::{Properties, Publish, QoS, encoded};
    use reference_broker::core::Time;

    const NONCE: u64 = 0x1f2e << 24;

    #[test]
    fn a_message_that_can_be_of_another_case_is_noticed() {
        for (topic, foreign) in [
            ("1f2e/7/a", false),
            ("1f2e/8/a", true),
            ("1f2e/70/a", true),
            ("elsewhere/8/a", true),
            ("$SYS/load", false),
        ] {
            for version in [ProtocolVersion::V3_1_1, ProtocolVersion::V5] {
                let publish = Publish {
                    dup: false,
                    qos: QoS::AtMostOnce,
                    retain: false,
                    topic: topic.into(),
                    packet_id: None,
                    properties: Properties::default(),
                    payload: b"x".as_slice().into(),
                };
                let bytes = encoded(&Packet::Publish(publish), version).expect("it can be encoded");
                let mut history = History::new();
                let bytes = history.store(&bytes);
                history.push(Time::ZERO, Fact::Received { link: Link(0), bytes });
                assert_eq!(hears_others(&history, NONCE, 7), foreign, "{topic} {version}");
            }
        }
    }
}
