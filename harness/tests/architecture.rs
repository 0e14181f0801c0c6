//! The order of use inside the harness: a module uses what stands left of it and nothing else.

use std::fs;
use std::path::{Path, PathBuf};

const ORDER: &[&str] = &[
    "text",
    "requirement",
    "scenario",
    "profile",
    "history",
    "verdict",
    "judge",
    "client",
    "network",
    "proxy",
    "generate",
    "websocket",
    "run",
    "world",
    "check",
    "session",
    "shrink",
    "explore",
    "prove",
    "coverage",
    "evidence",
    "report",
    "baseline",
    "certificate",
    "index",
    "cli",
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the sources are there").flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

fn module_of(path: &Path, root: &Path) -> String {
    let inner = path.strip_prefix(root).expect("below src").with_extension("");
    inner.components().next().expect("a module").as_os_str().to_string_lossy().into_owned()
}

#[test]
fn modules_use_only_what_stands_left_of_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 30, "the sources were found");
    let mut wrong = Vec::new();
    for file in files {
        let module = module_of(&file, &root);
        if matches!(module.as_str(), "lib" | "main") {
            continue;
        }
        let place = ORDER
            .iter()
            .position(|it| *it == module)
            .unwrap_or_else(|| panic!("{module} has no place in the order"));
        let text = fs::read_to_string(&file).expect("it can be read");
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            for part in line.split("crate::").skip(1) {
                let used: String =
                    part.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
                if let Some(other) = ORDER.iter().position(|it| *it == used)
                    && other > place
                {
                    wrong.push(format!("{}: {module} uses {used}", file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn turmoil_appears_in_the_sim_world_only() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    for file in files {
        let code: String = fs::read_to_string(&file)
            .expect("it can be read")
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect();
        let allowed = file.ends_with("world/sim.rs");
        assert!(allowed || !code.contains("turmoil::"), "{}", file.display());
    }
}
