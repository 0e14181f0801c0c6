//! The live world: any broker over real sockets, started by a profile or already there.
//!
//! Cases whose topics can be moved below a prefix run side by side on one broker, so that a suite takes as long
//! as its longest waits and not as long as their sum. The others have a broker to themselves: with a profile
//! each gets a process of its own on fresh data, several of them at a time; with an address they run one after
//! the other.
//!
//! A broker that dies takes down every case that runs on it, and only one of them killed it. So each of them
//! is run again with a broker to itself; the one that kills that broker too is named, and the others are judged
//! by their second run. A case that fails is run three more times before anyone calls it a deviation.
//!
//! Before the first case the broker is asked what it has ([`discover`]), unless the caller knows better; that and
//! the profile's claims decide what is skipped.
//!
//! * [`process`]: the broker's process.  * [`places`]: where it listens.  * [`program`]: its program.  * [`output`]: what
//!   it prints.  * [`strays`]: what it leaves behind.  * [`start_error`]: why it did not start.  * `talk`: a connection outside of any plan.  * [`probe`]: is it there,
//!   and clearing up.  * `discovery`: what it has.  * `discovered`: that, beside what is claimed.  * [`sort`]: which
//!   case runs how.  * `session`: the run itself.  * `errand`: one case of it.  * [`neighbours`]:
//!   what keeps cases apart.  * `doctor`: whether there could be one.
//!
//! Never the case: a broker that is left running, a case that nobody hears of again (unless the run was
//! interrupted, which the summary says), a wait without an end.

mod agenda;
mod discovered;
mod discovery;
mod doctor;
mod errand;
mod neighbours;
mod output;
mod places;
mod probe;
mod process;
mod program;
mod room;
mod session;
mod sort;
mod start_error;
mod strays;
mod talk;
mod travel;

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use reference_broker::codec::ProtocolVersion;

use crate::history::{Fact, History};
use crate::profile::{Credentials, Profile};
use crate::requirement::RequirementId;
use crate::run::{StageOptions, last_sent_before};
use crate::scenario::{Capability, Plan, PlanProblem, Scenario, WebSocketPlace};
use crate::verdict::{Finding, Verdict};

use super::Played;

pub use discovered::{
    CapabilityRow, Claimed, Contradiction, ContradictionWeight, Discovered, FactRow, Found,
};
pub use doctor::{Condition, Symptom, check_up};
pub use start_error::{Instead, StartError};

/// What is tested.
#[derive(Debug, Clone)]
pub enum Target {
    /// A broker that runs already.
    Address {
        /// As it was given.
        url: String,
        /// Where it listens.
        addresses: Vec<SocketAddr>,
        /// Where it listens for WebSocket, and what an upgrade asks for.
        websocket: Option<(SocketAddr, WebSocketPlace)>,
        /// What clients present that the scenario gives no User Name.
        credentials: Option<Credentials>,
    },
    /// A broker that is started and stopped here.
    Profile(Box<Profile>),
}

impl Target {
    /// The broker at `mqtt://[user:password@]host[:port]`; its name is resolved here, once.
    ///
    /// # Errors
    /// [`LiveError::Url`] or [`LiveError::Resolve`].
    pub fn from_url(url: &str) -> Result<Target, LiveError> {
        let wrong = |why: &str| LiveError::Url { url: url.to_string(), why: why.to_string() };
        let rest = match url.split_once("://") {
            Some(("mqtt" | "tcp", rest)) => rest,
            Some((scheme, _)) => {
                return Err(wrong(&format!(
                    "only mqtt:// can be tested yet, not {scheme}://; ws:// goes with --websocket"
                )));
            }
            None => url,
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (user, host) = match rest.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, rest),
        };
        let credentials = user.map(|user| {
            let (user_name, password) = user.split_once(':').unwrap_or((user, ""));
            Credentials { user_name: user_name.to_string(), password: password.to_string() }
        });
        if host.is_empty() || host.contains('/') {
            return Err(wrong("expected mqtt://host:port"));
        }
        // `[::1]` and `host` have no port; `[::1]:1883` and `host:1883` have one.
        let has_port = host.rsplit_once(':').is_some_and(|(name, port)| {
            (!name.contains(':') || name.ends_with(']')) && port.parse::<u16>().is_ok()
        });
        if !has_port && host.contains(':') && !host.ends_with(']') {
            return Err(wrong("the port is a number from 0 to 65535"));
        }
        let full = if has_port { host.to_string() } else { format!("{host}:1883") };
        let addresses: Vec<SocketAddr> = full
            .to_socket_addrs()
            .map_err(|error| LiveError::Resolve { url: url.to_string(), error: error.to_string() })?
            .collect();
        if addresses.is_empty() {
            return Err(LiveError::Resolve { url: url.to_string(), error: "the name has no address".into() });
        }
        Ok(Target::Address { url: url.to_string(), addresses, websocket: None, credentials })
    }

    /// The same broker, which listens for WebSocket at `ws://host[:port][/path]`.
    ///
    /// # Errors
    /// [`LiveError::Url`] or [`LiveError::Resolve`].
    pub fn and_websocket(mut self, wanted: &str) -> Result<Target, LiveError> {
        let wrong =
            || LiveError::Url { url: wanted.to_string(), why: "expected ws://host:port/path".to_string() };
        let rest = wanted.strip_prefix("ws://").ok_or_else(wrong)?;
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let full = if has_port { host.to_string() } else { format!("{host}:80") };
        if host.is_empty() || host.contains('@') {
            return Err(wrong());
        }
        let found = full
            .to_socket_addrs()
            .map_err(|error| LiveError::Resolve { url: wanted.to_string(), error: error.to_string() })?
            .next()
            .ok_or_else(wrong)?;
        if let Target::Address { websocket, .. } = &mut self {
            *websocket = Some((found, WebSocketPlace { host: host.to_string(), path: format!("/{path}") }));
        }
        Ok(self)
    }

    /// What to call it.
    pub fn name(&self) -> &str {
        match self {
            Target::Address { url, .. } => url,
            Target::Profile(profile) => &profile.name,
        }
    }

    /// Whether it can be asked for a capability.
    pub fn has(&self, capability: Capability) -> bool {
        match self {
            Target::Address { websocket, .. } if capability == Capability::WebSocket => websocket.is_some(),
            Target::Address { .. } => !matches!(
                capability,
                Capability::Persistence | Capability::ProcessControl | Capability::Configuration
            ),
            Target::Profile(profile) => profile.has(capability),
        }
    }

    /// What is said about a capability by who names the broker; none if nothing is.
    pub fn claim(&self, capability: Capability) -> Option<bool> {
        match self {
            Target::Address { websocket, .. } => {
                (capability == Capability::WebSocket && websocket.is_some()).then_some(true)
            }
            Target::Profile(profile) => profile.claim(capability),
        }
    }

    /// What the broker's program says of its version, if it says anything. Asks the program and nobody else.
    ///
    /// # Errors
    /// [`LiveError::System`].
    pub fn version(&self) -> Result<Option<String>, LiveError> {
        let Target::Profile(profile) = self else { return Ok(None) };
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(LiveError::System)?;
        let assay = std::env::current_exe().map_err(LiveError::System)?;
        Ok(runtime.block_on(program::version_of(profile, &assay)))
    }

    /// The broker's program, if there is one.
    pub fn program(&self) -> Option<PathBuf> {
        match self {
            Target::Profile(profile) => program::program_of(profile),
            Target::Address { .. } => None,
        }
    }

    /// Whether it listens for WebSocket and takes a version there, as far as the profile knows.
    fn has_websocket_of(&self, version: ProtocolVersion) -> bool {
        match self {
            Target::Address { websocket, .. } => websocket.is_some(),
            Target::Profile(profile) => profile.start.listens_for_websocket_of(version),
        }
    }

    fn credentials(&self) -> Option<&Credentials> {
        match self {
            Target::Address { credentials, .. } => credentials.as_ref(),
            Target::Profile(profile) => profile.credentials.as_ref(),
        }
    }

    /// What upgrades to WebSocket ask for.
    fn websocket_place(&self) -> WebSocketPlace {
        match self {
            Target::Address { websocket: Some((_, place)), .. } => place.clone(),
            Target::Address { .. } => WebSocketPlace::default(),
            Target::Profile(profile) => {
                WebSocketPlace { path: profile.start.websocket_path.clone(), ..WebSocketPlace::default() }
            }
        }
    }

    fn tolerance(&self, options: &LiveOptions<'_>) -> Duration {
        options.tolerance.unwrap_or(match self {
            Target::Address { .. } => Duration::from_millis(500),
            Target::Profile(profile) => profile.tolerance,
        })
    }
}

/// A case to be asked.
#[derive(Debug, Clone)]
pub struct LiveCase {
    /// Its number in the caller's list; unique.
    pub index: usize,
    /// The scenario.
    pub scenario: Scenario,
    /// The version.
    pub version: ProtocolVersion,
    /// The seed of its network.
    pub seed: u64,
}

/// How a live run goes about it.
pub struct LiveOptions<'a> {
    /// Cases side by side on one broker.
    pub jobs: usize,
    /// Broker processes side by side, for cases that need one to themselves; a profile may allow fewer.
    pub brokers: usize,
    /// So many at most while this machine has time and memory to spare.
    pub most_brokers: usize,
    /// Makes topics and Client Identifiers of this run its own.
    pub nonce: u64,
    /// Cases that take longer at least are skipped.
    pub max_wait: Duration,
    /// Added to every upper limit, in place of what the profile says.
    pub tolerance: Option<Duration>,
    /// How stages are fitted.
    pub stage: StageOptions,
    /// How long is waited for what is owed to a client of 3.1.1 or 3.1 at the end of a case: these versions let a server
    /// send again whenever it likes, and half a minute is in use.
    pub resending: Duration,
    /// How often a case that fails is run again.
    pub reruns: usize,
    /// Whether the broker is asked first what it has.
    pub discovery: bool,
    /// Whether the broker's clock is moved, where its profile says how and a probe shows that it works.
    pub travel: bool,
    /// Where the brokers' output goes; a temporary folder, kept if something went wrong, if not given.
    pub logs: Option<PathBuf>,
    /// The `assay` command for profiles that start it; this executable if not given.
    pub assay: Option<PathBuf>,
    /// Set by the caller to end the run early. Ctrl-C and SIGTERM do the same.
    pub interrupted: Arc<AtomicBool>,
    /// What a run broke.
    pub judge: &'a dyn Fn(&Plan, &Played) -> Vec<Finding>,
}

impl fmt::Debug for LiveOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveOptions")
            .field("jobs", &self.jobs)
            .field("brokers", &self.brokers)
            .field("most_brokers", &self.most_brokers)
            .field("nonce", &self.nonce)
            .field("max_wait", &self.max_wait)
            .field("tolerance", &self.tolerance)
            .field("stage", &self.stage)
            .field("resending", &self.resending)
            .field("reruns", &self.reruns)
            .field("discovery", &self.discovery)
            .field("travel", &self.travel)
            .field("logs", &self.logs)
            .finish_non_exhaustive()
    }
}

impl Default for LiveOptions<'_> {
    fn default() -> Self {
        LiveOptions {
            // Most of a case's time is its quiet window.
            jobs: 256,
            brokers: 48,
            most_brokers: 384,
            nonce: 0,
            max_wait: Duration::from_secs(60),
            tolerance: None,
            // Real links have a latency of their own.
            stage: StageOptions {
                latency: Duration::ZERO,
                quiet: Duration::from_millis(400),
                ..StageOptions::default()
            },
            resending: Duration::from_secs(35),
            reruns: 3,
            discovery: true,
            travel: true,
            logs: None,
            assay: None,
            interrupted: Arc::new(AtomicBool::new(false)),
            judge: &|_, played| played.findings.clone(),
        }
    }
}

/// A broker's end and what led to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crash {
    /// The scenarios that were running.
    pub cases: Vec<String>,
    /// The client that sent the last packet, if it is known.
    pub client: Option<String>,
    /// That packet.
    pub packet: Option<Vec<u8>>,
    /// The protocol version of its connection.
    pub version: ProtocolVersion,
    /// The last lines of the broker's output.
    pub log: Vec<String>,
}

/// What came of a case.
#[derive(Debug)]
pub struct LiveOutcome {
    /// Its number.
    pub index: usize,
    /// The broker and what it says about its version, as soon as that is known.
    pub broker: String,
    /// What was played.
    pub plan: Plan,
    /// What happened, if it was played: the run that the first verdict in `attempts` is about.
    pub played: Option<Played>,
    /// Why it was not asked.
    pub skipped: Option<String>,
    /// Why its run answers nothing: the broker is gone, or could not be started for it.
    pub unanswered: Option<String>,
    /// The broker died of it.
    pub crash: Option<Crash>,
    /// The verdicts: of the run in `played`, and of the runs again if that one failed.
    pub attempts: Vec<Verdict>,
    /// The statements that every run that failed found broken; `None` if it was not run again.
    pub always: Option<BTreeSet<RequirementId>>,
    /// How long the run in `played` took.
    pub real: Duration,
}

impl LiveOutcome {
    /// How many of how many runs failed, if not all of several did.
    pub fn flaky(&self) -> Option<(usize, usize)> {
        let failed = self.attempts.iter().filter(|verdict| **verdict == Verdict::Fail).count();
        (failed > 0 && failed < self.attempts.len()).then_some((failed, self.attempts.len()))
    }

    /// Whether it failed each time, and each time for another reason. That the broker dies is reason enough.
    pub fn wavers(&self) -> bool {
        self.crash.is_none() && self.always.as_ref().is_some_and(BTreeSet::is_empty)
    }

    /// The verdict on the case: a failure that does not come again answers nothing.
    pub fn verdict(&self) -> Verdict {
        if self.skipped.is_some() {
            Verdict::Skipped
        } else if self.unanswered.is_some() || self.flaky().is_some() || self.wavers() {
            Verdict::Inconclusive
        } else {
            self.attempts.first().copied().unwrap_or(Verdict::Inconclusive)
        }
    }
}

/// What came of a run.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// It was ended early; cases that were not asked have no outcome.
    pub interrupted: bool,
    /// The broker and what it says about its version.
    pub broker: String,
    /// What it says about its version, alone.
    pub version: Option<String>,
    /// What the broker was found to have; none if it was not asked.
    pub discovered: Option<Discovered>,
    /// Whether the broker's clock could be moved; none if that was not tried.
    pub travels: Option<bool>,
    /// Where the brokers' output is, if it was kept.
    pub logs: Option<PathBuf>,
    /// What there is to know about the broker's conduct as a process: it hangs when it is stopped, floods its log,
    /// is slow.
    pub warnings: Vec<String>,
    /// Ends of the broker that no single case could be made to repeat.
    pub unexplained: Vec<Crash>,
    /// Why the rest could not be asked, if that is so.
    pub lost: Option<String>,
}

/// Why a run did not begin.
#[derive(Debug)]
pub enum LiveError {
    /// No URL of a broker.
    Url {
        /// What was given.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// A name that leads nowhere.
    Resolve {
        /// What was given.
        url: String,
        /// What the system said.
        error: String,
    },
    /// Nobody listens there.
    Refused {
        /// What was given.
        url: String,
    },
    /// Somebody listens there who answers no CONNECT.
    Silent {
        /// What was given.
        url: String,
    },
    /// Somebody listens there who speaks TLS.
    Tls {
        /// What was given.
        url: String,
    },
    /// The broker answers, and lets no client of any version in.
    Unwelcome {
        /// The broker.
        name: String,
        /// The answer to a CONNECT of each version.
        answers: Vec<(ProtocolVersion, String)>,
        /// Whether a User Name was presented.
        credentials: bool,
    },
    /// The profile's broker does not start.
    Start(StartError),
    /// A scenario that cannot be made concrete.
    Plan {
        /// Which.
        case: String,
        /// Why.
        problems: Vec<PlanProblem>,
    },
    /// The system refuses something that a run cannot do without.
    System(io::Error),
}

impl fmt::Display for LiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LiveError::Url { url, why } => write!(f, "`{url}` is no address of a broker: {why}"),
            LiveError::Resolve { url, error } => {
                write!(f, "the broker's address {url} leads nowhere: {error}")
            }
            LiveError::Refused { url } => write!(f, "no broker accepts connections at {url}"),
            LiveError::Silent { url } => {
                write!(f, "{url} accepts connections, but nothing there answers a CONNECT with a CONNACK")
            }
            LiveError::Tls { url } => write!(f, "{url} {}", Instead::Tls.words()),
            LiveError::Unwelcome { name, answers, credentials } => {
                write!(f, "{name} accepts no client: ")?;
                for (number, (version, answer)) in answers.iter().enumerate() {
                    write!(f, "{}{version}: {answer}", if number > 0 { "; " } else { "" })?;
                }
                match credentials {
                    true => write!(f, " (with the user name and password that were given)"),
                    false => write!(
                        f,
                        " (no user name was presented: mqtt://user:password@host:port, or `credentials` in a profile)"
                    ),
                }
            }
            LiveError::Start(error) => error.fmt(f),
            LiveError::Plan { case, problems } => {
                write!(f, "{case} cannot be made concrete:")?;
                problems.iter().try_for_each(|problem| write!(f, " {}", problem.message))
            }
            LiveError::System(error) => write!(f, "the live world cannot run: {error}"),
        }
    }
}

impl std::error::Error for LiveError {}

/// Finds out what a broker has: its name with what it says about its version, and what was found.
///
/// # Errors
/// [`LiveError`], if it cannot be started or reached, or accepts no client.
pub fn discover(target: &Target, options: &LiveOptions<'_>) -> Result<(String, Discovered), LiveError> {
    session::discover(target, options)
}

/// Asks a broker all cases. `each` gets every outcome as soon as it is known, in no particular order.
///
/// # Errors
/// [`LiveError`], if nothing could be asked at all.
pub fn run(
    target: &Target,
    cases: Vec<LiveCase>,
    options: &LiveOptions<'_>,
    each: &mut dyn FnMut(LiveOutcome),
) -> Result<Summary, LiveError> {
    session::run(target, cases, options, each)
}

/// What a broker's end looks like in the history of the case that it ended.
fn crash_of(plan: &Plan, history: &History, log: Vec<String>) -> Crash {
    // Connections end a moment before the process is known to have ended; answers end before that.
    let events = history.events();
    let answered =
        events.iter().rposition(|event| matches!(event.fact, Fact::Received { .. } | Fact::Opened(_)));
    let last = (answered.map_or(0, |at| at + 1)..events.len())
        .find(|at| {
            matches!(
                events[*at].fact,
                Fact::Closed { by: crate::history::EndedBy::Broker, .. } | Fact::BrokerDied
            )
        })
        .unwrap_or(events.len());
    let sent = last_sent_before(history, last);
    let client = sent.as_ref().and_then(|(link, _)| history.client_of(*link));
    let client = client.and_then(|client| plan.clients.get(client as usize));
    Crash {
        cases: vec![format!("{} {}", plan.full_name(), plan.version)],
        client: client.map(|client| client.name.clone()),
        packet: sent.map(|(_, packet)| packet),
        version: client.map_or(plan.version, |client| client.version),
        log,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::PlanOptions;
    use crate::text::SourceText;

    #[test]
    fn a_failure_with_another_reason_each_time_answers_nothing_unless_the_broker_dies_of_it() {
        let plan = || {
            let text = "title: t\nwhy: w\nrequirements: { v5: [MQTT-4.5.0-1] }\nclients: { one: {} }\nsteps:\n  - one: connect\n";
            let file = crate::scenario::parse_file("x", SourceText::new("x.yaml", text)).expect("a scenario");
            Plan::new(&file.scenarios[0], ProtocolVersion::V5, &PlanOptions::default()).expect("a plan")
        };
        let outcome = |always: Option<&[&str]>, crash: Option<Crash>| LiveOutcome {
            index: 0,
            broker: String::new(),
            plan: plan(),
            played: None,
            skipped: None,
            unanswered: None,
            crash,
            attempts: vec![Verdict::Fail; if always.is_some() { 4 } else { 1 }],
            always: always.map(|ids| ids.iter().map(|id| (*id).into()).collect()),
            real: Duration::ZERO,
        };
        let crash = || crash_of(&plan(), &History::new(), Vec::new());
        assert_eq!(outcome(Some(&["MQTT-4.5.0-1"]), None).verdict(), Verdict::Fail);
        assert_eq!(outcome(None, None).verdict(), Verdict::Fail, "it was not run again");
        assert_eq!(outcome(Some(&[]), None).verdict(), Verdict::Inconclusive);
        assert_eq!(outcome(Some(&[]), Some(crash())).verdict(), Verdict::Fail);
    }

    #[test]
    fn a_broker_has_a_url() {
        for (url, expected) in [
            ("mqtt://127.0.0.1:2883", "127.0.0.1:2883"),
            ("mqtt://127.0.0.1", "127.0.0.1:1883"),
            ("127.0.0.1:7", "127.0.0.1:7"),
            ("tcp://me:secret@127.0.0.1:7/", "127.0.0.1:7"),
            ("mqtt://[::1]:1884", "[::1]:1884"),
            ("mqtt://[::1]", "[::1]:1883"),
        ] {
            let Ok(Target::Address { addresses, .. }) = Target::from_url(url) else { panic!("{url}") };
            assert_eq!(addresses, [expected.parse().expect("an address")], "{url}");
        }
        let Ok(Target::Address { credentials, .. }) = Target::from_url("mqtt://me:a:b@127.0.0.1") else {
            panic!()
        };
        let credentials = credentials.expect("they are there");
        assert_eq!((credentials.user_name.as_str(), credentials.password.as_str()), ("me", "a:b"));
        let both = Target::from_url("mqtt://127.0.0.1")
            .and_then(|target| target.and_websocket("ws://127.0.0.1:8083/some/path"))
            .expect("two addresses");
        assert!(both.has(Capability::WebSocket));
        assert_eq!(
            both.websocket_place(),
            WebSocketPlace { host: "127.0.0.1:8083".into(), path: "/some/path".into() }
        );
        for wrong in ["mqtt://127.0.0.1:8083", "ws://", "wss://127.0.0.1", "ws://me:secret@127.0.0.1"] {
            assert!(
                Target::from_url("mqtt://127.0.0.1").and_then(|it| it.and_websocket(wrong)).is_err(),
                "{wrong}"
            );
        }
        for wrong in ["mqtts://127.0.0.1", "mqtt://", "mqtt://127.0.0.1:port", "mqtt://127.0.0.1:1883/path"] {
            assert!(matches!(Target::from_url(wrong), Err(LiveError::Url { .. })), "{wrong}");
        }
    }
}
