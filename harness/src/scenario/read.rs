//! From the text of a file to its scenarios, with every mistake found at once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use reference_broker::codec::{PacketType, ProtocolVersion, ReasonCode};

use crate::requirement::{Catalogue, RequirementId};
use crate::text::{Document, Node, NodeId, NodeKind, Problem, Problems, SourceText, nearest, parse_duration};

use super::cases::{Binding, SOURCES, bindings, substitute};
use super::choice::{RecordSpec, by_count};
use super::field::{FieldKind, FieldRow, FieldValue, FilterSpec, NEVER, Place, Value, whole_seconds};
use super::plan::{Plan, PlanOptions};
use super::{
    CAPABILITIES, Capability, ClientSpec, LinkChange, Scenario, Split, Transport, Verify, VerifyVerb,
    WorldKind,
};

/// A scenario file that has been read without a mistake.
#[derive(Debug, Clone)]
pub struct ScenarioFile {
    /// The text it came from.
    pub source: SourceText,
    /// Its cases; one without a name if it has no cases.
    pub scenarios: Vec<Scenario>,
    /// Lines in the text, by node, for messages about steps.
    pub lines: BTreeMap<NodeId, usize>,
}

const KEYS: &[&str] = &[
    "title",
    "why",
    "requirements",
    "needs",
    "worlds",
    "because",
    "broker",
    "network",
    "own_names",
    "clients",
    "steps",
    "verify",
    "cases",
    "matrix",
    "table",
    "mutations",
];

/// How many values the cases of a file may have in all: what a reader waits for stays short.
const MOST_NODES: usize = 2_000_000;

/// How many bytes the packets of all cases may come to.
const MOST_BYTES: u64 = 1 << 30;

/// How many payloads the verifications of all cases may name.
const MOST_PAYLOADS: usize = 1_000_000;

/// How many problems are shown. Each costs a walk through the text, and nobody reads more.
const MOST_SHOWN: usize = 100;

/// Reads a scenario file. `name` is its path below the folder of scenarios, without ending.
///
/// # Errors
/// All mistakes of the file, each at its place.
pub fn parse_file(name: &str, source: SourceText) -> Result<ScenarioFile, Problems> {
    let document = match Document::parse(source.clone()) {
        Ok(document) => document,
        Err(problem) => return Err(Problems::new(source, vec![problem])),
    };
    let mut reader = Reader::default();
    let mut scenarios = Vec::new();
    if reader.map(&document.root, "a map with title, requirements, clients and steps", KEYS).is_some() {
        let list = bindings(&document.root, &mut reader);
        let mut used = BTreeSet::new();
        let size = document.root.size();
        for (place, binding) in list.iter().enumerate() {
            if place * size > MOST_NODES {
                let message =
                    format!("{} cases of {size} values each are more than {MOST_NODES}", list.len());
                reader.problem(document.root.id, message);
                break;
            }
            if reader.has_enough() {
                break;
            }
            let root = template(&document.root, binding, &mut used, &mut reader);
            scenarios.extend(scenario(name, &root, binding, &mut reader));
        }
        for binding in list.iter().take(1) {
            for (key, value) in &binding.values {
                if !used.contains(key) {
                    reader.problem(value.id, format!("nothing uses `${key}`"));
                }
            }
        }
        // What only shows once a version is chosen: names of reason codes, fields that 5.0 alone has.
        let mut bytes = 0;
        for scenario in &scenarios {
            for version in scenario.requirements.keys() {
                if bytes > MOST_BYTES || reader.has_enough() {
                    break;
                }
                match Plan::new(scenario, *version, &PlanOptions::default()) {
                    Ok(plan) => bytes += plan.bytes,
                    Err(problems) => {
                        for problem in problems {
                            reader.problem_with_help(problem.at, problem.message, problem.help);
                        }
                    }
                }
            }
        }
        if bytes > MOST_BYTES {
            let message = format!("the packets of all cases come to more than {MOST_BYTES} bytes");
            reader.problem(document.root.id, message);
        }
    }
    if reader.problems.is_empty() {
        let mut lines = BTreeMap::new();
        for step in scenarios.iter().flat_map(|scenario| &scenario.steps) {
            lines.entry(step.at).or_insert(0);
        }
        for (at, line) in &mut lines {
            *line = document.place(*at).0;
        }
        return Ok(ScenarioFile { source, scenarios, lines });
    }
    reader.problems.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    reader.problems.dedup();
    let more = reader.problems.len().saturating_sub(MOST_SHOWN);
    if more > 0 {
        reader.problems.truncate(MOST_SHOWN);
        let last = reader.problems.last().map(|(at, ..)| *at).unwrap_or_default();
        reader.problem(last, format!("{more} more problems follow"));
    }
    let list: Vec<Problem> =
        reader.problems.into_iter().map(|(at, message, help)| document.problem(at, message, help)).collect();
    Err(Problems::new(source, list))
}

/// The file's map without its cases, with the values of one case in it.
fn template(root: &Node, binding: &Binding, used: &mut BTreeSet<String>, reader: &mut Reader) -> Node {
    let NodeKind::Map(entries) = &root.kind else { return root.clone() };
    let kept = entries.iter().filter(|(_, key, _)| !SOURCES.contains(&key.as_str()));
    let entries =
        kept.map(|(id, key, value)| (*id, key.clone(), substitute(value, binding, used, reader))).collect();
    Node { id: root.id, kind: NodeKind::Map(entries) }
}

fn scenario(name: &str, root: &Node, binding: &Binding, reader: &mut Reader) -> Option<Scenario> {
    let title = reader.required(root, "title").and_then(|node| reader.text(node));
    let why = root.get("why").and_then(|node| reader.text(node));
    let mut requirements = match (&binding.requirements, root.get("requirements")) {
        (Some(node), _) | (None, Some(node)) => reader.requirements(node),
        (None, None) => {
            if binding.more_requirements.is_empty() {
                reader.problem(
                    root.id,
                    "`requirements` is missing: which statements does this scenario judge?",
                );
            }
            BTreeMap::new()
        }
    };
    for node in &binding.more_requirements {
        for (version, ids) in reader.requirements(node) {
            let list: &mut Vec<RequirementId> = requirements.entry(version).or_default();
            for id in ids {
                if !list.contains(&id) {
                    list.push(id);
                }
            }
        }
    }
    let mut needs = reader.list_of(root.get("needs"), |reader, node| {
        let word = reader.text(node)?;
        let found =
            CAPABILITIES.iter().find(|(name, _, _)| *name == word).map(|(_, capability, _)| *capability);
        if found.is_none() {
            reader.unknown_word(node.id, "capability", &word, CAPABILITIES.iter().map(|(name, _, _)| *name));
        }
        found
    });
    let worlds = root.get("worlds").map(|node| {
        if root.get("because").is_none() {
            reader.problem(node.id, "`worlds` needs a `because:` that says why not all of them");
        }
        reader.list_of(Some(node), |reader, node| {
            let word = reader.text(node)?;
            let found = WorldKind::ALL.into_iter().find(|world| world.name() == word);
            if found.is_none() {
                reader.unknown_word(node.id, "world", &word, WorldKind::ALL.map(WorldKind::name));
            }
            found
        })
    });
    let config = broker_config(root, reader);
    let network = root.get("network").map(|node| reader.link_change(node, &[])).unwrap_or_default();
    let own_names = root.get("own_names").is_some_and(|node| match node.kind {
        NodeKind::Bool(own_names) => own_names,
        _ => {
            reader.problem(node.id, "`own_names` is true or false");
            false
        }
    });
    let clients = clients(root, reader);
    // Said by the clients already.
    if clients.iter().any(|client| Transport::of(&client.options).is_websocket())
        && !needs.contains(&Capability::WebSocket)
    {
        needs.push(Capability::WebSocket);
    }
    let mut context = super::steps::Context { clients: &clients, remembered: BTreeSet::new() };
    let steps = match reader.required(root, "steps").map(|node| &node.kind) {
        Some(NodeKind::List(list)) => {
            list.iter().filter_map(|node| super::steps::step(node, &mut context, reader)).collect()
        }
        Some(_) => {
            reader.problem(root.get("steps").map_or(root.id, |node| node.id), "`steps` is a list");
            Vec::new()
        }
        None => Vec::new(),
    };
    let mut records = Vec::new();
    let verify = reader.list_of(root.get("verify"), |reader, node| {
        if node.get("records").is_some() {
            records.extend(record(node, &clients, reader));
            return None;
        }
        verify(node, &clients, reader)
    });
    Some(Scenario {
        name: name.to_string(),
        case: binding.name.clone(),
        title: title?,
        why,
        requirements,
        needs,
        worlds,
        config,
        network,
        clients,
        steps,
        verify,
        own_names: binding.own_names || own_names,
        records,
    })
}

fn broker_config(root: &Node, reader: &mut Reader) -> Vec<(String, String)> {
    let Some(node) = root.get("broker") else { return Vec::new() };
    if reader.map(node, "a map with `config`", &["config"]).is_none() {
        return Vec::new();
    }
    let Some(config) = node.get("config") else { return Vec::new() };
    let NodeKind::Map(entries) = &config.kind else {
        reader.expected(config, "a map of settings");
        return Vec::new();
    };
    let mut settings = Vec::new();
    for (id, key, value) in entries {
        let Some(text) = value.inline() else {
            reader.expected(value, "one value");
            continue;
        };
        if let Err(error) = reference_broker::core::Config::default().set(key, &text) {
            reader.problem(*id, error.to_string());
        }
        settings.push((key.clone(), text));
    }
    settings
}

fn clients(root: &Node, reader: &mut Reader) -> Vec<ClientSpec> {
    let Some(node) = reader.required(root, "clients") else { return Vec::new() };
    let NodeKind::Map(entries) = &node.kind else {
        reader.expected(node, "a map of clients: name: { options }");
        return Vec::new();
    };
    let mut clients = Vec::new();
    for (id, name, options) in entries {
        if super::steps::RESERVED.contains(&name.as_str()) || name == "all" {
            reader.problem(*id, format!("`{name}` is a word of the language and cannot name a client"));
        } else if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            || name.is_empty()
            || name.len() > 20
        {
            reader.problem(*id, format!("`{name}` is no name for a client: 1 to 20 letters, digits and _"));
        }
        let options = if options.kind == NodeKind::Null {
            Vec::new()
        } else {
            reader.fields(options, Place::Client, &[])
        };
        if !Transport::of(&options).is_websocket()
            && let Some(field) = Transport::websocket_only(&options)
        {
            let message = format!("`{}` is for a client with `transport: websocket`", field.field.name());
            reader.problem(field.at, message);
        }
        clients.push(ClientSpec { name: name.clone(), options });
    }
    clients
}

fn verify(node: &Node, clients: &[ClientSpec], reader: &mut Reader) -> Option<Verify> {
    let words = VerifyVerb::WORDS.iter().map(|(word, _)| *word);
    let NodeKind::Map(entries) = &node.kind else {
        reader.expected(node, "a map like `exactly_once: { payload: …, to: … }`");
        return None;
    };
    let mut found = None;
    let mut only = None;
    let mut judges = Vec::new();
    for (id, key, value) in entries {
        match key.as_str() {
            "only" => only = reader.version(value),
            "judges" => judges = reader.ids(value, None),
            "note" => {}
            _ => match VerifyVerb::WORDS.iter().find(|(word, _)| word == key) {
                Some((_, verb)) => found = Some((*verb, value)),
                None => {
                    reader.unknown_word(*id, "verification", key, words.clone().chain(["records"]));
                }
            },
        }
    }
    let (verb, value) = found?;
    reader.map(value, "a map with `payload` and `to`", &["payload", "payloads", "topic", "to"])?;
    let payloads = payloads(value, reader);
    let topic = value.get("topic").and_then(|node| reader.text(node));
    if payloads.is_empty() && verb != VerifyVerb::Never {
        reader.problem(value.id, format!("`{}` needs a `payload`", verb.name()));
    }
    let to = receivers(value, clients, reader)?;
    Some(Verify { verb, payloads, topic, to, judges, only, at: node.id })
}

/// `records: { choice: …, payload: …, to: …, by_count: { 1: … } }`
fn record(
    node: &Node,
    clients: &[ClientSpec],
    reader: &mut Reader,
) -> Option<(RecordSpec, Option<ProtocolVersion>)> {
    reader.map(node, "a map with `records`", &["records", "only", "note"])?;
    let only = node.get("only").and_then(|node| reader.version(node));
    let value = node.get("records")?;
    let keys = ["choice", "by_count", "payload", "payloads", "topic", "to"];
    reader.map(value, "a map with `choice`, `by_count`, `payload` and `to`", &keys)?;
    let (name, count) = by_count(value, reader)?;
    let payloads = payloads(value, reader);
    let topic = value.get("topic").and_then(|node| reader.text(node));
    let to = receivers(value, clients, reader)?;
    Some((RecordSpec { name, payloads, topic, to, count, at: node.id }, only))
}

/// The payloads that a verification is about.
fn payloads(value: &Node, reader: &mut Reader) -> Vec<String> {
    let Some(payload) = value.get("payload").or(value.get("payloads")) else { return Vec::new() };
    let nodes = match &payload.kind {
        NodeKind::List(list) => &list[..],
        _ => std::slice::from_ref(payload),
    };
    let mut found = Vec::new();
    for node in nodes {
        if let Some(text) = reader.text(node) {
            let more = expand(&text);
            reader.payloads += more.len();
            if reader.payloads > MOST_PAYLOADS {
                reader.problem(node.id, format!("the verifications name more than {MOST_PAYLOADS} payloads"));
                return found;
            }
            found.extend(more);
        }
    }
    found
}

/// The clients whose deliveries a verification counts.
fn receivers(value: &Node, clients: &[ClientSpec], reader: &mut Reader) -> Option<Vec<usize>> {
    let to = reader.required(value, "to")?;
    Some(match &to.kind {
        NodeKind::List(_) => reader.list_of(Some(to), |reader, node| reader.client(node, clients)),
        _ => reader.client(to, clients).into_iter().collect(),
    })
}

/// `m-{1..3}` is m-1, m-2, m-3; other texts are themselves.
pub(super) fn expand(text: &str) -> Vec<String> {
    let range = (|| {
        let (head, rest) = text.split_once('{')?;
        let (range, tail) = rest.split_once('}')?;
        let (first, last) = range.split_once("..")?;
        let (first, last): (u32, u32) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        (last >= first && last - first < 10_000)
            .then(|| (first..=last).map(|n| format!("{head}{n}{tail}")).collect())
    })();
    range.unwrap_or_else(|| vec![text.to_string()])
}

/// Collects mistakes while a document is read.
#[derive(Debug, Default)]
pub(super) struct Reader {
    problems: Vec<(NodeId, String, Option<String>)>,
    /// How many payloads the verifications of all cases have named.
    payloads: usize,
}

impl Reader {
    /// What is wrong, in the order in which it was found.
    pub(super) fn into_problems(self) -> Vec<(NodeId, String, Option<String>)> {
        self.problems
    }

    /// Whether so much is wrong that looking for more is of no use.
    pub(super) fn has_enough(&self) -> bool {
        self.problems.len() >= 10 * MOST_SHOWN
    }

    pub(super) fn problem(&mut self, at: NodeId, message: impl Into<String>) {
        self.problem_with_help(at, message, None);
    }

    pub(super) fn problem_with_help(&mut self, at: NodeId, message: impl Into<String>, help: Option<String>) {
        self.problems.push((at, message.into(), help));
    }

    /// Something else was expected in this place.
    pub(super) fn expected(&mut self, node: &Node, what: &str) {
        self.problem(node.id, format!("expected {what}, found {}", node.describe()));
    }

    pub(super) fn unknown_word<'w>(
        &mut self,
        at: NodeId,
        what: &str,
        found: &str,
        words: impl IntoIterator<Item = &'w str> + Clone,
    ) {
        let help = match nearest(found, words.clone()) {
            Some(word) => format!("did you mean `{word}`?"),
            None => {
                let mut list: Vec<&str> = words.into_iter().collect();
                list.sort_unstable();
                format!("one of: {}", list.join(", "))
            }
        };
        self.problem_with_help(at, format!("unknown {what} `{found}`"), Some(help));
    }

    /// The entries of a map in which only these keys may stand.
    pub(super) fn map<'n>(
        &mut self,
        node: &'n Node,
        what: &str,
        keys: &[&str],
    ) -> Option<&'n [(NodeId, String, Node)]> {
        let NodeKind::Map(entries) = &node.kind else {
            self.expected(node, what);
            return None;
        };
        for (id, key, _) in entries {
            if !keys.contains(&key.as_str()) {
                self.unknown_word(*id, "key", key, keys.iter().copied());
            }
        }
        Some(entries)
    }

    pub(super) fn required<'n>(&mut self, node: &'n Node, key: &str) -> Option<&'n Node> {
        let found = node.get(key);
        if found.is_none() {
            self.problem(node.id, format!("`{key}` is missing"));
        }
        found
    }

    pub(super) fn text(&mut self, node: &Node) -> Option<String> {
        match &node.kind {
            NodeKind::Text(text) => Some(text.clone()),
            NodeKind::Integer(number) => {
                self.problem_with_help(
                    node.id,
                    format!("expected text, found the number {number}"),
                    Some(format!("write \"{number}\"")),
                );
                None
            }
            _ => {
                self.expected(node, "text");
                None
            }
        }
    }

    pub(super) fn flag(&mut self, node: &Node) -> Option<bool> {
        match &node.kind {
            NodeKind::Bool(flag) => Some(*flag),
            NodeKind::Integer(0) => Some(false),
            NodeKind::Integer(1) => Some(true),
            _ => {
                self.expected(node, "true or false");
                None
            }
        }
    }

    pub(super) fn number(&mut self, node: &Node, max: u64) -> Option<u64> {
        match &node.kind {
            NodeKind::Integer(number) if u64::try_from(*number).is_ok_and(|number| number <= max) => {
                Some(*number as u64)
            }
            _ => {
                self.expected(node, &format!("a number from 0 to {max}"));
                None
            }
        }
    }

    pub(super) fn duration(&mut self, node: &Node) -> Option<Duration> {
        let found = node.text().and_then(parse_duration);
        if found.is_none() {
            self.expected(node, "a duration with a unit, like 500ms or 2s");
        }
        found
    }

    pub(super) fn version(&mut self, node: &Node) -> Option<ProtocolVersion> {
        let word = node.inline().unwrap_or_default();
        let found = word.strip_prefix('v').and_then(ProtocolVersion::from_name);
        if found.is_none() {
            self.unknown_word(node.id, "version", &word, ["v3.1.1", "v5"]);
        }
        found
    }

    pub(super) fn client(&mut self, node: &Node, clients: &[ClientSpec]) -> Option<usize> {
        let name = self.text(node)?;
        let found = clients.iter().position(|client| client.name == name);
        if found.is_none() {
            self.unknown_word(node.id, "client", &name, clients.iter().map(|client| client.name.as_str()));
        }
        found
    }

    pub(super) fn list_of<T>(
        &mut self,
        node: Option<&Node>,
        mut read: impl FnMut(&mut Reader, &Node) -> Option<T>,
    ) -> Vec<T> {
        match node.map(|node| (node, &node.kind)) {
            None => Vec::new(),
            Some((_, NodeKind::List(list))) => list.iter().filter_map(|node| read(self, node)).collect(),
            Some((node, _)) => {
                self.expected(node, "a list");
                Vec::new()
            }
        }
    }

    /// `{ v5: [ids], v3.1.1: [ids] }`.
    fn requirements(&mut self, node: &Node) -> BTreeMap<ProtocolVersion, Vec<RequirementId>> {
        let mut found = BTreeMap::new();
        let Some(entries) = self.map(node, "a map like { v5: [ids], v3.1.1: [ids] }", &["v5", "v3.1.1"])
        else {
            return found;
        };
        for (_, key, list) in entries {
            let version = if key == "v5" { ProtocolVersion::V5 } else { ProtocolVersion::V3_1_1 };
            let ids = self.ids(list, Some(version));
            if !ids.is_empty() {
                found.insert(version, ids);
            }
        }
        found
    }

    /// A list of statement ids of a version, or of any.
    pub(super) fn ids(&mut self, node: &Node, version: Option<ProtocolVersion>) -> Vec<RequirementId> {
        self.list_of(Some(node), |reader, node| {
            let id = reader.text(node)?;
            let versions: &[ProtocolVersion] = match version {
                Some(ProtocolVersion::V5) => &[ProtocolVersion::V5],
                Some(_) => &[ProtocolVersion::V3_1_1],
                None => &[ProtocolVersion::V5, ProtocolVersion::V3_1_1],
            };
            if versions.iter().any(|version| Catalogue::of(*version).get(&id).is_some()) {
                return Some(id);
            }
            let other = match version {
                Some(ProtocolVersion::V5) => Some(ProtocolVersion::V3_1_1),
                Some(_) => Some(ProtocolVersion::V5),
                None => None,
            };
            let names = versions.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
            let message = match other.filter(|other| Catalogue::of(*other).get(&id).is_some()) {
                Some(other) => format!("`{id}` is a statement of {other}, not of {names}"),
                None => format!("`{id}` is no statement of {names}"),
            };
            let help = nearest(&id, versions.iter().flat_map(|version| Catalogue::of(*version).ids()));
            reader.problem_with_help(node.id, message, help.map(|id| format!("the nearest is {id}")));
            None
        })
    }

    /// The fields of a map that belong to `place`; keys in `except` are left to the caller.
    pub(super) fn fields(&mut self, node: &Node, place: Place, except: &[&str]) -> Vec<FieldValue> {
        let NodeKind::Map(entries) = &node.kind else {
            self.expected(node, "a map of fields");
            return Vec::new();
        };
        let mut found = Vec::new();
        for (id, key, value) in entries {
            if except.contains(&key.as_str()) {
                continue;
            }
            match place.row(key) {
                Some(row) => {
                    if let Some(value) = self.value(row, value, place) {
                        found.push(FieldValue { field: row.field, value, at: *id });
                    }
                }
                None => {
                    let words: Vec<&str> =
                        place.rows().map(|row| row.name).chain(except.iter().copied()).collect();
                    self.unknown_word(*id, "field", key, words.iter().copied());
                }
            }
        }
        found
    }

    /// A value of the kind that the row asks for.
    pub(super) fn value(&mut self, row: &FieldRow, node: &Node, place: Place) -> Option<Value> {
        match row.kind {
            FieldKind::Flag => self.flag(node).map(Value::Flag),
            FieldKind::Number { max } => self.number(node, max).map(Value::Number),
            FieldKind::Text => self.text(node).map(Value::Text),
            FieldKind::Seconds => self.seconds(node).map(Value::Number),
            FieldKind::Reason => self.reason(node),
            FieldKind::Reasons => {
                Some(Value::List(self.list_of(Some(node), |reader, node| reader.reason(node))))
            }
            FieldKind::Pairs => Some(Value::Pairs(self.pairs(node))),
            FieldKind::Filters => Some(Value::Filters(self.filters(node, place))),
            FieldKind::PacketId => match &node.kind {
                NodeKind::Text(name) => Some(Value::Text(name.clone())),
                _ => self.number(node, 65_535).map(Value::Number),
            },
            FieldKind::Will => match node.text() {
                Some("none") => Some(Value::Nothing),
                _ => Some(Value::Will(self.fields(node, Place::Will, &[]))),
            },
            FieldKind::Word(words) => {
                let word = node.inline().unwrap_or_default();
                // 5.0 is a number to YAML and prints as 5.
                let found = words.iter().find(|it| **it == word || (word == "5" && **it == "5.0"));
                if found.is_none() {
                    self.unknown_word(node.id, row.name, &word, words.iter().copied());
                }
                found.map(|word| Value::Text((*word).to_string()))
            }
            FieldKind::Texts => {
                Some(Value::List(self.list_of(Some(node), |reader, node| reader.text(node).map(Value::Text))))
            }
            FieldKind::Numbers => match &node.kind {
                NodeKind::List(_) => Some(Value::List(self.list_of(Some(node), |reader, node| {
                    reader.number(node, 268_435_455).map(Value::Number)
                }))),
                _ => self.number(node, 268_435_455).map(Value::Number),
            },
        }
    }

    /// Whole seconds, or `never`.
    pub(super) fn seconds(&mut self, node: &Node) -> Option<u64> {
        match &node.kind {
            NodeKind::Text(word) if word == "never" => Some(NEVER),
            NodeKind::Integer(0) => Some(0),
            _ => {
                let seconds =
                    node.text().and_then(parse_duration).and_then(whole_seconds).filter(|it| *it <= NEVER);
                if seconds.is_none() {
                    self.expected(node, "whole seconds with a unit, like 10s or 1h");
                }
                seconds
            }
        }
    }

    /// A reason code by number or by its name in the standard.
    pub(super) fn reason(&mut self, node: &Node) -> Option<Value> {
        match &node.kind {
            NodeKind::Integer(_) => self.number(node, 255).map(Value::Number),
            NodeKind::Text(name) => {
                let known = ReasonCode::from_name(name).is_some()
                    || (0..=5).any(|code| {
                        reference_broker::codec::return_code_name(PacketType::Connack, ReasonCode(code))
                            .is_some_and(|it| it.eq_ignore_ascii_case(name))
                    })
                    || name == "Failure";
                if !known {
                    self.unknown_word(
                        node.id,
                        "reason code",
                        name,
                        ReasonCode::table().iter().map(|row| row.name),
                    );
                    return None;
                }
                Some(Value::ReasonName(name.clone()))
            }
            _ => {
                self.expected(node, "a reason code by number or name");
                None
            }
        }
    }

    fn pairs(&mut self, node: &Node) -> Vec<(String, String)> {
        match &node.kind {
            NodeKind::Map(entries) => entries
                .iter()
                .filter_map(|(_, name, value)| Some((name.clone(), self.text(value)?)))
                .collect(),
            _ => self.list_of(Some(node), |reader, node| match &node.kind {
                NodeKind::List(pair) if pair.len() == 2 => {
                    Some((reader.text(&pair[0])?, reader.text(&pair[1])?))
                }
                _ => {
                    reader.expected(node, "a pair like [name, value]");
                    None
                }
            }),
        }
    }

    /// One Topic Filter, or a list of filters and `{ filter, qos, … }`.
    pub(super) fn filters(&mut self, node: &Node, place: Place) -> Vec<FilterSpec> {
        let one = |reader: &mut Reader, node: &Node| match &node.kind {
            NodeKind::Text(filter) => Some(FilterSpec { filter: filter.clone(), options: Vec::new() }),
            NodeKind::Map(_) if place == Place::Packet(PacketType::Subscribe) => {
                let filter = reader.required(node, "filter").and_then(|node| reader.text(node))?;
                Some(FilterSpec { filter, options: reader.fields(node, Place::Filter, &["filter"]) })
            }
            _ => {
                reader.expected(node, "a Topic Filter");
                None
            }
        };
        match &node.kind {
            NodeKind::List(list) => list.iter().filter_map(|node| one(self, node)).collect(),
            _ => one(self, node).into_iter().collect(),
        }
    }

    /// The fields of `link` and `network`.
    pub(super) fn link_change(&mut self, node: &Node, ends: &[&str]) -> LinkChange {
        const SPLITS: &[(&str, Split)] = &[
            ("as_written", Split::AsWritten),
            ("bytes", Split::Bytes),
            ("boundaries", Split::Boundaries),
            ("coalesced", Split::Coalesced),
        ];
        let mut keys = vec!["latency", "jitter", "loss", "split", "rate", "window"];
        keys.extend_from_slice(ends);
        let mut change = LinkChange::default();
        let Some(entries) = self.map(node, "a map like { latency: 5ms }", &keys) else { return change };
        for (_, key, value) in entries {
            match key.as_str() {
                "latency" => change.latency = self.duration(value),
                "jitter" => change.jitter = self.duration(value),
                "loss" => {
                    let text = value.inline().unwrap_or_default();
                    let share = text.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
                    match share.filter(|share| (0.0..=90.0).contains(share)) {
                        Some(share) => change.loss = Some((share * 10.0).round() as u32),
                        None => self.expected(value, "a share like 5%, up to 90%"),
                    }
                }
                "split" => {
                    let word = value.inline().unwrap_or_default();
                    change.split = SPLITS.iter().find(|(name, _)| *name == word).map(|(_, split)| *split);
                    if change.split.is_none() {
                        self.unknown_word(value.id, "split", &word, SPLITS.iter().map(|(name, _)| *name));
                    }
                }
                "rate" => change.rate = self.number(value, 1 << 40),
                "window" => change.window = self.number(value, 1 << 40),
                _ => {}
            }
        }
        change
    }
}
