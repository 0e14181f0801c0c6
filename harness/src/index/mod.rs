//! Certificates side by side: what several brokers, or versions of one, did with the same suite.
//!
//! An index is made of the certificates below a folder and of nothing else, so that the same folder has the same
//! index, byte for byte. It believes what a certificate says; [`crate::certificate::verify`] does not.
//!
//! * [`gather`]: what it takes from the folder.  * [`content`]: the tables.  * [`markdown`], [`html`]: the files.
//!
//! Never the case: a verdict that is made here, a time of day, a certificate that is left out without a word.

pub mod content;
pub mod gather;
pub mod html;
pub mod markdown;
pub mod table;

use crate::report::json::{ChoiceRow, Summary};
use crate::world::live::Found;
use reference_broker::codec::ProtocolVersion;

/// The index as Markdown.
pub const MARKDOWN: &str = "index.md";
/// The index as one HTML file.
pub const HTML: &str = "index.html";
/// The known deviations of a broker, beside its certificates.
pub const DEVIATIONS: &str = "deviations.yaml";

/// What the index takes from one certificate.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// The broker, as its folder is called.
    pub broker: String,
    /// Its version, as the folder is called.
    pub version: String,
    /// The program that made the certificate, and its version.
    pub tool: String,
    /// How long the run took, in milliseconds.
    pub took_ms: f64,
    /// How many cases have which verdict.
    pub summary: Summary,
    /// Whether the broker was lost, so that the rest could not be asked.
    pub lost: bool,
    /// The keys in the envelope of the statement; none if it is not signed. Nothing is checked.
    pub keys: Vec<String>,
    /// The badge of the run, an SVG.
    pub badge: String,
    /// How its statements fared, by sections of the standards, in their order.
    pub sections: Vec<SectionCount>,
    /// The statements that it breaks, in the order of the standards.
    pub broken: Vec<Broken>,
    /// The choices that it showed, in the order of their rulings.
    pub choices: Vec<ChoiceRow>,
    /// What discovery found of each capability.
    pub capabilities: Vec<(String, Found)>,
    /// What else the broker told about itself.
    pub facts: Vec<(String, serde_json::Value)>,
    /// What the known deviations say of it, if there are any.
    pub deviations: Option<Explained>,
}

impl Certificate {
    /// The broker and its version.
    pub fn name(&self) -> String {
        format!("{} {}", self.broker, self.version)
    }

    /// How many statements are broken, and how many were judged.
    pub fn statements(&self) -> (usize, usize) {
        let broken = self.sections.iter().map(|it| it.broken).sum();
        let kept: usize = self.sections.iter().map(|it| it.kept).sum();
        (broken, broken + kept)
    }
}

/// How the statements of one section fared.
#[derive(Debug, Clone)]
pub struct SectionCount {
    /// The version of the protocol.
    pub version: ProtocolVersion,
    /// The number of the section.
    pub number: Vec<u32>,
    /// What it is about.
    pub title: String,
    /// Statements that something judged and nothing found broken.
    pub kept: usize,
    /// Statements that are broken.
    pub broken: usize,
    /// Statements on which the cases gave no answer.
    pub unanswered: usize,
}

/// A statement that a broker breaks.
#[derive(Debug, Clone)]
pub struct Broken {
    /// The version of the protocol.
    pub version: ProtocolVersion,
    /// Its id.
    pub id: &'static str,
    /// What it says, in our words.
    pub words: &'static str,
    /// How many cases found it broken.
    pub cases: usize,
}

/// What known deviations say of the cases that failed. A day on which an entry expires plays no part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explained {
    /// Failing cases that break what is listed for them, with a reason.
    pub explained: usize,
    /// Failing cases that are listed, and nobody gave the reason yet.
    pub without_reason: usize,
}
