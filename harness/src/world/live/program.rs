//! Programs by name: where they are, and what version they say they are.
//!
//! Never the case: a program that is not found without a list of the places where it was looked for.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use crate::profile::{Clock, Profile};

use super::output::without_colours;

/// How long a program may take to tell its version. Those that start a virtual machine need seconds on a busy one.
const VERSION_PATIENCE: Duration = Duration::from_secs(10);

/// Where servers are often installed although only root's PATH leads there.
const MORE_FOLDERS: [&str; 6] =
    ["/usr/sbin", "/usr/local/sbin", "/sbin", "/usr/local/bin", "/opt/homebrew/sbin", "/opt/homebrew/bin"];

/// The program's path, or where it was looked for: in the profile's folders, those of PATH, and the usual ones.
pub(super) fn find_program(name: &str, look_in: &[PathBuf]) -> Result<PathBuf, Vec<PathBuf>> {
    if name.contains('/') {
        let path = PathBuf::from(name);
        return if path.is_file() { Ok(path) } else { Err(vec![path]) };
    }
    // The environment of the command is where its programs come from.
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = look_in.to_vec();
    for folder in std::env::split_paths(&path).chain(MORE_FOLDERS.map(PathBuf::from)) {
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    let found = folders.iter().map(|folder| folder.join(OsStr::new(name))).find(|path| path.is_file());
    found.ok_or(folders)
}

/// The program that a profile starts; what does not exist has no path.
pub(super) fn program_of(profile: &Profile) -> Option<PathBuf> {
    match profile.start.command.first()?.as_str() {
        "{assay}" => std::env::current_exe().ok(),
        name => find_program(name, &profile.start.look_in).ok(),
    }
}

/// The first line with a digit that a profile's version command prints.
pub(super) async fn version_of(profile: &Profile, assay: &Path) -> Option<String> {
    let first = profile.version_command.first()?;
    let program = match first.as_str() {
        "{assay}" => assay.to_path_buf(),
        name => find_program(name, &profile.start.look_in).ok()?,
    };
    // What a start chooses does not exist here.
    let env = profile.env.iter().filter(|(_, value)| !value.contains('{'));
    let mut command = Command::new(program);
    command
        .args(&profile.version_command[1..])
        .envs(env.map(|(key, value)| (key, value)))
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = timeout(VERSION_PATIENCE, command.output()).await.ok()?.ok()?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    text.lines()
        .find(|line| line.contains(|c: char| c.is_ascii_digit()))
        .map(|line| without_colours(line.trim()))
}

/// The library that moves a process's clock, where Linux distributions and Homebrew put it.
pub(super) fn find_clock(clock: Clock) -> Option<PathBuf> {
    let folders = ["/usr/lib", "/usr/lib64", "/usr/local/lib", "/opt/homebrew/lib"].map(PathBuf::from);
    // Debian has a folder for each architecture between.
    let architectures =
        std::fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
    let mut architectures: Vec<PathBuf> =
        architectures.filter(|path| path.to_string_lossy().ends_with("-gnu")).collect();
    architectures.sort();
    let names = [format!("{}.so.1", clock.library()), format!("{}.1.dylib", clock.library())];
    let mut folders = folders.into_iter().chain(architectures);
    folders.find_map(|folder| {
        names.iter().map(|name| folder.join("faketime").join(name)).find(|path| path.is_file())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_not_there_tells_where_it_was_looked_for() {
        let own = PathBuf::from("/opt/own/bin");
        let looked =
            find_program("assay-no-such-program", std::slice::from_ref(&own)).expect_err("it does not exist");
        assert_eq!(looked.first(), Some(&own));
        assert!(looked.contains(&PathBuf::from("/usr/sbin")), "{looked:?}");
        assert_eq!(find_program("/no/such/program", &[]), Err(vec![PathBuf::from("/no/such/program")]));
    }

    #[test]
    fn a_folder_of_the_profile_comes_before_the_path() {
        let folder = tempfile::tempdir().expect("a folder");
        let own = folder.path().join("sh");
        std::fs::write(&own, "").expect("it can be written");
        assert_eq!(find_program("sh", &[folder.path().to_path_buf()]), Ok(own));
        assert!(find_program("sh", &[]).is_ok_and(|path| !path.starts_with(folder.path())));
    }
}
