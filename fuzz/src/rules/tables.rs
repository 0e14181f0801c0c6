//! The tables of the standard: which property belongs where, which code which packet may carry.
//!
//! Packets are numbered as in the fixed header; the Will Properties have a number of their own.

use std::ops::RangeInclusive;

use reference_broker::codec::ProtocolVersion;

/// The Will Properties, as a place for properties.
pub(super) const WILL: u8 = 16;

/// The type of a value (section 1.5).
pub(super) enum Type {
    /// An integer of this many bytes.
    Number(usize),
    Variable,
    Text,
    Binary,
    Pair,
}

/// A row of table 2-4.
pub(super) struct Row {
    pub number: u8,
    pub kind: Type,
    pub places: &'static [u8],
    pub repeatable: &'static [u8],
    pub values: RangeInclusive<u64>,
}

const fn row(
    number: u8,
    kind: Type,
    places: &'static [u8],
    repeatable: &'static [u8],
    values: RangeInclusive<u64>,
) -> Row {
    Row { number, kind, places, repeatable, values }
}

use Type::{Binary, Number, Pair, Text, Variable};

const ANY: RangeInclusive<u64> = 0..=u64::MAX;
const FLAG: RangeInclusive<u64> = 0..=1;
const NOT_ZERO: RangeInclusive<u64> = 1..=u64::MAX;
const EVERYWHERE: &[u8] = &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 14, 15, WILL];

/// Table 2-4, with the limits of section 3.
pub(super) static PROPERTIES: &[Row] = &[
    row(0x01, Number(1), &[3, WILL], &[], FLAG),
    row(0x02, Number(4), &[3, WILL], &[], ANY),
    row(0x03, Text, &[3, WILL], &[], ANY),
    row(0x08, Text, &[3, WILL], &[], ANY),
    row(0x09, Binary, &[3, WILL], &[], ANY),
    row(0x0B, Variable, &[3, 8], &[3], NOT_ZERO),
    row(0x11, Number(4), &[1, 2, 14], &[], ANY),
    row(0x12, Text, &[2], &[], ANY),
    row(0x13, Number(2), &[2], &[], ANY),
    row(0x15, Text, &[1, 2, 15], &[], ANY),
    row(0x16, Binary, &[1, 2, 15], &[], ANY),
    row(0x17, Number(1), &[1], &[], FLAG),
    row(0x18, Number(4), &[WILL], &[], ANY),
    row(0x19, Number(1), &[1], &[], FLAG),
    row(0x1A, Text, &[2], &[], ANY),
    row(0x1C, Text, &[2, 14], &[], ANY),
    row(0x1F, Text, &[2, 4, 5, 6, 7, 9, 11, 14, 15], &[], ANY),
    row(0x21, Number(2), &[1, 2], &[], NOT_ZERO),
    row(0x22, Number(2), &[1, 2], &[], ANY),
    row(0x23, Number(2), &[3], &[], NOT_ZERO),
    row(0x24, Number(1), &[2], &[], FLAG),
    row(0x25, Number(1), &[2], &[], FLAG),
    row(0x26, Pair, EVERYWHERE, EVERYWHERE, ANY),
    row(0x27, Number(4), &[1, 2], &[], NOT_ZERO),
    row(0x28, Number(1), &[2], &[], FLAG),
    row(0x29, Number(1), &[2], &[], FLAG),
    row(0x2A, Number(1), &[2], &[], FLAG),
];

/// The codes that a packet may carry, whoever sends it.
pub(super) fn codes(kind: u8, version: ProtocolVersion) -> &'static [u8] {
    match (version, kind) {
        (ProtocolVersion::V5, 2) => &[
            0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90, 0x95, 0x97,
            0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F,
        ],
        (ProtocolVersion::V5, 4 | 5) => &[0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99],
        (ProtocolVersion::V5, 6 | 7) => &[0x00, 0x92],
        (ProtocolVersion::V5, 9) => &[0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2],
        (ProtocolVersion::V5, 11) => &[0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91],
        (ProtocolVersion::V5, 14) => &[
            0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8C, 0x8D, 0x8E, 0x8F, 0x90, 0x93, 0x94,
            0x95, 0x96, 0x97, 0x98, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2,
        ],
        (ProtocolVersion::V5, 15) => &[0x00, 0x18, 0x19],
        (ProtocolVersion::V5, _) => &[],
        // Tables 3.1 and 3.9.3 of 3.1.1.
        (_, 2) => &[0, 1, 2, 3, 4, 5],
        (_, 9) => &[0, 1, 2, 0x80],
        _ => &[],
    }
}
