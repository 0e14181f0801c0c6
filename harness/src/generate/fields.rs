//! Fields of steps, made by hand.

use crate::scenario::{Field, FieldValue, Value};
use crate::text::NodeId;

pub(super) fn number(field: Field, value: impl Into<u64>) -> FieldValue {
    FieldValue { field, value: Value::Number(value.into()), at: NodeId::default() }
}

pub(super) fn text(field: Field, value: impl Into<String>) -> FieldValue {
    FieldValue { field, value: Value::Text(value.into()), at: NodeId::default() }
}

pub(super) fn flag(field: Field, value: bool) -> FieldValue {
    FieldValue { field, value: Value::Flag(value), at: NodeId::default() }
}

pub(super) fn value(field: Field, value: Value) -> FieldValue {
    FieldValue { field, value, at: NodeId::default() }
}
