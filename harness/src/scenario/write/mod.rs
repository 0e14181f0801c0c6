//! From a [`Scenario`] to the text of a scenario file with this one case, which reads back as the same scenario.
//!
//! Nothing here rests on where the scenario came from: the texts and places of steps may be empty.
//!
//! The language has no words for some things that the struct can hold:
//!
//! * `name` and `case` are not in a file: its path is its name.
//! * The reason why not all worlds are meant is not kept; [`BECAUSE`] stands in its place.
//! * A field given twice in one packet is written once, with its last value, which is what a plan takes.
//! * A version without statements is left out, since nothing runs there.
//! * `within`, `after` and `for` are written only where the language has them.
//! * A payload of `verify` that looks like a range, `m-{1..3}`, would be read as one.

mod fields;
mod steps;
mod yaml;

use reference_broker::codec::ProtocolVersion;

use crate::text::format_duration;

use super::choice::{ByCount, RecordSpec};
use super::field::Place;
use super::read::expand;
use super::{Capability, LinkChange, Scenario, Split, Transport, Verify};
use yaml::{Yaml, block, sentence};

/// What a written file says where the language wants to know why not all worlds are meant.
pub const BECAUSE: &str = "the scenario that this one came from is for these worlds alone";

/// The text of a scenario file with this one case. `remarks` stand before it as comments, one line or more each.
pub fn write(scenario: &Scenario, remarks: &[String]) -> String {
    let mut out = Out::default();
    for line in remarks.iter().flat_map(|remark| remark.split('\n')) {
        out.line(format!("# {line}").trim_end());
    }
    out.line(&format!("title: {}", sentence(&scenario.title)));
    if let Some(why) = &scenario.why {
        out.line(&format!("why: {}", block(why, "  ").unwrap_or_else(|| yaml::scalar(why))));
    }
    requirements(scenario, &mut out);
    let needs = needs(scenario);
    if !needs.is_empty() {
        out.entry("needs", &Yaml::List(needs));
    }
    if let Some(worlds) = &scenario.worlds {
        out.entry("worlds", &Yaml::List(worlds.iter().map(Yaml::word).collect()));
        out.line(&format!("because: {BECAUSE}"));
    }
    if !scenario.config.is_empty() {
        let mut settings: Vec<(String, Yaml)> = Vec::new();
        for (key, value) in &scenario.config {
            settings.retain(|(other, _)| other != key);
            settings.push((key.clone(), setting(value)));
        }
        out.entry("broker", &Yaml::Map(vec![("config".into(), Yaml::Map(settings))]));
    }
    if scenario.own_names {
        out.entry("own_names", &Yaml::word(true));
    }
    if scenario.network != LinkChange::default() {
        out.entry("network", &Yaml::Map(link(&scenario.network)));
    }
    clients(scenario, &mut out);
    if scenario.steps.is_empty() {
        out.line("steps: []");
    } else {
        out.line("steps:");
        for step in &scenario.steps {
            steps::step(step, scenario, &mut out);
        }
    }
    if !scenario.verify.is_empty() || !scenario.records.is_empty() {
        out.line("verify:");
        for demand in &scenario.verify {
            verify(demand, scenario, &mut out);
        }
        for (record, only) in &scenario.records {
            records(record, *only, scenario, &mut out);
        }
    }
    out.0
}

/// The text so far.
#[derive(Default)]
struct Out(String);

impl Out {
    fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    fn entry(&mut self, key: &str, value: &Yaml) {
        self.line(&format!("{key}: {}", value.line()));
    }

    /// An item of a list with several entries, one a line.
    fn item(&mut self, entries: &[String]) {
        for (at, entry) in entries.iter().enumerate() {
            self.line(&format!("  {} {entry}", if at == 0 { "-" } else { " " }));
        }
    }
}

fn version(version: ProtocolVersion) -> Yaml {
    Yaml::word(if version == ProtocolVersion::V5 { "v5".into() } else { format!("v{}", version.name()) })
}

fn requirements(scenario: &Scenario, out: &mut Out) {
    let of = |version: ProtocolVersion| {
        scenario
            .requirements
            .get(&version)
            .filter(|ids| !ids.is_empty())
            .map(|ids| (version, Yaml::List(ids.iter().map(|id| Yaml::text(id)).collect::<Vec<_>>())))
    };
    let found: Vec<_> =
        [of(ProtocolVersion::V5), of(ProtocolVersion::V3_1_1)].into_iter().flatten().collect();
    if found.is_empty() {
        out.line("requirements: {}");
        return;
    }
    out.line("requirements:");
    let width = if found.len() > 1 { "v3.1.1: ".len() } else { 0 };
    for (it, ids) in &found {
        out.line(&format!("  {:width$}{}", format!("{}: ", version(*it).line()), ids.line()));
    }
}

/// What it needs, without what its clients say already.
fn needs(scenario: &Scenario) -> Vec<Yaml> {
    let websocket = scenario.clients.iter().any(|client| Transport::of(&client.options).is_websocket());
    let mut needs = &scenario.needs[..];
    if let Some((Capability::WebSocket, rest)) = needs.split_last()
        && websocket
    {
        needs = rest;
    }
    needs.iter().map(|need| Yaml::word(need.name())).collect()
}

/// A setting of the broker: a number and a flag stand bare if they read back as they are.
fn setting(value: &str) -> Yaml {
    let number = value.parse::<i64>().is_ok_and(|number| number.to_string() == value);
    let flag = matches!(value, "true" | "false");
    if number || flag { Yaml::word(value) } else { Yaml::text(value) }
}

/// The fields of `link` and `network`.
fn link(change: &LinkChange) -> Vec<(String, Yaml)> {
    let split = change.split.map(|split| match split {
        Split::AsWritten => "as_written",
        Split::Bytes => "bytes",
        Split::Boundaries => "boundaries",
        Split::Coalesced => "coalesced",
    });
    let share = |loss: u32| match loss % 10 {
        0 => format!("{}%", loss / 10),
        tenths => format!("{}.{tenths}%", loss / 10),
    };
    let found = [
        ("latency", change.latency.map(|it| Yaml::word(format_duration(it)))),
        ("jitter", change.jitter.map(|it| Yaml::word(format_duration(it)))),
        ("loss", change.loss.map(|it| Yaml::word(share(it)))),
        ("split", split.map(Yaml::word)),
        ("rate", change.rate.map(Yaml::word)),
        ("window", change.window.map(Yaml::word)),
    ];
    found.into_iter().filter_map(|(key, value)| Some((key.to_string(), value?))).collect()
}

fn clients(scenario: &Scenario, out: &mut Out) {
    if scenario.clients.is_empty() {
        out.line("clients: {}");
        return;
    }
    out.line("clients:");
    let names: Vec<String> =
        scenario.clients.iter().map(|client| format!("{}: ", yaml::scalar(&client.name))).collect();
    let width = names.iter().map(String::len).max().unwrap_or_default();
    for (client, name) in scenario.clients.iter().zip(&names) {
        let options = Yaml::Map(fields::fields(&client.options, Place::Client));
        out.line(&format!("  {name:width$}{}", options.line()));
    }
}

/// One client by its name, several as a list.
fn receivers(to: &[usize], scenario: &Scenario) -> Yaml {
    Yaml::one_or_list(to.iter().map(|to| client(*to, scenario)).collect())
}

fn client(at: usize, scenario: &Scenario) -> Yaml {
    Yaml::text(scenario.clients.get(at).map_or("", |client| &client.name))
}

/// What `verify` and `records` count.
fn counted(
    payloads: &[String],
    topic: Option<&String>,
    to: &[usize],
    scenario: &Scenario,
) -> Vec<(String, Yaml)> {
    let mut found = Vec::new();
    if !payloads.is_empty() {
        found.push(("payload".into(), Yaml::one_or_list(ranges(payloads))));
    }
    if let Some(topic) = topic {
        found.push(("topic".into(), Yaml::text(topic)));
    }
    found.push(("to".into(), receivers(to, scenario)));
    found
}

/// The payloads; three and more that count up become one range.
fn ranges(payloads: &[String]) -> Vec<Yaml> {
    let mut found = Vec::new();
    let mut rest = payloads;
    while let Some(first) = rest.first() {
        let range = range(rest).filter(|(length, _)| *length >= 3);
        let (length, text) = range.unwrap_or_else(|| (1, first.clone()));
        found.push(Yaml::text(&text));
        rest = &rest[length..];
    }
    found
}

/// How many of the payloads at the beginning count up, and the range that they are.
fn range(payloads: &[String]) -> Option<(usize, String)> {
    let text = payloads.first()?;
    let end = text.rfind(|c: char| c.is_ascii_digit())? + 1;
    let start = text[..end]
        .rfind(|c: char| !c.is_ascii_digit())
        .map_or(0, |at| at + text[at..].chars().next().map_or(1, char::len_utf8));
    let (head, tail) = (&text[..start], &text[end..]);
    let first: u32 = text[start..end].parse().ok()?;
    let length = payloads
        .iter()
        .zip(first..)
        .take_while(|(payload, number)| **payload == format!("{head}{number}{tail}"))
        .count();
    let last = first.checked_add(u32::try_from(length).ok()?.checked_sub(1)?)?;
    let range = format!("{head}{{{first}..{last}}}{tail}");
    (expand(&range) == payloads[..length]).then_some((length, range))
}

fn verify(demand: &Verify, scenario: &Scenario, out: &mut Out) {
    let counted = Yaml::Map(counted(&demand.payloads, demand.topic.as_ref(), &demand.to, scenario));
    let mut entries = Vec::new();
    if let Some(only) = demand.only {
        entries.push(format!("only: {}", version(only).line()));
    }
    entries.push(format!("{}: {}", demand.verb.name(), counted.line()));
    if !demand.judges.is_empty() {
        entries.push(format!("judges: {}", steps::ids(&demand.judges).line()));
    }
    out.item(&entries);
}

fn records(record: &RecordSpec, only: Option<ProtocolVersion>, scenario: &Scenario, out: &mut Out) {
    let mut map = vec![("choice".to_string(), Yaml::text(record.name))];
    map.extend(counted(&record.payloads, record.topic.as_ref(), &record.to, scenario));
    let count = match &record.count {
        ByCount::Measured => Yaml::word("measured"),
        ByCount::Values(values) => {
            Yaml::Map(values.iter().map(|(number, value)| (number.to_string(), Yaml::text(value))).collect())
        }
    };
    map.push(("by_count".into(), count));
    let mut entries = Vec::new();
    if let Some(only) = only {
        entries.push(format!("only: {}", version(only).line()));
    }
    entries.push(format!("records: {}", Yaml::Map(map).line()));
    out.item(&entries);
}
