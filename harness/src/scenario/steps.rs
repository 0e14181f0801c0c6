//! Steps: `who: what`.

use std::collections::BTreeSet;

use reference_broker::codec::PacketType;

use crate::text::{Node, NodeId, NodeKind};

use super::choice::choices;
use super::field::{Field, FieldKind, FieldPattern, FieldValue, Pattern, Place, Value};
use super::read::Reader;
use super::{
    Action, BrokerAct, ClientAct, ClientSpec, Cut, End, ExpectSpec, LinkEnds, PacketSpec, Step, Trigger,
};

/// First words that are not clients.
pub(super) const RESERVED: &[&str] =
    &["wait", "partition", "heal", "link", "broker", "when", "note", "only", "judges"];

/// Keys that any step may have.
const STEP_KEYS: &[&str] = &["note", "only", "judges"];

/// Verbs of a client: the word, the place of its other fields, keys of its own, and what it does.
pub(super) static VERBS: &[(&str, Option<PacketType>, &[&str], &str)] = &[
    (
        "connect",
        None,
        &["session_present", "within"],
        "opens a connection and sends CONNECT; done at a CONNACK that accepts",
    ),
    ("open", None, &[], "a network connection without CONNECT"),
    ("subscribe", Some(PacketType::Subscribe), &["within"], "done at a SUBACK that grants what was asked"),
    ("unsubscribe", Some(PacketType::Unsubscribe), &["within"], "done at UNSUBACK"),
    (
        "publish",
        Some(PacketType::Publish),
        &["count", "await", "within"],
        "done at PUBACK or PUBCOMP, or at once for QoS 0",
    ),
    ("ping", None, &["within"], "PINGREQ, done at PINGRESP"),
    ("disconnect", Some(PacketType::Disconnect), &[], "DISCONNECT, then closes"),
    ("lose_connection", None, &[], "the connection ends without DISCONNECT"),
    ("fall_silent", None, &[], "stops acknowledging and pinging"),
    ("stop_reading", None, &[], "takes no more bytes from the network"),
    ("read_again", None, &[], "takes bytes from the network again"),
    ("complete", None, &["within"], "done when every QoS 1 and 2 exchange that this client began has ended"),
    ("send", None, &[], "one packet, as given"),
    ("send_bytes", None, &[], "bytes, as given"),
    ("send_text", None, &[], "bytes, as given, in a WebSocket text frame"),
    (
        "expect",
        None,
        &[
            "within",
            "after",
            "for",
            "of",
            "reason_if_sent",
            "return_code_if_sent",
            "remember",
            "fence",
            "choice",
        ],
        "what must arrive",
    ),
    ("expect_any", None, &["within", "after"], "a closed list of legal alternatives"),
];

/// What is known while the steps of one case are read.
pub(super) struct Context<'c> {
    pub clients: &'c [ClientSpec],
    pub remembered: BTreeSet<String>,
}

/// Reads one step.
pub(super) fn step(node: &Node, context: &mut Context<'_>, reader: &mut Reader) -> Option<Step> {
    let NodeKind::Map(entries) = &node.kind else {
        reader.expected(node, "a step like `client: connect`");
        return None;
    };
    let mut only = None;
    let mut judges = Vec::new();
    let mut note = None;
    let mut found: Option<(NodeId, &str, &Node)> = None;
    for (id, key, value) in entries {
        match key.as_str() {
            "only" => only = reader.version(value),
            "judges" => judges = reader.ids(value, None),
            "note" => note = reader.text(value),
            _ => {
                if found.is_some() {
                    reader.problem(*id, format!("`{key}`: a step has one `who: what`"));
                }
                found = Some((*id, key, value));
            }
        }
    }
    let Some((id, who, what)) = found else {
        reader.expected(node, "a step like `client: connect`");
        return None;
    };
    // The options of every step may stand inside the braces too: `a: { expect: …, only: v5 }`.
    for key in STEP_KEYS {
        if let Some(value) = what.get(key) {
            match *key {
                "only" => only = reader.version(value),
                "judges" => judges = reader.ids(value, None),
                _ => note = reader.text(value),
            }
        }
    }
    let action = match who {
        "wait" => reader.duration(what).map(Action::Wait),
        "partition" => ends(what, &[], context, reader).map(Action::Partition),
        "heal" => match what.text() {
            Some("all") => Some(Action::Heal(None)),
            _ => ends(what, &[], context, reader).map(|ends| Action::Heal(Some(ends))),
        },
        "link" => {
            let ends =
                ends(what, &["latency", "jitter", "loss", "split", "rate", "window"], context, reader)?;
            Some(Action::Link {
                ends,
                change: reader.link_change(what, &["from", "to", "between", "note", "only", "judges"]),
            })
        }
        "broker" => {
            let word = what.inline().unwrap_or_default();
            let act =
                BrokerAct::WORDS.iter().find(|(name, _)| *name == word).map(|(_, act)| Action::Broker(*act));
            if act.is_none() {
                reader.unknown_word(
                    what.id,
                    "broker action",
                    &word,
                    BrokerAct::WORDS.iter().map(|(name, _)| *name),
                );
            }
            act
        }
        "when" => when(what, context, reader).map(Action::When),
        name => match context.clients.iter().position(|client| client.name == name) {
            Some(client) => client_step(client, what, context, reader),
            None => {
                let words: Vec<&str> = context
                    .clients
                    .iter()
                    .map(|client| client.name.as_str())
                    .chain(RESERVED[..6].iter().copied())
                    .collect();
                reader.unknown_word(id, "client", name, words.iter().copied());
                None
            }
        },
    };
    Some(Step { action: action?, only, judges, note, text: render(who, what), at: node.id })
}

/// The step on one line, as a timeline shows it.
fn render(who: &str, what: &Node) -> String {
    fn inline(node: &Node, out: &mut String) {
        match &node.kind {
            NodeKind::Null => out.push('~'),
            NodeKind::Map(entries) => {
                out.push_str("{ ");
                for (at, (_, key, value)) in entries.iter().enumerate() {
                    out.push_str(if at > 0 { ", " } else { "" });
                    out.push_str(key);
                    out.push_str(": ");
                    inline(value, out);
                }
                out.push_str(" }");
            }
            NodeKind::List(list) => {
                out.push('[');
                for (at, value) in list.iter().enumerate() {
                    out.push_str(if at > 0 { ", " } else { "" });
                    inline(value, out);
                }
                out.push(']');
            }
            _ => {
                let text = node.inline().unwrap_or_default();
                let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
                match text.char_indices().nth(60) {
                    Some((cut, _)) => {
                        out.push_str(&text[..cut]);
                        out.push('…');
                    }
                    None => out.push_str(&text),
                }
            }
        }
    }
    let mut out = format!("{who}: ");
    inline(what, &mut out);
    out
}

fn end(node: &Node, context: &Context<'_>, reader: &mut Reader) -> Option<End> {
    if node.text() == Some("broker") {
        return Some(End::Broker);
    }
    reader.client(node, context.clients).map(End::Client)
}

/// `{ from: …, to: … }` or `{ between: [broker, a] }`.
fn ends(node: &Node, others: &[&str], context: &Context<'_>, reader: &mut Reader) -> Option<LinkEnds> {
    let mut keys = vec!["from", "to", "between"];
    keys.extend_from_slice(others);
    keys.extend_from_slice(STEP_KEYS);
    reader.map(node, "a map like { between: [broker, client] } or { from: broker, to: client }", &keys)?;
    let (first, second, both) = match (node.get("between"), node.get("from"), node.get("to")) {
        (Some(between), None, None) => match &between.kind {
            NodeKind::List(list) if list.len() == 2 => {
                (end(&list[0], context, reader)?, end(&list[1], context, reader)?, true)
            }
            _ => {
                reader.expected(between, "a list of the broker and a client");
                return None;
            }
        },
        (None, Some(from), Some(to)) => (end(from, context, reader)?, end(to, context, reader)?, false),
        _ => {
            reader.expected(node, "either `between` or both `from` and `to`");
            return None;
        }
    };
    match (first, second) {
        (End::Broker, End::Client(client)) => Some(LinkEnds { client, to_broker: both, to_client: true }),
        (End::Client(client), End::Broker) => Some(LinkEnds { client, to_broker: true, to_client: both }),
        _ => {
            reader.problem(node.id, "a link has the broker at one end and a client at the other");
            None
        }
    }
}

fn when(node: &Node, context: &Context<'_>, reader: &mut Reader) -> Option<Trigger> {
    let keys = ["packet", "from", "to", "nth", "is", "do", "note", "only", "judges"];
    reader.map(node, "a map with packet, from, to, is and do", &keys)?;
    let packet = reader.required(node, "packet").and_then(|node| packet_type(node, reader));
    let from = reader.required(node, "from").and_then(|node| end(node, context, reader));
    let to = reader.required(node, "to").and_then(|node| end(node, context, reader));
    let nth = match node.get("nth") {
        Some(nth) => reader.number(nth, 1_000_000).map(|nth| nth as u32),
        None => Some(1),
    };
    let lost = reader
        .required(node, "is")
        .and_then(|node| word(node, "fate", &["lost", "delivered"], reader))
        .map(|it| it == "lost");
    let cut = reader
        .required(node, "do")
        .and_then(|node| word(node, "cut", Cut::WORDS, reader))
        .and_then(|it| Cut::from_name(&it));
    let (client, from_broker) = match (from?, to?) {
        (End::Broker, End::Client(client)) => (client, true),
        (End::Client(client), End::Broker) => (client, false),
        _ => {
            reader.problem(node.id, "a link has the broker at one end and a client at the other");
            return None;
        }
    };
    Some(Trigger { packet: packet?, client, from_broker, nth: nth?, lost: lost?, cut: cut? })
}

fn word(node: &Node, what: &str, words: &[&str], reader: &mut Reader) -> Option<String> {
    let word = node.inline().unwrap_or_default();
    if words.contains(&word.as_str()) {
        return Some(word);
    }
    reader.unknown_word(node.id, what, &word, words.iter().copied());
    None
}

fn packet_type(node: &Node, reader: &mut Reader) -> Option<PacketType> {
    let name = reader.text(node)?;
    let found = PacketType::from_name(&name);
    if found.is_none() {
        reader.unknown_word(node.id, "packet", &name, PacketType::ALL.map(PacketType::name));
    }
    found
}

fn client_step(client: usize, node: &Node, context: &mut Context<'_>, reader: &mut Reader) -> Option<Action> {
    let words = || VERBS.iter().map(|(name, ..)| *name);
    let plain = Node { id: node.id, kind: NodeKind::Null };
    let (verb, argument, fields) = match &node.kind {
        NodeKind::Text(verb) => (verb.as_str(), &plain, &plain),
        NodeKind::Map(entries) => {
            let verbs: Vec<_> =
                entries.iter().filter(|(_, key, _)| words().any(|word| word == key)).collect();
            match verbs[..] {
                [(_, key, value)] => (key.as_str(), value, node),
                [] => {
                    let (id, key) = entries.first().map_or((node.id, ""), |(id, key, _)| (*id, key.as_str()));
                    reader.unknown_word(id, "verb", key, words());
                    return None;
                }
                [_, (id, key, _), ..] => {
                    reader.problem(*id, format!("`{key}`: a step has one verb"));
                    return None;
                }
            }
        }
        _ => {
            reader.expected(node, "a verb, or a map that begins with one");
            return None;
        }
    };
    let Some((name, packet, own, _)) = VERBS.iter().find(|(name, ..)| *name == verb) else {
        reader.unknown_word(node.id, "verb", verb, words());
        return None;
    };
    let mut except: Vec<&str> = vec![name];
    except.extend_from_slice(own);
    except.extend_from_slice(STEP_KEYS);
    // Fields that belong to no packet of this verb are refused here; `send` and `expect` look themselves.
    let packet_fields = match (packet, &fields.kind) {
        (_, NodeKind::Null) => Vec::new(),
        (Some(kind), _) if *name != "disconnect" => reader.fields(fields, Place::Packet(*kind), &except),
        _ if matches!(*name, "send" | "expect" | "expect_any") => Vec::new(),
        _ => {
            reader.map(fields, "a verb and its fields", &except);
            Vec::new()
        }
    };
    let within = fields.get("within").and_then(|node| reader.duration(node));
    let after = fields.get("after").and_then(|node| reader.duration(node));
    let window = fields.get("for").and_then(|node| reader.duration(node));
    // The windows of alternatives are those of the whole expectation.
    let window = match (*name, &argument.kind) {
        ("expect_any", NodeKind::List(list)) => {
            let inner = list.iter().flat_map(|node| match &node.kind {
                NodeKind::List(inner) => inner.iter().collect(),
                _ => vec![node],
            });
            inner.filter_map(|node| node.get("for")).filter_map(|node| reader.duration(node)).max()
        }
        _ => window,
    };
    let act = match *name {
        "connect" => ClientAct::Connect {
            options: match &argument.kind {
                NodeKind::Null => Vec::new(),
                _ => reader.fields(argument, Place::Client, &[]),
            },
            session_present: fields.get("session_present").and_then(|node| reader.flag(node)),
        },
        "open" => ClientAct::Open,
        "subscribe" | "unsubscribe" => {
            let kind = if *name == "subscribe" { PacketType::Subscribe } else { PacketType::Unsubscribe };
            if argument.kind == NodeKind::Null {
                reader.expected(argument, "a Topic Filter");
                return None;
            }
            let filters = reader.filters(argument, Place::Packet(kind));
            let mut all =
                vec![FieldValue { field: Field::Filters, value: Value::Filters(filters), at: argument.id }];
            all.extend(packet_fields);
            let spec = PacketSpec { kind, fields: all };
            if *name == "subscribe" { ClientAct::Subscribe(spec) } else { ClientAct::Unsubscribe(spec) }
        }
        "publish" => {
            let mut all = Vec::new();
            match argument.kind {
                NodeKind::Null => reader.expected(argument, "a Topic Name"),
                _ => all.extend(reader.text(argument).map(|topic| FieldValue {
                    field: Field::Topic,
                    value: Value::Text(topic),
                    at: argument.id,
                })),
            }
            all.extend(packet_fields);
            let count = match fields.get("count") {
                Some(count) => reader.number(count, 100_000)? as u32,
                None => 1,
            };
            let wait = match fields.get("await") {
                Some(node) => word(node, "thing to await", &["nothing"], reader).is_none(),
                None => true,
            };
            ClientAct::Publish { message: PacketSpec { kind: PacketType::Publish, fields: all }, count, wait }
        }
        "ping" => ClientAct::Ping,
        "disconnect" => ClientAct::Disconnect(PacketSpec {
            kind: PacketType::Disconnect,
            fields: match &argument.kind {
                NodeKind::Null => Vec::new(),
                _ => reader.fields(argument, Place::Packet(PacketType::Disconnect), &[]),
            },
        }),
        "lose_connection" => ClientAct::LoseConnection(match &argument.kind {
            NodeKind::Null => Cut::Reset,
            _ => word(argument, "cut", Cut::WORDS, reader).and_then(|word| Cut::from_name(&word))?,
        }),
        "fall_silent" => ClientAct::FallSilent,
        "stop_reading" => ClientAct::StopReading,
        "read_again" => ClientAct::ReadAgain,
        "complete" => ClientAct::Complete,
        "send" => ClientAct::Send(send(argument, fields, &except, context, reader)?),
        "send_bytes" => ClientAct::SendBytes { text: reader.text(argument)?, at: argument.id },
        "send_text" => ClientAct::SendText { text: reader.text(argument)?, at: argument.id },
        "expect" => {
            let alternative = expect(argument, fields, context, reader)?;
            let windowed = matches!(alternative, ExpectSpec::Nothing { .. } | ExpectSpec::Open);
            if windowed && window.is_none() {
                reader.problem(node.id, "this expectation names its window: `for: 1s`");
            } else if !windowed && window.is_some() {
                reader.problem(node.id, "`for` belongs to `nothing` and `open`; this takes `within`");
            }
            let closed = matches!(alternative, ExpectSpec::Closed { .. });
            let choices = choices(fields, closed, reader).into_iter().map(|choice| (0, choice)).collect();
            ClientAct::Expect { alternatives: vec![alternative], choices }
        }
        _ => {
            if let NodeKind::Map(_) = fields.kind {
                reader.map(fields, "`expect_any` and its limits", &except);
            }
            let mut shown = Vec::new();
            let mut place = 0;
            let alternatives = reader.list_of(Some(argument), |reader, node| {
                place += 1;
                let mut one = |reader: &mut Reader, node: &Node| {
                    let what = reader.required(node, "expect")?;
                    let spec = expect(what, node, context, reader)?;
                    let closed = matches!(spec, ExpectSpec::Closed { .. });
                    shown.extend(choices(node, closed, reader).into_iter().map(|it| (place - 1, it)));
                    Some(spec)
                };
                match &node.kind {
                    NodeKind::List(_) => Some(ExpectSpec::Sequence(reader.list_of(Some(node), one))),
                    _ => one(reader, node),
                }
            });
            ClientAct::Expect { alternatives, choices: shown }
        }
    };
    Some(Action::Client { client, act, within, after, window })
}

fn send(
    argument: &Node,
    fields: &Node,
    except: &[&str],
    context: &mut Context<'_>,
    reader: &mut Reader,
) -> Option<PacketSpec> {
    let kind = packet_type(argument, reader)?;
    let place = if kind == PacketType::Connect { Place::Client } else { Place::Packet(kind) };
    let fields =
        if fields.kind == NodeKind::Null { Vec::new() } else { reader.fields(fields, place, except) };
    for field in &fields {
        if let (Field::PacketId, Value::Text(name)) = (field.field, &field.value)
            && !context.remembered.contains(name)
        {
            reader.unknown_word(
                field.at,
                "remembered identifier",
                name,
                context.remembered.iter().map(String::as_str),
            );
        }
    }
    Some(PacketSpec { kind, fields })
}

fn expect(
    argument: &Node,
    fields: &Node,
    context: &mut Context<'_>,
    reader: &mut Reader,
) -> Option<ExpectSpec> {
    let own = &["expect", "within", "after", "for", "note", "only", "judges", "choice"];
    match argument.text() {
        Some("closed") => {
            let mut keys = own.to_vec();
            keys.extend(["reason_if_sent", "return_code_if_sent", "fence"]);
            reader.map(fields, "`expect: closed` and its fields", &keys);
            let codes = |node: &Node, reader: &mut Reader| match &node.kind {
                NodeKind::List(_) => reader.list_of(Some(node), |reader, node| reader.reason(node)),
                _ => reader.reason(node).into_iter().collect(),
            };
            let reason_if_sent = fields.get("reason_if_sent").map(|node| codes(node, reader));
            let return_code_if_sent =
                fields.get("return_code_if_sent").map(|node| codes(node, reader)).unwrap_or_default();
            let fence = fields.get("fence");
            if let Some(node) = fence
                && reader.text(node)? != "ping"
            {
                reader.expected(node, "`ping`");
            }
            return Some(ExpectSpec::Closed { reason_if_sent, return_code_if_sent, fence: fence.is_some() });
        }
        Some("open") => return Some(ExpectSpec::Open),
        Some("nothing") => {
            let mut keys = own.to_vec();
            keys.push("of");
            reader.map(fields, "`expect: nothing` and its fields", &keys);
            let of = fields.get("of").and_then(|node| packet_type(node, reader));
            return Some(ExpectSpec::Nothing { of });
        }
        _ => {}
    }
    let Some(kind) = argument.text().and_then(PacketType::from_name) else {
        let words = PacketType::ALL.map(PacketType::name);
        let found = argument.inline().unwrap_or_else(|| argument.describe());
        reader.unknown_word(
            argument.id,
            "expectation",
            &found,
            words.into_iter().chain(["closed", "nothing", "open"]),
        );
        return None;
    };
    let NodeKind::Map(entries) = &fields.kind else { return None };
    let mut patterns = Vec::new();
    let mut remember = None;
    for (id, key, value) in entries {
        if own.contains(&key.as_str()) {
            continue;
        }
        if key == "remember" {
            remember = reader.text(value);
            context.remembered.extend(remember.clone());
            continue;
        }
        let place = if kind == PacketType::Connect { Place::Client } else { Place::Packet(kind) };
        match place.row(key) {
            Some(row) => {
                if let Some(pattern) = pattern(row.field, row.kind, key, value, place, reader) {
                    patterns.push(FieldPattern { field: row.field, pattern, at: *id });
                }
            }
            None => {
                let words: Vec<&str> =
                    place.rows().map(|row| row.name).chain(own.iter().copied()).chain(["remember"]).collect();
                reader.unknown_word(*id, "field", key, words.iter().copied());
            }
        }
    }
    Some(ExpectSpec::Packet { kind, fields: patterns, remember })
}

fn pattern(
    field: Field,
    kind: FieldKind,
    key: &str,
    node: &Node,
    place: Place,
    reader: &mut Reader,
) -> Option<Pattern> {
    match node.text() {
        Some("present") => return Some(Pattern::Present),
        Some("absent") => return Some(Pattern::Absent),
        _ => {}
    }
    let row = place.row(key)?;
    if let NodeKind::Map(_) = &node.kind
        && matches!(kind, FieldKind::Number { .. } | FieldKind::Seconds | FieldKind::PacketId)
    {
        reader.map(node, "a range like { at_least: 1, at_most: 5 }", &["at_least", "at_most"]);
        let mut limit = |key: &str| {
            node.get(key).and_then(|node| match kind {
                FieldKind::Seconds => reader.seconds(node),
                _ => reader.number(node, NUMBER_MAX),
            })
        };
        return Some(Pattern::Range(limit("at_least"), limit("at_most")));
    }
    match (kind, &node.kind) {
        (FieldKind::Reasons, _) => {
            Some(Pattern::Each(reader.list_of(Some(node), |reader, node| match &node.kind {
                NodeKind::List(_) => Some(reader.list_of(Some(node), |reader, node| reader.reason(node))),
                _ => reader.reason(node).map(|reason| vec![reason]),
            })))
        }
        // A list of Subscription Identifiers or pairs is one value, not a choice.
        (FieldKind::Numbers | FieldKind::Pairs | FieldKind::Filters, _) => {
            reader.value(row, node, place).map(|value| Pattern::OneOf(vec![value]))
        }
        (_, NodeKind::List(_)) => {
            Some(Pattern::OneOf(reader.list_of(Some(node), |reader, node| reader.value(row, node, place))))
        }
        _ => {
            let value = reader.value(row, node, place)?;
            debug_assert!(row.field == field, "the row is that of the field");
            Some(Pattern::OneOf(vec![value]))
        }
    }
}

const NUMBER_MAX: u64 = 4_294_967_295;
