//! What one session is owed: messages that wait, messages that are in flight, identifiers that are released.

use std::collections::VecDeque;

use super::config::QueueOverflow;
use super::message::Delivery;

/// A QoS 1 or 2 PUBLISH that has no PUBACK or PUBREC yet.
#[derive(Debug)]
pub(crate) struct InFlight {
    /// Its Packet Identifier, the same on every transmission.
    pub packet_id: u16,
    /// What it carries.
    pub delivery: Delivery,
    /// Whether it went out on an earlier connection, so that the next transmission is a repetition.
    pub dup: bool,
}

/// The sending half of a session.
///
/// A delivery moves from `queue` to `in_flight` when the client's Receive Maximum has room, and from there
/// out, or with QoS 2 to `releasing`. Both keep their order: that of the first transmissions, and that of
/// the PUBRECs (MQTT-4.6.0-1 and -4).
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// Not sent yet.
    pub queue: VecDeque<Delivery>,
    /// PUBLISH sent; the first `sent` of them on the present connection.
    pub in_flight: VecDeque<InFlight>,
    /// How many of them went out on the present connection. They are always the first.
    pub sent: usize,
    /// PUBREL sent and no PUBCOMP yet: the Packet Identifiers.
    pub releasing: VecDeque<u16>,
    ids: PacketIds,
}

impl Outbox {
    /// How much of the client's Receive Maximum is used on the present connection. Releases that come from
    /// an earlier one count as well, so that the maximum is kept however it is read.
    pub(crate) fn used(&self) -> usize {
        self.sent + self.releasing.len()
    }

    /// Whether a new message may go out at once, ahead of nothing.
    pub(crate) fn is_ready(&self, window: u16) -> bool {
        self.queue.is_empty() && self.sent == self.in_flight.len() && self.used() < usize::from(window)
    }

    /// A Packet Identifier that is not in use.
    pub(crate) fn take_id(&mut self) -> Option<u16> {
        self.ids.take()
    }

    /// Frees a Packet Identifier.
    pub(crate) fn free_id(&mut self, packet_id: u16) {
        self.ids.free(packet_id);
    }

    /// Records a PUBLISH that has just been sent for the first time.
    pub(crate) fn begun(&mut self, packet_id: u16, delivery: Delivery) {
        self.in_flight.push_back(InFlight { packet_id, delivery, dup: false });
        self.sent += 1;
    }

    /// Where a PUBLISH stands that has no PUBACK or PUBREC yet. Acknowledgements come in order as a rule, so
    /// the first place is usually the right one.
    pub(crate) fn place(&self, packet_id: u16) -> Option<usize> {
        self.in_flight.iter().position(|flight| flight.packet_id == packet_id)
    }

    /// Takes a PUBLISH out that has been acknowledged; its Packet Identifier stays in use.
    pub(crate) fn take(&mut self, place: usize) -> Option<InFlight> {
        let flight = self.in_flight.remove(place)?;
        if place < self.sent {
            self.sent -= 1;
        }
        Some(flight)
    }

    /// Ends a release. Answers whether there was one.
    pub(crate) fn complete(&mut self, packet_id: u16) -> bool {
        let Some(place) = self.releasing.iter().position(|id| *id == packet_id) else { return false };
        self.releasing.remove(place);
        self.ids.free(packet_id);
        true
    }

    /// The connection has ended: what was sent has to be sent again on the next one.
    pub(crate) fn interrupt(&mut self) {
        for flight in self.in_flight.iter_mut().take(self.sent) {
            flight.dup = true;
        }
        self.sent = 0;
    }

    /// Appends a message that has to wait. Answers false if one was dropped for it, or it was itself.
    pub(crate) fn enqueue(&mut self, delivery: Delivery, limit: usize, overflow: QueueOverflow) -> bool {
        if self.queue.len() < limit {
            self.queue.push_back(delivery);
            return true;
        }
        if overflow == QueueOverflow::DropOldest && self.queue.pop_front().is_some() {
            self.queue.push_back(delivery);
        }
        false
    }

    /// Checks what must always hold.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.sent > self.in_flight.len() {
            return Err(format!("{} sent of {} in flight", self.sent, self.in_flight.len()));
        }
        let mut ids: Vec<u16> = self.in_flight.iter().map(|flight| flight.packet_id).collect();
        ids.extend(&self.releasing);
        ids.sort_unstable();
        if ids.windows(2).any(|pair| pair[0] == pair[1]) || ids.first() == Some(&0) {
            return Err(format!("packet identifiers {ids:?}"));
        }
        if ids.iter().any(|id| !self.ids.is_used(*id)) || ids.len() != self.ids.used() {
            return Err(format!("{} identifiers marked as used, {ids:?} in use", self.ids.used()));
        }
        Ok(())
    }
}

/// Which Packet Identifiers are in use towards one client, and which comes next.
#[derive(Debug, Default)]
struct PacketIds {
    /// One bit for each identifier, as far as they have been used.
    words: Vec<u64>,
    last: u16,
    used: usize,
}

impl PacketIds {
    fn is_used(&self, id: u16) -> bool {
        self.words.get(usize::from(id) / 64).is_some_and(|word| word >> (id % 64) & 1 == 1)
    }

    fn used(&self) -> usize {
        self.used
    }

    /// The next free identifier after the last one: an identifier rests as long as possible before it is
    /// used again, which tells late acknowledgements from new ones.
    fn take(&mut self) -> Option<u16> {
        if self.used >= usize::from(u16::MAX) {
            return None;
        }
        loop {
            self.last = self.last.checked_add(1).unwrap_or(1);
            if !self.is_used(self.last) {
                break;
            }
        }
        let word = usize::from(self.last) / 64;
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= 1 << (self.last % 64);
        self.used += 1;
        Some(self.last)
    }

    fn free(&mut self, id: u16) {
        if self.is_used(id) {
            self.words[usize::from(id) / 64] &= !(1 << (id % 64));
            self.used -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_used_once_and_again_after_all_others() {
        let mut ids = PacketIds::default();
        for expected in 1..=u16::MAX {
            assert_eq!(ids.take(), Some(expected));
        }
        assert_eq!(ids.take(), None);
        ids.free(7);
        ids.free(7);
        assert_eq!(ids.take(), Some(7));
        assert_eq!(ids.take(), None);
    }
}
