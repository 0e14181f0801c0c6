//! The parts of a scenario by kind, wherever they stand: lists of fields, topics, payloads, numbers of clients.

use crate::scenario::{
    Action, ClientAct, ExpectSpec, Field, FieldPattern, FieldValue, LinkEnds, Pattern, Scenario, Value,
};

/// Every list of fields: of clients, of packets, of Will Messages, of single filters.
pub(super) fn field_lists(scenario: &mut Scenario, visit: &mut dyn FnMut(&mut Vec<FieldValue>)) {
    for client in &mut scenario.clients {
        list(&mut client.options, visit);
    }
    for step in &mut scenario.steps {
        let Action::Client { act, .. } = &mut step.action else { continue };
        match act {
            ClientAct::Connect { options, .. } => list(options, visit),
            ClientAct::Subscribe(spec)
            | ClientAct::Unsubscribe(spec)
            | ClientAct::Disconnect(spec)
            | ClientAct::Send(spec)
            | ClientAct::Publish { message: spec, .. } => list(&mut spec.fields, visit),
            _ => {}
        }
    }
}

fn list(fields: &mut Vec<FieldValue>, visit: &mut dyn FnMut(&mut Vec<FieldValue>)) {
    visit(fields);
    for field in fields {
        match &mut field.value {
            Value::Will(inner) => visit(inner),
            Value::Filters(filters) => filters.iter_mut().for_each(|filter| visit(&mut filter.options)),
            _ => {}
        }
    }
}

/// Every list of fields of an expected packet.
pub(super) fn pattern_lists(scenario: &mut Scenario, visit: &mut dyn FnMut(&mut Vec<FieldPattern>)) {
    fn expectation(spec: &mut ExpectSpec, visit: &mut dyn FnMut(&mut Vec<FieldPattern>)) {
        match spec {
            ExpectSpec::Packet { fields, .. } => visit(fields),
            ExpectSpec::Sequence(list) => list.iter_mut().for_each(|spec| expectation(spec, visit)),
            _ => {}
        }
    }
    for step in &mut scenario.steps {
        if let Action::Client { act: ClientAct::Expect { alternatives, .. }, .. } = &mut step.action {
            alternatives.iter_mut().for_each(|spec| expectation(spec, visit));
        }
    }
}

/// A text that names topics.
pub(super) enum Topic<'t> {
    /// A Topic Name.
    Name(&'t mut String),
    /// A Topic Filter.
    Filter(&'t mut String),
}

impl Topic<'_> {
    /// The text itself.
    pub(super) fn text(self) -> String {
        match self {
            Topic::Name(text) | Topic::Filter(text) => text.clone(),
        }
    }
}

/// Every Topic Name and Topic Filter.
pub(super) fn topics(scenario: &mut Scenario, visit: &mut dyn FnMut(Topic<'_>)) {
    field_lists(scenario, &mut |list| {
        for field in list {
            match (&field.field, &mut field.value) {
                (Field::Topic, Value::Text(text)) => visit(Topic::Name(text)),
                (_, Value::Filters(filters)) => {
                    filters.iter_mut().for_each(|filter| visit(Topic::Filter(&mut filter.filter)));
                }
                _ => {}
            }
        }
    });
    pattern_lists(scenario, &mut |list| texts(list, Field::Topic, &mut |text| visit(Topic::Name(text))));
    for demand in &mut scenario.verify {
        demand.topic.iter_mut().for_each(|topic| visit(Topic::Name(topic)));
    }
    for (record, _) in &mut scenario.records {
        record.topic.iter_mut().for_each(|topic| visit(Topic::Name(topic)));
    }
}

/// Every payload that a message is published with; `{n}` stands for a number in it where there are several.
pub(super) fn published(scenario: &mut Scenario, visit: &mut dyn FnMut(&mut String)) {
    field_lists(scenario, &mut |list| {
        for field in list {
            if let (Field::Payload, Value::Text(text)) = (&field.field, &mut field.value) {
                visit(text);
            }
        }
    });
}

/// Every payload that is expected or verified.
pub(super) fn demanded(scenario: &mut Scenario, visit: &mut dyn FnMut(&mut String)) {
    pattern_lists(scenario, &mut |list| texts(list, Field::Payload, visit));
    for demand in &mut scenario.verify {
        demand.payloads.iter_mut().for_each(&mut *visit);
    }
    for (record, _) in &mut scenario.records {
        record.payloads.iter_mut().for_each(&mut *visit);
    }
}

fn texts(list: &mut [FieldPattern], wanted: Field, visit: &mut dyn FnMut(&mut String)) {
    for field in list.iter_mut().filter(|it| it.field == wanted) {
        if let Pattern::OneOf(values) = &mut field.pattern {
            for value in values {
                if let Value::Text(text) = value {
                    visit(text);
                }
            }
        }
    }
}

/// The client that an action is about, if it is about one.
pub(super) fn client_of(action: &mut Action) -> Option<&mut usize> {
    match action {
        Action::Client { client, .. } => Some(client),
        Action::Partition(LinkEnds { client, .. })
        | Action::Heal(Some(LinkEnds { client, .. }))
        | Action::Link { ends: LinkEnds { client, .. }, .. } => Some(client),
        Action::When(trigger) => Some(&mut trigger.client),
        Action::Wait(_) | Action::Heal(None) | Action::Broker(_) => None,
    }
}
