//! A YAML document as a tree in which every node can be found again in the text.
//!
//! Nodes are numbered in the order in which they stand. The parser tells places only through its errors,
//! so a place is found by reading the document once more and raising an error at the wanted node: this
//! costs nothing until there is something to complain about.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::problem::{Problem, SourceText};

/// The number of a node in its document, in the order of the text; keys have numbers too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct NodeId(pub u32);

/// A value in a YAML document.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where it stands; kept when a value is put in another place.
    pub id: NodeId,
    /// What it is.
    pub kind: NodeKind,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub enum NodeKind {
    /// Nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Float(f64),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of the text; keys are text.
    Map(Vec<(NodeId, String, Node)>),
}

impl Node {
    /// What kind of value this is, for a message.
    pub fn describe(&self) -> String {
        match &self.kind {
            NodeKind::Null => "nothing".into(),
            NodeKind::Bool(value) => format!("{value}"),
            NodeKind::Integer(value) => format!("the number {value}"),
            NodeKind::Float(value) => format!("the number {value}"),
            NodeKind::Text(text) => format!("\"{}\"", text.lines().next().unwrap_or_default()),
            NodeKind::List(_) => "a list".into(),
            NodeKind::Map(_) => "a map".into(),
        }
    }

    /// The text, if it is text.
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            NodeKind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value under `key`, if this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        match &self.kind {
            NodeKind::Map(entries) => {
                entries.iter().find(|(_, name, _)| name == key).map(|(_, _, node)| node)
            }
            _ => None,
        }
    }

    /// How many values it is made of, itself included.
    pub fn size(&self) -> usize {
        1 + match &self.kind {
            NodeKind::List(list) => list.iter().map(Node::size).sum(),
            NodeKind::Map(entries) => entries.iter().map(|(_, _, node)| node.size()).sum::<usize>(),
            _ => 0,
        }
    }

    /// A scalar as it would be written in the middle of a text.
    pub fn inline(&self) -> Option<String> {
        match &self.kind {
            NodeKind::Bool(value) => Some(value.to_string()),
            NodeKind::Integer(value) => Some(value.to_string()),
            NodeKind::Float(value) => Some(value.to_string()),
            NodeKind::Text(text) => Some(text.clone()),
            _ => None,
        }
    }
}

/// A parsed YAML document together with its text.
#[derive(Debug, Clone)]
pub struct Document {
    /// The text and its name.
    pub source: SourceText,
    /// The value.
    pub root: Node,
}

impl Document {
    /// Parses one YAML document.
    ///
    /// # Errors
    /// One [`Problem`] with its place if the text is no YAML, has a key twice or a key that is no text.
    pub fn parse(source: SourceText) -> Result<Document, Problem> {
        let count = Cell::new(0);
        match Build(&count).deserialize(serde_yaml::Deserializer::from_str(&source.text)) {
            Ok(root) => Ok(Document { source, root }),
            Err(error) => {
                let (line, column) = place(&error, &source.text).unwrap_or((1, 1));
                let text = error.to_string();
                let message = match text.rfind(" at line ") {
                    Some(end) => text[..end].to_string(),
                    None => text,
                };
                Err(Problem { line, column, message, help: None })
            }
        }
    }

    /// Line and column of a node, counted from 1.
    pub fn place(&self, id: NodeId) -> (usize, usize) {
        let count = Cell::new(0);
        let finder = Find { count: &count, target: id.0 };
        match finder.deserialize(serde_yaml::Deserializer::from_str(&self.source.text)) {
            Err(error) => place(&error, &self.source.text).unwrap_or((1, 1)),
            Ok(()) => (1, 1),
        }
    }

    /// A problem at a node.
    pub fn problem(&self, id: NodeId, message: impl Into<String>, help: Option<String>) -> Problem {
        let (line, column) = self.place(id);
        Problem { line, column, message: message.into(), help }
    }
}

/// Line and column of an error. To the parser a line ends at more characters than to an editor, so both are counted
/// here, from the byte at which it stands.
fn place(error: &serde_yaml::Error, text: &str) -> Option<(usize, usize)> {
    // A byte order mark is not counted by the parser.
    let mark = if text.starts_with('\u{FEFF}') { '\u{FEFF}'.len_utf8() } else { 0 };
    let end = error.location()?.index() + mark;
    let mut place = (1, 1);
    for (_, c) in text.char_indices().take_while(|(at, _)| *at < end) {
        place = if c == '\n' { (place.0 + 1, 1) } else { (place.0, place.1 + 1) };
    }
    Some(place)
}

fn next(count: &Cell<u32>) -> NodeId {
    let id = count.get();
    count.set(id + 1);
    NodeId(id)
}

/// Builds the tree.
#[derive(Clone, Copy)]
struct Build<'c>(&'c Cell<u32>);

impl<'de> DeserializeSeed<'de> for Build<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        let id = next(self.0);
        let kind = deserializer.deserialize_any(self)?;
        Ok(Node { id, kind })
    }
}

impl<'de> Visitor<'de> for Build<'_> {
    type Value = NodeKind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<NodeKind, E> {
        Ok(NodeKind::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<NodeKind, E> {
        Ok(NodeKind::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<NodeKind, E> {
        Ok(NodeKind::Integer(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<NodeKind, E> {
        i64::try_from(value).map(NodeKind::Integer).map_err(|_| E::custom("this number is too large"))
    }

    fn visit_f64<E>(self, value: f64) -> Result<NodeKind, E> {
        Ok(NodeKind::Float(value))
    }

    fn visit_str<E>(self, text: &str) -> Result<NodeKind, E> {
        Ok(NodeKind::Text(text.to_string()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<NodeKind, A::Error> {
        let mut list = Vec::new();
        while let Some(node) = access.next_element_seed(self)? {
            list.push(node);
        }
        Ok(NodeKind::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<NodeKind, A::Error> {
        let mut entries: Vec<(NodeId, String, Node)> = Vec::new();
        loop {
            let earlier = entries.iter().map(|(_, name, _)| name.as_str()).collect::<Vec<_>>();
            let Some((id, key)) = access.next_key_seed(BuildKey { count: self.0, earlier: &earlier })? else {
                break;
            };
            let node = access.next_value_seed(self)?;
            entries.push((id, key, node));
        }
        Ok(NodeKind::Map(entries))
    }
}

/// Reads a key and refuses one that is there already.
struct BuildKey<'c> {
    count: &'c Cell<u32>,
    earlier: &'c [&'c str],
}

impl<'de> DeserializeSeed<'de> for BuildKey<'_> {
    type Value = (NodeId, String);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(NodeId, String), D::Error> {
        let id = next(self.count);
        let key = deserializer.deserialize_str(self)?;
        Ok((id, key))
    }
}

impl Visitor<'_> for BuildKey<'_> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key that is text")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<String, E> {
        if self.earlier.contains(&text) {
            return Err(E::custom(format!("the key `{text}` stands here twice")));
        }
        Ok(text.to_string())
    }
}

/// Fails at the node with the wanted number.
#[derive(Clone, Copy)]
struct Find<'c> {
    count: &'c Cell<u32>,
    target: u32,
}

struct Fail;

impl<'de> DeserializeSeed<'de> for Find<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if next(self.count).0 == self.target {
            deserializer.deserialize_any(Fail)
        } else {
            deserializer.deserialize_any(self)
        }
    }
}

impl<'de> Visitor<'de> for Find<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        while access.next_element_seed(self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        while access.next_key_seed(self)?.is_some() {
            access.next_value_seed(self)?;
        }
        Ok(())
    }
}

impl<'de> Visitor<'de> for Fail {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this place")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        Err(A::Error::custom("here"))
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        Err(A::Error::custom("here"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "title: one\nsteps:\n  - a: connect\n  - b: { publish: t, qos: 1 }\n";

    fn document() -> Document {
        Document::parse(SourceText::new("test.yaml", TEXT)).expect("it is YAML")
    }

    #[test]
    fn every_node_is_found_again() {
        let document = document();
        let steps = document.root.get("steps").expect("steps");
        assert_eq!(document.place(document.root.get("title").expect("title").id), (1, 8));
        let NodeKind::List(list) = &steps.kind else { panic!("a list") };
        let NodeKind::Map(entries) = &list[1].kind else { panic!("a map") };
        assert_eq!(document.place(entries[0].0), (4, 5));
        let NodeKind::Map(fields) = &entries[0].2.kind else { panic!("a map") };
        assert_eq!(document.place(fields[1].0), (4, 22));
        assert_eq!(document.place(fields[1].2.id), (4, 27));
    }

    #[test]
    fn a_key_that_stands_twice_is_shown_where_it_stands_again() {
        let problem = Document::parse(SourceText::new("t", "a: 1\nb: 2\na: 3\n")).expect_err("twice");
        assert_eq!((problem.line, problem.column), (3, 1));
        assert!(problem.message.contains("`a` stands here twice"), "{}", problem.message);
    }

    #[test]
    fn lines_are_those_of_an_editor() {
        // To YAML a carriage return ends a line as well.
        let problem = Document::parse(SourceText::new("t", "a: 1\rb: 2\ra: 3")).expect_err("twice");
        assert_eq!((problem.line, problem.column), (1, 11), "{problem:?}");
    }

    #[test]
    fn what_is_no_yaml_has_a_place() {
        let problem = Document::parse(SourceText::new("t", "a: [1, 2\nb: }\n")).expect_err("no YAML");
        assert!(problem.line >= 1, "{problem:?}");
    }
}
