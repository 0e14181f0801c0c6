//! libFuzzer's entry to `assay_fuzz::differential`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| assay_fuzz::differential::check(bytes));
