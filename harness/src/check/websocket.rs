//! MQTT over WebSocket travels in binary frames, and the upgrade selects the subprotocol `mqtt` (section 6).

use std::collections::BTreeSet;

use reference_broker::transport::websocket::SUBPROTOCOL;

use crate::history::{Fact, History, Link};
use crate::websocket::{fault_of, is_switching, subprotocols};

use super::Findings;

const BY: &str = "websocket";

/// Judges the upgrades and the frames that were recorded apart.
pub(super) fn observe(history: &History, out: &mut Findings) {
    let mut offers: BTreeSet<Link> = BTreeSet::new();
    for (sequence, event) in history.events().iter().enumerate() {
        let events = || vec![sequence as u32];
        match event.fact {
            Fact::UpgradeSent { link, bytes }
                if subprotocols(history.bytes(bytes)).iter().any(|name| name == SUBPROTOCOL) =>
            {
                offers.insert(link);
            }
            // Without the offer there is nothing that the broker may select, and what it does is its own affair.
            Fact::UpgradeReceived { link, bytes } if offers.contains(&link) => {
                let head = history.bytes(bytes);
                let selected = subprotocols(head);
                if is_switching(head) && selected != [SUBPROTOCOL] {
                    let observed = match &selected[..] {
                        [] => "it selects none".to_string(),
                        names => format!("it selects {}", names.join(", ")),
                    };
                    let expected = "an upgrade that selects the subprotocol mqtt, which was offered";
                    out.violation(BY, &["MQTT-6.0.0-4"], expected, observed, events());
                }
            }
            Fact::Frame { bytes, from_broker: true, .. } => {
                if let Some(fault) = fault_of(history.bytes(bytes)) {
                    out.violation(BY, &["MQTT-6.0.0-1"], "data in binary WebSocket frames", fault, events());
                }
            }
            _ => {}
        }
    }
}
