//! libFuzzer's entry to `assay_fuzz::broker_operations`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| assay_fuzz::broker_operations::check(bytes));
