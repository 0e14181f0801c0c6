//! Evidence: a run as a file of JSON lines: header, one line per fact, footer.
//!
//! From it the timeline, the verdict and (for a simulated world) the run itself can be made again. A file
//! without its footer was cut short; a digest that does not agree was edited. Both are errors.

use std::fmt;
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::Duration;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use reference_broker::codec::ProtocolVersion;
use reference_broker::core::Time;
use serde::{Deserialize, Serialize};

use crate::history::{Digest, EndedBy, Ending, Fact, History, Link};
use crate::network::RANDOM_NAME;
use crate::scenario::{Cut, PlanOptions, Scenario, ScenarioFile, WorldKind, parse_file};
use crate::text::SourceText;
use crate::verdict::{Finding, Verdict};

/// The version of this format.
pub const FORMAT: u32 = 1;

/// The first line: everything that the run followed from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Header {
    /// The version of this format.
    pub assay_evidence: u32,
    /// The version of Assay.
    pub tool: String,
    /// The world.
    pub world: String,
    /// The broker, as far as it is known.
    pub broker: String,
    /// The name of the scenario.
    pub scenario: String,
    /// The case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<String>,
    /// The protocol version.
    pub protocol: String,
    /// The seed of this case.
    pub seed: u64,
    /// The generator that the seed is for.
    pub random: String,
    /// Settings of the reference broker beyond those of the scenario.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settings: Vec<(String, String)>,
    /// The defect of the reference broker that was switched on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub defect: Option<String>,
    /// Tolerance of upper limits, in microseconds.
    pub tolerance_us: u64,
    /// Prefix of topics in the live world.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic_prefix: Option<String>,
    /// Prefix of Client Identifiers in the live world.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id_prefix: Option<String>,
    /// The command that made it.
    pub command: String,
    /// The name of the scenario's file.
    pub file: String,
    /// The text of the scenario's file.
    pub text: String,
}

/// The last line.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Footer {
    /// Number of facts.
    pub events: usize,
    /// The fingerprint of the history.
    pub digest: String,
    /// The verdict.
    pub verdict: Verdict,
    /// What was found.
    pub findings: Vec<Finding>,
}

/// A run as evidence.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// What it followed from.
    pub header: Header,
    /// What happened.
    pub history: History,
    /// What was concluded.
    pub footer: Footer,
}

/// Why a file is no evidence.
#[derive(Debug)]
pub enum EvidenceError {
    /// It cannot be read.
    Unreadable(io::Error),
    /// A line is not what it should be.
    Broken {
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// The footer is missing.
    CutShort,
    /// The facts do not have the digest that the footer says.
    Edited {
        /// What the footer says.
        said: String,
        /// What it is.
        found: Digest,
    },
    /// It was made by a version that this one does not understand.
    Format(u32),
}

impl fmt::Display for EvidenceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EvidenceError::Unreadable(error) => write!(f, "cannot be read: {error}"),
            EvidenceError::Broken { line, what } => write!(f, "line {line} is no evidence: {what}"),
            EvidenceError::CutShort => f.write_str("was cut short: its footer is missing"),
            EvidenceError::Edited { said, found } => {
                write!(f, "was changed: its footer says digest {said}, its facts have {found}")
            }
            EvidenceError::Format(version) => {
                write!(f, "has format {version}, and this Assay reads format {FORMAT}")
            }
        }
    }
}

impl std::error::Error for EvidenceError {}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "kebab-case", deny_unknown_fields)]
enum FactLine {
    StepBegan { at: u64, step: u32 },
    LimitReached { at: u64, step: u32 },
    Settled { at: u64 },
    BoundReached { at: u64 },
    Opening { at: u64, client: u32, link: u32 },
    Opened { at: u64, link: u32 },
    UpgradeSent { at: u64, link: u32, text: String },
    UpgradeReceived { at: u64, link: u32, text: String },
    Frame { at: u64, link: u32, bytes: String, from_broker: bool },
    Sent { at: u64, link: u32, bytes: String, by_script: bool },
    Received { at: u64, link: u32, bytes: String },
    Swallowed { at: u64, link: u32, bytes: String, from_broker: bool },
    Closed { at: u64, link: u32, by: EndedBy, how: Ending },
    Cut { at: u64, link: u32, how: String },
    Partitioned { at: u64, client: u32, to_broker: bool, to_client: bool },
    Healed { at: u64, client: Option<u32> },
    BrokerStarted { at: u64 },
    BrokerStopped { at: u64 },
    BrokerDied { at: u64 },
    BrokerPaused { at: u64, paused: bool },
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes as text of the same length: header lines stay readable, and whatever else comes is kept.
fn to_latin(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

fn from_latin(text: &str) -> Option<Vec<u8>> {
    text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

fn line_of(history: &History, at: Time, fact: Fact) -> FactLine {
    let at = at.0;
    match fact {
        Fact::StepBegan(step) => FactLine::StepBegan { at, step },
        Fact::LimitReached(step) => FactLine::LimitReached { at, step },
        Fact::Settled => FactLine::Settled { at },
        Fact::BoundReached => FactLine::BoundReached { at },
        Fact::Opening { client, link } => FactLine::Opening { at, client, link: link.0 },
        Fact::Opened(link) => FactLine::Opened { at, link: link.0 },
        Fact::UpgradeSent { link, bytes } => {
            FactLine::UpgradeSent { at, link: link.0, text: to_latin(history.bytes(bytes)) }
        }
        Fact::UpgradeReceived { link, bytes } => {
            FactLine::UpgradeReceived { at, link: link.0, text: to_latin(history.bytes(bytes)) }
        }
        Fact::Frame { link, bytes, from_broker } => {
            FactLine::Frame { at, link: link.0, bytes: to_hex(history.bytes(bytes)), from_broker }
        }
        Fact::Sent { link, bytes, by_script } => {
            FactLine::Sent { at, link: link.0, bytes: to_hex(history.bytes(bytes)), by_script }
        }
        Fact::Received { link, bytes } => {
            FactLine::Received { at, link: link.0, bytes: to_hex(history.bytes(bytes)) }
        }
        Fact::Swallowed { link, bytes, from_broker } => {
            FactLine::Swallowed { at, link: link.0, bytes: to_hex(history.bytes(bytes)), from_broker }
        }
        Fact::Closed { link, by, how } => FactLine::Closed { at, link: link.0, by, how },
        Fact::Cut { link, cut } => FactLine::Cut { at, link: link.0, how: cut.name().into() },
        Fact::Partitioned { client, to_broker, to_client } => {
            FactLine::Partitioned { at, client, to_broker, to_client }
        }
        Fact::Healed(client) => FactLine::Healed { at, client },
        Fact::BrokerStarted => FactLine::BrokerStarted { at },
        Fact::BrokerStopped => FactLine::BrokerStopped { at },
        Fact::BrokerDied => FactLine::BrokerDied { at },
        Fact::BrokerPaused(paused) => FactLine::BrokerPaused { at, paused },
    }
}

fn fact_of(history: &mut History, line: FactLine) -> Result<(Time, Fact), String> {
    // The head of an upgrade is text; the rest is bytes.
    if let FactLine::UpgradeSent { at, link, text } | FactLine::UpgradeReceived { at, link, text } = &line {
        let bytes = from_latin(text).ok_or("text beyond Latin-1")?;
        let (link, bytes) = (Link(*link), history.store(&bytes));
        let sent = matches!(line, FactLine::UpgradeSent { .. });
        let fact =
            if sent { Fact::UpgradeSent { link, bytes } } else { Fact::UpgradeReceived { link, bytes } };
        return Ok((Time(*at), fact));
    }
    let mut store = |text: &str| {
        from_hex(text).map(|bytes| history.store(&bytes)).ok_or("bytes that are not hexadecimal")
    };
    Ok(match line {
        FactLine::StepBegan { at, step } => (Time(at), Fact::StepBegan(step)),
        FactLine::LimitReached { at, step } => (Time(at), Fact::LimitReached(step)),
        FactLine::Settled { at } => (Time(at), Fact::Settled),
        FactLine::BoundReached { at } => (Time(at), Fact::BoundReached),
        FactLine::Opening { at, client, link } => (Time(at), Fact::Opening { client, link: Link(link) }),
        FactLine::Opened { at, link } => (Time(at), Fact::Opened(Link(link))),
        FactLine::UpgradeSent { .. } | FactLine::UpgradeReceived { .. } => return Err("no such fact".into()),
        FactLine::Frame { at, link, bytes, from_broker } => {
            (Time(at), Fact::Frame { link: Link(link), bytes: store(&bytes)?, from_broker })
        }
        FactLine::Sent { at, link, bytes, by_script } => {
            (Time(at), Fact::Sent { link: Link(link), bytes: store(&bytes)?, by_script })
        }
        FactLine::Received { at, link, bytes } => {
            (Time(at), Fact::Received { link: Link(link), bytes: store(&bytes)? })
        }
        FactLine::Swallowed { at, link, bytes, from_broker } => {
            (Time(at), Fact::Swallowed { link: Link(link), bytes: store(&bytes)?, from_broker })
        }
        FactLine::Closed { at, link, by, how } => (Time(at), Fact::Closed { link: Link(link), by, how }),
        FactLine::Cut { at, link, how } => {
            (Time(at), Fact::Cut { link: Link(link), cut: Cut::from_name(&how).ok_or("an unknown cut")? })
        }
        FactLine::Partitioned { at, client, to_broker, to_client } => {
            (Time(at), Fact::Partitioned { client, to_broker, to_client })
        }
        FactLine::Healed { at, client } => (Time(at), Fact::Healed(client)),
        FactLine::BrokerStarted { at } => (Time(at), Fact::BrokerStarted),
        FactLine::BrokerStopped { at } => (Time(at), Fact::BrokerStopped),
        FactLine::BrokerDied { at } => (Time(at), Fact::BrokerDied),
        FactLine::BrokerPaused { at, paused } => (Time(at), Fact::BrokerPaused(paused)),
    })
}

impl Evidence {
    /// Puts a run together.
    pub fn new(header: Header, history: History, verdict: Verdict, findings: Vec<Finding>) -> Evidence {
        let footer = Footer {
            events: history.events().len(),
            digest: history.digest().to_string(),
            verdict,
            findings,
        };
        Evidence { header, history, footer }
    }

    /// The whole file.
    pub fn to_text(&self) -> String {
        let mut out = Vec::new();
        let mut put = |line: serde_json::Result<String>| {
            // Plain data with text keys always has a JSON form.
            out.extend_from_slice(line.unwrap_or_default().as_bytes());
            out.push(b'\n');
        };
        put(serde_json::to_string(&self.header));
        for event in self.history.events() {
            put(serde_json::to_string(&line_of(&self.history, event.at, event.fact)));
        }
        put(serde_json::to_string(&serde_json::json!({ "end": self.footer })));
        String::from_utf8(out).unwrap_or_default()
    }

    /// Writes the file whole or not at all; compressed, if its name ends with `.gz`.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let text = self.to_text();
        if !compressed(path) {
            return write_whole(path, text.as_bytes());
        }
        // Without a time or a name in its header: the same evidence is the same file.
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text.as_bytes())?;
        write_whole(path, &encoder.finish()?)
    }

    /// Reads a file and checks that it is whole and unchanged.
    ///
    /// # Errors
    /// See [`EvidenceError`].
    pub fn read(path: &Path) -> Result<Evidence, EvidenceError> {
        if !compressed(path) {
            return Evidence::parse(&std::fs::read_to_string(path).map_err(EvidenceError::Unreadable)?);
        }
        let file = std::fs::File::open(path).map_err(EvidenceError::Unreadable)?;
        let mut text = String::new();
        match GzDecoder::new(file).read_to_string(&mut text) {
            Ok(_) => Evidence::parse(&text),
            // What was cut short ends within the compressed data.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(EvidenceError::CutShort),
            Err(error) => Err(EvidenceError::Unreadable(error)),
        }
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// See [`EvidenceError`].
    pub fn parse(text: &str) -> Result<Evidence, EvidenceError> {
        let mut lines = text.lines().enumerate();
        let broken = |line: usize, what: String| EvidenceError::Broken { line: line + 1, what };
        let Some((_, first)) = lines.next() else { return Err(broken(0, "the file is empty".into())) };
        #[derive(Deserialize)]
        struct Probe {
            assay_evidence: u32,
        }
        let probe: Probe = serde_json::from_str(first).map_err(|error| broken(0, error.to_string()))?;
        if probe.assay_evidence != FORMAT {
            return Err(EvidenceError::Format(probe.assay_evidence));
        }
        let header: Header = serde_json::from_str(first).map_err(|error| broken(0, error.to_string()))?;
        #[derive(Deserialize)]
        struct End {
            end: Footer,
        }
        let mut history = History::new();
        let mut footer = None;
        for (number, line) in lines {
            if line.trim().is_empty() {
                continue;
            }
            if footer.is_some() {
                return Err(broken(number, "something follows the footer".into()));
            }
            if line.starts_with("{\"end\"") {
                let end: End =
                    serde_json::from_str(line).map_err(|error| broken(number, error.to_string()))?;
                footer = Some(end.end);
                continue;
            }
            let parsed: Result<FactLine, _> = serde_json::from_str(line);
            match parsed {
                Ok(fact) => {
                    let (at, fact) = fact_of(&mut history, fact).map_err(|what| broken(number, what))?;
                    history.push(at, fact);
                }
                // The last line of a file that was cut short is half a line.
                Err(error) if error.is_eof() => return Err(EvidenceError::CutShort),
                Err(error) => return Err(broken(number, error.to_string())),
            }
        }
        let footer = footer.ok_or(EvidenceError::CutShort)?;
        let found = history.digest();
        if Digest::parse(&footer.digest) != Some(found) || footer.events != history.events().len() {
            return Err(EvidenceError::Edited { said: footer.digest, found });
        }
        Ok(Evidence { header, history, footer })
    }

    /// The scenario, read again from the text in the header.
    ///
    /// # Errors
    /// What is wrong with the text, or that the case is not in it.
    pub fn scenario(&self) -> Result<(ScenarioFile, Scenario), String> {
        let source = SourceText::new(self.header.file.clone(), self.header.text.clone());
        let file = parse_file(&self.header.scenario, source).map_err(|problems| problems.to_string())?;
        let scenario = file.scenarios.iter().find(|it| it.case == self.header.case).cloned();
        match scenario {
            Some(scenario) => Ok((file, scenario)),
            None => Err(format!("the case {:?} is not in the scenario of the evidence", self.header.case)),
        }
    }

    /// The protocol version.
    pub fn version(&self) -> Option<ProtocolVersion> {
        ProtocolVersion::from_name(&self.header.protocol)
    }

    /// The world.
    pub fn world(&self) -> Option<WorldKind> {
        WorldKind::ALL.into_iter().find(|world| world.name() == self.header.world)
    }

    /// How the plan was fitted to its world.
    pub fn plan_options(&self) -> PlanOptions {
        PlanOptions {
            tolerance: Duration::from_micros(self.header.tolerance_us),
            topic_prefix: self.header.topic_prefix.clone(),
            client_id_prefix: self.header.client_id_prefix.clone(),
            // Only an upgrade request shows it, and that is recorded.
            ..PlanOptions::default()
        }
    }
}

fn compressed(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "gz")
}

/// Writes a file whole or not at all, with the folders that it needs.
///
/// # Errors
/// What the system says.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    // What is written is for others to read; temporary files are not.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))?;
    }
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// The name of the generator, for headers.
pub fn random_name() -> String {
    RANDOM_NAME.to_string()
}
