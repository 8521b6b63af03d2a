//! One process for one data directory.

#![expect(clippy::wildcard_enum_match_arm, reason = "kinds of errors of the file system are open")]

use crate::error::{EngineError, ErrorKind, codes};
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;

/// The name of the file that is locked.
const NAME: &str = "LOCK";

/// Held while the directory is ours; the system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct DirLock {
    _file: File,
}

/// An error of the data directory.
pub(super) fn failed(dir: &Path, failed: &io::Error) -> EngineError {
    let (code, kind) = match failed.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => (codes::GENERAL, ErrorKind::Denied),
        io::ErrorKind::StorageFull => (codes::DISK_FULL, ErrorKind::Full),
        _ => (codes::GENERAL, ErrorKind::Unavailable),
    };
    EngineError::new(code, kind, format!("data directory '{}': {failed}", dir.display()))
}

impl DirLock {
    /// Makes the directory if need be and locks it.
    ///
    /// # Errors
    /// Busy when another process has it; what the file system says.
    pub(super) fn take(dir: &Path) -> Result<Self, EngineError> {
        let wrong = |error: &io::Error| failed(dir, error);
        std::fs::create_dir_all(dir).map_err(|error| wrong(&error))?;
        let path = dir.join(NAME);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(|error| wrong(&error))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(EngineError::general(
                ErrorKind::Busy,
                format!("data directory '{}' is in use by another process", dir.display()),
            )),
            Err(TryLockError::Error(error)) => Err(wrong(&error)),
        }
    }
}

/// Makes an empty directory, whatever was in it.
///
/// # Errors
/// What the file system says.
pub(super) fn clear_dir(dir: &Path) -> Result<(), EngineError> {
    match std::fs::remove_dir_all(dir) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(dir, &error)),
    }
    std::fs::create_dir_all(dir).map_err(|error| failed(dir, &error))
}
