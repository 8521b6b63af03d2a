//! BACKUP and RESTORE jobs.
