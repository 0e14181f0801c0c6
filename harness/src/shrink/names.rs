//! Topics, payloads and clients: fewer, shorter, and named by what they do.

use std::collections::BTreeMap;

use reference_broker::codec::PacketType;

use crate::scenario::{Action, ClientAct, Scenario, Value};

use super::Search;
use super::parts::{self, Topic};

/// One topic in place of two, a topic in place of a wildcard, fewer levels.
pub(super) fn merge_topics(search: &mut Search<'_>) {
    search.everywhere(&|scenario, place| {
        let all =
            distinct(scenario, |scenario, visit| parts::topics(scenario, &mut |topic| visit(topic.text())));
        for gone in &all {
            for kept in &all {
                let legal = !kept.contains(['+', '#']) && !kept.starts_with("$share");
                if gone != kept && legal && place.here() {
                    let before = scenario.clone();
                    retopic(scenario, &|text| (text == gone).then(|| kept.clone()));
                    if asks_twice(scenario) {
                        *scenario = before;
                    }
                    return;
                }
            }
        }
        let shorter: [fn(&str) -> Option<&str>; 2] = [
            |text| text.rsplit_once('/').map(|(rest, _)| rest),
            |text| text.split_once('/').map(|(_, rest)| rest),
        ];
        for shorten in shorter {
            let short = |text: &str| {
                shorten(text).filter(|it| !it.is_empty() && !text.starts_with('$')).map(str::to_string)
            };
            if all.iter().any(|text| short(text).is_some()) && place.here() {
                retopic(scenario, &short);
                return;
            }
        }
    });
}

fn distinct(scenario: &Scenario, each: impl Fn(&mut Scenario, &mut dyn FnMut(String))) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    each(&mut scenario.clone(), &mut |text| {
        if !found.contains(&text) {
            found.push(text);
        }
    });
    found
}

/// Whether one packet names a filter twice, which nobody would write.
fn asks_twice(scenario: &mut Scenario) -> bool {
    let mut twice = false;
    parts::field_lists(scenario, &mut |list| {
        for field in list {
            if let Value::Filters(filters) = &field.value {
                let again = |at: usize| filters[..at].iter().any(|it| it.filter == filters[at].filter);
                twice |= (0..filters.len()).any(again);
            }
        }
    });
    twice
}

fn retopic(scenario: &mut Scenario, change: &dyn Fn(&str) -> Option<String>) {
    parts::topics(scenario, &mut |topic| {
        let (Topic::Name(text) | Topic::Filter(text)) = topic;
        if let Some(new) = change(text) {
            *text = new;
        }
    });
}

/// Names for people. Each is kept if the finding is still there.
pub(super) fn readable(search: &mut Search<'_>) {
    levels(search);
    payloads(search);
    clients(search);
}

/// Long words of topics become single letters, the same everywhere.
fn levels(search: &mut Search<'_>) {
    const LONGEST: usize = 8;
    let all = distinct(&search.best, |it, visit| parts::topics(it, &mut |topic| visit(topic.text())));
    let mut words: Vec<String> = Vec::new();
    for word in all.iter().flat_map(|topic| topic.split('/')) {
        if !words.iter().any(|it| it == word) {
            words.push(word.to_string());
        }
    }
    let mut letters =
        ('t'..='z').chain('a'..='s').map(String::from).filter(|it| !words.contains(it)).collect::<Vec<_>>();
    letters.reverse();
    for word in &words {
        let special = word.starts_with('$') || word.contains(['+', '#']);
        if word.len() <= LONGEST || special {
            continue;
        }
        let Some(letter) = letters.pop() else { return };
        let mut candidate = search.best.clone();
        retopic(&mut candidate, &|topic| {
            let levels = topic.split('/').map(|level| if level == word { &letter } else { level });
            Some(levels.collect::<Vec<_>>().join("/"))
        });
        search.rename(candidate);
    }
}

/// Long payloads become `m1`, `m2`, …
fn payloads(search: &mut Search<'_>) {
    const LONGEST: usize = 12;
    let all = distinct(&search.best, |it, visit| parts::published(it, &mut |text| visit(text.clone())));
    let mut number = 0;
    for from in &all {
        if from.len() <= LONGEST {
            continue;
        }
        let new = loop {
            number += 1;
            let new = format!("m{number}");
            if !all.contains(&new) {
                break new;
            }
        };
        let mut candidate = search.best.clone();
        repayload(&mut candidate, from, &new);
        search.rename(candidate);
    }
}

/// Another payload, where it is published and where it is demanded. A number in it stays.
fn repayload(scenario: &mut Scenario, from: &str, new: &str) {
    let parts_of = from.split_once("{n}");
    parts::published(scenario, &mut |text| {
        if text == from {
            *text = if parts_of.is_some() { format!("{new}-{{n}}") } else { new.to_string() };
        }
    });
    parts::demanded(scenario, &mut |text| {
        let number = parts_of.and_then(|(head, tail)| text.strip_prefix(head)?.strip_suffix(tail));
        match number.filter(|it| !it.is_empty() && it.chars().all(|c| c.is_ascii_digit())) {
            Some(number) => *text = format!("{new}-{number}"),
            None if text == from => *text = new.to_string(),
            None => {}
        }
    });
}

/// Clients are called by what they do.
fn clients(search: &mut Search<'_>) {
    const ORDER: [&str; 4] = ["", "second_", "third_", "fourth_"];
    let mut roles: BTreeMap<&str, usize> = BTreeMap::new();
    let mut names = Vec::new();
    for client in 0..search.best.clients.len() {
        let role = role(&search.best, client);
        let count = roles.entry(role).or_default();
        let name = match (role, ORDER.get(*count)) {
            ("client", _) | (_, None) => letter(client),
            (role, Some(order)) => format!("{order}{role}"),
        };
        *count += 1;
        names.push(name);
    }
    // By a name that nobody has, so that two can change theirs.
    for (client, name) in names.iter().enumerate() {
        let mut candidate = search.best.clone();
        let before = candidate.clients[client].name.clone();
        if let Some(other) = candidate.clients.iter().position(|it| it.name == *name) {
            candidate.clients[other].name = before;
        }
        candidate.clients[client].name = name.clone();
        search.rename(candidate);
    }
}

fn letter(at: usize) -> String {
    u8::try_from(at)
        .ok()
        .filter(|at| *at < 26)
        .map_or(format!("client_{at}"), |at| char::from(b'a' + at).to_string())
}

fn role(scenario: &Scenario, client: usize) -> &'static str {
    let (mut publishes, mut subscribes) = (false, false);
    for step in &scenario.steps {
        let Action::Client { client: it, act, .. } = &step.action else { continue };
        if *it != client {
            continue;
        }
        match act {
            ClientAct::Publish { .. } => publishes = true,
            ClientAct::Send(spec) => {
                publishes |= spec.kind == PacketType::Publish;
                subscribes |= spec.kind == PacketType::Subscribe;
            }
            ClientAct::Subscribe(_) => subscribes = true,
            _ => {}
        }
    }
    match (publishes, subscribes) {
        (true, false) => "publisher",
        (false, true) => "subscriber",
        _ => "client",
    }
}
