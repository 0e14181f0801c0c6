//! Every committed file through the property of its target.

use std::fs;
use std::path::Path;

/// Runs every file of a corpus. An empty corpus would prove nothing.
fn replay(target: &str, check: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("the folder can be read").path())
        .collect();
    files.sort();
    assert!(files.len() >= 10, "{} files in {}", files.len(), folder.display());
    for file in files {
        let bytes = fs::read(&file).expect("the file can be read");
        println!("{}", file.display());
        check(&bytes);
    }
}

#[test]
fn decode() {
    replay("decode", assay_fuzz::decode::check);
}

#[test]
fn round_trip() {
    replay("round_trip", assay_fuzz::round_trip::check);
}

#[test]
fn split() {
    replay("split", assay_fuzz::split::check);
}

#[test]
fn broker_bytes() {
    replay("broker_bytes", assay_fuzz::broker_bytes::check);
}

#[test]
fn broker_operations() {
    replay("broker_operations", assay_fuzz::broker_operations::check);
}

#[test]
fn explore() {
    let broker = reference_broker::core::Config::default();
    replay("explore", |bytes| assay_fuzz::explore::check(bytes, &broker));
}

#[test]
fn scenario_text() {
    replay("scenario_text", assay_fuzz::scenario_text::check);
}

#[test]
#[cfg(feature = "peers")]
fn differential() {
    replay("differential", assay_fuzz::differential::check);
}
