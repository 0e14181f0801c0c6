//! What goes wrong in a generated scenario: connections, links, the broker's process.

use reference_broker::codec::PacketType;

use crate::generate::choices::Choices;
use crate::generate::fields::{number, text};
use crate::scenario::{Action, BrokerAct, ClientAct, Cut, Field, LinkEnds, PacketSpec, Trigger};

use super::{Line, Script, TOPICS, UNAWAITED, Who};

impl<C: Choices> Script<'_, C> {
    pub(super) fn cut(&mut self, at: usize) {
        if self.who[at].line != Line::Up {
            return;
        }
        let cut = *self.choices.pick(&[Cut::Reset, Cut::Close, Cut::Silence]);
        self.act(at, ClientAct::LoseConnection(cut));
        self.who[at].line = Line::Down;
        self.come_back(at);
    }

    /// A fault that a packet sets off. That of an exchange which the next step begins comes for certain; that of
    /// a delivery comes at some time, if ever.
    pub(super) fn trigger(&mut self, at: usize) {
        if self.who[at].armed || !self.up(at) || !self.who[at].hears() {
            return;
        }
        let cut = *self.choices.pick(&[Cut::Reset, Cut::Close, Cut::Silence]);
        let lost = self.choices.chance(60);
        let own = [
            (PacketType::Puback, true, 1),
            (PacketType::Pubrec, true, 2),
            (PacketType::Pubcomp, true, 2),
            (PacketType::Pubrel, false, 2),
            (PacketType::Publish, false, 1),
            (PacketType::Publish, false, 2),
        ];
        let deliveries = [
            (PacketType::Publish, true),
            (PacketType::Pubrel, true),
            (PacketType::Puback, false),
            (PacketType::Pubrec, false),
            (PacketType::Pubcomp, false),
        ];
        if self.choices.chance(40) {
            let (packet, from_broker) = *self.choices.pick(&deliveries);
            let nth = self.choices.range(1, 3);
            self.push(Action::When(Trigger { packet, client: at, from_broker, nth, lost, cut }));
            self.who[at].armed = true;
            self.who[at].line = Line::Open;
            return;
        }
        let (packet, from_broker, qos) = *self.choices.pick(&own);
        if self.who[at].unawaited > 0 || !self.dials.qos.contains(&qos) {
            return;
        }
        self.push(Action::When(Trigger { packet, client: at, from_broker, nth: 1, lost, cut }));
        self.serial += 1;
        let topic = *self.choices.pick(&TOPICS);
        let fields = vec![
            text(Field::Topic, topic),
            text(Field::Payload, format!("m{}", self.serial)),
            number(Field::Qos, qos),
        ];
        let message = PacketSpec { kind: PacketType::Publish, fields };
        self.act(at, ClientAct::Publish { message, count: 1, wait: true });
        self.who[at].line = Line::Down;
        self.come_back(at);
    }

    pub(super) fn partition(&mut self, at: usize) {
        let who = &mut self.who[at];
        if who.to_broker || who.to_client {
            return;
        }
        (who.to_broker, who.to_client) = *self.choices.pick(&[(true, true), (false, true), (true, false)]);
        who.apart = 0;
        // Where packets are delayed, nobody can tell how long the steps take that come now: a Keep Alive may run out.
        if self.within.is_some() && who.line == Line::Up {
            who.line = Line::Open;
        }
        let ends = LinkEnds { client: at, to_broker: who.to_broker, to_client: who.to_client };
        self.push(Action::Partition(ends));
    }

    /// The partition of one client ends, or the first one that there is.
    pub(super) fn heal(&mut self, at: usize) {
        let cut_off = |who: &Who| who.to_broker || who.to_client;
        let Some(at) = (at..self.who.len()).chain(0..at).find(|at| cut_off(&self.who[*at])) else { return };
        let who = &mut self.who[at];
        let ends = LinkEnds { client: at, to_broker: who.to_broker, to_client: who.to_client };
        (who.to_broker, who.to_client) = (false, false);
        who.apart = 0;
        self.push(Action::Heal(Some(ends)));
    }

    pub(super) fn fall_silent(&mut self, at: usize) {
        if self.who[at].line != Line::Up || self.who[at].keep_alive > 10 {
            return;
        }
        self.act(at, ClientAct::FallSilent);
        self.who[at].line = Line::Open;
    }

    pub(super) fn stop_reading(&mut self, at: usize) {
        if self.who[at].line != Line::Up {
            return;
        }
        let reading = !self.who[at].reading;
        self.act(at, if reading { ClientAct::ReadAgain } else { ClientAct::StopReading });
        self.who[at].reading = reading;
    }

    /// The broker's process is halted for a while in which clients go on sending.
    pub(super) fn pause(&mut self) {
        if self.who.iter().any(|who| who.to_broker || who.to_client) {
            return;
        }
        self.push(Action::Broker(BrokerAct::Pause));
        let at = self.choices.below(self.who.len() as u32) as usize;
        let who = &mut self.who[at];
        if who.line == Line::Up && who.unawaited < UNAWAITED {
            let reading = std::mem::replace(&mut who.reading, false);
            self.publish(at);
            self.who[at].reading = reading;
        }
        self.wait(1);
        self.push(Action::Broker(BrokerAct::Resume));
    }

    /// The broker's process ends and comes up again, without what it knew.
    pub(super) fn kill(&mut self) {
        let act = *self.choices.pick(&[BrokerAct::Kill, BrokerAct::PowerLoss]);
        self.push(Action::Broker(act));
        let seconds = self.choices.range(0, 2);
        self.wait(seconds);
        self.push(Action::Broker(BrokerAct::Start));
        for who in &mut self.who {
            who.line = Line::Open;
        }
    }
}
