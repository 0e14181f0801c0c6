//! A small tree of YAML and how it stands on one line: plain words where that is safe, quotes where it is not.

/// A value as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Yaml {
    /// A scalar, exactly as it stands in the file.
    Scalar(String),
    /// `[a, b]`
    List(Vec<Yaml>),
    /// `{ a: b }`
    Map(Vec<(String, Yaml)>),
}

impl Yaml {
    /// A word of the language, a number or a duration: nothing that needs quotes.
    pub(super) fn word(word: impl ToString) -> Yaml {
        Yaml::Scalar(word.to_string())
    }

    /// Any text.
    pub(super) fn text(text: &str) -> Yaml {
        Yaml::Scalar(scalar(text))
    }

    /// One value by itself, several as a list.
    pub(super) fn one_or_list(mut list: Vec<Yaml>) -> Yaml {
        match list.len() {
            1 => list.remove(0),
            _ => Yaml::List(list),
        }
    }

    /// It on one line.
    pub(super) fn line(&self) -> String {
        match self {
            Yaml::Scalar(text) => text.clone(),
            Yaml::List(list) => {
                format!("[{}]", list.iter().map(Yaml::line).collect::<Vec<_>>().join(", "))
            }
            Yaml::Map(entries) if entries.is_empty() => "{}".into(),
            Yaml::Map(entries) => {
                let entries: Vec<String> = entries
                    .iter()
                    .map(|(key, value)| format!("{}: {}", self::key(key), value.line()))
                    .collect();
                format!("{{ {} }}", entries.join(", "))
            }
        }
    }
}

/// A key: it is text even where it looks like a number.
fn key(text: &str) -> String {
    let number = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric());
    if number { text.to_string() } else { scalar(text) }
}

/// A text that reads back as this text, wherever it stands.
pub(super) fn scalar(text: &str) -> String {
    if is_plain(text, "") { text.to_string() } else { quoted(text) }
}

/// A text in a line of its own, `key: text`, where commas, brackets and single quotes need no care.
pub(super) fn sentence(text: &str) -> String {
    let ends = text.contains(": ") || text.contains(" #") || text.ends_with(':');
    if !ends && is_plain(text, ",:[]{}#\"") { text.to_string() } else { quoted(text) }
}

/// Whether a text needs no quotes and is text to YAML: no number, no flag, no nothing.
fn is_plain(text: &str, more: &str) -> bool {
    const INNER: &str = " _-./+$%=()<>~^;!?*&|'";
    let Some(first) = text.chars().next() else { return false };
    (first.is_ascii_alphanumeric() || matches!(first, '_' | '/' | '$') || is_letter(first))
        && !text.ends_with(' ')
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || INNER.contains(c) || more.contains(c) || is_letter(c))
        && !is_something_else(text)
}

/// Whether YAML, of whichever version, may take the bare text for a number, a flag or nothing.
fn is_something_else(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let word = matches!(lower.as_str(), "null" | "true" | "false" | "yes" | "no" | "on" | "off" | "y" | "n");
    let number = text.parse::<f64>().is_ok()
        || ["0x", "0o", "0b"].iter().any(|prefix| lower.starts_with(prefix))
        || text.chars().all(|c| c.is_ascii_digit() || matches!(c, '_' | '.' | ':'));
    word || (number && !is_version(text))
}

/// `3.1.1`: two dots make no number.
fn is_version(text: &str) -> bool {
    text.split('.').count() == 3 && text.split('.').all(|part| !part.is_empty() && part.parse::<u8>().is_ok())
}

/// A letter beyond ASCII that every editor shows.
fn is_letter(c: char) -> bool {
    !c.is_ascii() && c.is_alphanumeric() && u32::from(c) < 0xD800
}

/// A text in quotes: single ones where double ones stand inside, else double ones with escapes.
fn quoted(text: &str) -> String {
    let shows = |c: char| matches!(c, ' '..='~') || is_letter(c);
    if text.contains(['"', '\\']) && text.chars().all(shows) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if shows(c) => out.push(c),
            c if u32::from(c) <= 0xFF => out.push_str(&format!("\\x{:02X}", u32::from(c))),
            c if u32::from(c) <= 0xFFFF => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push_str(&format!("\\U{:08X}", u32::from(c))),
        }
    }
    out.push('"');
    out
}

/// Lines behind `key: `, each of them after `indent`, as a literal block; `None` where a block would not read back
/// as this text.
pub(super) fn block(text: &str, indent: &str) -> Option<String> {
    let (sign, body) = match text.strip_suffix('\n') {
        Some(body) => ("|", body),
        None => ("|-", text),
    };
    let shows =
        |c: char| matches!(c, ' '..='~' | '\n') || is_letter(c) || matches!(c, '…' | '–' | '“' | '”' | '’');
    if body.is_empty() || body.starts_with([' ', '\n']) || body.ends_with('\n') || !body.chars().all(shows) {
        return None;
    }
    let lines: Vec<String> = body
        .split('\n')
        .map(|line| if line.is_empty() { String::new() } else { format!("{indent}{line}") })
        .collect();
    Some(format!("{sign}\n{}", lines.join("\n")))
}

#[cfg(test)]
mod tests {
    use crate::text::{Document, NodeKind, SourceText};

    use super::*;

    const TEXTS: &[&str] = &[
        "",
        " ",
        "a",
        "42",
        "42 kWh",
        "-1",
        "1.5",
        "1e3",
        "0x1F",
        "3.1.1",
        "5.0",
        "true",
        "No",
        "~",
        "null",
        ".inf",
        "nan",
        "a/#",
        "#",
        "+/a",
        "a/+",
        "$SYS/x",
        "$share/g/a",
        "/",
        "it's",
        "say \"x\"",
        "both ' and \"",
        "a: b",
        "a:b",
        "a:",
        "a, b",
        "[a]",
        "{a}",
        "a #b",
        "- a",
        "? a",
        "&a",
        "*a",
        "!a",
        "|",
        ">",
        "%a",
        "@a",
        "`a`",
        "\\",
        "a\\\"b",
        "line\nline",
        "tab\there",
        "nul\0",
        "bell\u{7}",
        "del\u{7F}",
        "\u{85}",
        "\u{A0}",
        "\u{2028}",
        "\u{FEFF}x",
        "\u{FFFF}",
        "ä…",
        "日本",
        "😀",
        "trailing ",
        " leading",
        "---",
        "...",
        "=",
        "<<",
        "1_000",
        "12:30",
        "2024-01-01",
        "x\u{301}",
    ];

    #[test]
    fn every_text_reads_back_as_itself() {
        for text in TEXTS {
            let flow =
                Yaml::Map(vec![("k".into(), Yaml::List(vec![Yaml::text(text), Yaml::text(text)]))]).line();
            let document =
                Document::parse(SourceText::new("t", format!("m: {flow}\ns: {}\n", sentence(text))));
            let document = document.unwrap_or_else(|problem| panic!("{text:?} as {flow}: {problem:?}"));
            let same = |node: &crate::text::Node| assert_eq!(node.text(), Some(*text), "{flow}");
            let NodeKind::List(list) = &document.root.get("m").and_then(|m| m.get("k")).expect("a list").kind
            else {
                panic!("a list")
            };
            list.iter().for_each(same);
            same(document.root.get("s").expect("a sentence"));
        }
    }

    #[test]
    fn a_block_reads_back_as_itself_or_is_refused() {
        for text in ["one\n", "one\ntwo\n", "one\n\n  two", "# no comment\n"] {
            let block = block(text, "  ").expect("a block");
            let document = Document::parse(SourceText::new("t", format!("k: {block}\n"))).expect("YAML");
            assert_eq!(document.root.get("k").and_then(|node| node.text()), Some(text));
        }
        for text in ["", "\n", " indented\n", "two ends\n\n", "tab\tinside\n"] {
            assert_eq!(block(text, "  "), None, "{text:?}");
        }
    }

    #[test]
    fn what_needs_no_quotes_has_none() {
        for text in ["42 kWh", "meter/+", "$share/g/a/+", "the publisher's", "3.1.1", "/finance"] {
            assert_eq!(scalar(text), text);
        }
        assert_eq!(scalar("a/#"), "\"a/#\"");
        assert_eq!(scalar("str \"a\""), "'str \"a\"'");
        assert_eq!(sentence("One, two: not three"), "\"One, two: not three\"");
        assert_eq!(sentence("One, two"), "One, two");
    }
}
