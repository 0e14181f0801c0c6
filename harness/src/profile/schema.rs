//! The JSON Schema of profiles, made from the same tables that read them.

use reference_broker::core::Config;
use serde_json::{Map, Value as Json, json};

use crate::scenario::{CAPABILITIES, Capability};

use super::read::{KEYS, START_KEYS, STOP_KEYS};
use super::{Clock, Registry, StopSignal};

/// The schema, for editors that complete and check YAML with it.
pub fn schema() -> Json {
    let duration = json!({ "type": "string", "pattern": "^[0-9]+(\\.[0-9]+)? ?(us|ms|s|m|min|h|d)$" });
    let texts = json!({ "type": "array", "items": { "type": ["string", "number", "boolean"] } });
    let by_name =
        json!({ "type": "object", "additionalProperties": { "type": ["string", "number", "boolean"] } });
    let port = json!({ "type": "integer", "minimum": 1, "maximum": 65535 });
    let start = object(START_KEYS, &["command"], |key| match key {
        "command" => json!({ "type": "array", "minItems": 1, "items": { "type": ["string", "number"] } }),
        "look-in" => texts.clone(),
        "config" | "websocket-path" => json!({ "type": "string" }),
        "files" => by_name.clone(),
        "port" | "websocket-port" => port.clone(),
        "ports" => {
            json!({ "type": "object", "additionalProperties": { "anyOf": [{ "const": "free" }, port] } })
        }
        "costly" => json!({ "type": "boolean" }),
        "processes" | "side-by-side" | "in-a-row" => json!({ "type": "integer", "minimum": 1 }),
        _ => duration.clone(),
    });
    let stop = object(STOP_KEYS, &[], |key| match key {
        "signal" => json!({ "enum": StopSignal::WORDS.map(|(word, _)| word) }),
        "command" => texts.clone(),
        _ => duration.clone(),
    });
    let mut schema = object(KEYS, &["name", "start"], |key| match key {
        "name" | "log-file" => json!({ "type": "string" }),
        "install" => json!({
            "type": "object",
            "propertyNames": { "enum": Registry::WORDS.map(|(word, ..)| word) },
            "additionalProperties": { "type": "string" },
        }),
        "version-command" | "set-arguments" => texts.clone(),
        "start" => start.clone(),
        "stop" => stop.clone(),
        "configurations" => json!({
            "type": "object",
            "propertyNames": { "enum": Config::KEYS.iter().map(|key| key.name).collect::<Vec<_>>() },
            "additionalProperties": { "anyOf": [{ "type": "string", "pattern": "\\{value\\}" }, by_name] },
        }),
        "env" => by_name.clone(),
        "credentials" => json!({
            "type": "object",
            "required": ["user_name", "password"],
            "properties": { "user_name": { "type": "string" }, "password": { "type": "string" } },
            "additionalProperties": false,
        }),
        "claims" => claims(),
        "clock" => json!({ "enum": Clock::WORDS.map(|(word, _)| word) }),
        _ => duration.clone(),
    });
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    schema["title"] = "Assay profile".into();
    schema
}

/// A map with these keys, each with its meaning.
fn object(keys: &[(&str, &str)], required: &[&str], of: impl Fn(&str) -> Json) -> Json {
    let properties: Map<String, Json> = keys
        .iter()
        .map(|(key, what)| {
            let mut value = of(key);
            value["description"] = (*what).into();
            ((*key).to_string(), value)
        })
        .collect();
    json!({ "type": "object", "required": required, "properties": properties, "additionalProperties": false })
}

fn claims() -> Json {
    let properties: Map<String, Json> = CAPABILITIES
        .iter()
        .filter(|(_, capability, _)| *capability != Capability::Configuration)
        .map(|(name, capability, what)| {
            let mut value = match capability {
                Capability::Persistence => {
                    json!({ "type": "string", "pattern": "^(none|on-shutdown|synchronous|within [0-9].*)$" })
                }
                _ => json!({ "type": "boolean" }),
            };
            value["description"] = (*what).into();
            ((*name).to_string(), value)
        })
        .collect();
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}
