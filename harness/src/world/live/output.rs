//! What a broker prints: the end of it for messages and reports, and a bound on its size.
//!
//! Never the case: a log that fills the disk, a colour in a report, the home directory of whoever runs it.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

/// Lines of output that a report keeps.
const LOG_LINES: usize = 200;
/// Bytes at the end of a log that are looked at for those lines, and that are kept of a log that is cut.
const LOG_TAIL: u64 = 256 * 1024;
/// Bytes of output after which a log is cut.
pub(super) const MOST_LOG: u64 = 16 << 20;

/// Adds a line of ours to a log.
pub(super) fn append(path: &Path, text: &str) {
    if let Ok(mut file) = File::options().append(true).open(path) {
        let _ = file.write_all(text.as_bytes());
    }
}

/// Leaves only the end of a log that has grown beyond `most` bytes; whether that was so. The broker writes at the
/// end of the file wherever that is, so it notices nothing.
pub(super) fn cut(path: &Path, most: u64) -> bool {
    let Ok(metadata) = std::fs::metadata(path) else { return false };
    if metadata.len() <= most {
        return false;
    }
    let end = end_of(path);
    let Ok(file) = File::options().append(true).open(path) else { return false };
    if file.set_len(0).is_err() {
        return false;
    }
    append(path, &format!("assay: output beyond {most} bytes was cut here\n"));
    append(path, &String::from_utf8_lossy(&end));
    true
}

/// The last bytes of a log.
fn end_of(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|mut file| {
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL)))?;
        // A broker that goes on writing must not keep the reader for ever.
        file.take(LOG_TAIL).read_to_end(&mut bytes)
    });
    if read.is_err() {
        bytes.clear();
    }
    bytes
}

/// The last lines of a log, without colours and without what only this machine has: reports are shown to others.
pub(super) fn tail_of(path: &Path) -> Vec<String> {
    let bytes = end_of(path);
    let text = String::from_utf8_lossy(&bytes);
    let home = std::env::home_dir();
    let home = home.as_deref().and_then(Path::to_str);
    let lines: Vec<&str> = text.lines().collect();
    let tail = &lines[lines.len().saturating_sub(LOG_LINES)..];
    tail.iter().map(|line| without_folders(&without_colours(line), home)).collect()
}

/// A line without the folders in which cargo keeps the sources of crates, which a panic names, and with `~` for the
/// home directory.
fn without_folders(line: &str, home: Option<&str>) -> String {
    const SOURCES: &str = "/registry/src/";
    let mut line = line.to_string();
    while let Some(at) = line.find(SOURCES) {
        let begins = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '(' | '[' | '=' | ',');
        let start = line[..at].rfind(begins).map_or(0, |before| before + 1);
        // The folder below is named after the registry.
        let rest = at + SOURCES.len();
        let end = line[rest..].find('/').map_or(rest, |slash| rest + slash + 1);
        line.replace_range(start..end, "");
    }
    match home.map(|home| home.trim_end_matches('/')).filter(|home| !home.is_empty()) {
        Some(home) => line.replace(&format!("{home}/"), "~/"),
        None => line,
    }
}

/// A line as it would look without a terminal.
pub(super) fn without_colours(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        if c != '\u{1b}' {
            out.push(c);
            continue;
        }
        if chars.next() == Some('[') {
            // A control sequence ends with a letter.
            chars.by_ref().find(char::is_ascii_alphabetic);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_left_out() {
        assert_eq!(without_colours("\u{1b}[1;32mINFO\u{1b}[0m it runs"), "INFO it runs");
    }

    #[test]
    fn folders_of_this_machine_are_left_out() {
        let cases = [
            (
                "panicked at /home/me/.cargo/registry/src/some.host-1949cf/broker-0.2.0/src/a.rs:5:8:",
                "panicked at broker-0.2.0/src/a.rs:5:8:",
            ),
            ("at '/opt/registry/src/x/a/b' and (/opt/registry/src/y/c)", "at 'a/b' and (c)"),
            ("/registry/src/", ""),
            ("reads /home/me/broker.conf and /home/meg/x", "reads ~/broker.conf and /home/meg/x"),
            ("nothing of the kind /home/me", "nothing of the kind /home/me"),
        ];
        for (line, shown) in cases {
            assert_eq!(without_folders(line, Some("/home/me")), shown);
            assert_eq!(without_folders(line, Some("/home/me/")), shown);
        }
        assert_eq!(without_folders("reads /etc/x", Some("/")), "reads /etc/x");
        assert_eq!(without_folders("reads /etc/x", None), "reads /etc/x");
    }

    #[test]
    fn a_log_that_grows_too_large_keeps_its_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log");
        let text: String = (0..100_000).map(|number| format!("line {number}\n")).collect();
        std::fs::write(&path, &text).expect("it can be written");
        assert!(!cut(&path, text.len() as u64), "it is not too large");
        let mut broker = File::options().append(true).open(&path).expect("it is there");
        assert!(cut(&path, 1000));
        broker.write_all(b"the last words\n").expect("the broker goes on");
        let length = std::fs::metadata(&path).expect("it is there").len();
        assert!(length < LOG_TAIL + 1000, "{length}");
        let tail = tail_of(&path);
        assert_eq!((tail.len(), tail[LOG_LINES - 1].as_str()), (LOG_LINES, "the last words"));
        assert_eq!(tail[LOG_LINES - 2], "line 99999");
    }
}
