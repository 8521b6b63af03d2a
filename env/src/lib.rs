//! The outside world, as the rest of Tabularium sees it.
//!
//! Everything that differs between a real machine and the simulator is behind this crate: the async
//! runtime ([`rt`]), clocks and randomness ([`rt::time`], [`rand`]), and the file system ([`disk`]). No other
//! crate asks whether `--cfg madsim` is set to choose between them; the same logic runs on both.
//!
//! It also holds what crosses crates: ids ([`ids`]), so that a tablet's number has one type from the catalog down to a file
//! name, the kinds of errors ([`ErrorKind`]), the named places where a test can stop a process ([`pause`]),
//! randomness that a test can have again ([`replay`]), the bugs that the simulator must find ([`canary`]), and a guard
//! against panics of libraries that read damaged bytes ([`caught`]).
//!
//! ```
//! use env::disk::{self, Disk, MemDisk};
//! let disk = MemDisk::new();
//! disk.create_dir("jobs")?;
//! disk::publish(&disk, "jobs", "state.json", b"{}")?;
//! let disk = disk.power_cut(7);
//! assert_eq!(&disk.read("jobs/state.json")?[..], b"{}");
//! # Ok::<(), std::io::Error>(())
//! ```

pub mod canary;
mod caught;
pub mod disk;
pub mod ids;
mod kind;
pub mod pause;
pub mod rand;
pub mod replay;
pub mod rt;

pub use caught::{caught, panic_text};
pub use kind::{ErrorKind, explain};
