//! Which subscriptions match, answered wrong: by a comparison of every filter with the name.

use std::borrow::Cow;
use std::sync::Arc;

use super::super::message::Message;
use super::super::retained::Retained;
use super::super::state::State;
use super::super::topic;
use super::super::tree::{Entry, Found};
use super::Kind;

/// Finds matching subscriptions; false if the active defect has no opinion.
pub(super) fn finds(kind: Kind, state: &State, name: &str, found: &mut Found) -> bool {
    match kind {
        Kind::OverlapFirstOnly => {
            state.tree.matching(name, found);
            found.entries.sort_by_key(|entry| (entry.session, entry.grant.qos));
            found.entries.dedup_by_key(|entry| entry.session);
        }
        Kind::SharedNamesMerged => {
            state.tree.matching(name, found);
            found.groups.truncate(1);
        }
        Kind::SharedHidesPlain => {
            state.tree.matching(name, found);
            if !found.groups.is_empty() {
                found.entries.clear();
            }
        }
        Kind::MalformedFilterAccepted => every(state, name, found, topic::matches),
        _ => {
            let Some(matches) = wrong(kind) else { return false };
            every(state, name, found, |filter, name| matches(kind, filter, name));
        }
    }
    true
}

/// Compares every filter with the name.
fn every(state: &State, name: &str, found: &mut Found, matches: impl Fn(&str, &str) -> bool) {
    for (session, held) in state.sessions.iter() {
        for (filter, held) in held.subscriptions.iter().filter(|(_, held)| held.group.is_none()) {
            if matches(filter, name) {
                found.entries.push(Entry { session, grant: held.grant });
            }
        }
    }
    for (id, group) in state.groups.iter() {
        if matches(&group.filter, name) {
            found.groups.push(id);
        }
    }
}

/// Finds matching retained messages; false if the active defect has no opinion.
pub(super) fn finds_retained(
    kind: Kind,
    retained: &Retained,
    filter: &str,
    found: &mut Vec<Arc<Message>>,
) -> bool {
    match kind {
        Kind::RetainedWildcardMissed => found.extend(retained.get(filter).cloned()),
        Kind::RetainedDollarLeaked => {
            let matching = retained.iter().filter(|(name, _)| matches_dollar(filter, name));
            found.extend(matching.map(|(_, message)| Arc::clone(message)));
        }
        _ => {
            let Some(matches) = wrong(kind) else { return false };
            let matching = retained.iter().filter(|(name, _)| matches(kind, filter, name));
            found.extend(matching.map(|(_, message)| Arc::clone(message)));
        }
    }
    true
}

/// The wrong comparison of a defect, if it has one.
fn wrong(kind: Kind) -> Option<fn(Kind, &str, &str) -> bool> {
    Some(match kind {
        Kind::HashMissesParent
        | Kind::HashOneLevel
        | Kind::PlusCrossesLevels
        | Kind::PlusMissesEmptyLevel
        | Kind::PlusMatchesParent => by_level,
        Kind::HashMatchesDollar => |_, filter, name| {
            if filter.starts_with('#') { matches_dollar(filter, name) } else { topic::matches(filter, name) }
        },
        Kind::PlusMatchesDollar => |_, filter, name| {
            if filter.starts_with('+') { matches_dollar(filter, name) } else { topic::matches(filter, name) }
        },
        Kind::CaseFolded => |_, filter, name| topic::matches(&filter.to_lowercase(), &name.to_lowercase()),
        Kind::SpacesTrimmed => |_, filter, name| topic::matches(&trimmed(filter), &trimmed(name)),
        Kind::TrailingLevelIgnored => |_, filter, name| {
            topic::matches(filter.strip_suffix('/').unwrap_or(filter), name.strip_suffix('/').unwrap_or(name))
        },
        Kind::LeadingLevelIgnored => |_, filter, name| {
            topic::matches(filter.strip_prefix('/').unwrap_or(filter), name.strip_prefix('/').unwrap_or(name))
        },
        Kind::EmptyLevelsCollapsed => {
            |_, filter, name| topic::matches(&filter.replace("//", "/"), &name.replace("//", "/"))
        }
        Kind::PrefixMatches => {
            |_, filter, name| topic::matches(filter, name) || topic::matches(&format!("{filter}/#"), name)
        }
        Kind::DeepTopicsLost => {
            |_, filter, name| name.split('/').count() <= 8 && topic::matches(filter, name)
        }
        _ => return None,
    })
}

/// Matching without the exception for `$`.
fn matches_dollar(filter: &str, name: &str) -> bool {
    topic::matches(filter, name) || name.strip_prefix('$').is_some_and(|name| topic::matches(filter, name))
}

fn trimmed(text: &str) -> String {
    text.split('/').map(str::trim).collect::<Vec<_>>().join("/")
}

/// Matching level by level, with one rule wrong.
fn by_level(kind: Kind, filter: &str, name: &str) -> bool {
    let right = topic::matches(filter, name);
    let hidden = name.starts_with('$') && filter.starts_with(['+', '#']);
    match kind {
        Kind::HashMissesParent => {
            right && filter.strip_suffix("/#").is_none_or(|parent| !topic::matches(parent, name))
        }
        Kind::HashOneLevel => {
            let single: Cow<'_, str> = match filter.strip_suffix('#') {
                Some(head) => Cow::Owned(format!("{head}+")),
                None => Cow::Borrowed(filter),
            };
            topic::matches(&single, name)
        }
        Kind::PlusCrossesLevels => {
            right
                || (!hidden && filter.ends_with('+') && topic::matches(&filter.replace('+', "#"), name))
                || (!hidden && crosses(filter, name))
        }
        Kind::PlusMissesEmptyLevel => {
            right
                && !filter
                    .split('/')
                    .zip(name.split('/'))
                    .any(|(filter, name)| filter == "+" && name.is_empty())
        }
        Kind::PlusMatchesParent => {
            right || filter.strip_suffix("/+").is_some_and(|parent| topic::matches(parent, name))
        }
        _ => right,
    }
}

/// Matching with a `+` that takes two levels at once.
fn crosses(filter: &str, name: &str) -> bool {
    filter
        .match_indices('+')
        .any(|(place, _)| topic::matches(&format!("{}+/+{}", &filter[..place], &filter[place + 1..]), name))
}
