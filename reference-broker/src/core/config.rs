//! The configuration: limits, features, credentials, and the choices that the standard leaves open.
//!
//! One table gives the fields, their defaults, the keys by which a command line or a scenario sets them,
//! and the text that explains them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::access::AccessRule;
use super::auth::{AuthMethod, Challenge};
pub use super::choice::*;
use super::setting::Setting;
pub use super::setting::{Positive, Seconds, User};
use crate::codec::QoS;

/// A key of the configuration.
#[derive(Debug, Clone, Copy)]
pub struct ConfigKey {
    /// The key: kebab-case.
    pub name: &'static str,
    /// What it sets.
    pub what: &'static str,
    /// Which values it takes, in words.
    pub expected: &'static str,
}

/// A setting that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigError {
    /// There is no such key; the nearest one that there is.
    UnknownKey {
        /// As given.
        key: String,
        /// The nearest key.
        nearest: &'static str,
    },
    /// The key does not take this value.
    Value {
        /// The key.
        key: &'static str,
        /// As given.
        value: String,
        /// What it takes.
        expected: &'static str,
    },
    /// There is no such defect.
    UnknownDefect(
        /// As given.
        String,
    ),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::UnknownKey { key, nearest } => {
                write!(f, "there is no setting `{key}`; did you mean `{nearest}`?")
            }
            ConfigError::Value { key, value, expected } => {
                write!(f, "`{key}` is {expected}, not `{value}`")
            }
            ConfigError::UnknownDefect(id) => write!(f, "there is no defect `{id}`"),
        }
    }
}

impl std::error::Error for ConfigError {}

macro_rules! config {
    ($($field:ident: $kind:ty = $default:expr, $key:literal, $what:literal;)*) => {
        /// How a broker is set up. The default has everything switched on and generous limits.
        #[derive(Debug, Clone)]
        pub struct Config {
            $(#[doc = $what] pub $field: $kind,)*
            /// Authentication methods of 5.0 (section 4.12).
            pub auth_methods: Vec<Arc<dyn AuthMethod>>,
            #[cfg(feature = "defects")]
            pub(crate) defect: Option<super::defects::Kind>,
        }

        impl Config {
            /// Every key that [`Config::set`] knows.
            pub const KEYS: &'static [ConfigKey] = &[
                $(ConfigKey { name: $key, what: $what, expected: <$kind as Setting>::EXPECTED },)*
                ConfigKey {
                    name: AUTH_SECRET,
                    what: "The secret of the authentication method ASSAY-CHALLENGE.",
                    expected: "a text",
                },
            ];

            fn set_field(&mut self, key: &str, value: &str) -> Option<bool> {
                Some(match key {
                    $($key => self.$field.set(value),)*
                    AUTH_SECRET => {
                        self.auth_methods.retain(|method| method.name() != Challenge::NAME);
                        self.auth_methods.push(Arc::new(Challenge::new(value)));
                        true
                    }
                    _ => return None,
                })
            }

            /// The value of a key as text: what [`Config::set`] would take. A list has one line for each entry.
            pub fn get(&self, key: &str) -> Option<String> {
                match key {
                    $($key => Some(self.$field.show()),)*
                    _ => None,
                }
            }
        }

        impl Default for Config {
            fn default() -> Config {
                Config {
                    $($field: $default,)*
                    auth_methods: vec![Arc::new(Challenge::new("sesame"))],
                    #[cfg(feature = "defects")]
                    defect: None,
                }
            }
        }
    };
}

const AUTH_SECRET: &str = "auth-secret";

config! {
    maximum_qos: QoS = QoS::ExactlyOnce, "maximum-qos", "Maximum QoS of PUBLISH, announced in CONNACK.";
    retain_available: bool = true, "retain-available", "Whether retained messages are supported.";
    wildcard_subscription_available: bool = true, "wildcard-subscription-available", "Whether filters may have wildcards.";
    subscription_identifier_available: bool = true, "subscription-identifier-available", "Whether Subscription Identifiers are supported.";
    shared_subscription_available: bool = true, "shared-subscription-available", "Whether shared subscriptions are supported.";
    topic_alias_maximum: u16 = 32, "topic-alias-maximum", "Topic Alias Maximum towards the server.";
    topic_alias_use: bool = true, "topic-alias-use", "Whether the server uses aliases towards clients that allow them.";
    receive_maximum: Positive<u16> = Positive(64), "receive-maximum", "Receive Maximum of the server: QoS 2 exchanges that a 5.0 client may have open.";
    maximum_packet_size: Positive<u32> = Positive(1 << 20), "maximum-packet-size", "The largest packet that the server takes, in bytes.";
    server_keep_alive: Option<u16> = None, "server-keep-alive", "Server Keep Alive in seconds, in force for 5.0 clients whatever they ask for; 0 turns keep alive off.";
    session_expiry_maximum: Seconds = Seconds(u32::MAX), "session-expiry-maximum", "The largest Session Expiry Interval that a 5.0 client gets.";
    maximum_client_id_length: u16 = u16::MAX, "maximum-client-id-length", "The longest Client Identifier that is accepted, in bytes; 23 at least.";
    maximum_connections: usize = 100_000, "maximum-connections", "How many clients may be connected; more are refused with 0x97, in 3.1.1 with return code 3.";
    maximum_subscriptions: usize = 100_000, "maximum-subscriptions", "How many subscriptions a session may have; more are refused with 0x97.";
    maximum_retained: usize = 1_000_000, "maximum-retained", "How many topics may have a retained message.";
    queue_limit: usize = 100_000, "queue-limit", "How many messages may wait for one session.";
    queue_overflow: QueueOverflow = QueueOverflow::DropNewest, "queue-overflow", "What is dropped when that many wait.";
    send_window: Positive<u16> = Positive(u16::MAX), "send-window", "How many QoS 1 and 2 deliveries the server has in flight towards one client at most.";
    connect_timeout: Duration = Duration::from_secs(10), "connect-timeout", "How long a connection may go without CONNECT.";
    anonymous: bool = true, "anonymous", "Whether clients without a User Name are accepted.";
    users: Vec<User> = Vec::new(), "user", "A user; more than one may be given. Without any, every User Name is accepted.";
    access: Vec<AccessRule> = Vec::new(), "access", "A rule on topics; more than one may be given. The first that fits decides; without one all is allowed.";
    response_information: Option<Box<str>> = Some("response/".into()), "response-information", "Response Information for clients that ask for it.";
    server_reference: Option<Box<str>> = None, "server-reference", "Send every client elsewhere: CONNACK 0x9C with this Server Reference.";
    diagnostics: Diagnostics = Diagnostics::Errors, "diagnostics", "Reason Strings and User Properties of the server's own.";
    explanation: Option<Box<str>> = None, "explanation", "What the server's Reason Strings and User Properties say, in place of its own words.";
    dollar_topics: DollarTopics = DollarTopics::Deliver, "dollar-topics", "PUBLISH to topics that begin with $ (R-01).";
    share_in_old_versions: ShareInOldVersions = ShareInOldVersions::PlainFilter, "share-in-3.1.1", "$share filters in 3.1.1 (R-02).";
    malformed_filter: MalformedFilter = MalformedFilter::Close, "malformed-filter", "A filter that breaks the grammar (R-03).";
    invalid_topic_name: InvalidTopicName = InvalidTopicName::Close, "invalid-topic-name", "A wildcard in a Topic Name (R-04).";
    malformed_connect: MalformedConnect = MalformedConnect::ConnackClose, "malformed-connect", "A malformed CONNECT of 5.0 (R-05).";
    unknown_version: UnknownVersion = UnknownVersion::ConnackV3, "unknown-version", "A Protocol Version that does not exist (R-06).";
    foreign_protocol_name: ForeignProtocolName = ForeignProtocolName::CloseSilent, "foreign-protocol-name", "A Protocol Name that does not exist (R-07).";
    empty_client_id: EmptyClientId = EmptyClientId::Accept, "empty-client-id", "An empty Client Identifier (R-08).";
    password_only: PasswordOnly = PasswordOnly::Accept, "password-only", "A Password without a User Name in 5.0 (R-09).";
    takeover_notice: TakeoverNotice = TakeoverNotice::Disconnect, "takeover-notice", "DISCONNECT to the old connection of a takeover (R-11).";
    takeover_order: TakeoverOrder = TakeoverOrder::CloseFirst, "takeover-order", "Close and CONNACK of a takeover (R-11).";
    will_on_shutdown: WillOnShutdown = WillOnShutdown::AtShutdown, "will-on-shutdown", "Wills when the server shuts down (R-15).";
    publish_vs_suback: PublishVersusSuback = PublishVersusSuback::After, "publish-vs-suback", "Retained messages and SUBACK (R-18).";
    retained_qos0: RetainedQos0 = RetainedQos0::Kept, "retained-qos0", "Retained messages of QoS 0 (R-19).";
    retained_overlap: RetainedOverlap = RetainedOverlap::CopyPerFilter, "retained-overlap", "Retained messages that several filters of one SUBSCRIBE match (R-22).";
    overlapping_subscriptions: OverlappingSubscriptions = OverlappingSubscriptions::OneCopy, "overlapping-subscriptions", "Copies for overlapping subscriptions (R-23).";
    dup_on_qos0: DupOnQos0 = DupOnQos0::Close, "dup-on-qos0", "DUP 1 with QoS 0 (R-26).";
    live_retransmission: LiveRetransmission = LiveRetransmission::Never, "live-retransmission", "Deliveries that a connected client of 3.1.1 does not acknowledge (R-27).";
    repeated_qos2_publish: RepeatedQos2Publish = RepeatedQos2Publish::Pubrec, "repeated-qos2-publish", "A repeated QoS 2 PUBLISH in 5.0 (R-28).";
    unknown_identifier: UnknownIdentifier = UnknownIdentifier::Answer92, "unknown-identifier", "PUBREC or PUBREL with an unknown identifier (R-30).";
    unauthorised_publish: UnauthorisedPublish = UnauthorisedPublish::Ack87, "unauthorised-publish", "PUBLISH to a topic that is denied (R-33).";
    too_large_shared: TooLargeShared = TooLargeShared::Drop, "too-large-shared", "A shared message that is too large for its member (R-37).";
    unsuback_unknown: UnsubackUnknown = UnsubackUnknown::NoSubscription, "unsuback-unknown", "UNSUBACK for an unknown filter (R-38).";
    disconnect_before_close: DisconnectBeforeClose = DisconnectBeforeClose::Disconnect, "disconnect-before-close", "DISCONNECT before a close (R-40).";
    no_local_will: NoLocalWill = NoLocalWill::Delivered, "no-local-will", "No Local and wills (R-42).";
    unavailable_feature: UnavailableFeature = UnavailableFeature::Disconnect, "unavailable-feature", "SUBSCRIBE with what is unavailable (R-43).";
    qos2_forwarding: Qos2Forwarding = Qos2Forwarding::OnPublish, "qos2-forwarding", "When a QoS 2 message is passed on (R-44).";
    unsubscribe_buffered: UnsubscribeBuffered = UnsubscribeBuffered::Deliver, "unsubscribe-buffered", "Waiting messages at UNSUBSCRIBE (R-45).";
    offline_qos0: OfflineQos0 = OfflineQos0::Dropped, "offline-qos0", "QoS 0 messages for an absent client (R-46).";
    shared_choice: SharedChoice = SharedChoice::RoundRobin, "shared-choice", "Which member gets a shared message (R-47).";
    shared_qos1_redirect: SharedQos1Redirect = SharedQos1Redirect::Later, "shared-qos1-redirect", "Unacknowledged shared messages of QoS 1 (R-47).";
    disallowed_code_points: DisallowedCodePoints = DisallowedCodePoints::Accept, "disallowed-code-points", "Control characters and non-characters in topics (R-48).";
    non_minimal_length: NonMinimalLength = NonMinimalLength::Close, "non-minimal-length", "A Remaining Length that is not in its shortest form (R-50).";
    payload_format_check: PayloadFormatCheck = PayloadFormatCheck::Forward, "payload-format-check", "Payload Format Indicator 1 and the payload (R-51).";
    identifier_in_use: IdentifierInUse = IdentifierInUse::Process, "identifier-in-use", "An identifier that a QoS 2 exchange has (R-52).";
    no_matching_subscribers: NoMatchingSubscribers = NoMatchingSubscribers::Ack10, "no-matching-subscribers", "Acknowledgement when nobody is subscribed (R-53).";
    equal_subscription_ids: EqualSubscriptionIds = EqualSubscriptionIds::Repeated, "equal-subscription-ids", "Equal Subscription Identifiers on one copy (R-54).";
    surplus_bytes: SurplusBytes = SurplusBytes::Close, "surplus-bytes", "Surplus bytes in acknowledgements and PINGREQ (R-55).";
    session_in_another_version: SessionInAnotherVersion = SessionInAnotherVersion::Continued, "session-in-another-version", "The session of a client that comes back with another version (R-57).";
}

impl Config {
    /// Sets a key.
    ///
    /// # Errors
    /// [`ConfigError`] with what was expected; the configuration is then as it was.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), ConfigError> {
        match self.set_field(key, value) {
            Some(true) => Ok(()),
            Some(false) => {
                let row = Config::KEYS.iter().find(|row| row.name == key).unwrap_or(&Config::KEYS[0]);
                Err(ConfigError::Value { key: row.name, value: value.to_owned(), expected: row.expected })
            }
            None => Err(ConfigError::UnknownKey { key: key.to_owned(), nearest: nearest(key) }),
        }
    }

    /// Makes the broker break a rule on purpose.
    ///
    /// # Errors
    /// [`ConfigError::UnknownDefect`].
    #[cfg(feature = "defects")]
    pub fn set_defect(&mut self, id: &str) -> Result<(), ConfigError> {
        self.defect =
            Some(super::defects::Kind::from_id(id).ok_or(ConfigError::UnknownDefect(id.to_owned()))?);
        Ok(())
    }
}

/// The key that takes the fewest edits to get to.
fn nearest(key: &str) -> &'static str {
    Config::KEYS.iter().map(|row| row.name).min_by_key(|name| distance(key, name)).unwrap_or_default()
}

/// Levenshtein distance.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, left) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, right) in other.iter().enumerate() {
            let changed = diagonal + usize::from(left != *right);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_takes_what_it_shows() {
        let mut config = Config::default();
        for key in Config::KEYS {
            let Some(value) = config.get(key.name) else { continue };
            if !value.is_empty() {
                config.set(key.name, &value).unwrap_or_else(|error| panic!("{error}"));
            }
            assert!(!key.what.is_empty() && !key.expected.is_empty());
        }
    }

    #[test]
    fn a_refused_setting_says_what_was_expected() {
        let mut config = Config::default();
        let error = config.set("maximum-qos", "3").unwrap_err().to_string();
        assert_eq!(error, "`maximum-qos` is 0, 1 or 2, not `3`");
        let error = config.set("recieve-maximum", "3").unwrap_err().to_string();
        assert_eq!(error, "there is no setting `recieve-maximum`; did you mean `receive-maximum`?");
        assert!(config.set("receive-maximum", "0").is_err());
        assert!(config.set("connect-timeout", "5").is_err());
        assert!(config.set("connect-timeout", "5s").is_ok());
        assert_eq!(config.connect_timeout, Duration::from_secs(5));
    }
}
