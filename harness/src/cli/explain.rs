//! `assay list` and `assay explain`.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::PathBuf;

use clap::Args;
use reference_broker::codec::ProtocolVersion;

use crate::report::console::wrap;
use crate::requirement::{Catalogue, Ruling, ruling, rulings_about};
use crate::scenario::Suite;

use super::{SuiteArguments, load, print, protocol, statement_or_ruling};

/// Arguments of `list`.
#[derive(Debug, Args)]
pub struct ListArguments {
    #[command(flatten)]
    suite: SuiteArguments,
    /// Every case on its own line
    #[arg(long)]
    cases: bool,
}

/// `assay list`
pub fn list(arguments: &ListArguments) -> u8 {
    let suite = match load(&arguments.suite) {
        Ok(suite) => suite,
        Err(code) => return code,
    };
    let mut out = String::new();
    let mut cases = 0;
    for file in &suite.files {
        let wanted: Vec<_> = file
            .scenarios
            .iter()
            .filter(|scenario| {
                let versions = scenario.requirements.keys();
                let version = arguments.suite.protocol.is_empty()
                    || versions.clone().any(|it| arguments.suite.protocol.contains(it));
                let ids = &arguments.suite.requirement;
                let named =
                    ids.is_empty() || scenario.requirements.values().flatten().any(|id| ids.contains(id));
                version && named
            })
            .collect();
        let Some(first) = wanted.first() else { continue };
        cases += wanted.iter().map(|scenario| scenario.requirements.len()).sum::<usize>();
        // A case may run in one version only.
        let versions: BTreeSet<ProtocolVersion> =
            wanted.iter().flat_map(|scenario| scenario.requirements.keys().copied()).collect();
        let versions: Vec<String> = versions.iter().map(ToString::to_string).collect();
        let count = if wanted.len() > 1 { format!(", {} cases", wanted.len()) } else { String::new() };
        let _ = writeln!(out, "{}  ({}{count})\n    {}", first.name, versions.join(", "), first.title);
        if arguments.cases {
            for scenario in wanted {
                if let Some(case) = &scenario.case {
                    let _ = writeln!(out, "      [{case}]");
                }
            }
        }
    }
    let _ = write!(out, "{} files, {cases} scenario-cases over the versions", suite.files.len());
    print(&out);
    0
}

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub struct ExplainArguments {
    /// The id of a statement (MQTT-4.3.3-10), of an untagged rule (U5-24) or of a ruling
    #[arg(value_name = "ID", value_parser = statement_or_ruling)]
    id: String,
    /// Only in this protocol version
    #[arg(long, value_name = "VERSION", value_parser = protocol)]
    protocol: Option<ProtocolVersion>,
    /// The folder of the suite
    #[arg(long, value_name = "DIR")]
    suite: Option<PathBuf>,
}

/// `assay explain`
pub fn explain(arguments: &ExplainArguments) -> u8 {
    let all = SuiteArguments {
        scenarios: Vec::new(),
        suite: arguments.suite.clone(),
        protocol: Vec::new(),
        requirement: Vec::new(),
    };
    let suite = match load(&all) {
        Ok(suite) => suite,
        Err(code) => return code,
    };
    if let Some(ruling) = ruling(&arguments.id) {
        print(explain_ruling(ruling, &suite).trim_end());
        return 0;
    }
    let mut out = String::new();
    for version in [ProtocolVersion::V3_1_1, ProtocolVersion::V5] {
        if arguments.protocol.is_some_and(|only| only != version) {
            continue;
        }
        let Some(requirement) = Catalogue::of(version).get(&arguments.id) else { continue };
        let _ = writeln!(out, "{} of MQTT {version}", requirement.id);
        let _ =
            writeln!(out, "  section {}; {} {}", requirement.section, requirement.actor, requirement.level);
        for line in wrap(&requirement.statement, 92) {
            let _ = writeln!(out, "    {line}");
        }
        if let Some(why) = &requirement.why {
            for line in wrap(why, 90) {
                let _ = writeln!(out, "    ({line})");
            }
        }
        for ruling in rulings_about(&arguments.id, version) {
            let _ = writeln!(out, "\n  ruling {}: {}", ruling.id, ruling.topic);
            let name = if version == ProtocolVersion::V5 { "5.0" } else { "3.1.1" };
            for accepted in ruling
                .accepted
                .iter()
                .filter(|it| it.versions.is_empty() || it.versions.iter().any(|v| v == name))
            {
                let _ = writeln!(out, "    accepted   {}", accepted.what);
            }
            for firm in &ruling.firm {
                let _ = writeln!(out, "    firm       {firm}");
            }
        }
        let violations: Vec<&str> = reference_broker::core::defects::all()
            .iter()
            .filter(|defect| {
                let ids = if version == ProtocolVersion::V5 { defect.v5 } else { defect.v3_1_1 };
                ids.contains(&arguments.id.as_str())
            })
            .map(|defect| defect.what)
            .collect();
        if !violations.is_empty() {
            let _ = writeln!(
                out,
                "\n  a violation would be, for instance (all of these are caught, see `assay prove`):"
            );
            for what in violations {
                let _ = writeln!(out, "    {what}");
            }
        }
        let mut judged = String::new();
        let mut count = 0;
        for file in &suite.files {
            let cases: Vec<_> = file
                .scenarios
                .iter()
                .filter(|scenario| {
                    scenario.requirements.get(&version).is_some_and(|ids| ids.contains(&arguments.id))
                })
                .collect();
            if let Some(first) = cases.first() {
                count += cases.len();
                let more = if cases.len() > 1 { format!(" ({} cases)", cases.len()) } else { String::new() };
                let _ = writeln!(judged, "    {}{more}\n      {}", first.name, first.title);
            }
        }
        let _ = writeln!(out, "\n  judged by {count} scenario-case{}", if count == 1 { "" } else { "s" });
        out.push_str(&judged);
        out.push('\n');
    }
    if out.is_empty() {
        print(&format!("{} is no statement of that version", arguments.id));
        return super::USAGE;
    }
    print(out.trim_end());
    0
}

/// A ruling: what it accepts, what stays firm, and which scenarios record what a broker chose.
fn explain_ruling(ruling: &Ruling, suite: &Suite) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{} of MQTT {}: {}", ruling.id, ruling.versions.join(" and "), ruling.topic);
    for (version, ids) in &ruling.requirements {
        let _ = writeln!(out, "  about      {} ({version})", ids.join(", "));
    }
    for accepted in &ruling.accepted {
        let versions = match &accepted.versions[..] {
            [] => String::new(),
            versions => format!(" ({} only)", versions.join(" and ")),
        };
        let _ = writeln!(out, "  accepted   {}: {}{versions}", accepted.slug, accepted.what);
    }
    for firm in &ruling.firm {
        let _ = writeln!(out, "  firm       {firm}");
    }
    for line in ruling.note.iter().flat_map(|note| wrap(note, 92)) {
        let _ = writeln!(out, "    {line}");
    }
    let Some(choice) = &ruling.choice else {
        let _ = writeln!(out, "\n  it leaves no choice that is recorded");
        return out;
    };
    let _ = writeln!(out, "\n  choice     {}: {}", choice.name, choice.values.join(", "));
    if let Some(why) = &ruling.unobserved {
        let _ = writeln!(out, "  not seen   {why}");
    }
    for file in &suite.files {
        let mut values: Vec<&str> = Vec::new();
        let all = file.scenarios.iter().flat_map(|scenario| scenario.choices());
        for (_, value) in all.filter(|(name, _)| *name == choice.name) {
            if !values.contains(&value) {
                values.push(value);
            }
        }
        if let (Some(first), false) = (file.scenarios.first(), values.is_empty()) {
            let _ = writeln!(out, "    {} records {}\n      {}", first.name, values.join(", "), first.title);
        }
    }
    out
}
