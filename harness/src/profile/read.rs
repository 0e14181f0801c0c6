//! From the text of a profile to a [`Profile`], or to all of its mistakes.
//!
//! Never the case: a mistake that hides another one, a default that depends on the machine.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use reference_broker::codec::ProtocolVersion;
use reference_broker::core::Config;

use crate::scenario::{CAPABILITIES, Capability};
use crate::text::{Document, Node, NodeId, NodeKind, Problem, nearest, parse_duration};

use super::{
    Clock, Credentials, Offer, Package, Persistence, PortUse, Profile, Registry, Start, Stop, StopSignal,
};

/// The keys of a profile, with what each means.
pub(super) const KEYS: &[(&str, &str)] = &[
    ("name", "what to call the broker"),
    ("install", "names of packages that have it, by registry"),
    ("version-command", "a command that prints its version"),
    ("start", "how its process is started"),
    ("stop", "how its process is asked to end"),
    ("set-arguments", "arguments that hand over any setting of a scenario: {key} and {value}"),
    ("configurations", "settings of scenarios that it can be given: text in place of {settings}"),
    ("env", "additions to the environment"),
    ("credentials", "what clients present that the scenario gives no User Name"),
    ("claims", "what it is said to have; the rest is found out"),
    ("tolerance", "added to every upper limit"),
    ("log-file", "a log that it writes itself"),
    ("clock", "the library that moves the clock of its process"),
];

/// The keys of `start`.
pub(super) const START_KEYS: &[(&str, &str)] = &[
    ("command", "program and arguments"),
    ("look-in", "folders in which the program is looked for before those of PATH"),
    ("config", "the text of {config}"),
    ("files", "more files, by name: {file-NAME}"),
    ("port", "the port for MQTT, if it cannot be told another"),
    ("websocket-port", "the port for WebSocket, if it cannot be told another"),
    ("ports", "more ports, by name: {port-NAME}; a version as the name is that version's own listener"),
    ("websocket-path", "the path that upgrades to WebSocket ask for"),
    ("processes", "how many may run at a time"),
    ("side-by-side", "how many cases may run beside each other on one process"),
    (
        "costly",
        "whether a start takes so much computing that brokers are used again where that changes no verdict",
    ),
    ("in-a-row", "how many cases may have it to themselves one after the other"),
    ("ready-within", "how long it may take until a CONNECT is answered with CONNACK"),
];

/// The keys of `stop`.
pub(super) const STOP_KEYS: &[(&str, &str)] = &[
    ("signal", "the signal to its process group"),
    ("command", "a command in place of the signal"),
    ("within", "how long the end may take; then it is killed"),
];

/// What may stand in braces, beside ports and files that are declared.
pub(super) const PLACEHOLDERS: &[&str] = &["port", "websocket-port", "dir", "config", "assay", "settings"];

/// Behind fewer others than this a run on a broker is as good as on a new one, where a start costs much.
const FEW: usize = 16;

/// Reads a profile.
pub(super) fn read(document: &Document) -> Result<Profile, Vec<Problem>> {
    let mut reader = Reader { document, problems: Vec::new(), words: Vec::new(), used: BTreeSet::new() };
    match reader.profile(&document.root) {
        Some(profile) if reader.problems.is_empty() => Ok(profile),
        _ => Err(reader.problems),
    }
}

/// The words in braces that could be meant as placeholders.
fn words_in_braces(text: &str) -> impl Iterator<Item = &str> {
    text.split('{').skip(1).filter_map(|rest| rest.split_once('}').map(|(word, _)| word)).filter(|word| {
        word.starts_with(|c: char| c.is_ascii_lowercase())
            && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    })
}

struct Reader<'d> {
    document: &'d Document,
    problems: Vec<Problem>,
    /// The placeholders of this profile.
    words: Vec<String>,
    /// Those that were seen.
    used: BTreeSet<String>,
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

    /// The entries of a map with keys of any kind.
    fn entries<'n>(&mut self, node: Option<&'n Node>, what: &str) -> &'n [(NodeId, String, Node)] {
        match node.map(|node| (&node.kind, node)) {
            None => &[],
            Some((NodeKind::Map(entries), _)) => entries,
            Some((_, node)) => {
                self.expected(node, what);
                &[]
            }
        }
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

    /// One of the words of a table.
    fn word<T: Copy>(&mut self, node: &Node, kind: &str, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(node)?;
        let found = words.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.unknown(node.id, kind, &text, &words);
        }
        found.map(|(_, value)| *value)
    }

    /// Notes the placeholders of a text, and complains about words in braces that are none; with `strict` also
    /// about those that resemble none, as a configuration language may have braces of its own.
    fn placeholders(&mut self, node: &Node, strict: bool) {
        let nodes: Vec<&Node> = match &node.kind {
            NodeKind::List(list) => list.iter().collect(),
            _ => vec![node],
        };
        for node in nodes {
            let Some(text) = node.text() else { continue };
            for word in words_in_braces(text) {
                if self.words.iter().any(|it| it == word) {
                    self.used.insert(word.to_string());
                    continue;
                }
                let words = self.words.clone();
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                if strict || nearest(word, words.iter().copied()).is_some() {
                    self.unknown(node.id, "placeholder", word, &words);
                }
            }
        }
    }

    fn profile(&mut self, root: &Node) -> Option<Profile> {
        let keys: Vec<&str> = KEYS.iter().map(|(key, _)| *key).collect();
        self.map(root, "a map with name and start", &keys)?;
        let name = self.required(root, "name").and_then(|node| self.text(node));
        let install = self.install(root.get("install"));
        let version_command = self.texts(root.get("version-command"));
        let start = self.required(root, "start");
        // What is declared there may be used everywhere.
        self.words = PLACEHOLDERS.iter().map(|word| (*word).to_string()).collect();
        let declared = start.map(|node| self.ports(node)).unwrap_or_default();
        self.declare_files(start.and_then(|node| node.get("files")));
        let mut env = Vec::new();
        for (_, key, value) in self.entries(root.get("env"), "a map of variables") {
            self.placeholders(value, true);
            if let Some(value) = self.text(value) {
                env.push((key.clone(), value));
            }
        }
        let log_file = root.get("log-file").and_then(|node| {
            self.placeholders(node, true);
            self.text(node)
        });
        let stop = self.stop(root.get("stop"));
        let configurations = self.configurations(root.get("configurations"));
        let start = start.zip(Some(declared)).and_then(|(node, ports)| self.start(node, ports));
        let set_arguments = self.texts(root.get("set-arguments"));
        if let Some(node) = root.get("set-arguments") {
            let words = std::mem::replace(&mut self.words, vec!["key".into(), "value".into()]);
            self.placeholders(node, true);
            self.words = words;
        }
        if let Some(node) = root.get("configurations")
            && !self.used.contains("settings")
        {
            let help = "put it where the lines of the settings belong".to_string();
            self.problem(node.id, "no file has `{settings}`", Some(help));
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
        let clock = root.get("clock").and_then(|node| self.word(node, "clock", &Clock::WORDS));
        Some(Profile {
            name: name?,
            text: self.document.source.text.clone(),
            install,
            version_command,
            start: start?,
            stop,
            set_arguments,
            configurations,
            env,
            credentials,
            tolerance,
            persistence: persistence.unwrap_or(Persistence::None),
            log_file,
            clock,
            claims,
        })
    }

    fn install(&mut self, node: Option<&Node>) -> Vec<Package> {
        let mut packages = Vec::new();
        let words = Registry::WORDS.map(|(word, ..)| word);
        for (id, key, value) in self.entries(node, "a map from a registry to names of packages") {
            match Registry::WORDS.iter().find(|(word, ..)| word == key) {
                Some((_, registry, _)) => {
                    let names = self.text(value);
                    packages.extend(names.map(|names| Package { registry: *registry, names }));
                }
                None => self.unknown(*id, "registry", key, &words),
            }
        }
        packages
    }

    fn number(&mut self, node: &Node) -> Option<u16> {
        match node.kind {
            NodeKind::Integer(port) if (1..=65_535).contains(&port) => u16::try_from(port).ok(),
            _ => {
                self.expected(node, "a port from 1 to 65535");
                None
            }
        }
    }

    /// A number from 1; any number if nothing is said.
    fn count(&mut self, node: Option<&Node>) -> usize {
        node.map_or(usize::MAX, |node| match node.kind {
            NodeKind::Integer(count) if count > 0 => usize::try_from(count).unwrap_or(1),
            _ => {
                self.expected(node, "a number from 1");
                1
            }
        })
    }

    /// The ports that are declared. What has a placeholder of its own becomes known as one.
    fn ports(&mut self, start: &Node) -> BTreeMap<PortUse, Option<u16>> {
        let mut ports = BTreeMap::new();
        ports.insert(PortUse::Mqtt(None), start.get("port").and_then(|node| self.number(node)));
        if let Some(node) = start.get("websocket-port") {
            ports.insert(PortUse::WebSocket(None), self.number(node));
        }
        for (id, key, value) in self.entries(start.get("ports"), "a map from a name to `free` or a port") {
            let version = |text: &str| ProtocolVersion::ALL.into_iter().find(|it| it.name() == text);
            let named = key.starts_with(|c: char| c.is_ascii_lowercase())
                && key.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
            let port = match (version(key), key.strip_prefix("websocket-").map(version)) {
                (Some(version), _) => PortUse::Mqtt(Some(version)),
                (_, Some(Some(version))) => PortUse::WebSocket(Some(version)),
                _ if named => PortUse::Reserved(key.clone()),
                _ => {
                    let help = "small letters, digits and hyphens; or 3.1, 3.1.1, 5.0, websocket-3.1.1, …";
                    self.problem(*id, format!("`{key}` is no name of a port"), Some(help.to_string()));
                    continue;
                }
            };
            self.words.push(port.placeholder());
            let number = match value.text() {
                Some("free") => None,
                _ => self.number(value),
            };
            ports.insert(port, number);
        }
        ports
    }

    fn declare_files(&mut self, node: Option<&Node>) {
        for (id, name, _) in self.entries(node, "a map from a name to a text") {
            let plain = name.starts_with(|c: char| c.is_ascii_alphanumeric())
                && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
            if plain {
                self.words.push(format!("file-{name}"));
            } else {
                self.problem(*id, format!("`{name}` is no name of a file"), None);
            }
        }
    }

    fn start(&mut self, node: &Node, mut ports: BTreeMap<PortUse, Option<u16>>) -> Option<Start> {
        let keys: Vec<&str> = START_KEYS.iter().map(|(key, _)| *key).collect();
        self.map(node, "a map with a command", &keys)?;
        let command = self.required(node, "command");
        if let Some(command) = command {
            self.placeholders(command, true);
            if matches!(&command.kind, NodeKind::List(list) if list.is_empty()) {
                self.expected(command, "program and arguments");
            }
        }
        let command = self.texts(command);
        let look_in = self.texts(node.get("look-in")).into_iter().map(PathBuf::from).collect();
        let config = node.get("config").and_then(|node| {
            self.placeholders(node, false);
            self.text(node)
        });
        let mut files = BTreeMap::new();
        for (_, name, text) in self.entries(node.get("files"), "a map from a name to a text") {
            self.placeholders(text, false);
            if let Some(text) = self.text(text) {
                files.insert(name.clone(), text);
            }
        }
        if config.is_none() && self.used.contains("config") {
            self.problem(node.id, "`{config}` is used, but there is no `config`", None);
        }
        if self.used.contains("websocket-port") {
            ports.entry(PortUse::WebSocket(None)).or_insert(None);
        }
        for (id, key, value) in self.entries(node.get("ports"), "a map") {
            // A port that the broker cannot be told needs no mention.
            let free = value.text() == Some("free");
            let word = format!("port-{key}");
            if free && self.words.contains(&word) && !self.used.contains(&word) {
                self.problem(*id, format!("nothing uses `{{port-{key}}}`"), None);
            }
        }
        for (id, name, _) in self.entries(node.get("files"), "a map") {
            let word = format!("file-{name}");
            if self.words.contains(&word) && !self.used.contains(&word) {
                self.problem(*id, format!("nothing uses `{{file-{name}}}`"), None);
            }
        }
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
        let processes = self.count(node.get("processes"));
        let side_by_side = self.count(node.get("side-by-side"));
        // Two cannot listen on one port.
        let processes = if ports.values().any(Option::is_some) { 1 } else { processes };
        let costly = node.get("costly").is_some_and(|node| match node.kind {
            NodeKind::Bool(costly) => costly,
            _ => {
                self.expected(node, "true or false");
                false
            }
        });
        let in_a_row = match node.get("in-a-row") {
            None if costly => FEW,
            None => 1,
            given => self.count(given),
        };
        let ready_within = self.duration(node.get("ready-within"), Duration::from_secs(30));
        (!command.is_empty()).then_some(Start {
            command,
            look_in,
            config,
            files,
            ports,
            websocket_path,
            processes,
            side_by_side,
            costly,
            in_a_row,
            ready_within,
        })
    }

    fn stop(&mut self, node: Option<&Node>) -> Stop {
        let default = Stop { signal: StopSignal::Term, command: Vec::new(), within: Duration::from_secs(10) };
        let Some(node) = node else { return default };
        let keys: Vec<&str> = STOP_KEYS.iter().map(|(key, _)| *key).collect();
        if self.map(node, "a map with signal or command, and within", &keys).is_none() {
            return default;
        }
        if let (Some(command), Some(_)) = (node.get("command"), node.get("signal")) {
            self.problem(command.id, "the broker is stopped by a signal or by a command, not by both", None);
        }
        if let Some(command) = node.get("command") {
            self.placeholders(command, true);
        }
        let signal = node.get("signal").and_then(|node| self.word(node, "signal", &StopSignal::WORDS));
        Stop {
            signal: signal.unwrap_or(default.signal),
            command: self.texts(node.get("command")),
            within: self.duration(node.get("within"), default.within),
        }
    }

    fn configurations(&mut self, node: Option<&Node>) -> BTreeMap<String, Offer> {
        let mut offers = BTreeMap::new();
        let known: Vec<&str> = Config::KEYS.iter().map(|key| key.name).collect();
        for (id, key, value) in self.entries(node, "a map from a setting to a text") {
            if !known.contains(&key.as_str()) {
                self.unknown(*id, "setting of scenarios", key, &known);
                continue;
            }
            let offer = match &value.kind {
                NodeKind::Map(values) => {
                    let texts = values.iter();
                    let texts = texts.filter_map(|(_, value, text)| Some((value.clone(), self.text(text)?)));
                    Offer::Values(texts.collect())
                }
                _ => match self.text(value) {
                    Some(text) if text.contains("{value}") => Offer::Any(text),
                    Some(_) => {
                        let help = "or a map from the values that can be had to a text each".to_string();
                        self.problem(value.id, "the text has no `{value}`", Some(help));
                        continue;
                    }
                    None => continue,
                },
            };
            offers.insert(key.clone(), offer);
        }
        offers
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
                    let help = "give `configurations` or `set-arguments`".to_string();
                    self.problem(
                        *id,
                        "whether scenarios can configure the broker is not a claim",
                        Some(help),
                    );
                }
                (Capability::Persistence, _) => persistence = self.persistence(value),
                (capability, NodeKind::Bool(has)) => {
                    claims.insert(*capability, *has);
                }
                _ => self.expected(value, "true or false"),
            }
        }
        (claims, persistence)
    }

    fn persistence(&mut self, node: &Node) -> Option<Persistence> {
        let text = node.text().unwrap_or_default();
        match (text, text.strip_prefix("within ").map(parse_duration)) {
            ("none", _) => Some(Persistence::None),
            ("on-shutdown", _) => Some(Persistence::OnShutdown),
            ("synchronous", _) => Some(Persistence::Synchronous),
            (_, Some(Some(period))) => Some(Persistence::Within(period)),
            (_, Some(None)) => {
                self.expected(node, "a duration with a unit after `within`, like `within 2s`");
                None
            }
            ("", None) => {
                self.expected(node, "one of none, on-shutdown, within 2s, synchronous");
                None
            }
            (word, None) => {
                self.unknown(
                    node.id,
                    "kind of persistence",
                    word,
                    &["none", "on-shutdown", "within 2s", "synchronous"],
                );
                None
            }
        }
    }
}
