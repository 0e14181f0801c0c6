//! libFuzzer's entry to `assay_fuzz::explore`.
#![no_main]

use std::sync::LazyLock;

use reference_broker::core::Config;

static BROKER: LazyLock<Config> = LazyLock::new(assay_fuzz::explore::broker);

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| assay_fuzz::explore::check(bytes, &BROKER));
