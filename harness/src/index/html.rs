//! An index as one HTML file that needs nothing else, without a script. What brokers said is text in it, never markup.

use std::fmt::Write;

use data_encoding::BASE64;

use crate::report::html::digest;

use super::Certificate;
use super::content::{chapters, sentence};
use super::table::{Cell, Chapter, Piece, Table, Tone};

/// The colours are those of the report of a run.
const STYLE: &str = concat!(include_str!("../report/page/colours.css"), include_str!("index.css"));

/// The whole file.
pub fn html(certificates: &[Certificate]) -> String {
    let chapters: Vec<Chapter> = chapters(certificates)
        .into_iter()
        .filter(|chapter| chapter.tables.iter().any(|table| !table.rows.is_empty()))
        .collect();
    let policy = format!(
        "default-src 'none'; style-src '{}'; img-src data:; base-uri 'none'; form-action 'none'",
        digest(STYLE)
    );
    let mut out = String::new();
    let _ = write!(
        out,
        r##"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>MQTT brokers, certified</title>
<style>{STYLE}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header class="bar">
<nav aria-label="Parts of the index">"##
    );
    for chapter in &chapters {
        let _ = write!(out, "<a href=\"#{}\">{}</a>", chapter.id, escape(chapter.title));
    }
    let _ = write!(
        out,
        "</nav>\n</header>\n<main id=\"main\" tabindex=\"-1\">\n<h1>MQTT brokers, certified</h1>\n<p class=\"intro\">{} <span class=\"dim\"><code>assay verify</code> checks a certificate.</span></p>\n",
        escape(&sentence(certificates))
    );
    for chapter in &chapters {
        let _ = write!(
            out,
            "<section class=\"card\" id=\"{}\">\n<h2>{}</h2>\n<p class=\"dim\">{}</p>\n",
            chapter.id,
            escape(chapter.title),
            escape(chapter.words)
        );
        for table in &chapter.tables {
            write_table(&mut out, chapter, table);
        }
        out.push_str("</section>\n");
    }
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

/// A table in a box of its own, that can be scrolled by keyboard.
fn write_table(out: &mut String, chapter: &Chapter, table: &Table) {
    let mut name = chapter.title.to_string();
    if !table.title.is_empty() {
        let _ = writeln!(out, "<h3>{}</h3>", escape(&table.title));
        let _ = write!(name, ", {}", table.title);
    }
    let _ = write!(
        out,
        "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"{}\">\n<table class=\"{}\">\n<thead><tr>",
        escape(&name),
        chapter.id
    );
    for column in &table.columns {
        let class = if column.number { " class=\"number\"" } else { "" };
        let _ = write!(out, "<th scope=\"col\"{class}>{}</th>", escape(&column.title));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in &table.rows {
        out.push_str("<tr>");
        for (at, (cell, column)) in row.iter().zip(&table.columns).enumerate() {
            let mut classes: Vec<&str> = class(cell.tone).into_iter().collect();
            if column.number {
                classes.push("number");
            }
            let class = match classes.as_slice() {
                [] => String::new(),
                some => format!(" class=\"{}\"", some.join(" ")),
            };
            let (open, close) = if at == 0 { ("th scope=\"row\"", "th") } else { ("td", "td") };
            let _ = write!(out, "<{open}{class}>{}</{close}>", inside(cell));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody>\n</table>\n</div>\n");
}

const fn class(tone: Tone) -> Option<&'static str> {
    match tone {
        Tone::Plain => None,
        Tone::Good => Some("pass"),
        Tone::Bad => Some("fail"),
        Tone::Open => Some("inconclusive"),
        Tone::Absent => Some("skipped"),
    }
}

fn inside(cell: &Cell) -> String {
    let piece = |piece: &Piece| match piece {
        Piece::Text(text) => escape(text),
        Piece::Code(text) => format!("<code>{}</code>", escape(text)),
        Piece::Link { href, text } => format!("<a href=\"{}\">{}</a>", escape(href), escape(text)),
        Piece::Badge { href, svg } => format!(
            "<a class=\"badge\" href=\"{}\"><img alt=\"badge\" src=\"data:image/svg+xml;base64,{}\"></a>",
            escape(href),
            BASE64.encode(svg.as_bytes())
        ),
    };
    let shown: String = cell.pieces.iter().map(piece).collect();
    match &cell.spoken {
        None => shown,
        Some(spoken) => format!(
            "<span aria-hidden=\"true\">{shown}</span><span class=\"unseen\">{}</span>",
            escape(spoken)
        ),
    }
}

/// Text inside an element or an attribute.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
