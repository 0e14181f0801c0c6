//! Problems in a text: one message each, at a place, with help; all of a file at once.

use std::fmt;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

/// A text and the name under which a message shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceText {
    /// Usually the path of the file.
    pub name: String,
    /// What stands in it.
    pub text: String,
}

impl SourceText {
    /// A text under a name.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> SourceText {
        SourceText { name: name.into(), text: text.into() }
    }
}

/// One problem in a text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Line, counted from 1.
    pub line: usize,
    /// Column in characters, counted from 1.
    pub column: usize,
    /// What was found and what was expected.
    pub message: String,
    /// What to do: the nearest right word, for instance.
    pub help: Option<String>,
}

/// All problems of one text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    /// The text.
    pub source: SourceText,
    /// The problems, in the order of the text.
    pub list: Vec<Problem>,
}

impl Problems {
    /// The problems of `source`, sorted and without repetition.
    pub fn new(source: SourceText, mut list: Vec<Problem>) -> Problems {
        list.sort();
        list.dedup();
        Problems { source, list }
    }

    /// The problems as a compiler would show them, with or without colour.
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let reports = self.list.iter().map(|problem| {
            let span = span(&self.source.text, problem.line, problem.column);
            let snippet = Snippet::source(&self.source.text).path(&self.source.name).annotation(
                AnnotationKind::Primary.span(span).label(problem.help.as_deref().unwrap_or_default()),
            );
            let report: &[Group<'_>] =
                &[Level::ERROR.primary_title(problem.message.as_str()).element(snippet)];
            renderer.render(report).to_string()
        });
        reports.collect::<Vec<_>>().join("\n\n")
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Problems {}

/// The bytes of the word at a place.
fn span(text: &str, line: usize, column: usize) -> std::ops::Range<usize> {
    let start_of_line: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let rest = &text[start_of_line.min(text.len())..];
    let offset = rest.char_indices().nth(column.saturating_sub(1)).map_or(0, |(at, _)| at);
    let start = (start_of_line + offset).min(text.len());
    let word = &text[start..];
    let quote = word.chars().next().filter(|c| *c == '"' || *c == '\'');
    let length = match quote {
        Some(quote) => word[1..].find([quote, '\n']).map_or(1, |end| end + 2),
        None => word.find([',', '\n', '}', ']', ':', '#']).unwrap_or(word.len()),
    };
    let length = word[..length.min(word.len())].trim_end().len().max(usize::from(!word.is_empty()));
    start..(start + length).min(text.len())
}
