//! The `tabularium` binary.

fn main() {}
