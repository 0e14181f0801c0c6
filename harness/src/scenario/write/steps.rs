//! Steps: one a line, but for a list of alternatives, which has a line for each.

use std::time::Duration;

use crate::requirement::RequirementId;
use crate::scenario::choice::{ChoiceSpec, CloseSign, Shown};
use crate::scenario::field::{Field, FieldValue, Place, Value};
use crate::scenario::{Action, ClientAct, Cut, ExpectSpec, LinkEnds, PacketSpec, Scenario, Step, Trigger};
use crate::text::format_duration;

use super::fields::{codes, fields, filters, last, patterns, place_of};
use super::yaml::{Yaml, block, sentence};
use super::{Out, client, link, version};

type Entries = Vec<(String, Yaml)>;

/// What a step does, as it is written behind `who:`.
enum What {
    /// `connect`, `2s`
    Word(Yaml),
    /// `{ publish: …, qos: 1 }`
    Map(Entries),
    /// A verb whose text stands below it.
    Lines(&'static str, String),
    /// `expect_any` with its limits, and the alternatives below it.
    Any(Entries, Vec<Yaml>),
}

/// Writes one step.
pub(super) fn step(step: &Step, scenario: &Scenario, out: &mut Out) {
    let (who, what) = what(&step.action, scenario);
    let mut lines = Vec::new();
    if let Some(note) = &step.note {
        lines.push(format!("note: {}", sentence(note)));
    }
    let only = step.only.map(|only| ("only".to_string(), version(only)));
    let judges = (!step.judges.is_empty()).then(|| ("judges".to_string(), ids(&step.judges)));
    let inner = |(key, value): &(String, Yaml)| format!("  {key}: {}", value.line());
    match what {
        What::Word(word) => {
            lines.extend(only.map(|(key, value)| format!("{key}: {}", value.line())));
            lines.push(format!("{who}: {}", word.line()));
            lines.extend(judges.map(|(key, value)| format!("{key}: {}", value.line())));
        }
        What::Map(entries) => {
            let all = only.into_iter().chain(entries).chain(judges).collect();
            lines.push(format!("{who}: {}", Yaml::Map(all).line()));
        }
        What::Lines(verb, text) => {
            lines.push(format!("{who}:"));
            lines.extend(only.iter().map(inner));
            let text = block(&text, "        ").unwrap_or_else(|| Yaml::text(&text).line());
            lines.push(format!("  {verb}: {text}"));
            lines.extend(judges.iter().map(inner));
        }
        What::Any(entries, alternatives) => {
            lines.push(format!("{who}:"));
            lines.extend(only.iter().chain(&entries).map(inner));
            lines.push(format!("  expect_any:{}", if alternatives.is_empty() { " []" } else { "" }));
            for alternative in &alternatives {
                match alternative {
                    Yaml::List(list) if !list.is_empty() => {
                        for (at, packet) in list.iter().enumerate() {
                            let sign = if at == 0 { "- -" } else { "  -" };
                            lines.push(format!("    {sign} {}", packet.line()));
                        }
                    }
                    one => lines.push(format!("    - {}", one.line())),
                }
            }
            lines.extend(judges.iter().map(inner));
        }
    }
    out.item(&lines);
}

/// A list of statements.
pub(super) fn ids(ids: &[RequirementId]) -> Yaml {
    Yaml::List(ids.iter().map(|id| Yaml::text(id)).collect())
}

fn what(action: &Action, scenario: &Scenario) -> (String, What) {
    match action {
        Action::Client { client: at, act, within, after, window } => {
            let limits = Limits { within: *within, after: *after, window: *window };
            (client(*at, scenario).line(), act_of(act, limits))
        }
        Action::Wait(time) => ("wait".into(), What::Word(duration(*time))),
        Action::Partition(it) => ("partition".into(), What::Map(ends(*it, scenario))),
        Action::Heal(None) => ("heal".into(), What::Word(Yaml::word("all"))),
        Action::Heal(Some(it)) => ("heal".into(), What::Map(ends(*it, scenario))),
        Action::Link { ends: it, change } => {
            let mut entries = ends(*it, scenario);
            entries.extend(link(change));
            ("link".into(), What::Map(entries))
        }
        Action::Broker(act) => ("broker".into(), What::Word(Yaml::word(act.name()))),
        Action::When(trigger) => ("when".into(), What::Map(when(trigger, scenario))),
    }
}

fn duration(time: Duration) -> Yaml {
    Yaml::word(format_duration(time))
}

fn entry(key: &str, value: Yaml) -> (String, Yaml) {
    (key.to_string(), value)
}

fn ends(ends: LinkEnds, scenario: &Scenario) -> Entries {
    let (broker, client) = (Yaml::word("broker"), client(ends.client, scenario));
    match (ends.to_broker, ends.to_client) {
        (true, false) => vec![entry("from", client), entry("to", broker)],
        (false, true) => vec![entry("from", broker), entry("to", client)],
        _ => vec![entry("between", Yaml::List(vec![broker, client]))],
    }
}

fn when(trigger: &Trigger, scenario: &Scenario) -> Entries {
    let (broker, client) = (Yaml::word("broker"), client(trigger.client, scenario));
    let (from, to) = if trigger.from_broker { (broker, client) } else { (client, broker) };
    vec![
        entry("packet", Yaml::word(trigger.packet)),
        entry("from", from),
        entry("to", to),
        entry("nth", Yaml::word(trigger.nth)),
        entry("is", Yaml::word(if trigger.lost { "lost" } else { "delivered" })),
        entry("do", Yaml::word(trigger.cut.name())),
    ]
}

/// The times of a step.
#[derive(Clone, Copy)]
struct Limits {
    within: Option<Duration>,
    after: Option<Duration>,
    window: Option<Duration>,
}

impl Limits {
    fn within(self) -> Option<(String, Yaml)> {
        self.within.map(|time| entry("within", duration(time)))
    }

    fn after(self) -> Option<(String, Yaml)> {
        self.after.map(|time| entry("after", duration(time)))
    }
}

/// A verb by itself, or with what follows it.
fn verb(name: &str, argument: Option<Yaml>, more: Entries) -> What {
    match argument {
        None if more.is_empty() => What::Word(Yaml::word(name)),
        argument => {
            let argument = argument.unwrap_or_else(|| Yaml::Map(Vec::new()));
            What::Map([entry(name, argument)].into_iter().chain(more).collect())
        }
    }
}

/// The value that stands behind the verb, and the fields beside it.
fn split(spec: &PacketSpec, first: Field) -> (Option<&Value>, Entries) {
    let rest: Vec<FieldValue> = spec.fields.iter().filter(|it| it.field != first).cloned().collect();
    (last(&spec.fields, first), fields(&rest, Place::Packet(spec.kind)))
}

fn act_of(act: &ClientAct, limits: Limits) -> What {
    let within = limits.within();
    match act {
        ClientAct::Connect { options, session_present } => {
            let options = fields(options, Place::Client);
            let present = session_present.map(|it| entry("session_present", Yaml::word(it)));
            let options = (!options.is_empty()).then_some(Yaml::Map(options));
            verb("connect", options, present.into_iter().chain(within).collect())
        }
        ClientAct::Open => verb("open", None, Vec::new()),
        ClientAct::Subscribe(spec) => requested("subscribe", spec, within),
        ClientAct::Unsubscribe(spec) => requested("unsubscribe", spec, within),
        ClientAct::Publish { message, count, wait } => {
            let (topic, mut more) = split(message, Field::Topic);
            let topic = match topic {
                Some(Value::Text(topic)) => topic.as_str(),
                _ => "",
            };
            more.extend((*count != 1).then(|| entry("count", Yaml::word(count))));
            more.extend((!wait).then(|| entry("await", Yaml::word("nothing"))));
            more.extend(within);
            verb("publish", Some(Yaml::text(topic)), more)
        }
        ClientAct::Ping => verb("ping", None, within.into_iter().collect()),
        ClientAct::Disconnect(spec) => {
            let fields = fields(&spec.fields, Place::Packet(spec.kind));
            verb("disconnect", (!fields.is_empty()).then_some(Yaml::Map(fields)), Vec::new())
        }
        ClientAct::LoseConnection(Cut::Reset) => verb("lose_connection", None, Vec::new()),
        ClientAct::LoseConnection(cut) => verb("lose_connection", Some(Yaml::word(cut.name())), Vec::new()),
        ClientAct::FallSilent => verb("fall_silent", None, Vec::new()),
        ClientAct::StopReading => verb("stop_reading", None, Vec::new()),
        ClientAct::ReadAgain => verb("read_again", None, Vec::new()),
        ClientAct::Complete => match within {
            None => verb("complete", None, Vec::new()),
            within => verb("complete", Some(Yaml::word("exchanges")), within.into_iter().collect()),
        },
        ClientAct::Send(spec) => {
            verb("send", Some(Yaml::word(spec.kind)), fields(&spec.fields, place_of(spec.kind)))
        }
        ClientAct::SendBytes { text, .. } => bytes("send_bytes", text),
        ClientAct::SendText { text, .. } => bytes("send_text", text),
        ClientAct::Expect { alternatives, choices } => expectation(alternatives, choices, limits),
    }
}

fn requested(name: &str, spec: &PacketSpec, within: Option<(String, Yaml)>) -> What {
    let (list, mut more) = split(spec, Field::Filters);
    let list = match list {
        Some(Value::Filters(list)) => filters(list),
        _ => Yaml::List(Vec::new()),
    };
    more.extend(within);
    verb(name, Some(list), more)
}

fn bytes(name: &'static str, text: &str) -> What {
    if text.contains('\n') {
        What::Lines(name, text.to_string())
    } else {
        verb(name, Some(Yaml::text(text)), Vec::new())
    }
}

/// What can only hold or not at the end of a window.
fn windowed(spec: &ExpectSpec) -> bool {
    matches!(spec, ExpectSpec::Nothing { .. } | ExpectSpec::Open)
}

fn expectation(alternatives: &[ExpectSpec], choices: &[(usize, ChoiceSpec)], limits: Limits) -> What {
    // A single alternative needs no list, unless the language has the list's freedom only.
    if let [spec] = alternatives
        && !matches!(spec, ExpectSpec::Sequence(_))
        && windowed(spec) == limits.window.is_some()
    {
        let chosen: Vec<&ChoiceSpec> = choices.iter().map(|(_, choice)| choice).collect();
        let mut entries = expected(spec, limits.window);
        entries.extend(limits.after());
        entries.extend(limits.within());
        entries.extend(choice(&chosen));
        return What::Map(entries);
    }
    let has_window = alternatives.iter().any(|it| match it {
        ExpectSpec::Sequence(list) => list.iter().any(windowed),
        one => windowed(one),
    });
    let mut lines = Vec::new();
    for (at, spec) in alternatives.iter().enumerate() {
        let chosen: Vec<&ChoiceSpec> =
            choices.iter().filter(|(place, _)| *place == at).map(|(_, choice)| choice).collect();
        // Where nothing has a window of its own, the first alternative carries that of all.
        let carries = |spec: &ExpectSpec| if has_window { windowed(spec) } else { at == 0 };
        let window = |spec: &ExpectSpec| limits.window.filter(|_| carries(spec));
        lines.push(match spec {
            ExpectSpec::Sequence(list) => {
                let places = places(list, &chosen);
                Yaml::List(
                    list.iter()
                        .enumerate()
                        .map(|(at, spec)| {
                            let mut entries = expected(spec, window(spec));
                            let here: Vec<&ChoiceSpec> =
                                places.iter().filter(|(place, _)| *place == at).map(|(_, it)| *it).collect();
                            entries.extend(choice(&here));
                            Yaml::Map(entries)
                        })
                        .collect(),
                )
            }
            one => {
                let mut entries = expected(one, window(one));
                entries.extend(choice(&chosen));
                Yaml::Map(entries)
            }
        });
    }
    What::Any(limits.after().into_iter().chain(limits.within()).collect(), lines)
}

/// Beside which packet of a sequence each choice stands: the first that can bear it and has none of that name.
fn places<'c>(list: &[ExpectSpec], chosen: &[&'c ChoiceSpec]) -> Vec<(usize, &'c ChoiceSpec)> {
    let mut found: Vec<(usize, &ChoiceSpec)> = Vec::new();
    for one in chosen {
        let bears = |spec: &ExpectSpec| {
            !matches!(one.shown, Shown::Close(_)) || matches!(spec, ExpectSpec::Closed { .. })
        };
        let free = |at: usize| !found.iter().any(|(place, other)| *place == at && other.name == one.name);
        let place = (0..list.len()).find(|at| bears(&list[*at]) && free(*at));
        found.extend(place.map(|place| (place, *one)));
    }
    found
}

/// One alternative and its window.
fn expected(spec: &ExpectSpec, window: Option<Duration>) -> Entries {
    let mut entries = Vec::new();
    match spec {
        ExpectSpec::Packet { kind, fields, remember } => {
            entries.push(entry("expect", Yaml::word(kind)));
            entries.extend(patterns(fields, place_of(*kind)));
            entries.extend(remember.as_ref().map(|name| entry("remember", Yaml::text(name))));
        }
        ExpectSpec::Closed { reason_if_sent, return_code_if_sent, fence } => {
            entries.push(entry("expect", Yaml::word("closed")));
            entries.extend(reason_if_sent.as_ref().map(|list| entry("reason_if_sent", codes(list))));
            if !return_code_if_sent.is_empty() {
                entries.push(entry("return_code_if_sent", codes(return_code_if_sent)));
            }
            entries.extend(fence.then(|| entry("fence", Yaml::word("ping"))));
        }
        ExpectSpec::Nothing { of } => {
            entries.push(entry("expect", Yaml::word("nothing")));
            entries.extend(of.map(|kind| entry("of", Yaml::word(kind))));
        }
        ExpectSpec::Open => entries.push(entry("expect", Yaml::word("open"))),
        // The language has no sequence inside a sequence.
        ExpectSpec::Sequence(list) => {
            if let Some(first) = list.first() {
                return expected(first, window);
            }
        }
    }
    entries.extend(window.map(|time| entry("for", duration(time))));
    entries
}

/// `choice: { name: value }`
fn choice(chosen: &[&ChoiceSpec]) -> Option<(String, Yaml)> {
    let mut map: Entries = Vec::new();
    for one in chosen {
        if map.iter().any(|(name, _)| name == one.name) {
            continue;
        }
        let value = match &one.shown {
            Shown::Value(value) => Yaml::text(value),
            Shown::Measured => Yaml::word("measured"),
            Shown::Close(signs) => {
                Yaml::Map(signs.iter().map(|(sign, value)| (word_of(*sign), Yaml::text(value))).collect())
            }
        };
        map.push((one.name.to_string(), value));
    }
    (!map.is_empty()).then(|| entry("choice", Yaml::Map(map)))
}

fn word_of(sign: CloseSign) -> String {
    match sign {
        CloseSign::Code(code) => format!("0x{code:02X}"),
        CloseSign::Said => "said".into(),
        CloseSign::Silent => "silent".into(),
        CloseSign::Fin => "fin".into(),
        CloseSign::Reset => "reset".into(),
        CloseSign::Soon => "soon".into(),
        CloseSign::Later => "later".into(),
    }
}
