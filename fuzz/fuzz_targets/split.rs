//! libFuzzer's entry to `assay_fuzz::split`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| assay_fuzz::split::check(bytes));
