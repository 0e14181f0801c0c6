//! A badge: one small SVG that says how a run went, without a font or an image from elsewhere.

use std::fmt::Write;

use crate::verdict::Verdict;

use super::json::RunResult;
use super::section::sections;

/// What the badge says, and its colour.
fn message(result: &RunResult) -> (String, &'static str) {
    let counts = &result.summary;
    if result.partial || result.lost.is_some() {
        return ("incomplete".into(), "#8a6d1a");
    }
    if counts.error > 0 {
        return ("harness error".into(), "#8a6d1a");
    }
    let judged = |verdict: Verdict| sections(result).iter().map(|it| it.count(verdict)).sum::<usize>();
    let (broken, passed) = (judged(Verdict::Fail), judged(Verdict::Pass));
    let red = result.results.iter().any(super::json::CaseResult::is_red);
    match (broken, red) {
        (0, _) if counts.inconclusive > 0 => (format!("{passed} statements, some unanswered"), "#8a6d1a"),
        (0, false) => (format!("{passed} statements kept"), "#2f7a3d"),
        (_, false) => (format!("{broken} known deviations"), "#2f6f8a"),
        _ => (format!("{broken} of {} statements broken", broken + passed), "#b3352d"),
    }
}

/// The badge.
pub fn badge(result: &RunResult) -> String {
    let (message, colour) = message(result);
    let label = "MQTT conformance";
    // Widths of a sans-serif face of 11 pixels, roughly; `textLength` makes the text fit them exactly.
    let width = |text: &str| text.chars().count() * 13 / 2 + 12;
    let (left, right) = (width(label), width(&message));
    let total = left + right;
    let mut out = String::new();
    let _ = write!(
        out,
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{total}" height="20" role="img" aria-label="{label}: {message}">
<title>{label}: {message}</title>
<clipPath id="r"><rect width="{total}" height="20" rx="4"/></clipPath>
<g clip-path="url(#r)"><rect width="{left}" height="20" fill="#444"/><rect x="{left}" width="{right}" height="20" fill="{colour}"/></g>
<g fill="#fff" text-anchor="middle" font-family="Verdana,Geneva,DejaVu Sans,sans-serif" font-size="11">
<text x="{}" y="14" textLength="{}">{label}</text>
<text x="{}" y="14" textLength="{}">{message}</text>
</g>
</svg>
"##,
        left / 2,
        left - 12,
        left + right / 2,
        right - 12
    );
    out
}
