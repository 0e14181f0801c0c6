//! The choices that the standard leaves to a server, by their names in the rulings.
//!
//! Every value here is legal; which one is in force never decides whether the broker conforms.

use super::setting::{Setting, choice};

choice! {
    /// PUBLISH from a client to a topic that begins with `$`.
    DollarTopics: "deliver, ignore or refuse" {
        /// Delivered to filters that name the `$` level.
        Deliver = "deliver",
        /// Acknowledged and dropped.
        Ignore = "ignore",
        /// Refused: 0x90 in 5.0, a close in 3.1.1 and at QoS 0.
        Refuse = "refuse",
    }
}
choice! {
    /// `$share/…` in a SUBSCRIBE of 3.1 and 3.1.1.
    ShareInOldVersions: "plain-filter, shared or suback-0x80" {
        /// A level like any other.
        PlainFilter = "plain-filter",
        /// A shared subscription, as an extension.
        Shared = "shared",
        /// Refused.
        Refuse = "suback-0x80",
    }
}
choice! {
    /// A Topic Filter that breaks the grammar.
    MalformedFilter: "close, suback-0x80, suback-0x8f or suback-0x83" {
        /// The connection is closed.
        Close = "close",
        /// SUBACK 0x80 for this filter.
        Suback80 = "suback-0x80",
        /// SUBACK 0x8F for this filter; 0x80 in 3.1.1.
        Suback8F = "suback-0x8f",
        /// SUBACK 0x83 for this filter; 0x80 in 3.1.1.
        Suback83 = "suback-0x83",
    }
}
choice! {
    /// A wildcard in the Topic Name of a PUBLISH.
    InvalidTopicName: "close or ack-failure" {
        /// The connection is closed.
        Close = "close",
        /// 5.0 and QoS above 0: PUBACK or PUBREC 0x90; a close otherwise.
        AckFailure = "ack-failure",
    }
}
choice! {
    /// A CONNECT of 5.0 that breaks the format.
    MalformedConnect: "connack-close or close-silent" {
        /// CONNACK with a reason, then a close.
        ConnackClose = "connack-close",
        /// A close.
        CloseSilent = "close-silent",
    }
}
choice! {
    /// A Protocol Version that does not exist.
    UnknownVersion: "connack-v3, connack-v5 or close-silent" {
        /// CONNACK of 3.1.1 with return code 1.
        ConnackV3 = "connack-v3",
        /// CONNACK of 5.0 with 0x84.
        ConnackV5 = "connack-v5",
        /// A close.
        CloseSilent = "close-silent",
    }
}
choice! {
    /// A Protocol Name that does not exist.
    ForeignProtocolName: "close-silent or connack-close" {
        /// A close.
        CloseSilent = "close-silent",
        /// CONNACK of 5.0 with 0x84, then a close.
        ConnackClose = "connack-close",
    }
}
choice! {
    /// An empty Client Identifier where it is allowed.
    EmptyClientId: "accept or refuse" {
        /// The server assigns one.
        Accept = "accept",
        /// Refused: return code 2 in 3.1.1, 0x85 in 5.0.
        Refuse = "refuse",
    }
}
choice! {
    /// A Password without a User Name in 5.0.
    PasswordOnly: "accept or auth-failure" {
        /// Treated as a client without credentials.
        Accept = "accept",
        /// Refused with 0x86.
        AuthFailure = "auth-failure",
    }
}
choice! {
    /// What a 5.0 client is told when another connection takes its session.
    TakeoverNotice: "disconnect-0x8e or no-disconnect" {
        /// DISCONNECT 0x8E.
        Disconnect = "disconnect-0x8e",
        /// Nothing.
        None = "no-disconnect",
    }
}
choice! {
    /// Which comes first in a takeover.
    TakeoverOrder: "close-first or connack-first" {
        /// The old connection is closed before the new one gets its CONNACK.
        CloseFirst = "close-first",
        /// The other way round.
        ConnackFirst = "connack-first",
    }
}
choice! {
    /// Wills when the server shuts down.
    WillOnShutdown: "at-shutdown or never" {
        /// Published while shutting down.
        AtShutdown = "at-shutdown",
        /// Not published.
        Never = "never",
    }
}
choice! {
    /// Retained and live messages against the SUBACK that caused them.
    PublishVersusSuback: "after-suback or before-suback" {
        /// Retained messages follow SUBACK.
        After = "after-suback",
        /// They come before it.
        Before = "before-suback",
    }
}
choice! {
    /// Retained messages of QoS 0.
    RetainedQos0: "kept or dropped" {
        /// Kept like others.
        Kept = "kept",
        /// Not kept; an older one is gone all the same.
        Dropped = "dropped",
    }
}
choice! {
    /// A retained message that several filters of one SUBSCRIBE match.
    RetainedOverlap: "copy-per-filter or one-in-all" {
        /// One copy for each filter.
        CopyPerFilter = "copy-per-filter",
        /// One copy in all.
        OneInAll = "one-in-all",
    }
}
choice! {
    /// One message, several matching subscriptions of one session.
    OverlappingSubscriptions: "one-copy or copy-per-match" {
        /// One copy at the highest QoS with all identifiers.
        OneCopy = "one-copy",
        /// One copy for each, with its own QoS and identifier.
        CopyPerMatch = "copy-per-match",
    }
}
choice! {
    /// DUP 1 with QoS 0 from a client.
    DupOnQos0: "close or tolerate" {
        /// The connection is closed.
        Close = "close",
        /// The message is processed.
        Tolerate = "tolerate",
    }
}
choice! {
    /// Deliveries that a client of 3.1 or 3.1.1 does not acknowledge while it is connected.
    LiveRetransmission: "never or periodic" {
        /// Sent again on the next connection only.
        Never = "never",
        /// Sent again from time to time, with DUP 1. 5.0 forbids it.
        Periodic = "periodic",
    }
}
choice! {
    /// A QoS 2 PUBLISH that is repeated on the same connection in 5.0.
    RepeatedQos2Publish: "pubrec, pubrec-0x91 or close" {
        /// PUBREC again.
        Pubrec = "pubrec",
        /// PUBREC 0x91.
        Pubrec91 = "pubrec-0x91",
        /// The connection is closed.
        Close = "close",
    }
}
choice! {
    /// PUBREC or PUBREL with an identifier that is not in use.
    UnknownIdentifier: "answer-0x92, answer-0x00 or close" {
        /// PUBREL or PUBCOMP; in 5.0 with 0x92.
        Answer92 = "answer-0x92",
        /// PUBREL or PUBCOMP; in 5.0 with 0x00 on a resumed session, else with 0x92.
        Answer00 = "answer-0x00",
        /// 3.1.1: a close; 5.0 as `answer-0x92`.
        Close = "close",
    }
}
choice! {
    /// A PUBLISH that the client may not make.
    UnauthorisedPublish: "ack, ack-0x87 or close" {
        /// Acknowledged as if all were well.
        Ack = "ack",
        /// 5.0: PUBACK or PUBREC 0x87; otherwise as `ack`.
        Ack87 = "ack-0x87",
        /// The connection is closed.
        Close = "close",
    }
}
choice! {
    /// A message of a shared subscription that is too large for the chosen member.
    TooLargeShared: "drop or other-member" {
        /// Dropped.
        Drop = "drop",
        /// Given to a member that can take it.
        OtherMember = "other-member",
    }
}
choice! {
    /// UNSUBACK of 5.0 for a filter that was not subscribed.
    UnsubackUnknown: "unsuback-0x11 or unsuback-0x00" {
        /// 0x11.
        NoSubscription = "unsuback-0x11",
        /// 0x00.
        Success = "unsuback-0x00",
    }
}
choice! {
    /// DISCONNECT of 5.0 before the server closes because of an error.
    DisconnectBeforeClose: "disconnect or close-silent" {
        /// Sent.
        Disconnect = "disconnect",
        /// Not sent.
        CloseSilent = "close-silent",
    }
}
choice! {
    /// A will against a No Local subscription of the same Client Identifier.
    NoLocalWill: "will-delivered or will-suppressed" {
        /// Delivered.
        Delivered = "will-delivered",
        /// Not delivered.
        Suppressed = "will-suppressed",
    }
}
choice! {
    /// A SUBSCRIBE that uses what was announced as unavailable.
    UnavailableFeature: "disconnect or suback-failure" {
        /// DISCONNECT and close.
        Disconnect = "disconnect",
        /// SUBACK with the code for this filter.
        SubackFailure = "suback-failure",
    }
}
choice! {
    /// When a QoS 2 message is passed on.
    Qos2Forwarding: "on-publish or on-pubrel" {
        /// When PUBLISH arrives.
        OnPublish = "on-publish",
        /// When PUBREL arrives.
        OnPubrel = "on-pubrel",
    }
}
choice! {
    /// Messages that wait for a client when it unsubscribes.
    UnsubscribeBuffered: "deliver-buffered or drop-buffered" {
        /// They still arrive.
        Deliver = "deliver-buffered",
        /// Those that no other subscription matches are dropped.
        Drop = "drop-buffered",
    }
}
choice! {
    /// QoS 0 messages for a session whose client is away.
    OfflineQos0: "dropped or queued" {
        /// Dropped.
        Dropped = "dropped",
        /// Delivered when it returns.
        Queued = "queued",
    }
}
choice! {
    /// Which member of a shared subscription gets a message. Those that are connected come first.
    SharedChoice: "round-robin, random or first" {
        /// One after the other.
        RoundRobin = "round-robin",
        /// At random, by the broker's seed.
        Random = "random",
        /// Always the eldest.
        First = "first",
    }
}
choice! {
    /// What becomes of a QoS 1 message whose member does not acknowledge it.
    SharedQos1Redirect: "redirect-later, redirect-at-once or never" {
        /// Another member gets it when the session of the member ends.
        Later = "redirect-later",
        /// Another connected member gets it when the connection is lost.
        AtOnce = "redirect-at-once",
        /// It is lost with the session.
        Never = "never",
    }
}
choice! {
    /// Code points that the standard advises against.
    DisallowedCodePoints: "accept, close or ack-failure" {
        /// Processed and forwarded as they are.
        Accept = "accept",
        /// Malformed.
        Close = "close",
        /// In the topic of a 5.0 PUBLISH above QoS 0: 0x90; otherwise as `close`.
        AckFailure = "ack-failure",
    }
}
choice! {
    /// A Remaining Length that is longer than it needs to be.
    NonMinimalLength: "close or tolerate" {
        /// Malformed.
        Close = "close",
        /// Read as the value that it denotes.
        Tolerate = "tolerate",
    }
}
choice! {
    /// A Payload Format Indicator that the payload contradicts.
    PayloadFormatCheck: "forward, ack-0x99 or close" {
        /// Not looked at.
        Forward = "forward",
        /// PUBACK or PUBREC 0x99; a close at QoS 0.
        Ack99 = "ack-0x99",
        /// DISCONNECT 0x99 and close.
        Close = "close",
    }
}
choice! {
    /// A Packet Identifier that an open QoS 2 exchange has, on a packet of another type.
    IdentifierInUse: "process, answer-0x91 or close" {
        /// Processed; packet types keep the exchanges apart.
        Process = "process",
        /// 5.0: 0x91 in the acknowledgement; 3.1.1 as `process`.
        Answer91 = "answer-0x91",
        /// The connection is closed.
        Close = "close",
    }
}
choice! {
    /// PUBACK and PUBREC of 5.0 when nobody is subscribed.
    NoMatchingSubscribers: "ack-0x10 or ack-0x00" {
        /// 0x10.
        Ack10 = "ack-0x10",
        /// 0x00.
        Ack00 = "ack-0x00",
    }
}
choice! {
    /// Equal Subscription Identifiers on one copy.
    EqualSubscriptionIds: "repeated or merged" {
        /// Repeated once for each subscription.
        Repeated = "repeated",
        /// Once.
        Merged = "merged",
    }
}
choice! {
    /// Bytes behind the last field of an acknowledgement, PINGREQ or DISCONNECT.
    SurplusBytes: "close or ignore" {
        /// Malformed.
        Close = "close",
        /// Ignored.
        Ignore = "ignore",
    }
}
choice! {
    /// The session of a client that comes back with another protocol version.
    SessionInAnotherVersion: "continued or new" {
        /// It goes on.
        Continued = "continued",
        /// It ends, and a new one begins.
        New = "new",
    }
}
choice! {
    /// Reason Strings and User Properties of the server's own (5.0, U5-61).
    Diagnostics: "none, errors or all" {
        /// Never.
        None = "none",
        /// A Reason String with every failure.
        Errors = "errors",
        /// A Reason String and a User Property on every packet that may carry them.
        All = "all",
    }
}
choice! {
    /// What is dropped when a session's queue is full.
    QueueOverflow: "drop-newest or drop-oldest" {
        /// The message that finds no room.
        DropNewest = "drop-newest",
        /// The one that waited longest.
        DropOldest = "drop-oldest",
    }
}
