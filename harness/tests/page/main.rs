//! The HTML report, looked at in headless Chromium: a real run of a broker with a defect, clicked through.

use std::path::{Path, PathBuf};
use std::process::Command;

use assay::report::json::{CaseResult, CrashResult, RowKind, RunResult, Timeline};
use assay::report::{Format, render};
use assay::verdict::Verdict;
use serde_json::json;

mod browser;

use browser::Browser;

/// What a broker could say to get out of the place that it has in the page.
const HOSTILE: &str = "</script><img src=x onerror=alert(1)>\u{202e}{{script}}";

/// Timelines up to this number of rows are shown whole (`WHOLE` in `timeline.js`).
const WHOLE: usize = 45;

/// A case that fits into so many rows.
const BRIEF: &str = "\
title: A message whose PUBREC is lost comes once
why: Short enough to be shown whole.
requirements: { v5: [MQTT-4.3.3-10], v3.1.1: [MQTT-4.3.3-2] }
needs: [qos-2]
clients:
  publisher:  { session: persistent }
  subscriber: {}
steps:
  - subscriber: connect
  - subscriber: { subscribe: meter/7, qos: 2 }
  - publisher: connect
  - when: { packet: PUBREC, from: broker, to: publisher, nth: 1, is: lost, do: reset }
  - publisher: { publish: meter/7, payload: 42 kWh, qos: 2 }
  - publisher: connect
  - publisher: complete
";

/// A report in a folder of its own.
struct Report {
    file: PathBuf,
    run: RunResult,
    _folder: tempfile::TempDir,
}

impl Report {
    /// Of a broker that forgets Packet Identifiers: hundreds of cases that pass, more than a hundred that do not.
    fn new() -> Report {
        let folder = tempfile::tempdir().expect("a folder");
        let json = folder.path().join("run.json");
        let suite = folder.path().join("suite");
        for part in ["ordering", "exactly-once"] {
            let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios").join(part);
            std::fs::create_dir_all(suite.join(part)).expect("a folder");
            for file in std::fs::read_dir(from).expect("a folder").map(|it| it.expect("an entry")) {
                std::fs::copy(file.path(), suite.join(part).join(file.file_name())).expect("a copy");
            }
        }
        std::fs::write(suite.join("exactly-once/in-brief.yaml"), BRIEF).expect("a file");
        let output = Command::new(env!("CARGO_BIN_EXE_assay"))
            .args(["run", "ordering", "exactly-once", "--world", "core", "--suite"])
            .arg(&suite)
            .args(["--defect", "qos-2-forgotten-on-resume", "--evidence"])
            .arg(folder.path().join("evidence"))
            .args(["--format", &format!("json={}", json.display())])
            .output()
            .expect("the command runs");
        assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
        let text = std::fs::read_to_string(&json).expect("it was written");
        let run: RunResult = serde_json::from_str(&text).expect("it is a run");
        let report = Report { file: folder.path().join("report.html"), run, _folder: folder };
        report.write();
        report
    }

    fn write(&self) {
        let html = render(Format::Html, &self.run).expect("it is rendered");
        std::fs::write(&self.file, html).expect("it is written");
    }

    fn failing(&self, wanted: impl Fn(&Timeline) -> bool) -> &CaseResult {
        let failing = self.run.results.iter().filter(|case| case.verdict == Verdict::Fail);
        let mut shown = failing.filter(|case| case.timeline.as_ref().is_some_and(&wanted));
        shown.next().expect("a case of that kind failed")
    }

    /// One whose timeline is shown whole, with a lost packet and a fault in it.
    fn short(&self) -> &CaseResult {
        self.failing(|it| {
            it.rows.len() <= WHOLE
                && it.rows.iter().any(|row| row.lost)
                && it.rows.iter().any(|row| row.kind == RowKind::Fault)
        })
    }
}

fn packets(case: &CaseResult) -> usize {
    let rows = case.timeline.iter().flat_map(|it| &it.rows);
    rows.filter(|row| row.kind == RowKind::Packet).count()
}

/// The address of a case inside the report.
fn fragment(case: &CaseResult) -> String {
    let key = format!("{}@{}", case.full_name(), case.protocol);
    let mut out = String::from("#case=");
    for byte in key.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' => out.push(char::from(byte)),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

/// Whatever was done: nothing went wrong in the page, and it asked for nothing but itself.
fn nothing_else_happened(browser: &mut Browser, report: &Report) {
    // An answer comes after every event before it.
    browser.value("1");
    assert_eq!(browser.complaints, Vec::<String>::new());
    let own = format!("file://{}", report.file.display());
    let foreign: Vec<&String> = browser
        .requests
        .iter()
        .filter(|url| *url != "about:blank" && url.split('#').next() != Some(&own))
        .collect();
    assert!(!browser.requests.is_empty(), "requests are seen");
    assert_eq!(foreign, Vec::<&String>::new());
}

#[test]
fn a_failing_case_is_found_opened_and_explained() {
    let report = Report::new();
    let case = report.short();
    let mut browser = Browser::start();
    browser.open(&report.file, "");
    assert!(browser.text("document.querySelector('h1').textContent").starts_with("reference broker"));
    let sentence = browser.text("document.querySelector('.sentence').textContent");
    assert!(sentence.contains("statements kept") && sentence.contains("broken"), "{sentence}");

    // By verdict, then by words.
    browser.click("#nav a[data-view=cases]");
    browser.until("document.querySelector('#list .case')");
    browser.click("#verdicts [data-verdict=fail]");
    let shown = browser.text("document.getElementById('count').textContent");
    assert_eq!(shown, format!("{} of {} cases", report.run.summary.fail, report.run.results.len()));
    assert_eq!(browser.count("#list .case > :not(.icon.fail):first-child"), 0);
    browser.click("#q");
    let name = case.full_name();
    // Every word has to be there, in the name, the title or the statements.
    browser.write(&format!("{name} {}", case.title.split(' ').next().unwrap_or_default()));
    let named = report.run.results.iter().filter(|it| it.verdict == Verdict::Fail && it.full_name() == name);
    assert_eq!(browser.count("#list .case"), named.count());

    // The filter and the open case are in the address.
    browser.click(&format!("#list .case[data-key={:?}]", format!("{name}@{}", case.protocol)));
    browser.until("document.querySelector('#detail .diagram')");
    let address = browser.text("location.hash");
    assert!(
        address.contains("case=") && address.contains("verdict=fail") && address.contains("q="),
        "{address}"
    );
    assert_eq!(browser.text("document.getElementById('case-title').textContent"), case.title);
    let said = browser.text("document.querySelector('.finding').textContent");
    for part in [&case.findings[0].expected, &case.findings[0].observed, &case.findings[0].requirement] {
        assert!(said.contains(part.as_str()), "{part} in {said}");
    }

    // The diagram has every packet, and the lost ones and the faults as such.
    let timeline = case.timeline.as_ref().expect("it failed");
    assert_eq!(browser.count(".diagram .arrow"), packets(case));
    let lost = timeline.rows.iter().filter(|row| row.lost).count();
    assert_eq!(browser.count(".diagram .arrow.lost .cross"), lost);
    let faults = timeline.rows.iter().filter(|row| row.kind == RowKind::Fault).count();
    assert_eq!(browser.count(".diagram .margin"), faults);
    let marked = timeline.rows.iter().filter(|row| row.marked).count();
    assert!(marked > 0);
    assert_eq!(browser.count(".diagram .marked .mark"), marked);

    // The same in words.
    browser.click(".tabs button:nth-child(2)");
    assert_eq!(browser.count(".rows tbody tr"), timeline.rows.len());
    assert_eq!(browser.count(".diagram"), 0);

    // The command.
    browser.click(".copy");
    browser.until("document.querySelector('.copy').textContent.startsWith('Copied')");
    assert_eq!(browser.text("navigator.clipboard.readText()"), case.replay);
    nothing_else_happened(&mut browser, &report);
}

#[test]
fn a_case_has_an_address_and_a_long_timeline_unfolds() {
    let report = Report::new();
    let case = report.failing(|it| it.rows.len() > 2 * WHOLE);
    let mut browser = Browser::start();
    browser.open(&report.file, &fragment(case));
    browser.until("document.querySelector('#detail .diagram')");
    assert_eq!(browser.text("document.getElementById('case-title').textContent"), case.title);
    let folded = browser.count(".diagram .arrow");
    assert!(folded < packets(case), "{folded} of {}", packets(case));
    let folds = browser.count(".diagram .fold");
    assert!(folds > 0);
    browser.click(".diagram .fold text");
    browser.until(&format!("document.querySelectorAll('.diagram .fold').length === {}", folds - 1));
    assert!(browser.count(".diagram .arrow") > folded);
    browser.click(".timeline-head > .plain");
    assert_eq!(browser.count(".diagram .arrow"), packets(case));

    // From the overview to a section, a statement and its cases.
    browser.click("#nav a[data-view=overview]");
    browser.until("document.querySelector('.sections')");
    browser.click(".sections .has-broken button");
    browser.until("document.querySelector('.statements .badge.fail')");
    browser.click(".statements .statement:has(.badge.fail) .links a");
    browser.until("document.querySelector('#only .id')");
    let id = browser.text("document.querySelector('#only .id').textContent");
    let protocol = browser.text("document.getElementById('protocol').value");
    let broken =
        report.run.results.iter().filter(|it| it.protocol == protocol && it.broken().contains(&id.as_str()));
    let count = broken.count();
    assert!(count > 0);
    let shown = browser.text("document.getElementById('count').textContent");
    assert!(shown.starts_with(&format!("{count} of ")), "{shown}, and not {count}");
    nothing_else_happened(&mut browser, &report);
}

#[test]
fn the_keyboard_is_enough() {
    let report = Report::new();
    let mut browser = Browser::start();
    browser.open(&report.file, "");
    let focused = "document.activeElement.dataset.key || document.activeElement.id";
    browser.press("Tab");
    assert_eq!(browser.text("document.activeElement.className"), "skip");
    browser.press("/");
    browser.until("document.activeElement.id === 'q'");
    browser.write("resumes");
    browser.press("Escape");
    assert_eq!(browser.text("document.getElementById('q').value"), "");
    browser.press("Escape");
    browser.press("j");
    let first = browser.text(focused);
    assert_eq!(first, browser.text("document.querySelectorAll('#list .case')[0].dataset.key"));
    browser.press("j");
    let second = browser.text(focused);
    assert_eq!(second, browser.text("document.querySelectorAll('#list .case')[1].dataset.key"));
    browser.press("k");
    assert_eq!(browser.text(focused), first);
    browser.press("ArrowDown");
    assert_eq!(browser.text(focused), second);
    // The focus can be seen.
    assert_eq!(browser.text("getComputedStyle(document.activeElement).outlineStyle"), "solid");
    browser.press("Enter");
    browser.until("document.querySelector('#detail #case-title')");
    assert!(browser.text("decodeURIComponent(location.hash)").contains(&second));
    assert_eq!(browser.text(focused), "case-title");
    // With a case open, the next one opens.
    browser.press("j");
    let third = browser.text("document.querySelectorAll('#list .case')[2].dataset.key");
    browser.until(
        "document.querySelector('#list [aria-current]') === document.querySelectorAll('#list .case')[2]",
    );
    browser.press("Escape");
    browser.until("document.getElementById('detail').hidden");
    assert_eq!(browser.text(focused), third);
    browser.press("?");
    browser.until("document.getElementById('help').open");
    browser.press("Escape");
    browser.until("!document.getElementById('help').open");
    nothing_else_happened(&mut browser, &report);
}

#[test]
fn nothing_that_a_broker_says_becomes_markup() {
    let mut report = Report::new();
    report.run.broker = format!("broker {HOSTILE}");
    report.run.lost = Some(HOSTILE.into());
    let at = report.run.results.iter().position(|case| case.verdict == Verdict::Fail).expect("one failed");
    let case = &mut report.run.results[at];
    case.title = HOSTILE.into();
    case.findings[0].observed = HOSTILE.into();
    case.evidence = Some("javascript:alert(1)".into());
    let crash = CrashResult {
        client: Some(HOSTILE.into()),
        packet: Some(HOSTILE.into()),
        log: vec![HOSTILE.into(), "\u{1b}[31mred".into()],
        cases: vec![HOSTILE.into()],
    };
    case.crash = Some(crash);
    if let Some(timeline) = &mut case.timeline {
        timeline.clients[0] = HOSTILE.into();
        for row in &mut timeline.rows {
            row.text = HOSTILE.into();
        }
    }
    report.write();
    let mut browser = Browser::start();
    browser.open(&report.file, &fragment(&report.run.results[at]));
    browser.until("document.querySelector('#detail .diagram')");
    // It is there, as text; and what would turn the text around it is named.
    let shown = "</script><img src=x onerror=alert(1)>⟨U+202E⟩{{script}}";
    for place in ["#case-title", ".finding .said:last-child", ".log", ".diagram .event title"] {
        let texts = browser.text(&format!(
            "[...document.querySelectorAll({place:?})].map((it) => it.textContent).join('\\n')"
        ));
        assert!(texts.contains(shown), "{place}: {texts}");
        assert!(!texts.contains('\u{1b}'), "{place}: {texts}");
    }
    browser.click(".tabs button:nth-child(2)");
    for view in ["overview", "choices", "broker", "run"] {
        browser.click(&format!("#nav a[data-view={view}]"));
        browser.until(&format!("document.getElementById('main').dataset.view === '{view}'"));
    }
    assert_eq!(browser.count("img"), 0);
    assert_eq!(browser.count("script"), 2);
    assert_eq!(browser.count("a[href^='javascript']"), 0);
    // Even if something were added, it would not run.
    browser.value(
        "new Promise((done) => { const it = document.createElement('script');
            it.textContent = 'document.title = \"ran\"'; document.body.append(it); requestAnimationFrame(done); })",
    );
    assert_ne!(browser.text("document.title"), "ran");
    let refused: Vec<String> = browser.complaints.drain(..).collect();
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert!(refused[0].contains("Content Security Policy"), "{refused:?}");
    nothing_else_happened(&mut browser, &report);
}

/// Texts that stand out too little from their ground, by the measure of WCAG AA.
const FAINT: &str = r"(() => {
    const numbers = (colour) => {
        const found = colour.match(/[\d.]+/g).map(Number);
        return colour.startsWith('color(') ? found.map((it, at) => at < 3 ? it * 255 : it) : found;
    };
    const light = (colour) => {
        const [r, g, b] = colour.map((it) => it / 255).map((it) => it <= 0.04045 ? it / 12.92 : ((it + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ground = (element) => {
        for (let it = element; it; it = it.parentElement) {
            const colour = numbers(getComputedStyle(it).backgroundColor);
            if (colour.length < 4 || colour[3] === 1) return colour;
        }
        return [255, 255, 255];
    };
    const faint = [];
    let seen = 0;
    for (const element of document.querySelectorAll('body *:not(svg *)')) {
        if (![...element.childNodes].some((it) => it.nodeType === 3 && it.textContent.trim())) continue;
        if (!element.checkVisibility() || ['SCRIPT', 'STYLE', 'NOSCRIPT'].includes(element.tagName)) continue;
        seen += 1;
        const style = getComputedStyle(element);
        const one = light(numbers(style.color)), other = light(ground(element));
        const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
        if (contrast < 4.5) faint.push(`${element.className} ${element.textContent.slice(0, 40)} ${contrast.toFixed(2)}`);
    }
    return { seen, faint };
})()";

#[test]
fn it_is_readable_on_a_phone_and_on_a_desktop_by_day_and_by_night() {
    let report = Report::new();
    let opened = fragment(report.short());
    let mut browser = Browser::start();
    for (width, height, phone) in [(360, 740, true), (1440, 900, false)] {
        browser.size(width, height, phone);
        for scheme in ["light", "dark"] {
            browser.prefers(scheme);
            for place in
                ["#view=overview", "#view=cases", "#view=choices", "#view=broker", "#view=run", &opened]
            {
                browser.open(&report.file, place);
                let on = format!("{place} with {width} pixels, {scheme}");
                let wide = browser.value("document.documentElement.scrollWidth").as_u64().expect("a width");
                assert!(wide <= u64::from(width), "{on}: {wide} pixels are wanted");
                let found = browser.value(FAINT);
                assert!(found["seen"].as_u64().is_some_and(|count| count > 8), "{on}: {found}");
                assert_eq!(found["faint"], json!([]), "{on}");
            }
        }
    }

    // The diagram is wider than a phone, and scrolls by itself.
    browser.size(360, 740, true);
    browser.open(&report.file, &opened);
    browser.until("document.querySelector('#detail .diagram')");
    let inside = browser.value(
        "document.querySelector('.scroll').scrollWidth > document.querySelector('.scroll').clientWidth",
    );
    assert_eq!(inside, json!(true));
    assert_eq!(browser.value("document.querySelector('.finder').checkVisibility()"), json!(false));

    // The switch has the last word.
    browser.size(1440, 900, false);
    let ground = "getComputedStyle(document.body).backgroundColor";
    browser.open(&report.file, "");
    let dark = browser.text(ground);
    browser.click("#theme");
    let light = browser.text(ground);
    assert_ne!(light, dark);
    browser.click("#theme");
    assert_eq!(browser.text(ground), dark);
    browser.prefers("light");
    assert_eq!(browser.text(ground), dark);
    nothing_else_happened(&mut browser, &report);
}
