//! Shared subscriptions (section 4.8.2): a filter with a name, served to one of its members at a time.

use std::collections::BTreeMap;

use super::config::SharedChoice;
use super::random::Random;
use super::session::SessionId;
use super::tree::Grant;

/// A shared subscription. Numbers are never used again, so that a message that came from a shared
/// subscription which has ended is not taken for one of a later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct GroupId(u64);

/// A session's part in a shared subscription. Members may have different grants (U5-92).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Member {
    /// Whose.
    pub session: SessionId,
    /// With which options.
    pub grant: Grant,
}

#[derive(Debug)]
pub(crate) struct Group {
    pub share: Box<str>,
    pub filter: Box<str>,
    pub members: Vec<Member>,
    /// Whose turn it is.
    turn: usize,
}

/// All shared subscriptions.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    groups: BTreeMap<GroupId, Group>,
    made: u64,
}

impl Groups {
    /// A new shared subscription without members.
    pub(crate) fn create(&mut self, share: &str, filter: &str) -> GroupId {
        let id = GroupId(self.made);
        self.made += 1;
        self.groups
            .insert(id, Group { share: share.into(), filter: filter.into(), members: Vec::new(), turn: 0 });
        id
    }

    pub(crate) fn get(&self, id: GroupId) -> Option<&Group> {
        self.groups.get(&id)
    }

    /// Adds a member or changes its options; joining twice does not count twice (U5-93). Answers whether it
    /// was a member before.
    pub(crate) fn join(&mut self, id: GroupId, member: Member) -> bool {
        let Some(group) = self.groups.get_mut(&id) else { return false };
        match group.members.iter_mut().find(|known| known.session == member.session) {
            Some(known) => {
                *known = member;
                true
            }
            None => {
                group.members.push(member);
                false
            }
        }
    }

    /// Takes a member out. Answers whether the shared subscription has ended with it (U5-43).
    pub(crate) fn leave(&mut self, id: GroupId, session: SessionId) -> bool {
        let Some(group) = self.groups.get_mut(&id) else { return false };
        group.members.retain(|member| member.session != session);
        if group.members.is_empty() {
            self.groups.remove(&id);
            return true;
        }
        false
    }

    /// Chooses the member for the next message: one that `able` accepts, or else any. Without members
    /// there is nobody.
    pub(crate) fn choose(
        &mut self,
        id: GroupId,
        choice: SharedChoice,
        random: &mut Random,
        able: impl Fn(&Member) -> bool,
    ) -> Option<Member> {
        let group = self.groups.get_mut(&id)?;
        let count = group.members.len();
        if count == 0 {
            return None;
        }
        let start = match choice {
            SharedChoice::RoundRobin => group.turn % count,
            SharedChoice::Random => random.below(count),
            SharedChoice::First => 0,
        };
        let order = (0..count).map(|step| (start + step) % count);
        let place = order.clone().find(|place| able(&group.members[*place])).unwrap_or(start);
        group.turn = place + 1;
        Some(group.members[place])
    }

    pub(crate) fn len(&self) -> usize {
        self.groups.len()
    }

    #[cfg(feature = "defects")]
    pub(crate) fn iter(&self) -> impl Iterator<Item = (GroupId, &Group)> {
        self.groups.iter().map(|(id, group)| (*id, group))
    }
}
