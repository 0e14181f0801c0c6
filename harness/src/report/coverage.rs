//! Coverage for people: on the console and as Markdown.

use std::fmt::Write;

use crate::coverage::{Coverage, Status};

/// The titles of the sections that have statements, by number; they are the same in both standards.
const TITLES: &[(&str, &str)] = &[
    ("1.5", "data representation"),
    ("2.1", "fixed header"),
    ("2.2", "variable header"),
    ("2.3", "variable header"),
    ("3.1", "CONNECT"),
    ("3.2", "CONNACK"),
    ("3.3", "PUBLISH"),
    ("3.4", "PUBACK"),
    ("3.5", "PUBREC"),
    ("3.6", "PUBREL"),
    ("3.7", "PUBCOMP"),
    ("3.8", "SUBSCRIBE"),
    ("3.9", "SUBACK"),
    ("3.10", "UNSUBSCRIBE"),
    ("3.11", "UNSUBACK"),
    ("3.12", "PINGREQ"),
    ("3.13", "PINGRESP"),
    ("3.14", "DISCONNECT"),
    ("3.15", "AUTH"),
    ("4.1", "session state"),
    ("4.2", "network connections"),
    ("4.3", "quality of service"),
    ("4.4", "delivery retry"),
    ("4.5", "message receipt"),
    ("4.6", "message ordering"),
    ("4.7", "topics"),
    ("4.8", "subscriptions, error handling"),
    ("4.9", "flow control"),
    ("4.10", "request and response"),
    ("4.11", "server redirection"),
    ("4.12", "enhanced authentication"),
    ("4.13", "handling errors"),
    ("6", "WebSocket"),
    ("6.0", "WebSocket"),
    ("7.1", "conformance"),
];

fn title(section: &str) -> &'static str {
    TITLES.iter().find(|(number, _)| *number == section).map_or("", |(_, title)| title)
}

/// The sums, by version and section, and everything that is not judged.
pub fn console(coverage: &Coverage) -> String {
    let mut out = String::new();
    for (protocol, sums) in &coverage.protocols {
        let _ = writeln!(
            out,
            "MQTT {protocol}: {} of {} statements that a server can be seen to break are judged, \
             {} of {} untagged musts",
            sums.judged, sums.server_observable, sums.untagged_judged, sums.untagged_musts
        );
        for (section, all, judged) in coverage.sections(protocol) {
            let mark = if judged == all { " " } else { "!" };
            let _ = writeln!(out, "  {mark} {section:<5} {judged:>3} of {all:<3} {}", title(&section));
        }
        for it in coverage.untested().filter(|it| it.protocol == *protocol) {
            let _ = writeln!(out, "  untested {} ({})", it.id, it.section);
        }
        out.push('\n');
    }
    out.trim_end().to_string()
}

/// Everything, as a page.
pub fn markdown(coverage: &Coverage) -> String {
    let mut out = String::from(
        "# What Assay judges\n\nMade by `assay coverage --format markdown`. A statement is judged when a scenario-case \
         that was played on the\nreference broker spoke of it.\n",
    );
    for (protocol, sums) in &coverage.protocols {
        let _ = write!(
            out,
            "\n## MQTT {protocol}\n\n{} of {} numbered statements that a server can be seen to break, {} of {} \
             untagged musts.\n\n| section | judged | of |\n| --- | ---: | ---: |\n",
            sums.judged, sums.server_observable, sums.untagged_judged, sums.untagged_musts
        );
        for (section, all, judged) in coverage.sections(protocol) {
            let _ = writeln!(out, "| {section} {} | {judged} | {all} |", title(&section));
        }
        out.push_str("\n| statement | binds | status | judged by |\n| --- | --- | --- | --- |\n");
        for it in coverage.statements.iter().filter(|it| it.protocol == *protocol) {
            let (status, by) = match it.status {
                Status::Judged => ("judged", it.scenarios.join(", ")),
                Status::Untested => ("**untested**", String::new()),
                Status::Exempt => ("exempt", it.reason.clone().unwrap_or_default().replace(['\n', '|'], " ")),
            };
            let _ = writeln!(out, "| {} | {} | {status} | {by} |", it.id, it.actor);
        }
    }
    out
}
