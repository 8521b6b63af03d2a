//! See `tabularium_fuzz::TARGETS`.
#![no_main]

// The reader catches the panics of the Parquet decoder, so they must not end the process.
libfuzzer_sys::fuzz_target!(
    init: drop(std::panic::take_hook()),
    |data: &[u8]| tabularium_fuzz::run("tablet_segment", data)
);
