//! libFuzzer's entry to `assay_fuzz::round_trip`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| assay_fuzz::round_trip::check(bytes));
