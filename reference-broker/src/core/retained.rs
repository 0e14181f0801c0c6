//! Retained messages (section 3.3.1.3): one for each Topic Name, no part of any session (U5-40).

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use super::message::Message;
use super::topic;

/// The retained messages by Topic Name.
#[derive(Debug, Default)]
pub(crate) struct Retained {
    by_topic: BTreeMap<Box<str>, Arc<Message>>,
}

impl Retained {
    /// Keeps the message as that of its topic, in place of an older one (MQTT-3.3.1-5). Answers whether
    /// there was room: a new topic beyond `limit` is not taken.
    pub(crate) fn store(&mut self, message: Arc<Message>, limit: usize) -> bool {
        let topic = message.view().topic;
        if let Some(slot) = self.by_topic.get_mut(topic) {
            *slot = message;
            return true;
        }
        if self.by_topic.len() >= limit {
            return false;
        }
        let topic: Box<str> = topic.into();
        self.by_topic.insert(topic, message);
        true
    }

    /// Removes the retained message of a topic.
    pub(crate) fn clear(&mut self, topic: &str) {
        self.by_topic.remove(topic);
    }

    /// How many topics have one; expired ones count until somebody looks for them.
    pub(crate) fn len(&self) -> usize {
        self.by_topic.len()
    }

    /// The retained message of one topic.
    #[cfg(feature = "defects")]
    pub(crate) fn get(&self, topic: &str) -> Option<&Arc<Message>> {
        self.by_topic.get(topic)
    }

    /// All of them, in the order of their topics.
    #[cfg(feature = "defects")]
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Arc<Message>)> {
        self.by_topic.iter().map(|(topic, message)| (&**topic, message))
    }

    /// Removes those that `keep` refuses.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&Message) -> bool) {
        self.by_topic.retain(|_, message| keep(message));
    }

    /// Appends the messages whose topic the filter matches, in the order of their topics. Only topics that
    /// share the filter's literal beginning are looked at.
    pub(crate) fn matching(&self, filter: &str, found: &mut Vec<Arc<Message>>) {
        if !topic::has_wildcard(filter) {
            found.extend(self.by_topic.get(filter).cloned());
            return;
        }
        let literal = filter.find(['+', '#']).unwrap_or(filter.len());
        // `a/#` matches `a` too, so the separator is no part of what topics must begin with.
        let prefix = filter[..literal].strip_suffix(topic::SEPARATOR).unwrap_or(&filter[..literal]);
        let range = (Bound::Included(prefix), Bound::Unbounded);
        for (topic, message) in self.by_topic.range::<str, _>(range) {
            if !topic.starts_with(prefix) {
                break;
            }
            if topic::matches(filter, topic) {
                found.push(Arc::clone(message));
            }
        }
    }
}
