//! Certificates: made of the reference broker over real sockets, checked, and found wanting after every change.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn assay(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_assay"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("the command runs")
}

fn shown(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn expect(folder: &Path, arguments: &[&str], code: i32, parts: &[&str]) {
    let output = assay(folder, arguments);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{}", shown(&output));
    for part in parts {
        assert!(shown(&output).contains(part), "{arguments:?}: `{part}` is missing in\n{}", shown(&output));
    }
}

/// A suite of two files, and a profile of the reference broker with a defect that one of them sees.
fn place() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    for name in ["will/replaced-by-new-connect.yaml", "connect/connack-comes-first.yaml"] {
        let to = folder.path().join("suite").join(name);
        fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
        fs::copy(suite.join(name), to).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let profile = "name: faulty\nversion-command: [\"{assay}\", --version]\nstart:\n  command: [\"{assay}\", serve, --listen, \"127.0.0.1:{port}\", --defect, will-on-disconnect]\n  ready-within: 20s\nclaims:\n  persistence: none\n";
    fs::write(folder.path().join("faulty.yaml"), profile).expect("a file");
    folder
}

const CERTIFY: [&str; 4] = ["certify", "faulty.yaml", "--suite", "suite"];

fn certificate(folder: &Path) -> PathBuf {
    let broker = folder.join("reports/faulty");
    let mut versions = fs::read_dir(&broker).expect("a certificate").map(|it| it.expect("an entry").path());
    let only = versions.next().expect("a version");
    assert_eq!(versions.next(), None);
    only
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut left = vec![folder.to_path_buf()];
    while let Some(next) = left.pop() {
        for entry in fs::read_dir(next).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { left.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

#[test]
fn a_certificate_holds_until_one_byte_of_any_file_is_changed() {
    let folder = place();
    let folder = folder.path();
    expect(folder, &CERTIFY, 1, &["certificate: reports/faulty"]);
    let place = certificate(folder);
    let shown = place.display().to_string();
    assert_eq!(place.file_name().and_then(|it| it.to_str()), Some(env!("CARGO_PKG_VERSION")));
    expect(folder, &["verify", &shown], 0, &["holds", "FAILED", "not signed"]);
    let files = files(&place);
    let names: Vec<String> =
        files.iter().map(|path| path.strip_prefix(&place).expect("inside").display().to_string()).collect();
    for name in ["report.json", "junit.xml", "report.md", "badge.svg", "profile.yaml", "statement.json"] {
        assert!(names.iter().any(|it| it == name), "{name} is missing in {names:?}");
    }
    assert!(names.iter().filter(|it| it.starts_with("evidence/will-replaced")).count() >= 2, "{names:?}");
    for path in &files {
        let whole = fs::read(path).expect("a file");
        let mut changed = whole.clone();
        let middle = changed.len() / 2;
        changed[middle] ^= 1;
        fs::write(path, changed).expect("a file");
        let output = assay(folder, &["verify", &shown]);
        assert_ne!(output.status.code(), Some(0), "one bit of {} was changed", path.display());
        fs::write(path, whole).expect("a file");
    }
    // A file more, a file less.
    fs::write(place.join("evidence/more.jsonl"), "{}").expect("a file");
    expect(folder, &["verify", &shown], 1, &["evidence/more.jsonl: the statement does not name it"]);
    fs::remove_file(place.join("evidence/more.jsonl")).expect("a file");
    let evidence = names.iter().find(|it| it.starts_with("evidence/will")).expect("evidence");
    fs::rename(place.join(evidence), folder.join("aside")).expect("a file");
    expect(folder, &["verify", &shown], 1, &[&format!("{evidence}: it is missing")]);
    fs::rename(folder.join("aside"), place.join(evidence)).expect("a file");
    expect(folder, &["verify", &shown], 0, &["holds"]);
    // It is not replaced unasked.
    expect(folder, &CERTIFY, 2, &["there is a certificate in reports/faulty", "--force"]);
    expect(folder, &[&CERTIFY[..], &["--force"]].concat(), 1, &["certificate: "]);
}

/// Who edits the report and makes the digests agree again still has the evidence against him.
#[test]
fn a_verdict_that_the_evidence_does_not_bear_out_is_found() {
    let folder = place();
    let folder = folder.path();
    expect(folder, &CERTIFY, 1, &[]);
    let place = certificate(folder);
    let report = place.join("report.json");
    let text = fs::read_to_string(&report).expect("a file");
    let mut result: assay::report::json::RunResult = serde_json::from_str(&text).expect("a result");
    for case in &mut result.results {
        if case.verdict == assay::verdict::Verdict::Fail {
            case.verdict = assay::verdict::Verdict::Pass;
            case.findings.clear();
            result.summary.fail -= 1;
            result.summary.pass += 1;
        }
    }
    for format in assay::report::Format::ALL {
        assay::report::write(format, &result, &place.join(format.file())).expect("a file");
    }
    let statement =
        assay::certificate::statement::Statement::of(&place, &result, Vec::new()).expect("a statement");
    fs::write(place.join("statement.json"), statement.to_text()).expect("a file");
    let shown = place.display().to_string();
    expect(folder, &["verify", &shown], 1, &["it is judged fail; the report says pass"]);
}

#[test]
fn a_signature_is_checked_against_the_key_that_is_asked_for() {
    let folder = place();
    let folder = folder.path();
    for name in ["ours", "other"] {
        for arguments in [vec!["genpkey", "-algorithm", "ed25519", "-out"], vec!["pkey", "-pubout", "-in"]] {
            let private = format!("{name}.pem");
            let mut command = Command::new("openssl");
            command.args(&arguments).arg(&private).current_dir(folder);
            if arguments[0] == "pkey" {
                command.args(["-out", &format!("{name}.pub.pem")]);
            }
            let output = command.output().expect("openssl is needed for this test");
            assert!(output.status.success(), "{}", shown(&output));
        }
    }
    expect(folder, &[&CERTIFY[..], &["--sign", "ours.pub.pem"]].concat(), 2, &["openssl genpkey"]);
    expect(folder, &[&CERTIFY[..], &["--sign", "ours.pem"]].concat(), 1, &["certificate: "]);
    let place = certificate(folder).display().to_string();
    expect(folder, &["verify", &place], 0, &["signed by", "not checked"]);
    expect(folder, &["verify", &place, "--key", "ours.pub.pem"], 0, &["signed by that key"]);
    expect(
        folder,
        &["verify", &place, "--key", "other.pub.pem"],
        1,
        &["statement.dsse.json: it is signed by"],
    );
    expect(folder, &["verify", &place, "--key", "nowhere.pem"], 2, &["cannot read nowhere.pem"]);
    fs::remove_file(Path::new(&place).join("statement.dsse.json")).expect("a file");
    expect(folder, &["verify", &place, "--key", "ours.pub.pem"], 1, &["there is no signature"]);
}

#[test]
fn what_is_no_certificate_is_said() {
    let folder = place();
    let folder = folder.path();
    expect(folder, &["verify", "suite"], 2, &["suite is no certificate"]);
    expect(folder, &["certify", "mosquito"], 2, &["did you mean `mosquitto`?"]);
    let bad = "name: gone\nstart:\n  command: [no-such-broker]\n";
    fs::write(folder.join("gone.yaml"), bad).expect("a file");
    expect(folder, &["certify", "gone.yaml", "--suite", "suite"], 2, &["`no-such-broker` does not exist"]);
    assert!(!folder.join("reports/gone/unknown").exists(), "nothing looks like a certificate");
}
