//! Makes the suite part of the command: a table of every file below `scenarios/`.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    println!("cargo:rerun-if-changed={}", folder.display());
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|ending| ending == "yaml") {
            files.push(path);
        }
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "cargo tells build scripts their folders through the environment"
)]
fn main() {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("../scenarios");
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo sets it")).join("suite.rs");
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.sort();
    let mut text = String::from("pub(super) static FILES: &[(&str, &str)] = &[\n");
    for path in files {
        let name = path.strip_prefix(&root).expect("below the root").with_extension("");
        let absolute = path.canonicalize().expect("it exists");
        let _ = writeln!(
            text,
            "    ({:?}, include_str!({:?})),",
            name.display().to_string(),
            absolute.display().to_string()
        );
    }
    text.push_str("];\n");
    fs::write(out, text).expect("the output folder can be written");
}
