//! Reading a baseline: every mistake at its place.

use jiff::civil::Date;
use reference_broker::codec::ProtocolVersion;

use crate::requirement::Catalogue;
use crate::text::{Document, Node, NodeId, NodeKind, Problem, Problems, SourceText, nearest};

use super::{Baseline, Entry};

const KEYS: &[&str] = &["assay-baseline", "broker", "deviations"];
const ENTRY_KEYS: &[&str] = &["statement", "reason", "link", "expires", "cases"];

struct Reader<'d, 'k> {
    document: &'d Document,
    problems: Vec<Problem>,
    /// All cases of the suite, by their keys.
    known: &'k [String],
}

impl Baseline {
    /// Reads a baseline. `known` are the keys of all cases that there are, sorted.
    ///
    /// # Errors
    /// All mistakes of the text; among them a case or a statement that does not exist.
    pub fn parse(source: SourceText, known: &[String]) -> Result<Baseline, Problems> {
        let file = source.name.clone();
        let document = match Document::parse(source.clone()) {
            Ok(document) => document,
            Err(problem) => return Err(Problems::new(source, vec![problem])),
        };
        let mut reader = Reader { document: &document, problems: Vec::new(), known };
        let baseline = reader.baseline(&document.root, file);
        let problems = reader.problems;
        match baseline {
            Some(baseline) if problems.is_empty() => Ok(baseline),
            _ => Err(Problems::new(source, problems)),
        }
    }
}

impl Reader<'_, '_> {
    fn problem(&mut self, at: NodeId, message: impl Into<String>, help: Option<String>) {
        self.problems.push(self.document.problem(at, message, help));
    }

    fn map<'n>(&mut self, node: &'n Node, what: &str, keys: &[&str]) -> Option<&'n Node> {
        let NodeKind::Map(entries) = &node.kind else {
            self.problem(node.id, format!("expected {what}, found {}", node.describe()), None);
            return None;
        };
        for (id, key, _) in entries {
            if !keys.contains(&key.as_str()) {
                let help = match nearest(key, keys.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("there are {}", keys.join(", ")),
                };
                self.problem(*id, format!("`{key}` is no key here"), Some(help));
            }
        }
        Some(node)
    }

    fn text(&mut self, map: &Node, key: &str, required: bool) -> Option<(NodeId, String)> {
        let Some(node) = map.get(key) else {
            if required {
                self.problem(map.id, format!("`{key}` is missing"), None);
            }
            return None;
        };
        match node.inline() {
            Some(text) if !text.trim().is_empty() => Some((node.id, text)),
            _ => {
                self.problem(node.id, format!("expected text, found {}", node.describe()), None);
                None
            }
        }
    }

    fn baseline(&mut self, root: &Node, file: String) -> Option<Baseline> {
        let root = self.map(root, "a map with `assay-baseline` and `deviations`", KEYS)?;
        match root.get("assay-baseline").map(|node| (node.id, node.inline())) {
            Some((_, Some(version))) if version == "1" => {}
            Some((id, _)) => self.problem(id, "this program reads `assay-baseline: 1`", None),
            None => self.problem(root.id, "`assay-baseline: 1` is missing", None),
        }
        let broker = self.text(root, "broker", false).map(|(_, text)| text).unwrap_or_default();
        let mut entries = Vec::new();
        match root.get("deviations").map(|node| (node, &node.kind)) {
            Some((_, NodeKind::List(list))) => {
                for node in list {
                    entries.extend(self.entry(node));
                }
            }
            Some((_, NodeKind::Null)) => {}
            Some((node, _)) => {
                self.problem(node.id, format!("expected a list, found {}", node.describe()), None);
            }
            None => self.problem(root.id, "`deviations` is missing", None),
        }
        Some(Baseline { file, broker, entries })
    }

    fn entry(&mut self, node: &Node) -> Option<Entry> {
        let node = self.map(node, "a map with `statement`, `reason` and `cases`", ENTRY_KEYS)?;
        let statement = self.text(node, "statement", true);
        if let Some((at, id)) = &statement {
            self.statement(*at, id);
        }
        let reason = self.text(node, "reason", true).map(|(_, text)| text);
        let link = self.text(node, "link", false).map(|(_, text)| text);
        let expires = match self.text(node, "expires", false) {
            Some((at, text)) => {
                let day: Option<Date> = text.parse().ok();
                if day.is_none() {
                    self.problem(at, format!("`{text}` is no day"), Some("YYYY-MM-DD".into()));
                }
                day
            }
            None => None,
        };
        let mut cases = Vec::new();
        match node.get("cases").map(|list| (list, &list.kind)) {
            Some((_, NodeKind::List(list))) if !list.is_empty() => {
                for case in list {
                    cases.extend(self.case(case));
                }
            }
            Some((list, _)) => {
                let found = list.describe();
                self.problem(list.id, format!("expected a list of cases, found {found}"), None);
            }
            None => self.problem(node.id, "`cases` is missing", None),
        }
        Some(Entry { statement: statement?.1, reason: reason?, link, expires, cases })
    }

    fn statement(&mut self, at: NodeId, id: &str) {
        let catalogues = [ProtocolVersion::V3_1_1, ProtocolVersion::V5].map(Catalogue::of);
        if catalogues.iter().any(|catalogue| catalogue.get(id).is_some()) {
            return;
        }
        let ids = catalogues.iter().flat_map(|catalogue| catalogue.ids());
        let help = nearest(id, ids).map(|near| format!("did you mean `{near}`?"));
        self.problem(at, format!("no statement is called `{id}`"), help);
    }

    fn case(&mut self, node: &Node) -> Option<String> {
        let Some(key) = node.text() else {
            self.problem(node.id, format!("expected a case, found {}", node.describe()), None);
            return None;
        };
        if self.known.binary_search_by(|known| known.as_str().cmp(key)).is_err() {
            let help = match nearest(key, self.known.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "a case is written as in a report: name[case] (5.0); remove it if it is gone".into(),
            };
            self.problem(node.id, format!("no case is called `{key}`"), Some(help));
            return None;
        }
        Some(key.to_string())
    }
}
