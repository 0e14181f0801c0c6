//! Cases: one template, many named bindings of its `$names`.

use std::collections::{BTreeMap, BTreeSet};

use reference_broker::codec::ProtocolVersion;

use crate::text::{Node, NodeId, NodeKind, nearest};

use super::mutations::{self, State, Target};
use super::read::Reader;

/// The keys under which a file has its cases.
pub(super) const SOURCES: [&str; 4] = ["cases", "matrix", "table", "mutations"];

/// How many cases the axes of a matrix may make.
const MOST_CASES: usize = 10_000;

/// A case before it is put into the template.
#[derive(Debug, Clone, Default)]
pub(super) struct Binding {
    /// Its name; `None` if the file has no cases.
    pub name: Option<String>,
    /// The values of the `$names`.
    pub values: BTreeMap<String, Node>,
    /// Requirements in place of the file's.
    pub requirements: Option<Node>,
    /// Requirements besides the file's.
    pub more_requirements: Vec<Node>,
    /// Its bytes name no topic and no client but those of its own run.
    pub own_names: bool,
}

/// All cases of a file; one without a name if it has none.
pub(super) fn bindings(root: &Node, reader: &mut Reader) -> Vec<Binding> {
    let mut found = Vec::new();
    for key in SOURCES {
        if let Some(node) = root.get(key) {
            found.push((key, node));
        }
    }
    if let [_, (key, node), ..] = &found[..] {
        reader.problem(
            node.id,
            format!(
                "`{key}` stands beside `{}`: a file has at most one of {}",
                found[0].0,
                SOURCES.join(", ")
            ),
        );
    }
    let list = match found.first() {
        None => return vec![Binding::default()],
        Some(("cases", node)) => named(node, reader),
        Some(("matrix", node)) => matrix(node, reader),
        Some(("mutations", node)) => mutated(node, reader),
        Some((_, node)) => table(node, reader),
    };
    let mut names = BTreeSet::new();
    for binding in &list {
        if let Some(name) = &binding.name
            && !names.insert(name.clone())
        {
            reader.problem(found[0].1.id, format!("two cases have the name `{name}`"));
        }
    }
    list
}

fn named(node: &Node, reader: &mut Reader) -> Vec<Binding> {
    let NodeKind::Map(entries) = &node.kind else {
        reader.expected(node, "a map of cases: name: { values }");
        return Vec::new();
    };
    entries
        .iter()
        .filter_map(|(_, name, value)| {
            part(name, value, name, reader).map(|mut binding| {
                binding.requirements = binding.more_requirements.pop();
                binding
            })
        })
        .collect()
}

/// One case or one part of a matrix: a map of values, or a single value for the axis itself.
fn part(name: &str, value: &Node, axis: &str, reader: &mut Reader) -> Option<Binding> {
    let mut binding = Binding { name: Some(name.to_string()), ..Binding::default() };
    match &value.kind {
        NodeKind::Map(entries) => {
            for (_, key, value) in entries {
                if key == "requirements" {
                    binding.more_requirements.push(value.clone());
                } else {
                    binding.values.insert(key.clone(), value.clone());
                }
            }
        }
        NodeKind::Null => {
            reader.expected(value, "the values of this case");
            return None;
        }
        _ => {
            binding.values.insert(axis.to_string(), value.clone());
        }
    }
    Some(binding)
}

fn matrix(node: &Node, reader: &mut Reader) -> Vec<Binding> {
    let NodeKind::Map(axes) = &node.kind else {
        reader.expected(node, "a map of axes");
        return Vec::new();
    };
    let mut product = vec![Binding::default()];
    for (_, axis, values) in axes {
        let parts: Vec<Binding> = match &values.kind {
            NodeKind::Map(entries) => {
                entries.iter().filter_map(|(_, name, value)| part(name, value, axis, reader)).collect()
            }
            NodeKind::List(list) => list
                .iter()
                .filter_map(|value| match value.inline() {
                    Some(name) => part(&name, value, axis, reader),
                    None => {
                        reader.expected(value, "a word, or a map of named parts in place of the list");
                        None
                    }
                })
                .collect(),
            _ => {
                reader.expected(values, "a list of words or a map of named parts");
                Vec::new()
            }
        };
        if product.len() * parts.len() > MOST_CASES {
            reader.problem(values.id, format!("the axes up to here make more than {MOST_CASES} cases"));
            return Vec::new();
        }
        product = product
            .iter()
            .flat_map(|left| {
                parts.iter().map(move |right| {
                    let mut both = left.clone();
                    let right_name = right.name.clone().unwrap_or_default();
                    both.name = Some(match &left.name {
                        Some(name) => format!("{name}/{right_name}"),
                        None => right_name,
                    });
                    both.values.extend(right.values.clone());
                    both.more_requirements.extend(right.more_requirements.clone());
                    both
                })
            })
            .collect();
    }
    product
}

fn table(node: &Node, reader: &mut Reader) -> Vec<Binding> {
    let (Some(columns), Some(rows)) = (node.get("columns"), node.get("rows")) else {
        reader.expected(node, "`columns` and `rows`");
        return Vec::new();
    };
    let (NodeKind::List(columns), NodeKind::List(rows)) = (&columns.kind, &rows.kind) else {
        reader.expected(node, "lists of `columns` and `rows`");
        return Vec::new();
    };
    let names: Vec<String> = columns.iter().filter_map(Node::inline).collect();
    let mut bindings = Vec::new();
    for row in rows {
        match &row.kind {
            NodeKind::List(cells) if cells.len() == names.len() => {
                let parts: Vec<String> =
                    cells.iter().map(|cell| shorten(&cell.inline().unwrap_or_default())).collect();
                bindings.push(Binding {
                    name: Some(parts.join(" ~ ")),
                    values: names.iter().cloned().zip(cells.iter().cloned()).collect(),
                    ..Binding::default()
                });
            }
            _ => reader.expected(row, &format!("a list of {} cells: {}", names.len(), names.join(", "))),
        }
    }
    bindings
}

/// Malformed packets from the table of mutations. They bind `$bytes` and `$reasons`.
fn mutated(node: &Node, reader: &mut Reader) -> Vec<Binding> {
    if reader
        .map(node, "a map like { packet: PUBLISH, protocol: 5.0 }", &["packet", "protocol", "state"])
        .is_none()
    {
        return Vec::new();
    }
    let targets: Vec<(NodeId, Target)> = words(reader.required(node, "packet"))
        .into_iter()
        .filter_map(|value| {
            let word = value.inline().unwrap_or_else(|| value.describe());
            let found = Target::from_name(&word);
            if found.is_none() {
                reader.unknown_word(value.id, "packet", &word, Target::words());
            }
            found.map(|target| (value.id, target))
        })
        .collect();
    let versions: Vec<ProtocolVersion> = words(reader.required(node, "protocol"))
        .into_iter()
        .filter_map(|value| {
            let word = value.inline().unwrap_or_else(|| value.describe());
            let found = ProtocolVersion::from_name(&word).filter(|it| *it != ProtocolVersion::V3_1);
            if found.is_none() {
                reader.unknown_word(value.id, "protocol", &word, ["3.1.1", "5.0"]);
            }
            found
        })
        .collect();
    if versions.len() > 2 {
        reader.problem(node.id, "a protocol stands here twice");
        return Vec::new();
    }
    let state = node.get("state").and_then(|value| {
        let word = value.inline().unwrap_or_else(|| value.describe());
        let found = State::WORDS.iter().find(|(name, _)| *name == word).map(|(_, state)| *state);
        if found.is_none() {
            reader.unknown_word(value.id, "state", &word, State::WORDS.iter().map(|(name, _)| *name));
        }
        found
    });
    let mut targets = targets;
    let mut known: Vec<Target> = Vec::new();
    targets.retain(|(at, target)| {
        let fresh = !known.contains(target);
        if fresh {
            known.push(*target);
        } else {
            reader.problem(*at, "this packet stands here twice");
        }
        fresh
    });
    let several = targets.len() > 1;
    let mut bindings = Vec::new();
    for version in versions {
        for (at, target) in &targets {
            if !target.exists_in(version) {
                reader.problem(*at, format!("{version} has no such packet: AUTH came with 5.0"));
                continue;
            }
            for case in mutations::cases(*target, version, state.unwrap_or_else(|| State::of(*target))) {
                let packet = if several { format!("{}/", target.slug()) } else { String::new() };
                bindings.push(case_of(node.id, format!("{version}/{packet}{}", case.name), version, case));
            }
        }
    }
    bindings
}

/// A word, or a list of words.
fn words(node: Option<&Node>) -> Vec<&Node> {
    match node.map(|node| (node, &node.kind)) {
        None => Vec::new(),
        Some((_, NodeKind::List(list))) => list.iter().collect(),
        Some((node, _)) => vec![node],
    }
}

fn case_of(at: NodeId, name: String, version: ProtocolVersion, case: mutations::Case) -> Binding {
    let node = |kind| Node { id: at, kind };
    let list = |items: Vec<NodeKind>| node(NodeKind::List(items.into_iter().map(node).collect()));
    let ids = list(case.requirements.into_iter().map(|id| NodeKind::Text(id.into())).collect());
    let reasons = list(case.reasons.into_iter().map(|code| NodeKind::Integer(code.into())).collect());
    let key = if version == ProtocolVersion::V5 { "v5" } else { "v3.1.1" };
    Binding {
        name: Some(name),
        values: BTreeMap::from([
            ("bytes".into(), node(NodeKind::Text(case.bytes))),
            ("reasons".into(), reasons),
        ]),
        requirements: Some(node(NodeKind::Map(vec![(at, key.into(), ids)]))),
        more_requirements: Vec::new(),
        own_names: true,
    }
}

fn shorten(text: &str) -> String {
    if text.chars().count() <= 40 {
        return text.to_string();
    }
    format!("{}… ({} characters)", text.chars().take(24).collect::<String>(), text.chars().count())
}

/// The template with the values of one case in it.
pub(super) fn substitute(
    node: &Node,
    binding: &Binding,
    used: &mut BTreeSet<String>,
    reader: &mut Reader,
) -> Node {
    match &node.kind {
        NodeKind::Text(text) => {
            if let Some(name) = text.strip_prefix('$').filter(|name| is_name(name)) {
                if let Some(value) = look_up(name, node.id, binding, used, reader) {
                    return value.clone();
                }
                return node.clone();
            }
            if text.contains("${") {
                let kind = NodeKind::Text(interpolate(text, node.id, binding, used, reader));
                return Node { id: node.id, kind };
            }
            node.clone()
        }
        NodeKind::List(list) => {
            let mut out = Vec::new();
            for item in list {
                let is_variable = item.text().is_some_and(|text| text.starts_with('$'));
                let item = substitute(item, binding, used, reader);
                match item.kind {
                    // A list in place of one step is spliced in.
                    NodeKind::List(inner) if is_variable => out.extend(inner),
                    _ => out.push(item),
                }
            }
            Node { id: node.id, kind: NodeKind::List(out) }
        }
        NodeKind::Map(entries) => Node {
            id: node.id,
            kind: NodeKind::Map(
                entries
                    .iter()
                    .map(|(id, key, value)| (*id, key.clone(), substitute(value, binding, used, reader)))
                    .collect(),
            ),
        },
        _ => node.clone(),
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn look_up<'b>(
    name: &str,
    at: NodeId,
    binding: &'b Binding,
    used: &mut BTreeSet<String>,
    reader: &mut Reader,
) -> Option<&'b Node> {
    used.insert(name.to_string());
    let value = binding.values.get(name);
    // `$SYS` and `$share` begin topics; a file without cases may use any of them.
    if value.is_none() && binding.name.is_some() && !matches!(name, "SYS" | "share") {
        let help = nearest(name, binding.values.keys().map(String::as_str))
            .map(|word| format!("did you mean `${word}`?"));
        let case = binding.name.as_deref().unwrap_or_default();
        reader.problem_with_help(at, format!("case `{case}` has no value for `${name}`"), help);
    }
    value
}

fn interpolate(
    text: &str,
    at: NodeId,
    binding: &Binding,
    used: &mut BTreeSet<String>,
    reader: &mut Reader,
) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let Some(end) = rest[start..].find('}') else { break };
        out.push_str(&rest[..start]);
        let name = &rest[start + 2..start + end];
        match look_up(name, at, binding, used, reader).and_then(Node::inline) {
            Some(value) => out.push_str(&value),
            None => out.push_str(&rest[start..=start + end]),
        }
        rest = &rest[start + end + 1..];
    }
    out.push_str(rest);
    out
}
