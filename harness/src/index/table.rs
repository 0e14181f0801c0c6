//! Tables before they are Markdown or HTML: what a cell says, and what it says by its look.

/// What a cell says by its look, beside its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Nothing.
    Plain,
    /// It is as it should be.
    Good,
    /// Something is broken.
    Bad,
    /// There was no answer.
    Open,
    /// It was not asked, or is not there.
    Absent,
}

/// A part of a cell.
#[derive(Debug, Clone)]
pub enum Piece {
    /// Words.
    Text(String),
    /// A name in a fixed-width face.
    Code(String),
    /// A link; its address is safe as it is.
    Link {
        /// The address.
        href: String,
        /// Its words.
        text: String,
    },
    /// A picture that is a file, and its content.
    Badge {
        /// The address.
        href: String,
        /// The content.
        svg: String,
    },
}

/// A cell.
#[derive(Debug, Clone)]
pub struct Cell {
    /// Its look.
    pub tone: Tone,
    /// What is in it.
    pub pieces: Vec<Piece>,
    /// The same in words, for those who hear it, where signs stand for words.
    pub spoken: Option<String>,
}

impl Cell {
    /// Several parts.
    pub fn of(pieces: Vec<Piece>) -> Cell {
        Cell { tone: Tone::Plain, pieces, spoken: None }
    }

    /// Words.
    pub fn text(text: impl Into<String>) -> Cell {
        Cell::of(vec![Piece::Text(text.into())])
    }

    /// A name.
    pub fn code(text: impl Into<String>) -> Cell {
        Cell::of(vec![Piece::Code(text.into())])
    }

    /// Signs that stand for words.
    pub fn signs(tone: Tone, signs: impl Into<String>, spoken: impl Into<String>) -> Cell {
        Cell { tone, pieces: vec![Piece::Text(signs.into())], spoken: Some(spoken.into()) }
    }

    /// The same cell with this look.
    pub fn tone(self, tone: Tone) -> Cell {
        Cell { tone, ..self }
    }
}

/// The head of a column.
#[derive(Debug, Clone)]
pub struct Column {
    /// Its words.
    pub title: String,
    /// Whether its cells are numbers.
    pub number: bool,
}

/// A table. The first cell of a row is what the row is about.
#[derive(Debug, Clone)]
pub struct Table {
    /// What it is about, for a heading; empty if its chapter says it.
    pub title: String,
    /// The columns.
    pub columns: Vec<Column>,
    /// The rows, each as long as there are columns.
    pub rows: Vec<Vec<Cell>>,
}

/// Tables with a heading.
#[derive(Debug, Clone)]
pub struct Chapter {
    /// Its name in an address.
    pub id: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// What is to be known before.
    pub words: &'static str,
    /// The tables.
    pub tables: Vec<Table>,
}

/// A path of folders and a file as an address, each part of it safe.
pub fn href(parts: &[&str]) -> String {
    parts.iter().map(|part| encoded(part)).collect::<Vec<_>>().join("/")
}

/// A part of an address.
pub fn encoded(part: &str) -> String {
    let mut out = String::with_capacity(part.len());
    for byte in part.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~+".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_whatever_a_folder_is_called() {
        assert_eq!(href(&["a b", "1.0+x", "é).md"]), "a%20b/1.0+x/%C3%A9%29.md");
        assert_eq!(href(&["\"><b>"]), "%22%3E%3Cb%3E");
    }
}
