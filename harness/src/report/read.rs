//! A result of a run that is a file again.

use std::path::Path;

use super::Format;
use super::json::{RunResult, SCHEMA};

/// The result in a file, or in a folder with reports.
///
/// # Errors
/// A message for people: the file cannot be read, is no result, or is one of another format.
pub fn read(path: &Path) -> Result<RunResult, String> {
    let file = if path.is_dir() { path.join(Format::Json.file()) } else { path.to_path_buf() };
    let shown = file.display();
    let text = std::fs::read_to_string(&file).map_err(|error| format!("cannot read {shown}: {error}"))?;
    let value: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| format!("{shown} is no result of a run: {error}"))?;
    match value.get("schema").and_then(serde_json::Value::as_str) {
        Some(SCHEMA) => {}
        Some(other) => {
            return Err(format!("{shown} has the format `{other}`, this program reads `{SCHEMA}`"));
        }
        None => return Err(format!("{shown} is no result of a run: it has no `schema`")),
    }
    serde_json::from_value(value).map_err(|error| format!("{shown} is no result of a run: {error}"))
}
