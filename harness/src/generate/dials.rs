//! What is in play in one generated scenario, drawn before anything else.
//!
//! A scenario in which everything happens a little shows little: features hide each other. So each feature and
//! each fault is in play in some scenarios and not in others (swarm testing), and what is in play is printed.

use std::fmt;

use reference_broker::codec::ProtocolVersion;

use super::choices::Choices;

macro_rules! features {
    ($($name:ident: $text:literal, $share:literal;)*) => {
        /// What is in play, one flag for each.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        #[allow(missing_docs, reason = "the words that are printed say it")]
        pub struct Features {
            $(pub $name: bool,)*
        }

        impl Features {
            fn draw(choices: &mut impl Choices) -> Features {
                Features { $($name: choices.chance($share),)* }
            }

            /// The words for what is in play.
            pub fn words(&self) -> Vec<&'static str> {
                let mut words = Vec::new();
                $(if self.$name { words.push($text); })*
                words
            }
        }
    };
}

features! {
    wildcards: "wildcards", 60;
    persistent: "persistent sessions", 50;
    reconnects: "reconnects", 45;
    retained: "retained messages", 40;
    wills: "wills", 35;
    shared: "shared subscriptions", 25;
    unsubscribes: "unsubscribes", 30;
    takeovers: "takeovers", 20;
    options: "subscription options", 30;
    identifiers: "subscription identifiers", 25;
    properties: "message properties", 25;
    expiry: "expiry", 20;
    aliases: "topic aliases", 20;
    windows: "small Receive Maximum", 20;
    mixed: "mixed versions", 25;
    bursts: "bursts", 40;
    large: "large payloads", 8;
    unawaited: "unawaited publishes", 35;
    jitter: "latency and jitter", 30;
    loss: "loss", 12;
    split: "split packets", 20;
    slow: "slow links", 8;
    partitions: "partitions", 25;
    cuts: "cut connections", 35;
    triggers: "cuts at a packet", 30;
    silence: "silent clients", 12;
    slow_readers: "slow readers", 12;
    pauses: "a paused broker", 8;
    kills: "a killed broker", 6;
}

/// Everything that is drawn before the steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dials {
    /// The protocol version under test.
    pub version: ProtocolVersion,
    /// How many clients.
    pub clients: u32,
    /// How many steps are drawn before everything heals.
    pub steps: u32,
    /// Which QoS are published and subscribed with.
    pub qos: Vec<u8>,
    /// Features and faults.
    pub features: Features,
}

impl Dials {
    /// Draws them.
    pub fn draw(choices: &mut impl Choices) -> Dials {
        let version = *choices.pick(&[ProtocolVersion::V5, ProtocolVersion::V3_1_1]);
        let qos: &[u8] = choices.pick::<&[u8]>(&[&[0, 1, 2], &[1, 2], &[2], &[1], &[0, 1], &[0, 2]]);
        Dials {
            version,
            clients: choices.range(2, 5),
            steps: choices.range(16, 56),
            qos: qos.to_vec(),
            features: Features::draw(choices),
        }
    }
}

impl fmt::Display for Dials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let qos: Vec<String> = self.qos.iter().map(ToString::to_string).collect();
        write!(f, "{}, {} clients, {} steps, QoS {}", self.version, self.clients, self.steps, qos.join(" "))?;
        match &self.features.words()[..] {
            [] => f.write_str("; nothing else"),
            words => write!(f, "; {}", words.join(", ")),
        }
    }
}
