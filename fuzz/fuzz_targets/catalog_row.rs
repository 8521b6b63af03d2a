//! See `tabularium_fuzz::TARGETS`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tabularium_fuzz::run("catalog_row", data));
