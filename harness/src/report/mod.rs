//! What people and machines read: timelines, the console, and the reports of a run.
//!
//! Every report is made from one structure, [`json::RunResult`]; a capture ([`pcapng`]) is made from one
//! history.
//!
//! Never the case: a verdict that is made here, knowledge of a checker.

use std::io;
use std::path::Path;

pub mod badge;
pub mod capability;
pub mod compare;
pub mod console;
pub mod coverage;
pub mod github;
pub mod html;
pub mod json;
pub mod junit;
pub mod markdown;
pub mod packet;
pub mod pcapng;
pub mod read;
pub mod section;
pub mod timeline;

use crate::evidence::write_whole;

use json::RunResult;

/// A form of a report that is a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// [`json`].
    Json,
    /// [`junit`].
    Junit,
    /// [`markdown`].
    Markdown,
    /// [`html`].
    Html,
    /// [`badge`].
    Badge,
}

impl Format {
    /// Every format, in the order in which they are listed.
    pub const ALL: [Format; 5] = [Format::Json, Format::Junit, Format::Markdown, Format::Html, Format::Badge];

    /// Its word on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Format::Json => "json",
            Format::Junit => "junit",
            Format::Markdown => "markdown",
            Format::Html => "html",
            Format::Badge => "badge",
        }
    }

    /// The format of that name.
    pub fn from_name(name: &str) -> Option<Format> {
        Format::ALL.into_iter().find(|format| format.name() == name)
    }

    /// The name of its file in a folder with all of them.
    pub const fn file(self) -> &'static str {
        match self {
            Format::Json => "report.json",
            Format::Junit => "junit.xml",
            Format::Markdown => "report.md",
            Format::Html => "report.html",
            Format::Badge => "badge.svg",
        }
    }
}

/// The text of a report.
///
/// # Errors
/// What cannot be written in that form; nothing that a run produces.
pub fn render(format: Format, result: &RunResult) -> Result<String, String> {
    match format {
        Format::Json => serde_json::to_string_pretty(result).map_err(|error| error.to_string()),
        Format::Junit => junit::junit(result),
        Format::Markdown => Ok(markdown::markdown(result)),
        Format::Html => html::html(result),
        Format::Badge => Ok(badge::badge(result)),
    }
}

/// Writes a report, whole or not at all.
///
/// # Errors
/// What the system says.
pub fn write(format: Format, result: &RunResult, path: &Path) -> io::Result<()> {
    let text = render(format, result).map_err(io::Error::other)?;
    write_whole(path, (text + "\n").as_bytes())
}
