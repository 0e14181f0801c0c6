//! The table of defects.

/// A bug that can be switched on.
#[derive(Debug, Clone, Copy)]
pub struct Defect {
    /// Its name: kebab-case.
    pub id: &'static str,
    /// What the broker does wrong, in a sentence.
    pub what: &'static str,
    /// The statements of 3.1.1 that it breaks, as in the catalogue; empty if none.
    pub v3_1_1: &'static [&'static str],
    /// The statements of 5.0 that it breaks; empty if none.
    pub v5: &'static [&'static str],
}

macro_rules! defects {
    ($($kind:ident $id:literal $what:literal [$($three:literal)*] [$($five:literal)*])*) => {
        /// A defect, for the code that makes it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[allow(missing_docs, reason = "the table says each")]
        pub enum Kind { $($kind,)* }

        static TABLE: &[Defect] = &[
            $(Defect { id: $id, what: $what, v3_1_1: &[$($three),*], v5: &[$($five),*] },)*
        ];

        impl Kind {
            /// The defect with this name.
            pub fn from_id(id: &str) -> Option<Kind> {
                match id {
                    $($id => Some(Kind::$kind),)*
                    _ => None,
                }
            }
        }
    };
}

/// Every defect, by subject.
pub fn all() -> &'static [Defect] {
    TABLE
}

defects! {
    // CONNECT and CONNACK.
    SecondConnectAccepted "second-connect-accepted" "A second CONNECT is accepted." ["MQTT-3.1.0-2"] ["MQTT-3.1.0-2" "MQTT-3.2.0-2" "MQTT-4.13.1-1"]
    SecondConnectIgnored "second-connect-ignored" "A second CONNECT is ignored." ["MQTT-3.1.0-2"] ["MQTT-3.1.0-2" "MQTT-4.13.1-1"]
    FirstPacketIgnored "first-packet-ignored" "A first packet other than CONNECT is ignored." ["MQTT-3.1.0-1" "MQTT-4.8.0-1"] ["MQTT-3.1.0-1" "MQTT-4.13.1-1"]
    NoConnectTolerated "no-connect-tolerated" "A connection may stay without CONNECT for ever." ["U3-05"] ["U5-14"]
    ProtocolNameIgnored "protocol-name-ignored" "Any Protocol Name is accepted." ["MQTT-3.1.2-1"] ["MQTT-3.1.2-1"]
    ProtocolLevelIgnored "protocol-level-ignored" "Any Protocol Version is accepted." ["MQTT-3.1.2-2"] ["MQTT-3.1.2-2"]
    ReservedConnectFlagIgnored "reserved-connect-flag-ignored" "The reserved bit of the Connect Flags is not checked." ["MQTT-3.1.2-3" "MQTT-3.1.4-1"] ["MQTT-3.1.2-3" "MQTT-3.1.4-1" "U5-06"]
    WillQosThreeAccepted "will-qos-three-accepted" "Will QoS 3 is taken for 2." ["MQTT-3.1.2-14" "MQTT-3.1.4-1"] ["MQTT-3.1.2-12" "MQTT-3.1.4-1" "U5-07"]
    WillFlagsAccepted "will-flags-accepted" "Will QoS and Will Retain are accepted without Will Flag." ["MQTT-3.1.2-11" "MQTT-3.1.2-13" "MQTT-3.1.2-15" "MQTT-3.1.4-1"] ["MQTT-3.1.2-11" "MQTT-3.1.2-13" "MQTT-3.1.4-1"]
    EmptyClientIdAccepted "empty-client-id-accepted" "An empty Client Identifier is accepted with CleanSession 0." ["MQTT-3.1.3-8" "MQTT-3.1.3-7"] []
    AssignedClientIdMissing "assigned-client-id-missing" "CONNACK does not tell the assigned Client Identifier." [] ["MQTT-3.1.3-7" "MQTT-3.2.2-16"]
    AssignedClientIdRepeated "assigned-client-id-repeated" "The same Client Identifier is assigned to everybody." ["MQTT-3.1.3-6"] ["MQTT-3.1.3-6" "MQTT-3.2.2-16"]
    ConnackMissing "connack-missing" "CONNECT is carried out and not acknowledged." ["MQTT-3.1.4-4"] ["MQTT-3.1.4-5"]
    ConnackTwice "connack-twice" "CONNACK is sent twice." [] ["MQTT-3.2.0-2"]
    ConnackLast "connack-last" "What a resumed session is owed comes before CONNACK." ["MQTT-3.2.0-1"] ["MQTT-3.2.0-1"]
    ConnackReservedBits "connack-reserved-bits" "A reserved bit of the Connect Acknowledge Flags is set." ["U3-07"] ["MQTT-3.2.2-1"]
    RefusedNotClosed "refused-not-closed" "The connection stays open after a CONNACK that refuses." ["MQTT-3.2.2-5"] ["MQTT-3.2.2-7" "MQTT-3.1.3-8" "MQTT-4.12.0-4" "MQTT-4.13.2-1"]
    RefusedButServed "refused-but-served" "CONNACK refuses the credentials, and the client is served all the same." ["MQTT-3.1.4-5" "MQTT-3.2.2-5"] ["MQTT-3.1.4-6" "MQTT-3.2.2-7"]
    RefusalClaimsSession "refusal-claims-session" "A CONNACK that refuses has Session Present 1." ["MQTT-3.2.2-4"] ["MQTT-3.2.2-6"]
    WrongPasswordAccepted "wrong-password-accepted" "Any password is right." ["U3-06"] ["MQTT-3.1.4-2"]
    SessionPresentNever "session-present-never" "Session Present is always 0." ["MQTT-3.2.2-2"] ["MQTT-3.2.2-3"]
    SessionPresentAlways "session-present-always" "Session Present is always 1." ["MQTT-3.2.2-1" "MQTT-3.2.2-3"] ["MQTT-3.2.2-2" "MQTT-3.2.2-3"]
    SessionPresentOnCleanStart "session-present-on-clean-start" "Session Present is 1 after a clean start." ["MQTT-3.2.2-1"] ["MQTT-3.2.2-2"]
    ResponseInformationUnasked "response-information-unasked" "CONNACK has Response Information for everybody." [] ["MQTT-3.1.2-28"]
    ServerKeepAliveUnannounced "server-keep-alive-unannounced" "A Server Keep Alive is in force that CONNACK does not tell." [] ["MQTT-3.2.2-22"]
    SessionExpiryUnannounced "session-expiry-unannounced" "A Session Expiry Interval is in force that CONNACK does not tell." [] ["U5-69"]
    AuthMethodMissing "auth-method-missing" "CONNACK lacks the Authentication Method." [] ["MQTT-4.12.0-5"]
    AuthWrongReason "auth-wrong-reason" "The server asks for more with reason 0x00 in AUTH." [] ["MQTT-4.12.0-2"]
    AuthWithoutMethodIgnored "auth-without-method-ignored" "AUTH without an Authentication Method in CONNECT is ignored." [] ["MQTT-4.12.0-7" "MQTT-4.13.1-1" "U5-38"]
    ReauthenticationFailureIgnored "reauthentication-failure-ignored" "The connection stays open after a failed re-authentication." [] ["MQTT-4.12.1-2"]
    ClientIdTooStrict "client-id-of-23-refused" "A Client Identifier of 23 bytes is refused." ["MQTT-3.1.3-5"] ["MQTT-3.1.3-5"]
    ClientIdCaseFolded "client-id-case-folded" "Sessions are found without regard to the case of the Client Identifier." ["MQTT-3.1.3-2"] ["MQTT-3.1.3-2"]
    ResumeWithoutSessionRefused "resume-without-session-refused" "A CONNECT that would resume is refused if there is no session." ["MQTT-3.1.2-4"] ["MQTT-3.1.2-6"]
    ConnackForeignCode "connack-foreign-code" "A CONNACK that refuses has a return code of 3.1.1." [] ["MQTT-3.2.2-8"]
    DisconnectBeforeConnack "disconnect-before-connack" "A CONNECT is refused with DISCONNECT in place of CONNACK." [] ["MQTT-3.14.0-1"]
    MaximumQosUnannounced "maximum-qos-unannounced" "A Maximum QoS is in force that CONNACK does not tell." [] ["MQTT-3.2.2-9"]
    WillQosUnchecked "will-qos-unchecked" "A will above the Maximum QoS is accepted." [] ["MQTT-3.2.2-12"]
    WillRetainUnchecked "will-retain-unchecked" "A retained will is accepted where RETAIN is not supported." [] ["MQTT-3.2.2-13"]
    AuthMethodUnasked "auth-method-unasked" "CONNACK has an Authentication Method for everybody." [] ["MQTT-4.12.0-6"]
    AuthClientReason "auth-client-reason" "The server asks for more with reason 0x19 in AUTH." [] ["MQTT-3.15.2-1"]
    UnknownAuthMethodIgnored "unknown-auth-method-ignored" "An unknown Authentication Method is ignored." [] ["MQTT-4.12.0-1"]
    WrongAuthAnswerAccepted "wrong-auth-answer-accepted" "Any answer in an enhanced authentication is right." [] ["MQTT-4.12.0-4" "MQTT-4.12.1-2"]

    // Takeover.
    TakeoverKeepsOld "takeover-keeps-old" "The old connection stays open when its session is taken over." ["MQTT-3.1.4-2"] ["MQTT-3.1.4-3"]
    TakeoverLosesSession "takeover-loses-session" "Subscriptions and messages are lost in a takeover." ["MQTT-3.1.2-4"] ["MQTT-3.1.2-5"]
    TakeoverDropsWill "takeover-drops-will" "The will is not published when the session is taken over." ["MQTT-3.1.2-8"] ["MQTT-3.1.2-8"]
    TakeoverWrongReason "takeover-wrong-reason" "The old connection is told Keep Alive timeout." [] ["MQTT-3.1.4-3"]

    // Session.
    CleanStartIgnored "clean-start-ignored" "A clean start resumes the session that there is." ["MQTT-3.1.2-6"] ["MQTT-3.1.2-4" "MQTT-3.2.2-2" "MQTT-3.1.4-4"]
    CleanStartKeepsSubscriptions "clean-start-keeps-subscriptions" "Subscriptions survive a clean start." ["MQTT-3.1.2-6"] ["MQTT-3.1.2-4"]
    CleanStartKeepsQueue "clean-start-keeps-queue" "Queued messages survive a clean start." ["MQTT-3.1.2-6"] ["MQTT-3.1.2-4"]
    SessionForgotten "session-forgotten" "No session is ever resumed." ["MQTT-3.1.2-4" "MQTT-3.2.2-2"] ["MQTT-3.1.2-5" "MQTT-3.2.2-3" "MQTT-3.1.4-4"]
    SubscriptionsForgotten "subscriptions-forgotten" "A resumed session has no subscriptions." ["MQTT-3.1.2-4"] ["MQTT-3.1.2-5"]
    QueueForgotten "queue-forgotten" "A resumed session has lost its queue." ["MQTT-3.1.2-5"] ["MQTT-3.1.2-5" "MQTT-4.5.0-1"]
    OfflineNotQueued "offline-not-queued" "Messages for a client that is away are dropped." ["MQTT-3.1.2-5" "MQTT-4.5.0-1"] ["MQTT-4.5.0-1"]
    OfflineQos1NotQueued "offline-qos-1-not-queued" "QoS 1 messages for a client that is away are dropped." ["MQTT-3.1.2-5" "MQTT-4.5.0-1"] ["MQTT-4.5.0-1"]
    OnlyLastQueued "only-last-queued" "A resumed session has only the last message that was queued." ["MQTT-3.1.2-5"] ["MQTT-4.5.0-1"]
    SessionEndsAtClose "session-ends-at-close" "The session ends with the connection, whatever its expiry." ["MQTT-3.1.2-4" "MQTT-4.1.0-1"] ["MQTT-3.1.2-23"]
    SessionNeverEnds "session-never-ends" "The session outlives a connection that it ought to end with." ["MQTT-3.1.2-6"] ["MQTT-4.1.0-2"]
    SessionExpiryIgnored "session-expiry-ignored" "A session that ought to expire never does." [] ["MQTT-4.1.0-2"]
    SessionExpiryHalved "session-expiry-halved" "A session expires after half its interval." [] ["MQTT-3.1.2-23"]
    DisconnectExpiryIgnored "disconnect-expiry-ignored" "The Session Expiry Interval of DISCONNECT is ignored." [] ["U5-84"]
    DisconnectExpiryRaised "disconnect-expiry-raised" "DISCONNECT may raise a Session Expiry Interval of 0." [] ["U5-36" "MQTT-4.13.1-1"]
    RefusedCleanStartDiscards "refused-clean-start-discards" "A clean start discards the session even if CONNECT is refused." ["MQTT-3.1.4-3"] ["MQTT-3.1.4-4"]
    SessionExpiresWhileConnected "session-expires-while-connected" "The time of a session goes on when its client is back." [] ["MQTT-4.1.0-1"]

    // Resending.
    Qos1NotResent "qos-1-not-resent" "Unacknowledged QoS 1 messages are not sent again." ["MQTT-4.4.0-1"] ["MQTT-4.4.0-1" "MQTT-4.3.2-3"]
    Qos2NotResent "qos-2-not-resent" "QoS 2 messages without PUBREC are not sent again." ["MQTT-4.4.0-1"] ["MQTT-4.4.0-1" "MQTT-4.3.3-3"]
    PubrelNotResent "pubrel-not-resent" "PUBREL is not sent again." ["MQTT-4.4.0-1"] ["MQTT-4.4.0-1" "MQTT-4.3.3-5"]
    PublishAfterPubrec "publish-after-pubrec" "A QoS 2 PUBLISH is sent again after its PUBREC." ["MQTT-4.3.3-1"] ["MQTT-4.3.3-6"]
    AcknowledgedResent "acknowledged-resent" "A QoS 1 message is sent again after its PUBACK." ["MQTT-4.3.2-1"] ["MQTT-4.4.0-2"]
    CompletedResent "completed-resent" "PUBREL is sent again after its PUBCOMP." ["MQTT-4.3.3-1"] ["MQTT-4.4.0-1"]
    RefusalIgnored "refusal-ignored" "A PUBREC of 0x80 or more is taken for a success." [] ["MQTT-4.3.3-4" "MQTT-4.4.0-2"]
    ResentInReverse "resent-in-reverse" "Messages are sent again in reverse order." ["MQTT-4.6.0-1" "MQTT-4.6.0-6"] ["MQTT-4.6.0-5" "MQTT-4.6.0-6"]
    PubrelsInReverse "pubrels-in-reverse" "PUBRELs are sent again in reverse order." ["MQTT-4.6.0-4" "MQTT-4.6.0-6"] []
    QueueInReverse "queue-in-reverse" "Queued messages are sent newest first." ["MQTT-4.6.0-6"] ["MQTT-4.6.0-5" "MQTT-4.6.0-6"]
    QueueIsStack "queue-is-stack" "What waits longest for a client is sent last." ["MQTT-4.6.0-6"] ["MQTT-4.6.0-5" "MQTT-4.6.0-6"]
    ResentWithNewIdentifier "resent-with-new-identifier" "A message is sent again with another Packet Identifier." ["MQTT-4.4.0-1" "MQTT-2.3.1-4"] ["MQTT-4.4.0-1"]
    ResentWithoutDup "resent-without-dup" "A message is sent again with DUP 0." ["MQTT-3.3.1-1"] ["MQTT-3.3.1-1"]
    DupOnFirst "dup-on-first" "A message is sent with DUP 1 for the first time." ["MQTT-3.3.1-3" "MQTT-4.3.2-1" "MQTT-4.3.3-1"] ["MQTT-3.3.1-3" "MQTT-4.3.2-2" "MQTT-4.3.3-2"]
    DupOnQos0 "dup-on-qos-0" "QoS 0 messages have DUP 1." ["MQTT-3.3.1-2" "MQTT-4.3.1-1"] ["MQTT-3.3.1-2" "MQTT-4.3.1-1"]
    DupCopied "dup-copied" "DUP is copied from the publisher." ["MQTT-3.3.1-3"] ["MQTT-3.3.1-3"]

    // Exactly once and at least once, from clients.
    Qos2ForwardedTwice "qos-2-forwarded-twice" "A repeated QoS 2 PUBLISH is forwarded again." ["MQTT-4.3.3-2"] ["MQTT-4.3.3-10"]
    Qos2ForgottenOnResume "qos-2-forgotten-on-resume" "The identifiers of received QoS 2 messages are lost with the connection." ["MQTT-4.3.3-2"] ["MQTT-4.3.3-10"]
    Qos2IdentifierStuck "qos-2-identifier-stuck" "After PUBREL the identifier still counts as used." ["MQTT-4.3.3-2"] ["MQTT-4.3.3-12"]
    RepeatedQos2NotAnswered "repeated-qos-2-not-answered" "A repeated QoS 2 PUBLISH gets no PUBREC." ["MQTT-4.3.3-2"] ["MQTT-4.3.3-10"]
    PubackMissing "puback-missing" "QoS 1 is not acknowledged." ["MQTT-3.3.4-1" "MQTT-4.3.2-2"] ["MQTT-3.3.4-1" "MQTT-4.3.2-4"]
    PubackWrongIdentifier "puback-wrong-identifier" "PUBACK has another Packet Identifier." ["MQTT-2.3.1-6"] ["MQTT-2.2.1-5"]
    PubrecMissing "pubrec-missing" "QoS 2 gets no PUBREC." ["MQTT-3.3.4-1" "MQTT-4.3.3-2"] ["MQTT-3.3.4-1" "MQTT-4.3.3-8"]
    PubrecWrongIdentifier "pubrec-wrong-identifier" "PUBREC has another Packet Identifier." ["MQTT-2.3.1-6"] ["MQTT-2.2.1-5"]
    PubackForQos2 "puback-for-qos-2" "QoS 2 is answered with PUBACK." ["MQTT-3.3.4-1"] ["MQTT-3.3.4-1"]
    PubcompMissing "pubcomp-missing" "PUBREL gets no PUBCOMP." ["MQTT-4.3.3-2"] ["MQTT-4.3.3-11"]
    PubcompWrongIdentifier "pubcomp-wrong-identifier" "PUBCOMP has another Packet Identifier." ["MQTT-2.3.1-6"] ["MQTT-4.3.3-11" "MQTT-2.2.1-5"]
    PubrelMissing "pubrel-missing" "PUBREC gets no PUBREL." ["MQTT-4.3.3-1"] ["MQTT-4.3.3-4"]
    PubrelWrongIdentifier "pubrel-wrong-identifier" "PUBREL has another Packet Identifier." ["MQTT-2.3.1-6"] ["MQTT-4.3.3-4" "MQTT-2.2.1-5"]
    DupPublishIgnored "dup-publish-ignored" "A QoS 1 PUBLISH with DUP 1 is ignored." ["MQTT-4.3.2-2"] ["MQTT-4.3.2-5"]
    Qos0DeliveredTwice "qos-0-delivered-twice" "QoS 0 messages are delivered twice." ["MQTT-4.3.1-1"] ["MQTT-4.3.1-1"]
    Qos1DeliveredTwice "qos-1-delivered-twice" "QoS 1 messages are sent twice on one connection." ["MQTT-4.3.2-1"] ["MQTT-4.4.0-1"]
    Qos2DeliveredTwice "qos-2-delivered-twice" "QoS 2 messages are sent twice on one connection." ["MQTT-4.3.3-1"] ["MQTT-4.4.0-1"]
    Qos0Lost "qos-0-lost" "QoS 0 messages are not delivered." ["MQTT-4.5.0-1"] ["MQTT-4.5.0-1"]
    IdentifierZero "identifier-zero" "Deliveries have Packet Identifier 0." ["MQTT-2.3.1-1"] ["MQTT-2.2.1-4" "U5-52"]
    IdentifierConstant "identifier-constant" "All deliveries have Packet Identifier 1." ["MQTT-2.3.1-4"] ["MQTT-2.2.1-4" "MQTT-4.3.2-1" "MQTT-4.3.3-1"]
    IdentifierOnQos0 "identifier-on-qos-0" "QoS 0 messages have a Packet Identifier." ["MQTT-2.3.1-5"] ["MQTT-2.2.1-2"]
    NoMatchingSubscribersLie "no-matching-subscribers-lie" "PUBACK says 0x10 although somebody is subscribed." [] ["U5-80"]
    PubackForeignCode "puback-foreign-code" "PUBACK says 0x11 when nobody is subscribed." [] ["MQTT-3.4.2-1"]
    PubrecForeignCode "pubrec-foreign-code" "PUBREC says 0x11 when nobody is subscribed." [] ["MQTT-3.5.2-1"]
    PubrelForeignCode "pubrel-foreign-code" "PUBREL says 0x91 for an unknown Packet Identifier." [] ["MQTT-3.6.2-1"]
    PubcompForeignCode "pubcomp-foreign-code" "PUBCOMP says 0x91 for an unknown Packet Identifier." [] ["MQTT-3.7.2-1"]
    RefusedIdentifierStuck "refused-identifier-stuck" "The identifier of a QoS 2 message that was refused still counts as used." [] ["MQTT-4.3.3-9"]
    ExpiredExchangeDropped "expired-exchange-dropped" "PUBREL is not answered if the message has expired." [] ["MQTT-4.3.3-13"]
    IdentifierBeforeTopic "identifier-before-topic" "The Packet Identifier of a QoS 2 PUBLISH comes before the Topic Name." ["MQTT-3.3.2-1"] ["MQTT-3.3.2-1"]

    // Will.
    WillOnDisconnect "will-on-disconnect" "The will is published after DISCONNECT." ["MQTT-3.14.4-3" "MQTT-3.1.2-10"] ["MQTT-3.14.4-3" "MQTT-3.1.2-10"]
    WillNever "will-never" "No will is ever published." ["MQTT-3.1.2-8"] ["MQTT-3.1.2-8" "MQTT-3.1.2-7"]
    WillTwice "will-twice" "The will is published twice." ["MQTT-3.1.2-10"] ["MQTT-3.1.2-10"]
    WillKept "will-kept" "The will is kept after its publication, and published again when the session ends." ["MQTT-3.1.2-10"] ["MQTT-3.1.2-10"]
    WillDelayIgnored "will-delay-ignored" "The will is published at once." [] ["MQTT-3.1.2-8" "MQTT-3.1.3-9"]
    WillDelayDoubled "will-delay-doubled" "The will comes after twice its delay." [] ["MQTT-3.1.2-8"]
    WillLostAtSessionEnd "will-lost-at-session-end" "The will is lost when the session ends before its delay." [] ["MQTT-3.1.2-8"]
    WillKeptAfterReconnect "will-kept-after-reconnect" "The old will is in force on the new connection." [] ["MQTT-3.1.3-9"]
    WillOnReconnect "will-on-reconnect" "A delayed will is published when its client comes back in time." [] ["MQTT-3.1.3-9"]
    WillRetainIgnored "will-retain-ignored" "A retained will is not retained." ["MQTT-3.1.2-17"] ["MQTT-3.1.2-15"]
    WillAlwaysRetained "will-always-retained" "Every will is retained." ["MQTT-3.1.2-16"] ["MQTT-3.1.2-14"]
    WillQosIgnored "will-qos-ignored" "Wills are published at QoS 0." ["MQTT-3.1.2-9"] ["MQTT-3.1.2-9"]
    WillPropertiesDropped "will-properties-dropped" "Wills are published without their properties." [] ["U5-63" "MQTT-3.1.2-7"]
    WillUserPropertiesReversed "will-user-properties-reversed" "The user properties of a will are published in reverse order." [] ["MQTT-3.1.3-10"]
    WillWithReasonDropped "will-with-reason-dropped" "DISCONNECT 0x04 drops the will." [] ["MQTT-3.1.2-8"]
    WillNotOnKeepAlive "will-not-on-keep-alive" "The will is not published after a Keep Alive timeout." ["MQTT-3.1.2-8"] ["MQTT-3.1.2-8"]
    WillNotOnError "will-not-on-error" "The will is not published after a protocol error." ["MQTT-3.1.2-8"] ["MQTT-3.1.2-8"]
    WillNotOnLoss "will-not-on-loss" "The will is not published when the connection is lost." ["MQTT-3.1.2-8"] ["MQTT-3.1.2-8" "MQTT-3.1.2-7"]

    // Keep alive.
    KeepAliveNever "keep-alive-never" "A silent client is never closed." ["MQTT-3.1.2-24"] ["MQTT-3.1.2-22"]
    KeepAliveHalf "keep-alive-half" "A silent client is closed after half the time." ["MQTT-3.1.2-24"] ["MQTT-3.1.2-22"]
    KeepAliveLate "keep-alive-late" "A silent client is closed after four times the time." ["MQTT-3.1.2-24"] ["MQTT-3.1.2-22"]
    KeepAliveSendingCounts "keep-alive-sending-counts" "What the server sends counts as a sign of life of the client." ["MQTT-3.1.2-24"] ["MQTT-3.1.2-22"]
    KeepAliveOnlyPing "keep-alive-only-ping" "Only PINGREQ counts as a sign of life." ["MQTT-3.1.2-24"] ["MQTT-3.1.2-22"]
    KeepAliveZeroCloses "keep-alive-zero-closes" "Keep alive 0 is taken for one second." [] ["U5-57"]
    PingrespMissing "pingresp-missing" "PINGREQ is not answered." ["MQTT-3.12.4-1"] ["MQTT-3.12.4-1"]

    // Wildcards.
    HashMissesParent "hash-misses-parent" "# does not match its parent." ["U3-30" "MQTT-4.5.0-1"] ["U5-89" "MQTT-4.5.0-1"]
    HashOneLevel "hash-one-level" "# matches one level only." ["U3-30" "MQTT-4.5.0-1"] ["U5-89" "MQTT-4.5.0-1"]
    PlusCrossesLevels "plus-crosses-levels" "+ matches any number of levels." ["U3-30" "MQTT-3.3.2-3"] ["U5-89" "MQTT-3.3.2-3"]
    PlusMissesEmptyLevel "plus-misses-empty-level" "+ does not match an empty level." ["U3-30" "MQTT-4.5.0-1"] ["U5-89" "MQTT-4.5.0-1"]
    PlusMatchesParent "plus-matches-parent" "A last + matches its parent." ["U3-30" "MQTT-3.3.2-3"] ["U5-89" "MQTT-3.3.2-3"]
    HashMatchesDollar "hash-matches-dollar" "# matches topics that begin with $." ["MQTT-4.7.2-1"] ["MQTT-4.7.2-1"]
    PlusMatchesDollar "plus-matches-dollar" "+ matches a first level that begins with $." ["MQTT-4.7.2-1"] ["MQTT-4.7.2-1"]
    CaseFolded "case-folded" "Topics are compared without regard to case." ["MQTT-4.7.3-4"] ["MQTT-4.7.3-4"]
    SpacesTrimmed "spaces-trimmed" "Spaces around levels are ignored in comparisons." ["MQTT-4.7.3-4"] ["MQTT-4.7.3-4"]
    TrailingLevelIgnored "trailing-level-ignored" "An empty last level is ignored." ["U3-30" "MQTT-4.7.3-4"] ["U5-89" "MQTT-4.7.3-4"]
    LeadingLevelIgnored "leading-level-ignored" "An empty first level is ignored." ["U3-30" "MQTT-4.7.3-4"] ["U5-89" "MQTT-4.7.3-4"]
    EmptyLevelsCollapsed "empty-levels-collapsed" "Empty levels in the middle are ignored." ["U3-30" "MQTT-4.7.3-4"] ["U5-89" "MQTT-4.7.3-4"]
    PrefixMatches "prefix-matches" "A filter matches all topics that begin with it." ["U3-30" "MQTT-3.3.2-3"] ["U5-89" "MQTT-3.3.2-3"]
    DeepTopicsLost "deep-topics-lost" "Topics of more than eight levels match nothing." ["U3-30" "MQTT-4.5.0-1"] ["U5-89" "MQTT-4.5.0-1"]
    TopicLowerCased "topic-lower-cased" "Topics are delivered in lower case." ["MQTT-3.3.2-3" "MQTT-4.7.3-4"] ["MQTT-3.3.2-3" "MQTT-4.7.3-4"]
    ByteOrderMarkStripped "byte-order-mark-stripped" "U+FEFF is removed from topics." ["MQTT-1.5.3-3"] ["MQTT-1.5.4-3"]

    // Retained messages.
    RetainedNotStored "retained-not-stored" "Retained messages are not kept." ["MQTT-3.3.1-5" "MQTT-3.3.1-6"] ["MQTT-3.3.1-5"]
    RetainedNotCleared "retained-not-cleared" "An empty retained message removes nothing." ["MQTT-3.3.1-10"] ["MQTT-3.3.1-6"]
    RetainedEmptyStored "retained-empty-stored" "An empty retained message is kept." ["MQTT-3.3.1-11"] ["MQTT-3.3.1-7"]
    RetainedNotReplaced "retained-not-replaced" "The first retained message of a topic stays." ["MQTT-3.3.1-5"] ["MQTT-3.3.1-5"]
    RetainedWithoutFlag "retained-without-flag" "Retained messages are sent with RETAIN 0." ["MQTT-3.3.1-8"] ["U5-73"]
    RetainForwarded "retain-forwarded" "RETAIN is forwarded to established subscriptions." ["MQTT-3.3.1-9"] ["MQTT-3.3.1-12"]
    RetainAsPublishedIgnored "retain-as-published-ignored" "Retain As Published is ignored." [] ["MQTT-3.3.1-13"]
    UnretainedStored "unretained-stored" "Messages with RETAIN 0 are kept." ["MQTT-3.3.1-12"] ["MQTT-3.3.1-8"]
    UnretainedClears "unretained-clears" "A message with RETAIN 0 removes the retained one." ["MQTT-3.3.1-12"] ["MQTT-3.3.1-8"]
    RetainHandling1Ignored "retain-handling-1-ignored" "Retain Handling 1 sends retained messages every time." [] ["MQTT-3.3.1-10"]
    RetainHandling1Never "retain-handling-1-never" "Retain Handling 1 never sends retained messages." [] ["MQTT-3.3.1-10"]
    RetainHandling2Ignored "retain-handling-2-ignored" "Retain Handling 2 sends retained messages." [] ["MQTT-3.3.1-11"]
    RetainedOnlyOnce "retained-only-once" "Subscribing again does not send retained messages." ["MQTT-3.8.4-3"] ["MQTT-3.3.1-9" "MQTT-3.8.4-4"]
    RetainedOnResume "retained-on-resume" "A resumed session is sent retained messages." ["MQTT-3.3.1-6"] ["MQTT-3.3.1-9"]
    RetainedWildcardMissed "retained-wildcard-missed" "Filters with wildcards are sent no retained messages." ["MQTT-3.3.1-6"] ["MQTT-3.3.1-9"]
    RetainedDollarLeaked "retained-dollar-leaked" "# is sent retained messages of topics that begin with $." ["MQTT-4.7.2-1"] ["MQTT-4.7.2-1"]
    RetainedForShared "retained-for-shared" "Shared subscriptions are sent retained messages." [] ["U5-34"]
    RetainedQosZero "retained-qos-zero" "Retained messages are sent at QoS 0." ["MQTT-3.3.1-5"] ["MQTT-3.8.4-8"]
    RetainedDiesWithSession "retained-dies-with-session" "The retained messages of a client end with its session." ["MQTT-3.1.2-7"] ["U5-40"]

    // SUBSCRIBE and UNSUBSCRIBE.
    GrantedTooMuch "granted-too-much" "Every subscription is granted QoS 2." ["MQTT-3.8.4-6"] ["MQTT-3.8.4-8" "MQTT-3.8.4-7"]
    SubackMissing "suback-missing" "SUBSCRIBE is not answered." ["MQTT-3.8.4-1"] ["MQTT-3.8.4-1"]
    SubackWrongIdentifier "suback-wrong-identifier" "SUBACK has another Packet Identifier." ["MQTT-3.8.4-2" "MQTT-2.3.1-7"] ["MQTT-3.8.4-2" "MQTT-2.2.1-6"]
    SubackReversed "suback-reversed" "The codes of SUBACK are in reverse order." ["MQTT-3.9.3-1"] ["MQTT-3.9.3-1"]
    SubackOneCode "suback-one-code" "SUBACK has one code only." ["MQTT-3.8.4-5" "MQTT-3.8.4-4"] ["MQTT-3.8.4-6"]
    SubackUnknownCode "suback-unknown-code" "SUBACK has a code that does not exist." ["MQTT-3.9.3-2"] ["MQTT-3.9.3-2"]
    SubscriptionLost "subscription-lost" "Subscriptions are acknowledged and not made." ["MQTT-4.5.0-1"] ["MQTT-4.5.0-1"]
    DeliveredAsPublished "delivered-as-published" "Messages are delivered at the QoS at which they were published." ["MQTT-3.8.4-6"] ["MQTT-3.8.4-8" "MQTT-4.8.2-3"]
    DeliveredAsGranted "delivered-as-granted" "Messages are delivered at the QoS that was granted." ["MQTT-3.8.4-6"] ["MQTT-3.8.4-8"]
    OverlapFirstOnly "overlap-first-only" "Of overlapping subscriptions only one counts." ["MQTT-3.3.5-1"] ["MQTT-3.3.4-2" "MQTT-3.3.4-4"]
    MalformedFilterAccepted "malformed-filter-accepted" "Malformed filters are granted." ["MQTT-4.7.1-2" "MQTT-4.7.1-3" "MQTT-4.7.3-1"] ["MQTT-4.7.1-1" "MQTT-4.7.1-2" "MQTT-4.7.3-1" "MQTT-4.8.2-1" "MQTT-4.8.2-2"]
    SubscriptionOptionsIgnored "subscription-options-ignored" "Reserved bits of the Subscription Options are not checked." ["MQTT-3.8.3-4"] ["MQTT-3.8.3-5"]
    SubscribeQosThreeAccepted "subscribe-qos-three-accepted" "A requested QoS of 3 is taken for 2." ["MQTT-3.8.3-4"] ["U5-33" "MQTT-4.13.1-1"]
    RetainHandling3Accepted "retain-handling-3-accepted" "Retain Handling 3 is taken for 2." [] ["U5-33" "MQTT-4.13.1-1"]
    NoFilterAccepted "no-filter-accepted" "SUBSCRIBE and UNSUBSCRIBE without a filter are answered." ["MQTT-3.8.3-3" "MQTT-3.10.3-2"] ["MQTT-3.8.3-2" "MQTT-3.10.3-2" "U5-32" "U5-35"]
    UnsubackMissing "unsuback-missing" "UNSUBSCRIBE is not answered." ["MQTT-3.10.4-4"] ["MQTT-3.10.4-4"]
    UnsubackMissingForUnknown "unsuback-missing-for-unknown" "UNSUBSCRIBE is not answered if nothing was subscribed." ["MQTT-3.10.4-5"] ["MQTT-3.10.4-5"]
    UnsubackWrongIdentifier "unsuback-wrong-identifier" "UNSUBACK has another Packet Identifier." ["MQTT-3.10.4-4" "MQTT-2.3.1-7"] ["MQTT-3.10.4-5" "MQTT-2.2.1-6"]
    UnsubackReversed "unsuback-reversed" "The codes of UNSUBACK are in reverse order." [] ["MQTT-3.11.3-1"]
    UnsubackWithCodes "unsuback-with-codes" "UNSUBACK of 3.1.1 has codes." ["U3-15"] []
    UnsubscribeByMatch "unsubscribe-by-match" "UNSUBSCRIBE ends every subscription that its filter matches." ["MQTT-3.10.4-1"] ["MQTT-3.10.4-1"]
    UnsubscribeIgnored "unsubscribe-ignored" "UNSUBSCRIBE is acknowledged and ends nothing." ["MQTT-3.10.4-2"] ["MQTT-3.10.4-2"]
    UnsubscribeFirstOnly "unsubscribe-first-only" "UNSUBSCRIBE ends the first of its filters only." ["MQTT-3.10.4-6"] ["MQTT-3.10.4-6" "MQTT-3.11.3-1"]
    UnsubscribeDropsInFlight "unsubscribe-drops-in-flight" "UNSUBSCRIBE drops deliveries that were begun." ["MQTT-3.10.4-3"] ["MQTT-3.10.4-3"]
    FirstOptionsForAll "first-options-for-all" "All filters of a SUBSCRIBE get the options of the first." ["MQTT-3.8.4-4"] ["MQTT-3.8.4-5"]
    ResubscribeKeepsOptions "resubscribe-keeps-options" "Subscribing again changes nothing but the QoS." [] ["MQTT-3.8.4-3"]
    SubscribeQosRefused "subscribe-qos-refused" "SUBSCRIBE may not ask for more than the Maximum QoS." [] ["MQTT-3.2.2-10"]
    UnsubackForeignCode "unsuback-foreign-code" "UNSUBACK says 0x10 for an unknown filter." [] ["MQTT-3.11.3-2"]
    RefusedSubscriptionMade "refused-subscription-made" "A filter that SUBACK refuses is subscribed all the same." ["MQTT-3.8.4-5"] ["MQTT-3.8.4-7"]

    // Shared subscriptions and No Local.
    SharedServesAll "shared-serves-all" "Every member of a shared subscription gets every message." [] ["U5-43"]
    SharedQos2Redirected "shared-qos-2-redirected" "A QoS 2 delivery that was begun goes to another member when its session ends." [] ["MQTT-4.8.2-5"]
    SharedNamesMerged "shared-names-merged" "Shared subscriptions with one filter and different names count as one." [] ["U5-91"]
    SharedHidesPlain "shared-hides-plain" "A message that matches a shared subscription reaches no other one." [] ["U5-91"]
    SharedNoLocalAccepted "shared-no-local-accepted" "No Local is accepted on a shared subscription." [] ["MQTT-3.8.3-4"]
    SharedUnsubscribeIgnored "shared-unsubscribe-ignored" "UNSUBSCRIBE does not end a shared subscription." [] ["MQTT-3.10.4-1" "U5-93"]
    NoLocalIgnored "no-local-ignored" "No Local is ignored." [] ["MQTT-3.8.3-3"]
    SharedQos2RedirectedAtOnce "shared-qos-2-redirected-at-once" "A QoS 2 delivery that was begun goes to another member when the connection is lost." [] ["MQTT-4.8.2-4"]
    SharedRefusedRedirected "shared-refused-redirected" "A shared message that a member refuses goes to another." [] ["MQTT-4.8.2-6"]

    // Flow control, sizes, expiry, aliases.
    ReceiveMaximumIgnored "receive-maximum-ignored" "The client's Receive Maximum is ignored." [] ["MQTT-3.3.4-9" "MQTT-4.9.0-2" "MQTT-4.9.0-1"]
    ReceiveMaximumOffByOne "receive-maximum-off-by-one" "One message more than the client's Receive Maximum is sent." [] ["MQTT-3.3.4-9" "MQTT-4.9.0-2" "MQTT-4.9.0-1"]
    ReceiveMaximumNotKept "receive-maximum-not-kept" "The server's own Receive Maximum may be exceeded." [] ["U5-29" "MQTT-3.3.4-7"]
    PacketSizeIgnored "packet-size-ignored" "The client's Maximum Packet Size is ignored." [] ["MQTT-3.1.2-24" "MQTT-3.1.2-25"]
    ExpiryIgnored "expiry-ignored" "Expired messages are delivered." [] ["MQTT-3.3.2-5"]
    ExpiryNotCountedDown "expiry-not-counted-down" "The Message Expiry Interval is sent on as it came." [] ["MQTT-3.3.2-6"]
    ExpiryDropped "expiry-dropped" "The Message Expiry Interval is not sent on." [] ["MQTT-3.3.2-6"]
    ExpiryInFlight "expiry-in-flight" "A delivery that was begun is given up when the message expires." [] ["MQTT-4.3.3-7" "MQTT-4.4.0-1"]
    AliasSurvives "alias-survives" "Topic Aliases survive the connection." [] ["MQTT-3.3.2-7" "U5-27"]
    AliasCannotChange "alias-cannot-change" "A Topic Alias keeps its first topic." [] ["U5-75"]
    AliasTooLargeAccepted "alias-too-large-accepted" "Any Topic Alias is accepted." [] ["U5-26"]
    AliasLimitIgnored "alias-limit-ignored" "The server uses aliases beyond the client's Topic Alias Maximum." [] ["MQTT-3.1.2-26" "MQTT-3.1.2-27" "MQTT-3.3.2-11"]
    AliasForwarded "alias-forwarded" "Deliveries carry a Topic Alias that the client did not allow." [] ["MQTT-3.1.2-27"]
    AliasFromZero "alias-from-zero" "The server numbers its Topic Aliases from 0." [] ["MQTT-3.3.2-8"]
    AliasMaximumRefused "alias-maximum-refused" "The Topic Alias Maximum itself is refused as an alias." [] ["MQTT-3.3.2-12"]
    PacketSizeOffByOne "packet-size-off-by-one" "Packets may be one byte larger than the client allows." [] ["MQTT-3.1.2-24"]
    ReceiveMaximumOneStalls "receive-maximum-one-stalls" "A client with Receive Maximum 1 gets nothing but QoS 0." [] ["MQTT-4.9.0-1"]
    TooLargeStaysInFlight "too-large-stays-in-flight" "A message that is too large for the client is not sent, and counts as unacknowledged." [] ["MQTT-3.1.2-25"]
    ReasonStringTooLarge "reason-string-too-large" "Packets with a Reason String may be larger than the client allows." [] ["MQTT-3.2.2-19" "MQTT-3.4.2-2" "MQTT-3.5.2-2" "MQTT-3.6.2-2" "MQTT-3.7.2-2" "MQTT-3.9.2-1" "MQTT-3.11.2-1" "MQTT-3.14.2-3" "MQTT-3.15.2-2"]
    UserPropertyTooLarge "user-property-too-large" "Packets with User Properties may be larger than the client allows." [] ["MQTT-3.2.2-20" "MQTT-3.4.2-3" "MQTT-3.5.2-3" "MQTT-3.6.2-3" "MQTT-3.7.2-3" "MQTT-3.9.2-2" "MQTT-3.11.2-2" "MQTT-3.14.2-4" "MQTT-3.15.2-3"]
    FullWindowStopsService "full-window-stops-service" "Nothing but acknowledgements is served while the Receive Maximum is used up." [] ["MQTT-3.3.4-10" "MQTT-4.9.0-3"]

    // Properties.
    SubscriptionIdentifierMissing "subscription-identifier-missing" "Deliveries have no Subscription Identifier." [] ["MQTT-3.3.4-3"]
    SubscriptionIdentifierWrong "subscription-identifier-wrong" "Deliveries have another Subscription Identifier." [] ["U5-76" "MQTT-3.3.4-3"]
    SubscriptionIdentifierFirstOnly "subscription-identifier-first-only" "A copy for several subscriptions has one identifier only." [] ["MQTT-3.3.4-4"]
    UserPropertiesReversed "user-properties-reversed" "User Properties are forwarded in reverse order." [] ["MQTT-3.3.2-18"]
    UserPropertiesDropped "user-properties-dropped" "User Properties are not forwarded." [] ["MQTT-3.3.2-17"]
    UserPropertiesMerged "user-properties-merged" "Of User Properties with one name only the first is forwarded." [] ["MQTT-3.3.2-17"]
    LongPropertiesDropped "long-properties-dropped" "Properties of more than 127 bytes are not forwarded." [] ["MQTT-3.3.2-17"]
    ResponseTopicDropped "response-topic-dropped" "The Response Topic is not forwarded." [] ["MQTT-3.3.2-15"]
    CorrelationDataDropped "correlation-data-dropped" "The Correlation Data are not forwarded." [] ["MQTT-3.3.2-16"]
    ContentTypeDropped "content-type-dropped" "The Content Type is not forwarded." [] ["MQTT-3.3.2-20"]
    PayloadFormatDropped "payload-format-dropped" "The Payload Format Indicator is not forwarded." [] ["MQTT-3.3.2-4"]
    ProblemInformationIgnored "problem-information-ignored" "Acknowledgements have a Reason String, whether it is wanted or not." [] ["MQTT-3.1.2-29"]
    ResponseTopicUnchecked "response-topic-unchecked" "A Response Topic may have wildcards." [] ["MQTT-3.3.2-14"]
    SubscriptionIdentifierFromClientAccepted "subscription-identifier-from-client-accepted" "A client may put a Subscription Identifier into PUBLISH." [] ["MQTT-3.3.4-6" "U5-28"]
    CopiesShareIdentifiers "copies-share-identifiers" "Each copy for one of several subscriptions has the identifiers of all." [] ["MQTT-3.3.4-5"]
    PropertyLengthOverlong "property-length-overlong" "The Property Length of UNSUBACK always has two bytes." [] ["MQTT-1.5.5-1"]
    PropertyLengthOmitted "property-length-omitted" "UNSUBACK without properties has no Property Length." [] ["MQTT-2.2.2-1"]
    MissingPropertyLengthAccepted "missing-property-length-accepted" "PUBLISH may end before its Property Length." [] ["MQTT-2.2.2-1" "MQTT-4.13.1-1"]

    // Errors and the end of connections.
    ReservedFlagsIgnored "reserved-flags-ignored" "The flags of the fixed header are not checked." ["MQTT-2.2.2-2" "MQTT-3.6.1-1" "MQTT-3.8.1-1" "MQTT-3.10.1-1" "MQTT-3.14.1-1"] ["MQTT-2.1.3-1" "MQTT-3.6.1-1" "MQTT-3.8.1-1" "MQTT-3.10.1-1" "MQTT-3.14.1-1" "U5-04" "MQTT-3.15.1-1"]
    IllFormedUtf8Accepted "ill-formed-utf8-accepted" "Ill-formed UTF-8 is replaced by question marks." ["MQTT-1.5.3-1"] ["MQTT-1.5.4-1" "U5-01" "MQTT-1.5.7-1" "MQTT-3.3.2-1" "MQTT-3.3.2-13" "MQTT-3.3.2-19"]
    NullCharacterAccepted "null-character-accepted" "U+0000 is replaced by a space." ["MQTT-1.5.3-2" "MQTT-4.7.3-2"] ["MQTT-1.5.4-2" "MQTT-4.7.3-2" "MQTT-1.5.7-1"]
    QosThreeAccepted "qos-three-accepted" "QoS 3 is taken for 2." ["MQTT-3.3.1-4"] ["MQTT-3.3.1-4" "U5-22"]
    IdentifierZeroAccepted "identifier-zero-accepted" "Packet Identifier 0 is accepted." ["MQTT-2.3.1-1"] ["U5-52" "MQTT-2.2.1-3"]
    PropertyRangeIgnored "property-range-ignored" "Properties may have values that are not allowed." [] ["U5-09" "U5-10" "MQTT-4.13.1-1" "MQTT-3.3.2-8"]
    TopicWildcardAccepted "topic-wildcard-accepted" "A Topic Name may have wildcards." ["MQTT-3.3.2-2" "MQTT-4.7.1-1"] ["MQTT-3.3.2-2" "MQTT-4.7.0-1"]
    WrongDirectionIgnored "wrong-direction-ignored" "Packets that only a server sends are ignored." ["U3-14" "MQTT-4.8.0-1"] ["U5-48" "MQTT-4.13.1-1"]
    MalformedIgnored "malformed-ignored" "Malformed packets are ignored." ["MQTT-4.8.0-1"] ["MQTT-4.13.1-1"]
    BadClientClosesOthers "bad-client-closes-others" "An error of one client closes all connections." ["U3-13"] ["U5-45"]
    MaximumQosNotKept "maximum-qos-not-kept" "QoS above the Maximum QoS is accepted." [] ["U5-16"]
    RetainNotRefused "retain-not-refused" "RETAIN is accepted where it is not supported." [] ["U5-17"]
    DisconnectNotClosed "disconnect-not-closed" "The client's DISCONNECT is ignored." ["U3-10" "MQTT-3.14.4-3" "MQTT-3.1.2-10"] ["U5-37" "MQTT-3.14.4-3" "MQTT-3.1.2-10"]
    DisconnectTwice "disconnect-twice" "The server sends DISCONNECT twice." [] ["MQTT-3.14.4-1"]
    DisconnectWithExpiry "disconnect-with-expiry" "The server sends a Session Expiry Interval in DISCONNECT." [] ["MQTT-3.14.2-2"]
    DisconnectClientReason "disconnect-client-reason" "The server sends DISCONNECT 0x04." [] ["MQTT-3.14.2-1"]
    PayloadCut "payload-cut" "Payloads are cut off at the first zero byte." ["MQTT-4.5.0-1"] ["MQTT-4.5.0-1"]
    DisconnectWithoutClose "disconnect-without-close" "The server leaves the connection open after its DISCONNECT." [] ["MQTT-3.14.4-2" "MQTT-4.13.2-1"]
    UnknownReasonAccepted "unknown-reason-accepted" "Reason Codes that do not exist are taken for a success." [] ["MQTT-3.4.2-1" "MQTT-3.5.2-1" "MQTT-3.6.2-1" "MQTT-3.7.2-1" "MQTT-3.14.2-1" "MQTT-3.15.2-1"]
    ShortWriteLost "short-write-lost" "Of a packet of more than 64 KiB the rest is never written." ["MQTT-4.5.0-1"] ["MQTT-4.2.0-1"]
}
