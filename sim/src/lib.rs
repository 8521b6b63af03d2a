//! The world that lies: a deterministic simulation of Tabularium on madsim.
//!
//! Built only with `--cfg madsim` (`cargo xtask sim`). It runs the code that ships, on virtual time and a heap disk
//! that loses what was not synced.

#![cfg(madsim)]

pub mod smoke;
