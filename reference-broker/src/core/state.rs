//! What outlives connections, in one place: all that a durable store has to keep.

use super::retained::Retained;
use super::session::{SessionId, Sessions};
use super::share::{GroupId, Groups};
use super::tree::Tree;

/// Sessions and retained messages, with the indexes over them.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Session State by Client Identifier.
    pub sessions: Sessions,
    /// Retained messages by topic.
    pub retained: Retained,
    /// Index: the subscriptions of all sessions by filter.
    pub tree: Tree,
    /// Index: shared subscriptions and their members.
    pub groups: Groups,
}

impl State {
    /// Takes a session's subscription out of the indexes. `filter` is as sent.
    pub(crate) fn unlink(&mut self, session: SessionId, filter: &str, group: Option<GroupId>) {
        match group {
            None => {
                self.tree.remove(filter, session);
            }
            Some(id) => {
                let Some(filter) = self.groups.get(id).map(|group| group.filter.clone()) else { return };
                if self.groups.leave(id, session) {
                    self.tree.remove_group(&filter, id);
                }
            }
        }
    }
}
