//! libFuzzer's entry to `assay_fuzz::scenario_text`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| assay_fuzz::scenario_text::check(bytes));
