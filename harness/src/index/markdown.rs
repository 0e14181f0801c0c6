//! An index as Markdown.

use std::fmt::Write;

use crate::report::markdown::escape;

use super::Certificate;
use super::content::{chapters, sentence};
use super::table::{Cell, Piece, Table};

/// The whole text.
pub fn markdown(certificates: &[Certificate]) -> String {
    let mut out = String::from("# MQTT brokers, certified\n\n");
    let _ = writeln!(
        out,
        "{} `assay index` makes this page; `assay verify DIR` checks a certificate.",
        escape(&sentence(certificates))
    );
    for chapter in chapters(certificates).iter().filter(|it| it.tables.iter().any(|it| !it.rows.is_empty())) {
        let _ = writeln!(out, "\n## {}\n\n{}", chapter.title, chapter.words);
        for table in &chapter.tables {
            out.push('\n');
            write_table(&mut out, table);
        }
    }
    out
}

fn write_table(out: &mut String, table: &Table) {
    if !table.title.is_empty() {
        let _ = writeln!(out, "### {}\n", table.title);
    }
    let titles: Vec<String> = table.columns.iter().map(|it| escape(&it.title)).collect();
    let lines: Vec<&str> = table.columns.iter().map(|it| if it.number { "---:" } else { "---" }).collect();
    let _ = writeln!(out, "| {} |\n| {} |", titles.join(" | "), lines.join(" | "));
    for row in &table.rows {
        let cells: Vec<String> = row.iter().map(cell).collect();
        let _ = writeln!(out, "| {} |", cells.join(" | "));
    }
}

fn cell(cell: &Cell) -> String {
    let piece = |piece: &Piece| match piece {
        Piece::Text(text) => escape(text),
        // Names of statements, choices and capabilities have no backtick.
        Piece::Code(text) if text.contains(['`', '|']) => escape(text),
        Piece::Code(text) => format!("`{text}`"),
        Piece::Link { href, text } => format!("[{}]({href})", escape(text)),
        Piece::Badge { href, .. } => format!("![badge]({href})"),
    };
    cell.pieces.iter().map(piece).collect()
}
