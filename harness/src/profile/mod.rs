//! Profiles: how a known broker is started, and what it claims.
//!
//! A profile is a YAML file. Those in `harness/profiles` are part of the command and have names; the README there
//! explains every key. In commands, arguments, the environment and files, words in braces stand for what a start
//! chooses: free ports, an empty folder for data, the configuration file, this executable.
//!
//! * `mod`: what a profile is.  * [`read`]: from text, with all mistakes at their places.  * `schema`: the JSON
//!   Schema, from the same tables.
//!
//! Never the case: a process (that is the live world's), a verdict, a claim that is believed without being tested.

mod read;
mod schema;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reference_broker::codec::ProtocolVersion;

use crate::scenario::Capability;
use crate::text::{Document, Problems, SourceText, format_duration, nearest};

pub use schema::schema;

/// A User Name and a Password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// User Name.
    pub user_name: String,
    /// Password.
    pub password: String,
}

/// What of a broker's state outlives its process when that is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Persistence {
    /// Nothing.
    None,
    /// What was written at the last orderly stop.
    OnShutdown,
    /// What was acknowledged at least so long before.
    Within(Duration),
    /// Everything that was acknowledged.
    Synchronous,
}

impl fmt::Display for Persistence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Persistence::None => f.write_str("none"),
            Persistence::OnShutdown => f.write_str("on-shutdown"),
            Persistence::Within(period) => write!(f, "within {}", format_duration(*period)),
            Persistence::Synchronous => f.write_str("synchronous"),
        }
    }
}

/// Where a package comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Registry {
    /// Debian and what descends from it.
    Apt,
    /// Fedora and its relatives.
    Dnf,
    /// Homebrew.
    Brew,
    /// Node.js.
    Npm,
    /// Python.
    Pip,
    /// Rust.
    Cargo,
}

impl Registry {
    /// The words in profiles, and the command that installs.
    const WORDS: [(&'static str, Registry, &'static str); 6] = [
        ("apt", Registry::Apt, "apt-get install"),
        ("dnf", Registry::Dnf, "dnf install"),
        ("brew", Registry::Brew, "brew install"),
        ("npm", Registry::Npm, "npm install --global"),
        ("pip", Registry::Pip, "pip install"),
        ("cargo", Registry::Cargo, "cargo install"),
    ];
}

/// Packages that have the broker, in one registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Where they come from.
    pub registry: Registry,
    /// Their names, separated by spaces.
    pub names: String,
}

impl fmt::Display for Package {
    /// The command that installs them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let command = Registry::WORDS.iter().find(|(_, registry, _)| *registry == self.registry);
        write!(f, "{} {}", command.map_or("", |(_, _, command)| command), self.names)
    }
}

/// What a port is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum PortUse {
    /// MQTT: of a version that has a listener of its own, or of all that have none.
    Mqtt(Option<ProtocolVersion>),
    /// The same over WebSocket.
    WebSocket(Option<ProtocolVersion>),
    /// The broker's own business.
    Reserved(String),
}

impl PortUse {
    /// The word in braces that stands for the port.
    pub fn placeholder(&self) -> String {
        match self {
            PortUse::Mqtt(None) => "port".into(),
            PortUse::Mqtt(Some(version)) => format!("port-{version}"),
            PortUse::WebSocket(None) => "websocket-port".into(),
            PortUse::WebSocket(Some(version)) => format!("port-websocket-{version}"),
            PortUse::Reserved(name) => format!("port-{name}"),
        }
    }
}

/// How a broker's process is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// Program and arguments.
    pub command: Vec<String>,
    /// Folders in which the program is looked for before those of PATH.
    pub look_in: Vec<PathBuf>,
    /// The text of a configuration file.
    pub config: Option<String>,
    /// More files beside it, by name.
    pub files: BTreeMap<String, String>,
    /// The ports that it needs, with the number if the broker cannot be told another. The main one for MQTT is
    /// always there.
    pub ports: BTreeMap<PortUse, Option<u16>>,
    /// The path that upgrades to WebSocket ask for.
    pub websocket_path: String,
    /// How many processes may run at a time.
    pub processes: usize,
    /// How many cases may run beside each other on one process.
    pub side_by_side: usize,
    /// Whether a start costs so much that cases which need a broker to themselves use one after the other.
    pub costly: bool,
    /// So many cases that need a broker to themselves are asked one after the other on the same one; of a costly
    /// broker this is said of the last run of those that failed alone.
    pub in_a_row: usize,
    /// How long it may take until a CONNECT is answered.
    pub ready_within: Duration,
}

impl Start {
    /// Whether the broker is told, or known, to listen for WebSocket.
    pub fn listens_for_websocket(&self) -> bool {
        self.ports.keys().any(|port| matches!(port, PortUse::WebSocket(_)))
    }

    /// Whether it listens for WebSocket and takes this version there.
    pub fn listens_for_websocket_of(&self, version: ProtocolVersion) -> bool {
        [None, Some(version)].into_iter().any(|it| self.ports.contains_key(&PortUse::WebSocket(it)))
    }
}

/// The signals that ask a process to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopSignal {
    /// SIGTERM.
    Term,
    /// SIGINT.
    Int,
    /// SIGQUIT.
    Quit,
    /// SIGHUP.
    Hup,
}

impl StopSignal {
    const WORDS: [(&'static str, StopSignal); 4] = [
        ("TERM", StopSignal::Term),
        ("INT", StopSignal::Int),
        ("QUIT", StopSignal::Quit),
        ("HUP", StopSignal::Hup),
    ];

    /// Its name, without SIG.
    pub fn name(self) -> &'static str {
        StopSignal::WORDS.iter().find(|(_, signal)| *signal == self).map_or("", |(word, _)| word)
    }
}

/// How a broker is asked to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// The signal to its process group.
    pub signal: StopSignal,
    /// A command in place of the signal; empty if there is none.
    pub command: Vec<String>,
    /// How long the end may take; then it is killed.
    pub within: Duration,
}

/// The library that moves the clock of the broker's process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// `libfaketime`.
    Libfaketime,
    /// `libfaketimeMT`, for programs with threads that the other one confuses.
    LibfaketimeMt,
}

impl Clock {
    const WORDS: [(&'static str, Clock); 2] =
        [("libfaketime", Clock::Libfaketime), ("libfaketimeMT", Clock::LibfaketimeMt)];

    /// The library's name, without its ending.
    pub fn library(self) -> &'static str {
        Clock::WORDS.iter().find(|(_, clock)| *clock == self).map_or("", |(word, _)| word)
    }
}

/// How a broker is given a setting that a scenario asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offer {
    /// Any value: the text with `{value}`.
    Any(String),
    /// Some values, each with its text.
    Values(BTreeMap<String, String>),
}

impl Offer {
    /// The text for a value, if it can be had.
    fn text(&self, value: &str) -> Option<String> {
        match self {
            Offer::Any(text) => Some(fill(text, |word| (word == "value").then(|| value.to_string()))),
            Offer::Values(texts) => texts.get(value).cloned(),
        }
    }
}

/// A broker that can be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// The text that it was read from.
    pub text: String,
    /// Packages that have it, for people.
    pub install: Vec<Package>,
    /// A command that prints its version.
    pub version_command: Vec<String>,
    /// How it is started.
    pub start: Start,
    /// How it is asked to end.
    pub stop: Stop,
    /// Arguments for a setting `{key}` with `{value}`, for scenarios that configure the reference broker.
    pub set_arguments: Vec<String>,
    /// The scenarios' settings that it can be given, by key: text in place of `{settings}`.
    pub configurations: BTreeMap<String, Offer>,
    /// Additions to the environment.
    pub env: Vec<(String, String)>,
    /// What clients present that the scenario gives no User Name.
    pub credentials: Option<Credentials>,
    /// Added to every upper limit.
    pub tolerance: Duration,
    /// What outlives the process.
    pub persistence: Persistence,
    /// A log that the broker writes itself, beside its output.
    pub log_file: Option<String>,
    /// The library that moves its clock, if one does.
    pub clock: Option<Clock>,
    claims: BTreeMap<Capability, bool>,
}

/// Profiles that are part of the command.
const SHIPPED: [(&str, &str); 9] = [
    ("aedes", include_str!("../../profiles/aedes.yaml")),
    ("amqtt", include_str!("../../profiles/amqtt.yaml")),
    ("ejabberd", include_str!("../../profiles/ejabberd.yaml")),
    ("mosquitto", include_str!("../../profiles/mosquitto.yaml")),
    ("nats", include_str!("../../profiles/nats.yaml")),
    ("rabbitmq", include_str!("../../profiles/rabbitmq.yaml")),
    ("reference", include_str!("../../profiles/reference.yaml")),
    ("rmqttd", include_str!("../../profiles/rmqttd.yaml")),
    ("rumqttd", include_str!("../../profiles/rumqttd.yaml")),
];

/// Why there is no profile.
#[derive(Debug)]
pub enum ProfileError {
    /// The file cannot be read.
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// No profile has this name.
    NotFound {
        /// What was asked for.
        wanted: String,
        /// The nearest name.
        nearest: Option<String>,
    },
    /// Mistakes in the file, all of them.
    Mistakes(Problems),
}

impl ProfileError {
    /// The message, with or without colour.
    pub fn render(&self, colour: bool) -> String {
        match self {
            ProfileError::Unreadable { path, error } => {
                format!("error: cannot read {}: {error}", path.display())
            }
            ProfileError::NotFound { wanted, nearest } => match nearest {
                Some(name) => format!("error: no profile is called `{wanted}`; did you mean `{name}`?"),
                None => {
                    let names: Vec<&str> = Profile::shipped().collect();
                    format!(
                        "error: no profile is called `{wanted}`; there are {}, and files",
                        names.join(", ")
                    )
                }
            },
            ProfileError::Mistakes(problems) => problems.render(colour),
        }
    }
}

impl fmt::Display for ProfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for ProfileError {}

impl Profile {
    /// The names of the profiles that are part of the command.
    pub fn shipped() -> impl Iterator<Item = &'static str> {
        SHIPPED.iter().map(|(name, _)| *name)
    }

    /// The profile in a file, or the shipped one of that name.
    ///
    /// # Errors
    /// [`ProfileError`].
    pub fn load(wanted: &str) -> Result<Profile, ProfileError> {
        let path = Path::new(wanted);
        let is_path = wanted.contains(['/', '\\']) || path.extension().is_some() || path.is_file();
        if is_path {
            let text = fs::read_to_string(path)
                .map_err(|error| ProfileError::Unreadable { path: path.to_path_buf(), error })?;
            return Profile::parse(SourceText::new(wanted, text)).map_err(ProfileError::Mistakes);
        }
        match SHIPPED.iter().find(|(name, _)| *name == wanted) {
            Some((name, text)) => {
                Profile::parse(SourceText::new(format!("{name}.yaml"), *text)).map_err(ProfileError::Mistakes)
            }
            None => Err(ProfileError::NotFound {
                wanted: wanted.to_string(),
                nearest: nearest(wanted, Profile::shipped()).map(str::to_string),
            }),
        }
    }

    /// Reads a profile.
    ///
    /// # Errors
    /// All mistakes of the text, each at its place.
    pub fn parse(source: SourceText) -> Result<Profile, Problems> {
        let document = match Document::parse(source.clone()) {
            Ok(document) => document,
            Err(problem) => return Err(Problems::new(source, vec![problem])),
        };
        read::read(&document).map_err(|problems| Problems::new(source, problems))
    }

    /// What the profile says about a capability, in its claims or by what it provides; none if it is silent.
    pub fn claim(&self, capability: Capability) -> Option<bool> {
        match capability {
            Capability::Persistence | Capability::ProcessControl | Capability::Configuration => {
                Some(self.has(capability))
            }
            // Who gives a broker a port for it says that it listens there.
            Capability::WebSocket if self.start.listens_for_websocket() => Some(self.has(capability)),
            other => self.claims.get(&other).copied(),
        }
    }

    /// Whether the broker has a capability, as far as the profile knows. What is not mentioned is taken to be
    /// there, except what has to be provided for: persistence, a port for WebSocket, and a way to configure it.
    pub fn has(&self, capability: Capability) -> bool {
        match capability {
            Capability::Persistence => self.persistence > Persistence::None,
            Capability::Configuration => !self.set_arguments.is_empty() || !self.configurations.is_empty(),
            Capability::WebSocket => {
                self.start.listens_for_websocket() && self.claims.get(&capability) != Some(&false)
            }
            other => self.claims.get(&other).copied().unwrap_or(true),
        }
    }

    /// The first of these settings that the broker cannot be given.
    pub fn lacks<'s>(&self, settings: &'s [(String, String)]) -> Option<&'s (String, String)> {
        if !self.set_arguments.is_empty() {
            return None;
        }
        let offered = |(key, value): &(String, String)| {
            self.configurations.get(key).is_some_and(|offer| offer.text(value).is_some())
        };
        settings.iter().find(|setting| !offered(setting))
    }

    /// What stands in place of `{settings}`: a line or more for each setting.
    pub fn settings_text(&self, settings: &[(String, String)]) -> String {
        let texts = settings.iter().filter_map(|(key, value)| self.configurations.get(key)?.text(value));
        texts.map(|text| format!("{}\n", text.trim_end())).collect()
    }
}

/// Replaces `{word}` for every word that `value` knows; the rest stays as it is.
pub fn fill(template: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(start) = rest.find('{') {
        let (head, tail) = rest.split_at(start);
        out.push_str(head);
        let word = tail[1..].split_once('}').map(|(word, _)| word);
        match word.and_then(|word| value(word).map(|value| (word, value))) {
            Some((word, value)) => {
                out.push_str(&value);
                rest = &tail[word.len() + 2..];
            }
            None => {
                out.push('{');
                rest = &tail[1..];
            }
        }
    }
    out.push_str(rest);
    out
}
