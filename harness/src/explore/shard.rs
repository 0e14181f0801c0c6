//! Shards: the pieces of an exploration that different processes and machines play, as files, and their merge.
//!
//! A shard's file is written whole or not at all. The merge reads files and nothing else; whatever the number of
//! shards, its result is the same to the byte.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::history::Digest;

use super::{FindingKey, Found, Sum};

/// The format of a shard's file and of the merged result.
pub const FORMAT: &str = "assay-exploration/1";

/// Which piece of how many, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ShardName {
    /// Which one.
    pub index: u64,
    /// Of how many.
    pub of: u64,
}

impl ShardName {
    /// Reads `I/N`.
    ///
    /// # Errors
    /// What is expected.
    pub fn parse(text: &str) -> Result<ShardName, String> {
        let expected = || format!("`{text}`: expected I/N with 1 <= I <= N, such as 3/8");
        let (index, of) = text.split_once('/').ok_or_else(expected)?;
        let name = ShardName {
            index: index.parse().map_err(|_| expected())?,
            of: of.parse().map_err(|_| expected())?,
        };
        if name.index == 0 || name.index > name.of { Err(expected()) } else { Ok(name) }
    }

    /// The name of its file.
    pub fn file(self) -> String {
        format!("shard-{}-of-{}.json", self.index, self.of)
    }

    fn from_file(name: &str) -> Option<ShardName> {
        let (index, of) = name.strip_prefix("shard-")?.strip_suffix(".json")?.split_once("-of-")?;
        Some(ShardName { index: index.parse().ok()?, of: of.parse().ok()? })
    }
}

impl fmt::Display for ShardName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

/// The seeds of a shard: contiguous pieces that differ by one at most.
pub fn piece_of(from: u64, to: u64, shard: ShardName) -> (u64, u64) {
    let count = u128::from(to.saturating_sub(from));
    let at = |index: u64| from + (count * u128::from(index) / u128::from(shard.of)) as u64;
    (at(shard.index - 1), at(shard.index))
}

/// What was explored, and by what: shards with another one do not belong together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exploration {
    /// The format of this file.
    pub format: String,
    /// The version of Assay.
    pub assay: String,
    /// The name of the generator of random numbers.
    pub random: String,
    /// The fingerprint of a few histories: two builds with the same version that play differently are told apart.
    pub build: String,
    /// The first seed.
    pub from: u64,
    /// The seed behind the last one.
    pub to: u64,
    /// The defect of the reference broker that was switched on.
    pub defect: Option<String>,
    /// The settings of the reference broker.
    pub settings: Vec<(String, String)>,
}

/// One kind of finding, in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingGroup {
    /// The statement that it breaks, and the checker.
    #[serde(flatten)]
    pub key: FindingKey,
    /// How many seeds show it.
    pub seeds: u64,
    /// The lowest of them, ten at most.
    pub first: Vec<u64>,
    /// Whether the lowest one shows it in the sim world too.
    pub confirmed_in_sim: bool,
    /// What should have been seen.
    pub expected: String,
    /// What was seen.
    pub observed: String,
    /// What was in play.
    pub dials: String,
}

/// What was found, in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Results {
    /// Seeds played.
    pub scenarios: u64,
    /// PUBLISH packets that clients sent and got.
    pub messages: u64,
    /// Seeds whose steps ended early though nothing was found.
    pub unfinished: u64,
    /// The lowest of them, and why.
    pub first_unfinished: Option<(u64, String)>,
    /// One fingerprint over all histories.
    pub digest: String,
    /// How many scenarios had each feature in play.
    pub features: BTreeMap<String, u64>,
    /// What was found.
    pub findings: Vec<FindingGroup>,
}

impl Results {
    /// The sum as a file shows it; `confirmed` says what the sim world shows too.
    pub fn new(sum: &Sum, mut confirmed: impl FnMut(u64, &FindingKey) -> bool) -> Results {
        let findings = sum.findings.iter().map(|(key, found)| FindingGroup {
            key: key.clone(),
            seeds: found.seeds,
            first: found.first.clone(),
            confirmed_in_sim: found.first.first().is_some_and(|seed| confirmed(*seed, key)),
            expected: found.expected.clone(),
            observed: found.observed.clone(),
            dials: found.dials.clone(),
        });
        Results {
            scenarios: sum.scenarios,
            messages: sum.messages,
            unfinished: sum.unfinished,
            first_unfinished: sum.first_unfinished.clone(),
            digest: sum.digest.to_string(),
            features: sum.features.clone(),
            findings: findings.collect(),
        }
    }

    fn sum(&self) -> Option<Sum> {
        let findings = self.findings.iter().map(|group| {
            let found = Found {
                seeds: group.seeds,
                first: group.first.clone(),
                expected: group.expected.clone(),
                observed: group.observed.clone(),
                dials: group.dials.clone(),
            };
            (group.key.clone(), found)
        });
        Some(Sum {
            scenarios: self.scenarios,
            messages: self.messages,
            unfinished: self.unfinished,
            first_unfinished: self.first_unfinished.clone(),
            digest: Digest::parse(&self.digest)?,
            features: self.features.clone(),
            findings: findings.collect(),
        })
    }
}

/// The file of a shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardFile {
    /// What was explored.
    pub exploration: Exploration,
    /// Which piece of it.
    pub shard: ShardName,
    /// What it showed.
    pub results: Results,
}

/// The result of all shards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merged {
    /// What was explored.
    pub exploration: Exploration,
    /// What it showed.
    pub results: Results,
}

/// Why shards cannot be read, written or merged.
#[derive(Debug)]
pub enum ShardError {
    /// The folder or a file cannot be read or written.
    Io(PathBuf, std::io::Error),
    /// A file is no shard's, or is cut short.
    NotAShard(PathBuf, String),
    /// The folder has no shards.
    None(PathBuf),
    /// Shards are missing.
    Missing(Vec<ShardName>),
    /// Shards of different numbers of pieces.
    Mixed(PathBuf, PathBuf, String),
    /// A file says another shard than its name.
    Misnamed(PathBuf, ShardName),
    /// A shard does not cover its piece.
    Partial(PathBuf, u64, u64),
    /// A shard of another version than this command.
    OtherVersion(PathBuf, String),
}

impl fmt::Display for ShardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ShardError::Io(path, error) => write!(f, "{}: {error}", path.display()),
            ShardError::NotAShard(path, why) => {
                write!(f, "{} is no shard of an exploration, or is cut short: {why}", path.display())
            }
            ShardError::None(path) => {
                write!(f, "{} has no shards: expected files shard-I-of-N.json", path.display())
            }
            ShardError::Missing(names) => {
                let names: Vec<String> = names.iter().map(ToString::to_string).collect();
                write!(f, "missing: shard {}; run the same `assay explore` with it", names.join(", "))
            }
            ShardError::Mixed(one, other, why) => {
                write!(f, "{} and {} do not belong together: {why}", one.display(), other.display())
            }
            ShardError::Misnamed(path, name) => {
                write!(f, "{} holds shard {name}: a shard that comes twice counts twice", path.display())
            }
            ShardError::Partial(path, played, expected) => {
                write!(f, "{} played {played} of {expected} seeds", path.display())
            }
            ShardError::OtherVersion(path, version) => write!(
                f,
                "{} was made by Assay {version}, this is {}",
                path.display(),
                env!("CARGO_PKG_VERSION")
            ),
        }
    }
}

impl std::error::Error for ShardError {}

impl ShardFile {
    /// Reads one.
    ///
    /// # Errors
    /// It cannot be read, or it is none.
    pub fn read(path: &Path) -> Result<ShardFile, ShardError> {
        let text = fs::read_to_string(path).map_err(|error| ShardError::Io(path.into(), error))?;
        let file: ShardFile = serde_json::from_str(&text)
            .map_err(|error| ShardError::NotAShard(path.into(), error.to_string()))?;
        if file.exploration.format != FORMAT {
            let why = format!("its format is {}", file.exploration.format);
            return Err(ShardError::NotAShard(path.into(), why));
        }
        Ok(file)
    }

    /// Writes it, whole or not at all.
    ///
    /// # Errors
    /// The folder cannot be made or written to.
    pub fn write(&self, folder: &Path) -> Result<PathBuf, ShardError> {
        let path = folder.join(self.shard.file());
        let text = format!("{:#}\n", serde_json::to_value(self).unwrap_or_default());
        write_whole(&path, &text)?;
        Ok(path)
    }
}

/// Writes a file in one piece: beside its place, then under its name.
///
/// # Errors
/// The folder cannot be made or written to.
pub fn write_whole(path: &Path, text: &str) -> Result<(), ShardError> {
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let failed = |error| ShardError::Io(path.into(), error);
    fs::create_dir_all(folder).map_err(failed)?;
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

/// The shards in a folder, by their names.
///
/// # Errors
/// A file that is no shard, or the folder cannot be read.
pub fn read_shards(folder: &Path) -> Result<BTreeMap<PathBuf, ShardFile>, ShardError> {
    let entries = fs::read_dir(folder).map_err(|error| ShardError::Io(folder.into(), error))?;
    let mut shards = BTreeMap::new();
    for entry in entries {
        let path = entry.map_err(|error| ShardError::Io(folder.into(), error))?.path();
        let named = path.file_name().and_then(|name| name.to_str()).and_then(ShardName::from_file);
        let Some(named) = named else { continue };
        let file = ShardFile::read(&path)?;
        if file.shard != named {
            return Err(ShardError::Misnamed(path, file.shard));
        }
        shards.insert(path, file);
    }
    if shards.is_empty() { Err(ShardError::None(folder.into())) } else { Ok(shards) }
}

/// One result from the shards of one exploration.
///
/// # Errors
/// Shards that are missing, come twice, are incomplete or do not belong together.
pub fn merge(shards: BTreeMap<PathBuf, ShardFile>) -> Result<Merged, ShardError> {
    let Some((first_path, first)) = shards.first_key_value() else {
        return Err(ShardError::None(PathBuf::new()));
    };
    let (exploration, of) = (first.exploration.clone(), first.shard.of);
    if exploration.assay != env!("CARGO_PKG_VERSION") {
        return Err(ShardError::OtherVersion(first_path.clone(), exploration.assay));
    }
    let mut missing: BTreeMap<u64, ()> = (1..=of).map(|index| (index, ())).collect();
    let mut sum = Sum::default();
    let mut confirmed: BTreeMap<FindingKey, (u64, bool)> = BTreeMap::new();
    for (path, file) in &shards {
        if let Some(why) = difference(&exploration, of, file) {
            return Err(ShardError::Mixed(first_path.clone(), path.clone(), why));
        }
        missing.remove(&file.shard.index);
        let (from, to) = piece_of(exploration.from, exploration.to, file.shard);
        if file.results.scenarios != to - from {
            return Err(ShardError::Partial(path.clone(), file.results.scenarios, to - from));
        }
        for group in &file.results.findings {
            let seed = group.first.first().copied().unwrap_or(u64::MAX);
            let entry = confirmed.entry(group.key.clone()).or_insert((seed, group.confirmed_in_sim));
            if seed < entry.0 {
                *entry = (seed, group.confirmed_in_sim);
            }
        }
        let part = file
            .results
            .sum()
            .ok_or_else(|| ShardError::NotAShard(path.clone(), "its digest is no digest".into()))?;
        sum.absorb(part);
    }
    if !missing.is_empty() {
        return Err(ShardError::Missing(missing.into_keys().map(|index| ShardName { index, of }).collect()));
    }
    let results = Results::new(&sum, |_, key| confirmed.get(key).is_some_and(|(_, confirmed)| *confirmed));
    Ok(Merged { exploration, results })
}

/// What keeps a shard from belonging to an exploration in so many pieces.
fn difference(exploration: &Exploration, of: u64, file: &ShardFile) -> Option<String> {
    let other = &file.exploration;
    if other.assay != exploration.assay {
        return Some(format!("made by versions {} and {}", exploration.assay, other.assay));
    }
    if other.build != exploration.build || other.random != exploration.random {
        return Some("made by different builds, which play the same seed differently".into());
    }
    if (other.from, other.to) != (exploration.from, exploration.to) {
        return Some(format!(
            "seeds {}..{} and {}..{}",
            exploration.from, exploration.to, other.from, other.to
        ));
    }
    if (&other.defect, &other.settings) != (&exploration.defect, &exploration.settings) {
        return Some("the broker was set differently".into());
    }
    (file.shard.of != of).then(|| format!("one of {of} pieces and one of {}", file.shard.of))
}
