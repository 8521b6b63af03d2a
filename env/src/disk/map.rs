//! Memory maps of sealed files: the one module with unsafe code.
//!
//! A map is only as good as the promise that nobody truncates the file: reading a page behind the new end kills the
//! process with SIGBUS. The promise is kept by construction: segments and repository objects are written under a
//! temporary name, synced, and only then given the name under which they are mapped; nothing opens that name for
//! writing again, and deleting a name leaves mapped pages alone. An I/O error of the device under a map is a SIGBUS
//! too; a process that must survive it reads instead of mapping.

#![expect(unsafe_code, reason = "a memory map is unsafe by nature; this module states who upholds what")]

use bytes::Bytes;
use std::fs::File;
use std::io;

/// The file's bytes, mapped read-only. Empty files cannot be mapped and come back as an empty buffer.
pub(super) fn map(file: &File) -> io::Result<Bytes> {
    if file.metadata()?.len() == 0 {
        return Ok(Bytes::new());
    }
    // SAFETY: the caller of `Disk::map` names a sealed file (see the module's text): nobody writes to or truncates it
    // while the map lives.
    let map = unsafe { memmap2::Mmap::map(file)? };
    Ok(Bytes::from_owner(map))
}
