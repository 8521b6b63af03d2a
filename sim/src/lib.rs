//! The world that lies: a deterministic simulation of Tabularium on madsim.
//!
//! Built only with `--cfg madsim` (`cargo xtask sim`). It runs the code that ships, the whole engine without its doors and its
//! query planner, on virtual time, a disk that loses and fails, and an object store that lies. A run is made from one number,
//! its seed: what goes on in it (`plan`), what breaks, and in which order everything happens. The same seed gives the same
//! run, byte for byte. `docs/simulation.md` says how to use it and how to add a fault, a workload or a check.

#![cfg(madsim)]
#![expect(clippy::panic, reason = "a promise that does not hold ends the run")]
#![expect(clippy::disallowed_methods, reason = "in a simulated world the standard library's clock is the world's own")]

pub mod boundaries;
pub mod bucket;
pub mod check;
pub mod disk;
pub mod machine;
pub mod model;
pub mod plan;
pub mod points;
pub mod runner;
pub mod shrink;
pub mod smoke;
pub mod trace;
pub mod workload;
pub mod world;
