//! Profiles: how a known broker is started, and what it claims.
//!
//! A profile is a YAML file. Those in `harness/profiles` are part of the command and have names. In commands,
//! arguments, the environment and the configuration file, `{port}`, `{websocket-port}`, `{dir}`, `{config}` and
//! `{assay}` stand for what a start chooses: free ports, an empty folder for data, the configuration file, this
//! executable.
//!
//! Never the case: a process (that is the live world's), a verdict, a claim that is believed without being tested.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::scenario::{CAPABILITIES, Capability};
use crate::text::{Document, Node, NodeId, NodeKind, Problem, Problems, SourceText, nearest, parse_duration};

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
    /// What is older than a short while.
    Periodic,
    /// Everything that was acknowledged.
    Synchronous,
}

impl Persistence {
    const WORDS: [(&'static str, Persistence); 4] = [
        ("none", Persistence::None),
        ("on-shutdown", Persistence::OnShutdown),
        ("periodic", Persistence::Periodic),
        ("synchronous", Persistence::Synchronous),
    ];
}

/// How a broker's process is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// Program and arguments.
    pub command: Vec<String>,
    /// The text of a configuration file.
    pub config: Option<String>,
    /// The port, if the broker cannot be told another.
    pub port: Option<u16>,
    /// The port for WebSocket, if the broker cannot be told another.
    pub websocket_port: Option<u16>,
    /// The path that upgrades to WebSocket ask for.
    pub websocket_path: String,
    /// How many processes may run at a time.
    pub processes: usize,
    /// How long it may take until a CONNECT is answered.
    pub ready_within: Duration,
    /// How long an orderly stop may take.
    pub stop_within: Duration,
}

impl Start {
    /// Whether the broker is told, or known, to listen for WebSocket.
    pub fn listens_for_websocket(&self) -> bool {
        let told = |text: &String| text.contains("{websocket-port}");
        self.websocket_port.is_some()
            || self.command.iter().any(told)
            || self.config.as_ref().is_some_and(told)
    }
}

/// A broker that can be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// The text that it was read from.
    pub text: String,
    /// Names of packages that have it, for people.
    pub install: Vec<String>,
    /// A command that prints its version.
    pub version_command: Vec<String>,
    /// How it is started.
    pub start: Start,
    /// Arguments for a setting `{key}` with `{value}`, for scenarios that configure the reference broker.
    pub set_arguments: Vec<String>,
    /// Additions to the environment.
    pub env: Vec<(String, String)>,
    /// What clients present that the scenario gives no User Name.
    pub credentials: Option<Credentials>,
    /// Added to every upper limit.
    pub tolerance: Duration,
    /// What outlives the process.
    pub persistence: Persistence,
    claims: BTreeMap<Capability, bool>,
}

/// Profiles that are part of the command.
const SHIPPED: [(&str, &str); 2] = [
    ("mosquitto", include_str!("../profiles/mosquitto.yaml")),
    ("reference", include_str!("../profiles/reference.yaml")),
];

/// What may stand in braces.
pub const PLACEHOLDERS: &[&str] = &["port", "websocket-port", "dir", "config", "assay"];

const KEYS: &[&str] = &[
    "name",
    "install",
    "version-command",
    "start",
    "set-arguments",
    "env",
    "credentials",
    "claims",
    "tolerance",
];
const START_KEYS: &[&str] = &[
    "command",
    "config",
    "port",
    "websocket-port",
    "websocket-path",
    "processes",
    "ready-within",
    "stop-within",
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
        let mut reader = Reader { document: &document, problems: Vec::new() };
        let profile = reader.profile(&document.root);
        let problems = reader.problems;
        match profile {
            Some(profile) if problems.is_empty() => Ok(profile),
            _ => Err(Problems::new(source, problems)),
        }
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
            Capability::Persistence => self.persistence > Persistence::OnShutdown,
            Capability::Configuration => !self.set_arguments.is_empty(),
            Capability::WebSocket => {
                self.start.listens_for_websocket() && self.claims.get(&capability) != Some(&false)
            }
            other => self.claims.get(&other).copied().unwrap_or(true),
        }
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

/// The words in braces that could be meant as placeholders.
fn words_in_braces(text: &str) -> Vec<&str> {
    text.split('{')
        .skip(1)
        .filter_map(|rest| rest.split_once('}').map(|(word, _)| word))
        .filter(|word| {
            !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '-' || c == '_')
        })
        .collect()
}

struct Reader<'d> {
    document: &'d Document,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn problem(&mut self, at: NodeId, message: impl Into<String>, help: Option<String>) {
        self.problems.push(self.document.problem(at, message, help));
    }

    fn expected(&mut self, node: &Node, what: &str) {
        self.problem(node.id, format!("expected {what}, found {}", node.describe()), None);
    }

    fn unknown(&mut self, at: NodeId, kind: &str, word: &str, words: &[&str]) {
        let help = match nearest(word, words.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are {}", words.join(", ")),
        };
        self.problem(at, format!("`{word}` is no {kind}"), Some(help));
    }

    /// The entries of a map that has these keys only.
    fn map<'n>(&mut self, node: &'n Node, what: &str, keys: &[&str]) -> Option<&'n [(NodeId, String, Node)]> {
        let NodeKind::Map(entries) = &node.kind else {
            self.expected(node, what);
            return None;
        };
        for (id, key, _) in entries {
            if !keys.contains(&key.as_str()) {
                self.unknown(*id, "key here", key, keys);
            }
        }
        Some(entries)
    }

    fn text(&mut self, node: &Node) -> Option<String> {
        match node.inline() {
            Some(text) if !text.is_empty() => Some(text),
            _ => {
                self.expected(node, "text");
                None
            }
        }
    }

    fn texts(&mut self, node: Option<&Node>) -> Vec<String> {
        match node.map(|node| (&node.kind, node)) {
            None => Vec::new(),
            Some((NodeKind::List(list), _)) => list.iter().filter_map(|node| self.text(node)).collect(),
            Some((_, node)) => {
                self.expected(node, "a list");
                Vec::new()
            }
        }
    }

    fn duration(&mut self, node: Option<&Node>, default: Duration) -> Duration {
        let Some(node) = node else { return default };
        match node.text().and_then(parse_duration) {
            Some(duration) => duration,
            None => {
                self.expected(node, "a duration with a unit, like `500ms` or `10s`");
                default
            }
        }
    }

    fn required<'n>(&mut self, node: &'n Node, key: &str) -> Option<&'n Node> {
        let found = node.get(key);
        if found.is_none() {
            self.problem(node.id, format!("`{key}` is missing"), None);
        }
        found
    }

    /// Complains about words in braces that are none of `words`; with `strict` also about far ones.
    fn placeholders(&mut self, node: &Node, words: &[&str], strict: bool) {
        let nodes: Vec<&Node> = match &node.kind {
            NodeKind::List(list) => list.iter().collect(),
            _ => vec![node],
        };
        for node in nodes {
            let Some(text) = node.text() else { continue };
            for word in words_in_braces(text) {
                let known = words.contains(&word);
                if !known && (strict || nearest(word, words.iter().copied()).is_some()) {
                    self.unknown(node.id, "placeholder", word, words);
                }
            }
        }
    }

    fn profile(&mut self, root: &Node) -> Option<Profile> {
        self.map(root, "a map with name and start", KEYS)?;
        let name = self.required(root, "name").and_then(|node| self.text(node));
        let install = self.texts(root.get("install"));
        let version_command = self.texts(root.get("version-command"));
        let start = self.required(root, "start").and_then(|node| self.start(node));
        if let (Some(start), Some(node)) = (&start, root.get("start"))
            && start.config.is_none()
            && start.command.iter().any(|word| word.contains("{config}"))
        {
            self.problem(node.id, "the command has `{config}`, but there is no `config`", None);
        }
        let set_arguments = self.texts(root.get("set-arguments"));
        if let Some(node) = root.get("set-arguments") {
            self.placeholders(node, &["key", "value"], true);
        }
        let mut env = Vec::new();
        if let Some(node) = root.get("env") {
            match &node.kind {
                NodeKind::Map(entries) => {
                    for (_, key, value) in entries {
                        self.placeholders(value, PLACEHOLDERS, true);
                        if let Some(value) = self.text(value) {
                            env.push((key.clone(), value));
                        }
                    }
                }
                _ => self.expected(node, "a map of variables"),
            }
        }
        let credentials = root.get("credentials").and_then(|node| {
            self.map(node, "a map with user_name and password", &["user_name", "password"])?;
            let user_name = self.required(node, "user_name").and_then(|node| self.text(node));
            let password = self.required(node, "password").and_then(|node| self.text(node));
            Some(Credentials { user_name: user_name?, password: password? })
        });
        let (claims, persistence) = root.get("claims").map(|node| self.claims(node)).unwrap_or_default();
        if let (Some(start), Some(node)) = (&start, root.get("claims"))
            && claims.get(&Capability::WebSocket) == Some(&true)
            && !start.listens_for_websocket()
        {
            let help = "give `{websocket-port}` to the command or the configuration".to_string();
            self.problem(node.id, "`websocket` is claimed, but nothing says on which port", Some(help));
        }
        let tolerance = self.duration(root.get("tolerance"), Duration::from_millis(500));
        Some(Profile {
            name: name?,
            text: self.document.source.text.clone(),
            install,
            version_command,
            start: start?,
            set_arguments,
            env,
            credentials,
            tolerance,
            persistence: persistence.unwrap_or(Persistence::None),
            claims,
        })
    }

    fn start(&mut self, node: &Node) -> Option<Start> {
        self.map(node, "a map with a command", START_KEYS)?;
        let command = self.required(node, "command");
        if let Some(command) = command {
            self.placeholders(command, PLACEHOLDERS, true);
            if matches!(&command.kind, NodeKind::List(list) if list.is_empty()) {
                self.expected(command, "program and arguments");
            }
        }
        let command = self.texts(command);
        let config = node.get("config").and_then(|node| {
            // A configuration language may have braces of its own.
            self.placeholders(node, PLACEHOLDERS, false);
            self.text(node)
        });
        let mut port_of = |key: &str| {
            node.get(key).and_then(|node| match node.kind {
                NodeKind::Integer(port) if (1..=65_535).contains(&port) => u16::try_from(port).ok(),
                _ => {
                    self.expected(node, "a port from 1 to 65535");
                    None
                }
            })
        };
        let (port, websocket_port) = (port_of("port"), port_of("websocket-port"));
        let websocket_path = match node.get("websocket-path") {
            None => "/mqtt".to_string(),
            Some(path) => match self.text(path) {
                Some(text) if text.starts_with('/') => text,
                _ => {
                    self.expected(path, "a path that begins with /");
                    String::new()
                }
            },
        };
        let processes = node.get("processes").map_or(usize::MAX, |node| match node.kind {
            NodeKind::Integer(count) if count > 0 => usize::try_from(count).unwrap_or(1),
            _ => {
                self.expected(node, "a number from 1");
                1
            }
        });
        // Two cannot listen on one port.
        let processes = if port.is_some() || websocket_port.is_some() { 1 } else { processes };
        let ready_within = self.duration(node.get("ready-within"), Duration::from_secs(30));
        let stop_within = self.duration(node.get("stop-within"), Duration::from_secs(10));
        (!command.is_empty()).then_some(Start {
            command,
            config,
            port,
            websocket_port,
            websocket_path,
            processes,
            ready_within,
            stop_within,
        })
    }

    fn claims(&mut self, node: &Node) -> (BTreeMap<Capability, bool>, Option<Persistence>) {
        let mut claims = BTreeMap::new();
        let mut persistence = None;
        let names: Vec<&str> = CAPABILITIES.iter().map(|(name, _, _)| *name).collect();
        for (id, name, value) in self.map(node, "a map of capabilities", &names).unwrap_or_default() {
            let Some((_, capability, _)) = CAPABILITIES.iter().find(|(it, _, _)| it == name) else {
                continue;
            };
            match (capability, &value.kind) {
                (Capability::Configuration, _) => {
                    let help = "give `set-arguments`".to_string();
                    self.problem(
                        *id,
                        "whether scenarios can configure the broker is not a claim",
                        Some(help),
                    );
                }
                (Capability::Persistence, NodeKind::Text(word)) => {
                    persistence = Persistence::WORDS.iter().find(|(it, _)| it == word).map(|(_, it)| *it);
                    if persistence.is_none() {
                        self.unknown(
                            value.id,
                            "kind of persistence",
                            word,
                            &Persistence::WORDS.map(|(word, _)| word),
                        );
                    }
                }
                (Capability::Persistence, _) => {
                    self.expected(value, "one of none, on-shutdown, periodic, synchronous");
                }
                (capability, NodeKind::Bool(has)) => {
                    claims.insert(*capability, *has);
                }
                _ => self.expected(value, "true or false"),
            }
        }
        (claims, persistence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<(usize, usize, String, Option<String>)> {
        let problems = Profile::parse(SourceText::new("p.yaml", text)).expect_err("it has mistakes");
        problems.list.into_iter().map(|it| (it.line, it.column, it.message, it.help)).collect()
    }

    #[test]
    fn the_shipped_profiles_can_be_read() {
        for name in Profile::shipped() {
            let profile = Profile::load(name).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(profile.name, name);
            assert!(profile.has(Capability::Qos2) && profile.has(Capability::ProcessControl));
        }
        let reference = Profile::load("reference").expect("it is there");
        assert!(reference.has(Capability::Configuration) && !reference.has(Capability::Persistence));
        let mosquitto = Profile::load("mosquitto").expect("it is there");
        assert!(reference.has(Capability::WebSocket));
        assert!(!mosquitto.has(Capability::Configuration) && mosquitto.has(Capability::Persistence));
        assert_eq!(mosquitto.claim(Capability::WebSocket), Some(true));
        assert_eq!(
            (mosquitto.claim(Capability::Qos2), mosquitto.claim(Capability::Configuration)),
            (None, Some(false))
        );
    }

    #[test]
    fn all_mistakes_are_shown_each_at_its_place() {
        let found = problems(
            "name: x\nstart:\n  comand: [a]\n  command: [a, \"{prot}\"]\n  ready-within: 5\nclaims:\n  qos2: true\n  retain: maybe\n",
        );
        let places: Vec<(usize, usize)> = found.iter().map(|it| (it.0, it.1)).collect();
        assert_eq!(places, [(3, 3), (4, 16), (5, 17), (7, 3), (8, 11)], "{found:?}");
        assert_eq!(found[0].3.as_deref(), Some("did you mean `command`?"));
        assert_eq!(found[1].3.as_deref(), Some("did you mean `port`?"));
        assert_eq!(found[3].3.as_deref(), Some("did you mean `qos-2`?"));
    }

    #[test]
    fn what_is_missing_is_named() {
        let found = problems("install: [x]\n");
        assert!(found.iter().any(|it| it.2.contains("`name` is missing")), "{found:?}");
        assert!(found.iter().any(|it| it.2.contains("`start` is missing")), "{found:?}");
        let found = problems("name: x\nstart: { command: [a, -c, \"{config}\"] }\n");
        assert!(found[0].2.contains("there is no `config`"), "{found:?}");
        let found = problems("name: x\nstart: { command: [a, \"{port}\"] }\nclaims: { websocket: true }\n");
        assert!(found[0].2.contains("nothing says on which port"), "{found:?}");
    }

    #[test]
    fn a_name_that_does_not_exist_gets_the_nearest() {
        let error = Profile::load("mosquito").expect_err("no such profile");
        assert_eq!(error.to_string(), "error: no profile is called `mosquito`; did you mean `mosquitto`?");
        assert!(matches!(Profile::load("no/such/file.yaml"), Err(ProfileError::Unreadable { .. })));
    }

    #[test]
    fn braces_that_are_no_placeholders_stay() {
        let value = |word: &str| (word == "port").then(|| "7".to_string());
        assert_eq!(
            fill("jetstream { store: x } {port} {other} {", value),
            "jetstream { store: x } 7 {other} {"
        );
    }
}
