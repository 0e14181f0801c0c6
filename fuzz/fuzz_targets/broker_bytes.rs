//! libFuzzer's entry to `assay_fuzz::broker_bytes`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| assay_fuzz::broker_bytes::check(bytes));
