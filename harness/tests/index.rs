//! The index of certificates: made of two small ones of the reference broker, and what it refuses.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use assay::report::json::RunResult;
use assay::report::section::sections;
use assay::verdict::Verdict;

const VERSION: &str = env!("CARGO_PKG_VERSION");

fn assay(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_assay"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("the command runs")
}

fn expect(folder: &Path, arguments: &[&str], code: i32, parts: &[&str]) {
    let output = assay(folder, arguments);
    let shown =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{shown}");
    for part in parts {
        assert!(shown.contains(part), "{arguments:?}: `{part}` is missing in\n{shown}");
    }
}

/// Certificates of the reference broker: `sound`, and `faulty` with a defect that one scenario of two sees.
fn place() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    for name in ["will/replaced-by-new-connect.yaml", "choices/dollar-topics.yaml"] {
        let to = folder.path().join("suite").join(name);
        fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
        fs::copy(suite.join(name), to).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    for (name, more, code) in [("faulty", ", --defect, will-on-disconnect", 1), ("sound", "", 0)] {
        let profile = format!(
            "name: {name}\nversion-command: [\"{{assay}}\", --version]\nstart:\n  command: [\"{{assay}}\", serve, --listen, \"127.0.0.1:{{port}}\"{more}]\n  ready-within: 20s\nclaims:\n  persistence: none\n"
        );
        let file = format!("{name}.yaml");
        fs::write(folder.path().join(&file), profile).expect("a file");
        expect(folder.path(), &["certify", &file, "--suite", "suite"], code, &["certificate: reports"]);
    }
    folder
}

fn report(folder: &Path, broker: &str) -> std::path::PathBuf {
    folder.join("reports").join(broker).join(VERSION).join("report.json")
}

fn read(folder: &Path, broker: &str) -> RunResult {
    let text = fs::read_to_string(report(folder, broker)).expect("a file");
    serde_json::from_str(&text).expect("a result")
}

fn change(folder: &Path, broker: &str, with: impl FnOnce(&mut RunResult)) {
    let mut result = read(folder, broker);
    with(&mut result);
    let text = serde_json::to_string(&result).expect("a text");
    fs::write(report(folder, broker), text).expect("a file");
}

fn index(folder: &Path) -> (String, String) {
    expect(
        folder,
        &["index"],
        0,
        &["reports/index.md: 2 certificates", "reports/index.html: 2 certificates"],
    );
    let text = |name: &str| fs::read_to_string(folder.join("reports").join(name)).expect("an index");
    (text("index.md"), text("index.html"))
}

/// The cells of the only row that begins with these words, below this heading.
fn row(markdown: &str, heading: &str, first: &str) -> Vec<String> {
    let (_, below) = markdown.split_once(&format!("{heading}\n")).unwrap_or_else(|| panic!("no {heading}"));
    let lines = below.lines().take_while(|line| !line.starts_with('#'));
    let rows: Vec<Vec<String>> = lines
        .map(|line| line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_string()).collect())
        .filter(|cells: &Vec<String>| cells[0] == first)
        .collect();
    assert_eq!(rows.len(), 1, "`{first}` below {heading}: {rows:?}\n{markdown}");
    rows[0].clone()
}

#[test]
fn brokers_stand_side_by_side() {
    let folder = place();
    let folder = folder.path();
    let (markdown, html) = index(folder);
    for broker in ["faulty", "sound"] {
        let result = read(folder, broker);
        let count = |verdict| sections(&result).iter().map(|it| it.count(verdict)).sum::<usize>();
        let (broken, kept) = (count(Verdict::Fail), count(Verdict::Pass));
        assert_eq!(broken > 0, broker == "faulty", "the defect is seen, and nothing else");
        let cells = row(&markdown, "## Brokers", broker);
        assert_eq!(cells[1..3], [VERSION, "3.1, 3.1.1, 5.0"], "{cells:?}");
        let counts = &result.summary;
        let numbers =
            [counts.pass, counts.fail, counts.inconclusive, counts.skipped].map(|it| it.to_string());
        assert_eq!(cells[4..8], numbers, "{cells:?}");
        assert_eq!(cells[8], format!("{broken} of {}", broken + kept), "{cells:?}");
        for file in ["badge.svg", "report.html", "report.md"] {
            let address = format!("{broker}/{VERSION}/{file}");
            assert!(cells[9].contains(&format!("({address})")), "{file}: {cells:?}");
            assert!(html.contains(&format!("href=\"{address}\"")), "{address}");
            assert!(folder.join("reports").join(&address).exists(), "{address}");
        }
        assert!(cells[9].ends_with("not signed"), "{cells:?}");
        assert_eq!(cells[10], "–", "there is no list of deviations");
    }
    let will = row(&markdown, "### MQTT 5.0", "3.1 CONNECT");
    assert!(will[1].starts_with("✗ ") && will[2].starts_with("✓ "), "{will:?}");
    let all = row(&markdown, "### MQTT 3.1.1", "All sections");
    assert!(all[1].contains('✗') && !all[2].contains('✗'), "{all:?}");
    let choices: Vec<&str> =
        markdown.lines().filter(|line| line.starts_with("| `dollar-topics` | ")).collect();
    let value = |line: &str| line.split(" | ").nth(3).map(str::to_string);
    let seen = read(folder, "faulty").choices;
    for version in ["3.1.1", "5.0"] {
        let start = format!("| `dollar-topics` | R-01 | {version} | ");
        let line = choices.iter().find(|line| line.starts_with(&start)).expect("a row of that version");
        let of_version =
            |it: &&assay::report::json::ChoiceRow| it.name == "dollar-topics" && it.protocol == version;
        let shown = seen.iter().find(of_version).map(|it| it.values[0].value.clone());
        assert!(shown.is_some() && value(line) == shown, "{line}: {shown:?}");
    }
    assert_eq!(choices.len(), 2, "{choices:?}");
    let qos = row(&markdown, "## Capabilities and limits", "`qos-2`");
    assert_eq!(qos[1..], ["✓ yes", "✓ yes"]);
    // A statement that is broken, in words, with its broker and no other.
    let result = read(folder, "faulty");
    for section in sections(&result) {
        for statement in section.statements.iter().filter(|it| !it.broken.is_empty()) {
            let id = format!("`{}`", statement.requirement.id);
            let (_, below) = markdown.split_once("## Broken statements").expect("a chapter");
            let cells = row(below, &format!("### MQTT {}", section.version), &id);
            let cases = format!("faulty {VERSION} ({} case", statement.broken.len());
            assert!(cells[2].contains(&cases) && !cells[2].contains("sound"), "{cells:?}");
            assert!(html.contains(&cases), "{cases}");
        }
    }
    for part in [
        "<h2>Brokers</h2>",
        "class=\"fail\"",
        "tabindex=\"0\"",
        "aria-label=\"Brokers\"",
        "default-src 'none'",
    ] {
        assert!(html.contains(part), "{part}");
    }
    for foreign in ["<script", "http://", "https://", "url(", "@import"] {
        assert!(!html.contains(foreign), "{foreign}");
    }
}

#[test]
fn the_same_folder_has_the_same_index_and_what_brokers_say_is_text() {
    let folder = place();
    let folder = folder.path();
    let once = index(folder);
    assert!(!once.0.contains("ncomplete"), "no broker was lost");
    assert_eq!(once, index(folder), "made again");
    fs::rename(folder.join("reports"), folder.join("elsewhere")).expect("a folder");
    expect(folder, &["index", "elsewhere"], 0, &["elsewhere/index.md"]);
    let moved = ["index.md", "index.html"].map(|it| fs::read_to_string(folder.join("elsewhere").join(it)));
    assert_eq!(moved.map(|it| it.expect("an index")), [once.0, once.1], "made elsewhere");
    fs::rename(folder.join("elsewhere"), folder.join("reports")).expect("a folder");

    // A certificate that is being made is not one yet.
    let unfinished = folder.join("reports/sound/.2.0.unfinished");
    fs::create_dir(&unfinished).expect("a folder");
    fs::write(unfinished.join("report.json"), "{").expect("a file");
    change(folder, "sound", |result| {
        let fact = result.facts.iter_mut().find(|it| it.name == "server-keep-alive").expect("a fact");
        fact.value = "<b>|\"x\"".into();
        result.lost = Some("it went".into());
    });
    let (markdown, html) = index(folder);
    let fact = markdown.lines().find(|line| line.starts_with("| `server-keep-alive`")).expect("a row");
    assert!(fact.ends_with(r#"| \<b\>\|"x" |"#), "{fact}");
    assert!(html.contains("<td>&lt;b&gt;|&quot;x&quot;</td>"), "it is text");
    for text in [&markdown, &html] {
        assert!(text.contains("sound (incomplete)") && !text.contains("faulty (incomplete)"), "{text}");
        assert!(text.contains("Incomplete: the broker was lost") && !text.contains("it went"), "{text}");
    }
}

#[test]
fn known_deviations_explain_what_has_a_reason_whatever_the_day() {
    let folder = place();
    let folder = folder.path();
    let fails = read(folder, "faulty").summary.fail;
    let list = folder.join("reports/faulty/deviations.yaml");
    let place = format!("reports/faulty/{VERSION}");
    expect(folder, &["baseline", &place, "-o", "reports/faulty/deviations.yaml"], 0, &["deviations in"]);
    let says = |markdown: &str| row(markdown, "## Brokers", "faulty")[10].clone();
    let link = "[deviations.yaml](faulty/deviations.yaml)";
    let (markdown, _) = index(folder);
    let open = format!("{link} explains 0 of {fails} failing cases, lists {fails} more without a reason");
    assert_eq!(says(&markdown), open);
    let text = fs::read_to_string(&list).expect("a file");
    let reason = "reason: \"the will is not replaced\"\n    expires: 2001-02-03";
    let with = text.replace("reason: \"not explained yet\"", reason);
    assert_ne!(text, with);
    fs::write(&list, &with).expect("a file");
    let (markdown, html) = index(folder);
    assert_eq!(says(&markdown), format!("{link} explains {fails} of {fails} failing cases"));
    assert!(html.contains("<a href=\"faulty/deviations.yaml\">deviations.yaml</a> explains"));
    fs::write(&list, with.replace("will/replaced", "will/replacd")).expect("a file");
    let wrong = ["reports/faulty/deviations.yaml does not fit", "no case is called `will/replacd"];
    expect(folder, &["index"], 2, &wrong);
}

#[test]
fn what_cannot_be_in_an_index_is_said() {
    let folder = place();
    let folder = folder.path();
    let place = format!("reports/faulty/{VERSION}");
    let file = report(folder, "faulty");
    let whole = fs::read_to_string(&file).expect("a file");
    let refused = |parts: &[&str]| {
        expect(folder, &["index"], 2, parts);
        assert!(!folder.join("reports/index.md").exists(), "{parts:?}: nothing is written");
        fs::write(&file, &whole).expect("a file");
    };
    fs::write(&file, &whole[..whole.len() / 2]).expect("a file");
    refused(&[&format!("error: {place}/report.json is no result of a run: EOF")]);
    fs::remove_file(&file).expect("a file");
    refused(&[&format!("error: cannot read {place}/report.json")]);
    fs::write(&file, whole.replacen("assay-run/2", "assay-run/1", 1)).expect("a file");
    refused(&[&format!(
        "{place}/report.json has the format `assay-run/1`, this program reads `assay-run/2`"
    )]);
    change(folder, "faulty", |result| result.partial = true);
    refused(&[&format!("error: {place} is partial")]);
    fs::write(folder.join(&place).join("statement.dsse.json"), "{}").expect("a file");
    refused(&[&format!("{place}/statement.dsse.json: ")]);
    fs::remove_file(folder.join(&place).join("statement.dsse.json")).expect("a file");
    fs::rename(folder.join(&place).join("statement.json"), folder.join("aside")).expect("a file");
    refused(&[&format!("error: {place} is no certificate: statement.json is missing")]);
    fs::rename(folder.join("aside"), folder.join(&place).join("statement.json")).expect("a file");
    // Every mistake at once.
    fs::write(&file, "{}").expect("a file");
    change(folder, "sound", |result| result.partial = true);
    refused(&["it has no `schema`", &format!("reports/sound/{VERSION} is partial")]);

    fs::create_dir_all(folder.join("empty/broker/1.0")).expect("a folder");
    expect(folder, &["index", "empty"], 2, &["error: there is no certificate below empty"]);
    expect(folder, &["index", "nowhere"], 2, &["error: cannot read nowhere: "]);
}
