//! libFuzzer's entry to `assay_fuzz::decode`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| assay_fuzz::decode::check(bytes));
