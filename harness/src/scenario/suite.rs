//! The scenarios of a folder, of some files, or of the suite that is part of the command.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use crate::text::{Problems, SourceText, nearest};

use super::{Scenario, ScenarioFile, parse_file};

/// The suite that is part of the command: names and texts.
mod embedded {
    include!(concat!(env!("OUT_DIR"), "/suite.rs"));
}

/// Scenario files that were read.
#[derive(Debug, Default)]
pub struct Suite {
    /// The files, sorted by name.
    pub files: Vec<ScenarioFile>,
}

/// Why scenarios could not be read.
#[derive(Debug)]
pub enum SuiteError {
    /// A file or folder cannot be read.
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// Nothing of that name exists.
    NotFound {
        /// What was asked for.
        wanted: String,
        /// The nearest name.
        nearest: Option<String>,
    },
    /// Mistakes in files, all of them.
    Mistakes(Vec<Problems>),
}

impl SuiteError {
    /// The message, with or without colour.
    pub fn render(&self, colour: bool) -> String {
        match self {
            SuiteError::Unreadable { path, error } => {
                format!("error: cannot read {}: {error}", path.display())
            }
            SuiteError::NotFound { wanted, nearest } => match nearest {
                Some(name) => format!("error: no scenario is called `{wanted}`; did you mean `{name}`?"),
                None => format!("error: no scenario is called `{wanted}`"),
            },
            SuiteError::Mistakes(files) => {
                let count: usize = files.iter().map(|problems| problems.list.len()).sum();
                let mut out: Vec<String> = files.iter().map(|problems| problems.render(colour)).collect();
                out.push(format!(
                    "error: {count} mistake{} in {} file{}",
                    plural(count),
                    files.len(),
                    plural(files.len())
                ));
                out.join("\n\n")
            }
        }
    }
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

impl fmt::Display for SuiteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for SuiteError {}

impl Suite {
    /// Reads what the arguments name: files, folders, or names of scenarios below `folder` (`qos`, `qos/cut`,
    /// `qos/cut[a case]`). Without arguments: all of `folder`.
    ///
    /// # Errors
    /// Everything that is wrong with what was named.
    pub fn load(folder: &Path, wanted: &[String]) -> Result<Suite, SuiteError> {
        let mut paths = Vec::new();
        let mut filters: Vec<(usize, String)> = Vec::new();
        if wanted.is_empty() {
            collect(folder, &mut paths)?;
        }
        let mut all = Vec::new();
        for name in wanted {
            let (path, case) = match name.split_once('[') {
                Some((path, case)) => (path, case.strip_suffix(']')),
                None => (name.as_str(), None),
            };
            let first = paths.len();
            let direct = Path::new(path);
            let below = folder.join(path);
            let file = folder.join(format!("{path}.yaml"));
            if direct.is_file() {
                paths.push(direct.to_path_buf());
            } else if direct.is_dir() {
                collect(direct, &mut paths)?;
            } else if file.is_file() {
                paths.push(file);
            } else if below.is_dir() {
                collect(&below, &mut paths)?;
            } else {
                if all.is_empty() {
                    collect(folder, &mut all)?;
                }
                let names: Vec<String> = all.iter().map(|path| scenario_name(folder, path)).collect();
                let near = nearest(path, names.iter().map(String::as_str)).map(str::to_string);
                return Err(SuiteError::NotFound { wanted: name.clone(), nearest: near });
            }
            if let Some(case) = case {
                filters.extend((first..paths.len()).map(|at| (at, case.to_string())));
            }
        }
        let mut files = Vec::new();
        let mut mistakes = Vec::new();
        for (at, path) in paths.iter().enumerate() {
            let text = fs::read_to_string(path)
                .map_err(|error| SuiteError::Unreadable { path: path.clone(), error })?;
            let source = SourceText::new(path.display().to_string(), text);
            match parse_file(&scenario_name(folder, path), source) {
                Ok(mut file) => {
                    if let Some((_, case)) = filters.iter().find(|(place, _)| *place == at) {
                        let names: Vec<String> =
                            file.scenarios.iter().filter_map(|it| it.case.clone()).collect();
                        file.scenarios.retain(|scenario| scenario.case.as_ref() == Some(case));
                        if file.scenarios.is_empty() {
                            let near = nearest(case, names.iter().map(String::as_str)).map(str::to_string);
                            return Err(SuiteError::NotFound {
                                wanted: format!("{}[{case}]", scenario_name(folder, path)),
                                nearest: near.map(|near| format!("{}[{near}]", scenario_name(folder, path))),
                            });
                        }
                    }
                    files.push(file);
                }
                Err(problems) => mistakes.push(problems),
            }
        }
        if !mistakes.is_empty() {
            return Err(SuiteError::Mistakes(mistakes));
        }
        Ok(Suite { files })
    }

    /// The suite that is part of the command, or what the arguments name of it; files are read as they are.
    ///
    /// # Errors
    /// Everything that is wrong with what was named.
    pub fn embedded(wanted: &[String]) -> Result<Suite, SuiteError> {
        let mut suite = Suite::default();
        let mut mistakes = Vec::new();
        let mut texts: Vec<(&str, SourceText, Option<&str>)> = Vec::new();
        let whole: &[String] = &[String::new()];
        for name in if wanted.is_empty() { whole } else { wanted } {
            if Path::new(name).is_file() {
                suite.files.extend(Suite::load(Path::new("."), std::slice::from_ref(name))?.files);
                continue;
            }
            let (path, case) = match name.split_once('[') {
                Some((path, case)) => (path, case.strip_suffix(']')),
                None => (name.as_str(), None),
            };
            let before = texts.len();
            for (file, text) in embedded::FILES {
                let below =
                    file.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
                if path.is_empty() || below {
                    texts.push((file, SourceText::new(format!("{file}.yaml"), *text), case));
                }
            }
            if texts.len() == before {
                let near = nearest(path, embedded::FILES.iter().map(|(file, _)| *file)).map(str::to_string);
                return Err(SuiteError::NotFound { wanted: name.clone(), nearest: near });
            }
        }
        for (name, source, case) in texts {
            match parse_file(name, source) {
                Ok(mut file) => {
                    if let Some(case) = case {
                        file.scenarios.retain(|scenario| scenario.case.as_deref() == Some(case));
                    }
                    suite.files.push(file);
                }
                Err(problems) => mistakes.push(problems),
            }
        }
        if mistakes.is_empty() { Ok(suite) } else { Err(SuiteError::Mistakes(mistakes)) }
    }

    /// Every scenario with the file it is in.
    pub fn scenarios(&self) -> impl Iterator<Item = (&ScenarioFile, &Scenario)> {
        self.files.iter().flat_map(|file| file.scenarios.iter().map(move |scenario| (file, scenario)))
    }
}

/// The name of the scenario in a file: its path below the folder of scenarios, without ending; other files keep their
/// own path.
pub fn scenario_name(folder: &Path, path: &Path) -> String {
    let inner = path.strip_prefix(folder).unwrap_or(path).with_extension("");
    inner
        .components()
        .filter(|part| matches!(part, std::path::Component::Normal(_)))
        .filter_map(|part| part.as_os_str().to_str())
        .collect::<Vec<_>>()
        .join("/")
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<(), SuiteError> {
    let unreadable = |error| SuiteError::Unreadable { path: folder.to_path_buf(), error };
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        entries.push(entry.map_err(unreadable)?.path());
    }
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(&path, paths)?;
        } else if path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml") {
            paths.push(path);
        }
    }
    Ok(())
}
