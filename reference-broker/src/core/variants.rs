//! Legal other choices: settings under which the broker behaves differently and still conforms.

/// A legal variant of the broker. A conformance suite must pass on it as on the default.
#[derive(Debug, Clone, Copy)]
pub struct Variant {
    /// Its name: kebab-case.
    pub id: &'static str,
    /// What is different, in a sentence.
    pub what: &'static str,
    /// The ruling that allows it, or the rule where no ruling is needed.
    pub ruling: &'static str,
    /// The settings that make it, for [`Config::set`](super::Config::set).
    pub settings: &'static [(&'static str, &'static str)],
}

macro_rules! variants {
    ($($id:literal $ruling:literal [$($key:literal = $value:literal),*] $what:literal)*) => {
        static VARIANTS: &[Variant] = &[
            $(Variant { id: $id, what: $what, ruling: $ruling, settings: &[$(($key, $value)),*] },)*
        ];
    };
}

/// Every variant, by ruling. Reason Strings and Topic Aliases have no ruling of their own: they are optional
/// by U5-61 and by MQTT-3.1.2-26, and stand here under the untagged rule and the statement.
pub fn variants() -> &'static [Variant] {
    VARIANTS
}

variants! {
    "dollar-topics-ignored" "R-01" ["dollar-topics" = "ignore"] "Messages to $ topics are dropped."
    "dollar-topics-refused" "R-01" ["dollar-topics" = "refuse"] "Messages to $ topics are refused."
    "share-in-3.1.1" "R-02" ["share-in-3.1.1" = "shared"] "$share makes a shared subscription in 3.1.1 too."
    "share-in-3.1.1-refused" "R-02" ["share-in-3.1.1" = "suback-0x80"] "$share is refused in 3.1.1."
    "malformed-filter-suback-0x80" "R-03" ["malformed-filter" = "suback-0x80"] "A malformed filter is refused with SUBACK 0x80."
    "malformed-filter-suback-0x8f" "R-03" ["malformed-filter" = "suback-0x8f"] "A malformed filter is refused with SUBACK 0x8F."
    "malformed-filter-suback-0x83" "R-03" ["malformed-filter" = "suback-0x83"] "A malformed filter is refused with SUBACK 0x83."
    "invalid-topic-name-acknowledged" "R-04" ["invalid-topic-name" = "ack-failure"] "A wildcard in a Topic Name is refused in the acknowledgement."
    "malformed-connect-silent" "R-05" ["malformed-connect" = "close-silent"] "A malformed CONNECT of 5.0 is closed without a word."
    "unknown-version-connack-v5" "R-06" ["unknown-version" = "connack-v5"] "An unknown Protocol Version gets a CONNACK of 5.0."
    "foreign-name-connack" "R-07" ["foreign-protocol-name" = "connack-close"] "A foreign Protocol Name gets a CONNACK."
    "empty-client-id-refused" "R-08" ["empty-client-id" = "refuse"] "An empty Client Identifier is refused."
    "password-only-refused" "R-09" ["password-only" = "auth-failure"] "A Password without User Name is refused."
    "takeover-silent" "R-11" ["takeover-notice" = "no-disconnect"] "The old connection of a takeover gets no DISCONNECT."
    "takeover-connack-first" "R-11" ["takeover-order" = "connack-first"] "CONNACK of a takeover comes before the old connection closes."
    "no-will-on-shutdown" "R-15" ["will-on-shutdown" = "never"] "No will is published when the server stops."
    "session-expiry-announced" "R-17" ["session-expiry-maximum" = "3600"] "The Session Expiry Interval is at most an hour."
    "retained-before-suback" "R-18" ["publish-vs-suback" = "before-suback"] "Retained messages come before SUBACK."
    "retained-qos0-dropped" "R-19" ["retained-qos0" = "dropped"] "Retained messages of QoS 0 are not kept."
    "retained-one-in-all" "R-22" ["retained-overlap" = "one-in-all"] "Overlapping filters of one SUBSCRIBE get one copy of a retained message."
    "copy-per-match" "R-23" ["overlapping-subscriptions" = "copy-per-match"] "Overlapping subscriptions get a copy each."
    "dup-on-qos0-tolerated" "R-26" ["dup-on-qos0" = "tolerate"] "DUP 1 with QoS 0 is tolerated."
    "live-retransmission" "R-27" ["live-retransmission" = "periodic"] "In 3.1.1 an unacknowledged delivery is sent again every ten seconds."
    "repeated-qos2-pubrec-0x91" "R-28" ["repeated-qos2-publish" = "pubrec-0x91"] "A QoS 2 PUBLISH repeated on a live connection gets PUBREC 0x91."
    "repeated-qos2-close" "R-28" ["repeated-qos2-publish" = "close"] "A QoS 2 PUBLISH repeated on a live connection closes it."
    "unknown-identifier-0x00" "R-30" ["unknown-identifier" = "answer-0x00"] "An unknown identifier is answered with 0x00."
    "unknown-identifier-close" "R-30" ["unknown-identifier" = "close"] "An unknown identifier closes the connection in 3.1.1."
    "unauthorised-publish-acknowledged" "R-33" ["unauthorised-publish" = "ack"] "A denied PUBLISH is acknowledged and dropped."
    "unauthorised-publish-closed" "R-33" ["unauthorised-publish" = "close"] "A denied PUBLISH closes the connection."
    "small-send-window" "R-35" ["send-window" = "5"] "No more than five messages are in flight towards a client."
    "too-large-shared-elsewhere" "R-37" ["too-large-shared" = "other-member"] "A shared message that is too large for its member goes to another."
    "unsuback-0x00" "R-38" ["unsuback-unknown" = "unsuback-0x00"] "UNSUBACK says 0x00 for an unknown filter."
    "close-silent" "R-40" ["disconnect-before-close" = "close-silent"] "Errors close the connection without DISCONNECT."
    "no-local-hides-will" "R-42" ["no-local-will" = "will-suppressed"] "No Local hides the client's own will."
    "unavailable-suback" "R-43" ["unavailable-feature" = "suback-failure"] "What is unavailable is refused in SUBACK."
    "qos2-on-pubrel" "R-44" ["qos2-forwarding" = "on-pubrel"] "QoS 2 messages are passed on at PUBREL."
    "unsubscribe-drops-buffered" "R-45" ["unsubscribe-buffered" = "drop-buffered"] "UNSUBSCRIBE drops the messages that wait."
    "offline-qos0-queued" "R-46" ["offline-qos0" = "queued"] "QoS 0 messages are queued for clients that are away."
    "shared-random" "R-47" ["shared-choice" = "random"] "Members of shared subscriptions are chosen at random."
    "shared-first" "R-47" ["shared-choice" = "first"] "The eldest member of a shared subscription gets all."
    "shared-redirect-at-once" "R-47" ["shared-qos1-redirect" = "redirect-at-once"] "Unacknowledged shared messages go elsewhere when the connection is lost."
    "shared-redirect-never" "R-47" ["shared-qos1-redirect" = "never"] "Unacknowledged shared messages are lost with their session."
    "code-points-refused" "R-48" ["disallowed-code-points" = "close"] "Topics with control characters close the connection."
    "code-points-acknowledged" "R-48" ["disallowed-code-points" = "ack-failure"] "Topics with control characters are refused in the acknowledgement."
    "non-minimal-length-tolerated" "R-50" ["non-minimal-length" = "tolerate"] "A Remaining Length need not be in its shortest form."
    "payload-format-checked" "R-51" ["payload-format-check" = "ack-0x99"] "The Payload Format Indicator is checked."
    "payload-format-closes" "R-51" ["payload-format-check" = "close"] "A payload that contradicts its indicator closes the connection."
    "identifier-in-use-0x91" "R-52" ["identifier-in-use" = "answer-0x91"] "An identifier in use is answered with 0x91."
    "identifier-in-use-closes" "R-52" ["identifier-in-use" = "close"] "An identifier in use closes the connection."
    "no-0x10" "R-53" ["no-matching-subscribers" = "ack-0x00"] "Acknowledgements never say that nobody is subscribed."
    "equal-ids-merged" "R-54" ["equal-subscription-ids" = "merged"] "Equal Subscription Identifiers are sent once."
    "surplus-bytes-ignored" "R-55" ["surplus-bytes" = "ignore"] "Surplus bytes in acknowledgements are ignored."
    "new-session-in-another-version" "R-57" ["session-in-another-version" = "new"] "A client that comes back with another version has a new session."
    "many-words" "U5-61" ["diagnostics" = "all"] "Every packet that may has a Reason String and a User Property."
    "no-words" "U5-61" ["diagnostics" = "none"] "No packet has a Reason String."
    "no-aliases" "MQTT-3.1.2-26" ["topic-alias-use" = "false", "topic-alias-maximum" = "0"] "The server uses no Topic Aliases and takes none."
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    #[test]
    fn every_variant_is_a_configuration_other_than_the_default() {
        for variant in variants() {
            let mut config = Config::default();
            for (key, value) in variant.settings {
                config.set(key, value).unwrap_or_else(|error| panic!("{}: {error}", variant.id));
                assert_ne!(config.get(key), Config::default().get(key), "{}", variant.id);
            }
        }
    }
}
