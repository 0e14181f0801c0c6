//! The subscription tree: one node for each level of a Topic Filter.
//!
//! Matching walks down the levels of a Topic Name, so that its cost follows the depth of the name and the
//! number of hits, not the number of subscriptions. It must agree with [`topic::matches`](super::topic::matches).
//!
//! Never the case: recursion. A filter may have 65,536 levels, and they cost memory, not stack.

use std::collections::BTreeMap;

use super::session::SessionId;
use super::share::{GroupId, Groups};
use super::topic::SEPARATOR;
use crate::codec::{QoS, SubscriptionOptions};

/// What a subscription was granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Grant {
    /// The granted maximum QoS.
    pub qos: QoS,
    /// No Local.
    pub no_local: bool,
    /// Retain As Published.
    pub retain_as_published: bool,
    /// Subscription Identifier; 0 stands for none, which no identifier can be.
    pub id: u32,
}

impl Grant {
    pub(crate) const fn new(qos: QoS, options: SubscriptionOptions, id: Option<u32>) -> Grant {
        Grant {
            qos,
            no_local: options.no_local,
            retain_as_published: options.retain_as_published,
            id: match id {
                Some(id) => id,
                None => 0,
            },
        }
    }
}

/// A subscription that matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Whose.
    pub session: SessionId,
    /// With which options.
    pub grant: Grant,
}

/// What a search found. Kept between searches, so that a search costs no allocation.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Ordinary subscriptions.
    pub entries: Vec<Entry>,
    /// Shared subscriptions.
    pub groups: Vec<GroupId>,
    /// Nodes that are still to be looked at, with where in the name their next level begins.
    open: Vec<(usize, usize)>,
}

impl Found {
    /// Forgets what was found.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.groups.clear();
        self.open.clear();
    }
}

#[derive(Debug, Default)]
struct Leaf {
    /// By session.
    entries: Vec<Entry>,
    groups: Vec<GroupId>,
}

impl Leaf {
    fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.groups.is_empty()
    }
}

#[derive(Debug, Default)]
struct Node {
    parent: usize,
    /// The level of the filter that leads here.
    level: Box<str>,
    children: BTreeMap<Box<str>, usize>,
    /// The child for `+`.
    plus: Option<usize>,
    /// Filters that end here.
    here: Leaf,
    /// Filters that end here with `/#`.
    below: Leaf,
}

impl Node {
    fn is_empty(&self) -> bool {
        self.children.is_empty() && self.plus.is_none() && self.here.is_empty() && self.below.is_empty()
    }
}

const ROOT: usize = 0;
/// Where in a name the next level begins when there is none: no name is that long.
const END: usize = usize::MAX;

/// All subscriptions.
#[derive(Debug)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
    /// Nodes that are in no use.
    free: Vec<usize>,
}

impl Default for Tree {
    fn default() -> Tree {
        Tree { nodes: vec![Node::default()], free: Vec::new() }
    }
}

impl Tree {
    /// Adds a subscription or replaces its options (MQTT-3.8.4-3). Answers whether it existed.
    pub(crate) fn insert(&mut self, filter: &str, entry: Entry) -> bool {
        let (node, below) = self.make(filter);
        let entries = &mut self.leaf_mut(node, below).entries;
        match entries.binary_search_by_key(&entry.session, |entry| entry.session) {
            Ok(place) => {
                entries[place] = entry;
                true
            }
            Err(place) => {
                entries.insert(place, entry);
                false
            }
        }
    }

    /// Removes a subscription. Answers whether it existed.
    pub(crate) fn remove(&mut self, filter: &str, session: SessionId) -> bool {
        let Some((node, below)) = self.find(filter) else { return false };
        let entries = &mut self.leaf_mut(node, below).entries;
        let Ok(place) = entries.binary_search_by_key(&session, |entry| entry.session) else { return false };
        entries.remove(place);
        self.prune(node);
        true
    }

    /// The shared subscription with this name, made if there is none.
    pub(crate) fn group(&mut self, groups: &mut Groups, share: &str, filter: &str) -> GroupId {
        let (node, below) = self.make(filter);
        let leaf = self.leaf_mut(node, below);
        let known = leaf
            .groups
            .iter()
            .copied()
            .find(|id| groups.get(*id).is_some_and(|group| &*group.share == share));
        known.unwrap_or_else(|| {
            let id = groups.create(share, filter);
            leaf.groups.push(id);
            id
        })
    }

    /// What a session was granted for a filter.
    pub(crate) fn get(&self, filter: &str, session: SessionId) -> Option<Grant> {
        let (node, below) = self.find(filter)?;
        let leaf = if below { &self.nodes[node].below } else { &self.nodes[node].here };
        leaf.entries.iter().find(|entry| entry.session == session).map(|entry| entry.grant)
    }

    /// Removes a shared subscription that has ended.
    pub(crate) fn remove_group(&mut self, filter: &str, group: GroupId) {
        if let Some((node, below)) = self.find(filter) {
            self.leaf_mut(node, below).groups.retain(|id| *id != group);
            self.prune(node);
        }
    }

    /// Finds every subscription whose filter matches the Topic Name.
    pub(crate) fn matching(&self, name: &str, found: &mut Found) {
        // MQTT-4.7.2-1: a wildcard in front does not match a `$`.
        let hidden = name.starts_with('$');
        found.open.push((ROOT, 0));
        while let Some((index, at)) = found.open.pop() {
            let node = &self.nodes[index];
            let wild = index != ROOT || !hidden;
            if wild {
                found.entries.extend_from_slice(&node.below.entries);
                found.groups.extend_from_slice(&node.below.groups);
            }
            if at == END {
                found.entries.extend_from_slice(&node.here.entries);
                found.groups.extend_from_slice(&node.here.groups);
                continue;
            }
            let rest = &name[at..];
            let (level, next) = match rest.find(SEPARATOR) {
                Some(end) => (&rest[..end], at + end + 1),
                None => (rest, END),
            };
            if let (Some(plus), true) = (node.plus, wild) {
                found.open.push((plus, next));
            }
            if let Some(child) = node.children.get(level) {
                found.open.push((*child, next));
            }
        }
    }

    /// How many nodes are in use, the root among them.
    pub(crate) fn nodes(&self) -> usize {
        self.nodes.len() - self.free.len()
    }

    /// How many subscriptions and how many shared subscriptions there are.
    pub(crate) fn count(&self) -> (usize, usize) {
        self.nodes.iter().fold((0, 0), |(entries, groups), node| {
            (
                entries + node.here.entries.len() + node.below.entries.len(),
                groups + node.here.groups.len() + node.below.groups.len(),
            )
        })
    }

    fn leaf_mut(&mut self, node: usize, below: bool) -> &mut Leaf {
        let node = &mut self.nodes[node];
        if below { &mut node.below } else { &mut node.here }
    }

    /// The node of a filter, and whether the filter ends in `#` there.
    fn find(&self, filter: &str) -> Option<(usize, bool)> {
        let mut node = ROOT;
        for level in filter.split(SEPARATOR) {
            node = match level {
                "#" => return Some((node, true)),
                "+" => self.nodes[node].plus?,
                _ => *self.nodes[node].children.get(level)?,
            };
        }
        Some((node, false))
    }

    /// The same, making the nodes that are missing.
    fn make(&mut self, filter: &str) -> (usize, bool) {
        let mut node = ROOT;
        for level in filter.split(SEPARATOR) {
            let known = match level {
                "#" => return (node, true),
                "+" => self.nodes[node].plus,
                _ => self.nodes[node].children.get(level).copied(),
            };
            node = known.unwrap_or_else(|| self.add(node, level));
        }
        (node, false)
    }

    fn add(&mut self, parent: usize, level: &str) -> usize {
        let node = Node { parent, level: level.into(), ..Node::default() };
        let index = match self.free.pop() {
            Some(index) => {
                self.nodes[index] = node;
                index
            }
            None => {
                self.nodes.push(node);
                self.nodes.len() - 1
            }
        };
        if level == "+" {
            self.nodes[parent].plus = Some(index);
        } else {
            self.nodes[parent].children.insert(level.into(), index);
        }
        index
    }

    /// Removes a node that leads nowhere, and then its parents that lead nowhere.
    fn prune(&mut self, mut index: usize) {
        while index != ROOT && self.nodes[index].is_empty() {
            let node = std::mem::take(&mut self.nodes[index]);
            let parent = &mut self.nodes[node.parent];
            if &*node.level == "+" {
                parent.plus = None;
            } else {
                parent.children.remove(&node.level);
            }
            self.free.push(index);
            index = node.parent;
        }
    }
}
