//! Fields with their values and patterns, as they stand in a step.

use std::time::Duration;

use reference_broker::codec::PacketType;

use crate::scenario::field::{
    Field, FieldKind, FieldPattern, FieldValue, FilterSpec, NEVER, Pattern, Place, Value,
};
use crate::text::format_duration;

use super::yaml::Yaml;

/// The fields that belong to a place, in their order. One that is given twice has its last value.
pub(super) fn fields(list: &[FieldValue], place: Place) -> Vec<(String, Yaml)> {
    let mut found: Vec<(String, Yaml)> = Vec::new();
    for field in list {
        let Some(row) = place.rows().find(|row| row.field == field.field) else { continue };
        let value = value(&field.value, row.kind);
        match found.iter_mut().find(|(name, _)| name == row.name) {
            Some((_, before)) => *before = value,
            None => found.push((row.name.to_string(), value)),
        }
    }
    found
}

/// The last value of a field.
pub(super) fn last(list: &[FieldValue], wanted: Field) -> Option<&Value> {
    list.iter().rev().find(|it| it.field == wanted).map(|it| &it.value)
}

/// Where the fields of a packet belong: those of CONNECT are the options of a client.
pub(super) fn place_of(kind: PacketType) -> Place {
    if kind == PacketType::Connect { Place::Client } else { Place::Packet(kind) }
}

fn value(value: &Value, kind: FieldKind) -> Yaml {
    match value {
        Value::Flag(flag) if matches!(kind, FieldKind::Flag) => Yaml::word(flag),
        Value::Flag(flag) => Yaml::word(u8::from(*flag)),
        Value::Number(number) => match kind {
            FieldKind::Seconds => seconds(*number),
            // The return codes of 3.1.1 are counted from 0 to 5.
            FieldKind::Reason if *number <= 5 => Yaml::word(number),
            FieldKind::Reason | FieldKind::Reasons => code(*number),
            _ => Yaml::word(number),
        },
        Value::Text(word) if matches!(kind, FieldKind::Word(_)) => Yaml::word(word),
        Value::Text(text) => Yaml::text(text),
        Value::ReasonName(name) => Yaml::text(name),
        Value::Pairs(pairs) => Yaml::List(
            pairs.iter().map(|(name, value)| Yaml::List(vec![Yaml::text(name), Yaml::text(value)])).collect(),
        ),
        Value::List(list) => Yaml::List(list.iter().map(|it| self::value(it, kind)).collect()),
        Value::Filters(list) => filters(list),
        Value::Will(list) => Yaml::Map(fields(list, Place::Will)),
        Value::Nothing => Yaml::word("none"),
    }
}

fn seconds(number: u64) -> Yaml {
    Yaml::word(if number == NEVER { "never".into() } else { format_duration(Duration::from_secs(number)) })
}

/// A reason code by number.
fn code(number: u64) -> Yaml {
    Yaml::word(format!("0x{number:02X}"))
}

/// Reason codes beside a close.
pub(super) fn codes(list: &[Value]) -> Yaml {
    Yaml::List(list.iter().map(|it| value(it, FieldKind::Reason)).collect())
}

/// One Topic Filter by itself; several, and one with options, as a list.
pub(super) fn filters(list: &[FilterSpec]) -> Yaml {
    let one = |spec: &FilterSpec| {
        if spec.options.is_empty() {
            return Yaml::text(&spec.filter);
        }
        let mut map = vec![("filter".to_string(), Yaml::text(&spec.filter))];
        map.extend(fields(&spec.options, Place::Filter));
        Yaml::Map(map)
    };
    match list {
        [spec] if spec.options.is_empty() => one(spec),
        _ => Yaml::List(list.iter().map(one).collect()),
    }
}

/// What the fields of an expected packet have to be.
pub(super) fn patterns(list: &[FieldPattern], place: Place) -> Vec<(String, Yaml)> {
    let mut found: Vec<(String, Yaml)> = Vec::new();
    for field in list {
        let Some(row) = place.rows().find(|row| row.field == field.field) else { continue };
        let pattern = pattern(&field.pattern, row.kind);
        match found.iter_mut().find(|(name, _)| name == row.name) {
            Some((_, before)) => *before = pattern,
            None => found.push((row.name.to_string(), pattern)),
        }
    }
    found
}

fn pattern(pattern: &Pattern, kind: FieldKind) -> Yaml {
    let list = |values: &[Value]| values.iter().map(|it| value(it, kind)).collect::<Vec<_>>();
    match pattern {
        Pattern::Present => Yaml::word("present"),
        Pattern::Absent => Yaml::word("absent"),
        // As a text these would be taken for the patterns.
        Pattern::OneOf(values) if matches!(&values[..], [Value::Text(text)] if text == "present" || text == "absent") => {
            Yaml::List(list(values))
        }
        Pattern::OneOf(values) => Yaml::one_or_list(list(values)),
        Pattern::Range(least, most) => {
            let limit = |number: &u64| match kind {
                FieldKind::Seconds => seconds(*number),
                _ => Yaml::word(number),
            };
            let least = least.as_ref().map(|it| ("at_least".to_string(), limit(it)));
            let most = most.as_ref().map(|it| ("at_most".to_string(), limit(it)));
            Yaml::Map(least.into_iter().chain(most).collect())
        }
        Pattern::Each(lists) => {
            Yaml::List(lists.iter().map(|values| Yaml::one_or_list(list(values))).collect())
        }
    }
}
