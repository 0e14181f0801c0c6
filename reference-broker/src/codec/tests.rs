//! Tests of the codec; vectors cite the section they come from.
