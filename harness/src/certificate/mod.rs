//! Certificates: what a broker did, with the evidence, in one folder that anyone can check.
//!
//! A certificate is a folder: the report in every format, the profile as it was used, the evidence of everything that
//! did not pass and of a sample of what did, and an in-toto statement over the digests of all of that, which may be
//! signed. [`verify`] needs nothing but the folder.
//!
//! * [`statement`]: the in-toto statement.  * [`sign`]: DSSE envelopes with Ed25519.  * [`verify`]: everything again.
//!
//! Never the case: a certificate that replaces another one unasked; a file in it that the statement does not name.

pub mod sign;
pub mod statement;
pub mod verify;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

/// The folder of the evidence.
pub const EVIDENCE: &str = "evidence";
/// The profile.
pub const PROFILE: &str = "profile.yaml";
/// The statement.
pub const STATEMENT: &str = "statement.json";
/// The same in an envelope with a signature.
pub const ENVELOPE: &str = "statement.dsse.json";
/// One case in so many that pass is kept as evidence.
pub const SAMPLE: u64 = 50;

/// The SHA-256 of bytes, in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(bytes))
}

/// All files below a folder, by their paths relative to it with `/`, sorted.
///
/// # Errors
/// What the system says.
pub fn files(folder: &Path) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    let mut left = vec![PathBuf::new()];
    while let Some(inner) = left.pop() {
        for entry in fs::read_dir(folder.join(&inner))? {
            let entry = entry?;
            let path = inner.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                left.push(path);
            } else {
                let parts: Vec<String> =
                    path.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
                found.push(parts.join("/"));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The version in what a program says of itself: the first word that is made of numbers and points.
pub fn version_in(text: &str) -> Option<&str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+' | '~'))).find_map(
        |word| {
            let word = word.strip_prefix('v').unwrap_or(word).trim_matches('.');
            let numbers =
                word.split(['.', '-', '+', '~']).take_while(|part| part.parse::<u64>().is_ok()).count();
            (numbers >= 2).then_some(word)
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_found_in_what_programs_print() {
        let table = [
            ("mosquitto version 2.0.11", Some("2.0.11")),
            ("nats-server: v2.9.10", Some("2.9.10")),
            ("rumqttd 0.20.0", Some("0.20.0")),
            ("RabbitMQ 3.10.8+dfsg", Some("3.10.8+dfsg")),
            ("a broker of 2026", None),
            ("", None),
        ];
        for (text, version) in table {
            assert_eq!(version_in(text), version, "{text}");
        }
    }

    #[test]
    fn the_digest_is_that_of_the_standard() {
        // FIPS 180-2, appendix B.1.
        assert_eq!(sha256(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
