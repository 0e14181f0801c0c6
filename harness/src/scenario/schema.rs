//! The JSON Schema of scenario files, made from the same tables that read them.

use reference_broker::codec::PacketType;
use serde_json::{Map, Value as Json, json};

use crate::requirement::{MEASURED_VALUE, rulings};

use super::field::{FieldKind, FieldRow, Place};
use super::mutations::{State, Target};
use super::steps::VERBS;
use super::{BrokerAct, CAPABILITIES, Cut, VerifyVerb, WorldKind};

/// The schema, for editors that complete and check YAML with it.
pub fn schema() -> Json {
    let mut definitions = Map::new();
    definitions.insert(
        "variable".into(),
        json!({ "type": "string", "pattern": "^\\$[A-Za-z0-9_]+$", "description": "the value of the case" }),
    );
    definitions.insert("duration".into(), json!({ "type": "string", "pattern": "^(\\$[A-Za-z0-9_]+|.*\\$\\{.*|[0-9]+(\\.[0-9]+)? ?(us|ms|s|m|min|h|d))$" }));
    definitions.insert("ids".into(), json!({ "type": "array", "items": { "type": "string" } }));
    definitions.insert(
        "requirements".into(),
        json!({
            "type": "object",
            "properties": { "v5": { "$ref": "#/$defs/ids" }, "v3.1.1": { "$ref": "#/$defs/ids" } },
            "additionalProperties": false,
        }),
    );
    definitions.insert(
        "reason".into(),
        json!({ "type": ["string", "integer"], "description": "a reason code by number or name" }),
    );
    definitions.insert("will".into(), fields(Place::Will, &[], false));
    definitions
        .insert("client".into(), json!({ "anyOf": [{ "type": "null" }, { "$ref": "#/$defs/variable" }, fields(Place::Client, &[], false)] }));
    definitions.insert("link".into(), json!({ "anyOf": [{ "$ref": "#/$defs/variable" }, link()] }));
    definitions.insert("clientStep".into(), client_step());
    definitions.insert("step".into(), step());
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Assay scenario",
        "type": "object",
        "required": ["title", "clients", "steps"],
        "additionalProperties": false,
        "properties": {
            "title": { "type": "string", "description": "a sentence that is true or false" },
            "why": { "type": "string", "description": "what could go wrong" },
            "requirements": { "$ref": "#/$defs/requirements" },
            "needs": { "type": "array", "items": { "enum": CAPABILITIES.iter().map(|(name, _, _)| *name).collect::<Vec<_>>() } },
            "worlds": { "type": "array", "items": { "enum": WorldKind::ALL.map(WorldKind::name) } },
            "because": { "type": "string" },
            "broker": { "type": "object", "properties": { "config": { "type": ["object", "string"] } }, "additionalProperties": false },
            "own_names": { "type": "boolean", "description": "its send_bytes name no topic and no client but those of its own run" },
            "network": { "$ref": "#/$defs/link" },
            "clients": { "type": "object", "additionalProperties": { "$ref": "#/$defs/client" } },
            "steps": { "type": "array", "items": { "$ref": "#/$defs/step" } },
            "verify": { "type": "array", "items": { "anyOf": [{ "$ref": "#/$defs/variable" }, verify()] } },
            "cases": { "type": "object" },
            "matrix": { "type": "object" },
            "table": {
                "type": "object",
                "required": ["columns", "rows"],
                "properties": { "columns": { "type": "array" }, "rows": { "type": "array", "items": { "type": "array" } } },
                "additionalProperties": false,
            },
            "mutations": mutations(),
        },
        "$defs": definitions,
    })
}

fn mutations() -> Json {
    let one_or_more = |words: Vec<Json>| json!({ "anyOf": [{ "enum": words }, { "type": "array", "items": { "enum": words } }] });
    json!({
        "type": "object",
        "required": ["packet", "protocol"],
        "properties": {
            "packet": one_or_more(Target::words().map(Json::from).collect()),
            "protocol": one_or_more(vec![json!("3.1.1"), json!("5.0"), json!(5.0)]),
            "state": { "enum": State::WORDS.iter().map(|(name, _)| *name).collect::<Vec<_>>() },
        },
        "additionalProperties": false,
        "description": "malformed packets from the table of mutations",
    })
}

fn kind(row: &FieldRow, expect: bool) -> Json {
    let exact = match row.kind {
        FieldKind::Flag => json!({ "enum": [true, false, 0, 1] }),
        FieldKind::Number { max } => json!({ "type": "integer", "minimum": 0, "maximum": max }),
        FieldKind::Text => json!({ "type": "string" }),
        FieldKind::Seconds => json!({ "anyOf": [{ "$ref": "#/$defs/duration" }, { "enum": ["never", 0] }] }),
        FieldKind::Reason => json!({ "$ref": "#/$defs/reason" }),
        FieldKind::Reasons => json!({ "type": "array" }),
        FieldKind::Pairs => json!({ "type": ["array", "object"] }),
        FieldKind::Filters => json!({ "type": ["array", "string"] }),
        FieldKind::PacketId => json!({ "type": ["integer", "string"] }),
        FieldKind::Will => json!({ "anyOf": [{ "const": "none" }, { "$ref": "#/$defs/will" }] }),
        FieldKind::Word(words) => {
            json!({ "enum": words.iter().map(|word| json!(word)).chain([json!(3.1), json!(5.0)]).collect::<Vec<_>>() })
        }
        FieldKind::Numbers => json!({ "type": ["integer", "array"] }),
        FieldKind::Texts => json!({ "type": "array", "items": { "type": "string" } }),
    };
    let mut choices = vec![exact.clone(), json!({ "$ref": "#/$defs/variable" })];
    if expect {
        choices.push(json!({ "enum": ["present", "absent"] }));
        choices.push(json!({ "type": "array" }));
        choices.push(json!({ "type": "object", "properties": { "at_least": {}, "at_most": {} }, "additionalProperties": false }));
    }
    json!({ "anyOf": choices, "description": row.what })
}

fn fields(place: Place, own: &[(&str, Json)], expect: bool) -> Json {
    let mut properties = Map::new();
    for row in place.rows() {
        properties.insert(row.name.into(), kind(row, expect));
    }
    for (name, schema) in own {
        properties.insert((*name).into(), schema.clone());
    }
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

fn link() -> Json {
    json!({
        "type": "object",
        "properties": {
            "latency": { "$ref": "#/$defs/duration" },
            "jitter": { "$ref": "#/$defs/duration" },
            "loss": { "type": "string", "description": "a share, like 5%" },
            "split": { "anyOf": [{ "enum": ["as_written", "bytes", "boundaries", "coalesced"] }, { "$ref": "#/$defs/variable" }] },
            "rate": { "type": ["integer", "string"] },
            "window": { "type": ["integer", "string"] },
            "from": { "type": "string" },
            "to": { "type": "string" },
            "between": { "type": "array", "items": { "type": "string" } },
            "note": { "type": "string" },
            "only": { "enum": ["v5", "v3.1.1"] },
        },
        "additionalProperties": false,
    })
}

fn verify() -> Json {
    let mut properties = Map::new();
    for (word, _) in VerifyVerb::WORDS {
        properties.insert(
            (*word).into(),
            json!({
                "type": "object",
                "properties": {
                    "payload": { "type": ["string", "array"] },
                    "payloads": { "type": ["string", "array"] },
                    "topic": { "type": "string" },
                    "to": { "type": ["string", "array"] },
                },
                "required": ["to"],
                "additionalProperties": false,
            }),
        );
    }
    properties.insert(
        "records".into(),
        json!({
            "type": "object",
            "description": "a choice that shows as a number of deliveries; it is recorded and fails nothing",
            "properties": {
                "choice": choice_names(),
                "by_count": { "type": ["object", "string"], "description": "{ 1: one-copy, 2: copy-per-match }, or measured" },
                "payload": { "type": ["string", "array"] },
                "payloads": { "type": ["string", "array"] },
                "topic": { "type": "string" },
                "to": { "type": ["string", "array"] },
            },
            "required": ["choice", "by_count", "to"],
            "additionalProperties": false,
        }),
    );
    properties.insert("only".into(), json!({ "enum": ["v5", "v3.1.1"] }));
    properties.insert("judges".into(), judges());
    properties.insert("note".into(), json!({ "type": "string" }));
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

/// The choices of the rulings by name.
fn choice_names() -> Json {
    let names = rulings().iter().filter_map(|ruling| ruling.choice.as_ref());
    json!({ "enum": names.map(|choice| choice.name.as_str()).collect::<Vec<_>>() })
}

/// The choices that an expectation shows, each with the values that it can have.
fn choices() -> Json {
    let mut properties = Map::new();
    for ruling in rulings() {
        let Some(choice) = &ruling.choice else { continue };
        let mut values: Vec<&str> = choice.values.iter().map(String::as_str).collect();
        if values == [MEASURED_VALUE] {
            values = vec!["measured"];
        }
        let value = json!({
            "anyOf": [{ "enum": values }, { "$ref": "#/$defs/variable" }, { "type": "object", "additionalProperties": { "enum": values } }],
            "description": format!("{}: {}", ruling.id, ruling.topic),
        });
        properties.insert(choice.name.clone(), value);
    }
    json!({
        "anyOf": [{ "$ref": "#/$defs/variable" }, { "type": "object", "properties": properties, "additionalProperties": false }],
        "description": "what is recorded if this is what happens",
    })
}

/// Everything that may stand behind a client's name. One shape holds all verbs: which fields go with which
/// verb is said in the descriptions and checked when the file is read.
fn client_step() -> Json {
    let mut properties = Map::new();
    for place in PacketType::ALL.map(Place::Packet).into_iter().chain([Place::Client]) {
        for row in place.rows() {
            properties.entry(row.name).or_insert_with(|| kind(row, true));
        }
    }
    for (verb, _, _, what) in VERBS {
        properties.insert((*verb).into(), json!({ "description": what }));
    }
    let packets: Vec<&str> = PacketType::ALL.map(PacketType::name).into();
    properties
        .insert("send".into(), json!({ "anyOf": [{ "enum": packets }, { "$ref": "#/$defs/variable" }] }));
    let expectations: Vec<&str> = packets.iter().copied().chain(["closed", "nothing", "open"]).collect();
    properties.insert(
        "expect".into(),
        json!({ "anyOf": [{ "enum": expectations }, { "$ref": "#/$defs/variable" }] }),
    );
    properties.insert(
        "lose_connection".into(),
        json!({ "anyOf": [{ "enum": Cut::WORDS }, { "type": "null" }, { "$ref": "#/$defs/variable" }] }),
    );
    for key in ["within", "after", "for"] {
        properties.insert(key.into(), json!({ "$ref": "#/$defs/duration" }));
    }
    for key in ["of", "remember", "note"] {
        properties.insert(key.into(), json!({ "type": "string" }));
    }
    for key in ["reason_if_sent", "return_code_if_sent"] {
        properties
            .insert(key.into(), json!({ "anyOf": [{ "$ref": "#/$defs/reason" }, { "type": "array" }] }));
    }
    properties.insert("choice".into(), choices());
    properties.insert("count".into(), json!({ "type": ["integer", "string"] }));
    properties.insert("fence".into(), json!({ "enum": ["ping"] }));
    properties.insert("await".into(), json!({ "enum": ["nothing"] }));
    properties.insert("only".into(), json!({ "enum": ["v5", "v3.1.1"] }));
    properties.insert("judges".into(), judges());
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

/// The statements that a step judges, or the row's name for them.
fn judges() -> Json {
    json!({ "anyOf": [{ "$ref": "#/$defs/ids" }, { "$ref": "#/$defs/variable" }] })
}

fn step() -> Json {
    let plain: Vec<&str> = VERBS.iter().map(|(verb, ..)| *verb).collect();
    json!({
        "anyOf": [
            { "$ref": "#/$defs/variable" },
            {
                "type": "object",
                "properties": {
                    "wait": { "$ref": "#/$defs/duration" },
                    "partition": { "$ref": "#/$defs/link" },
                    "heal": { "anyOf": [{ "const": "all" }, { "$ref": "#/$defs/link" }] },
                    "link": { "$ref": "#/$defs/link" },
                    "broker": { "anyOf": [{ "enum": BrokerAct::WORDS.iter().map(|(word, _)| *word).collect::<Vec<_>>() }, { "$ref": "#/$defs/variable" }] },
                    "when": { "type": "object", "required": ["packet", "from", "to", "is", "do"] },
                    "note": { "type": "string" },
                    "only": { "enum": ["v5", "v3.1.1"] },
                    "judges": judges(),
                },
                "additionalProperties": { "anyOf": [{ "enum": plain }, { "$ref": "#/$defs/variable" }, { "$ref": "#/$defs/clientStep" }] },
            },
        ],
    })
}
