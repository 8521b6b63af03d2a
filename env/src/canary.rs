//! Deliberate bugs, to show that the simulator finds bugs of their kind.
//!
//! They exist in the simulator only, and there only in runs that ask for one: in every other build [`sings`] is `false` for
//! ever, and the compiler leaves out what stands behind it.

/// A deliberate bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Canary {
    /// A segment gets its name before its bytes are synced.
    SegmentNotSynced,
    /// The names of a load's segments are not synced.
    NameNotSynced,
    /// The catalog's file is not synced.
    CatalogNotSynced,
    /// Reclaiming does not see what pins hold.
    PinIgnored,
    /// A node keeps the pins of cancelled jobs.
    PinKept,
    /// A sweep takes no notice of open sessions.
    SweepIgnoresSessions,
    /// A session that was ended may still commit.
    CommitUnchecked,
    /// A restore switches its tables one after the other.
    SwitchByTable,
    /// An upload that failed counts as done.
    UploadErrorSwallowed,
    /// A job's record is written whatever it has become meanwhile.
    Unfenced,
    /// Checksums of what is downloaded are not compared.
    ChecksumIgnored,
    /// A backup reads each table's versions as they are when it comes to them.
    CutByTable,
    /// A database may have several running jobs.
    ManyJobs,
}

impl Canary {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::SegmentNotSynced,
        Self::NameNotSynced,
        Self::CatalogNotSynced,
        Self::PinIgnored,
        Self::PinKept,
        Self::SweepIgnoresSessions,
        Self::CommitUnchecked,
        Self::SwitchByTable,
        Self::UploadErrorSwallowed,
        Self::Unfenced,
        Self::ChecksumIgnored,
        Self::CutByTable,
        Self::ManyJobs,
    ];
}

#[cfg(madsim)]
thread_local! {
    static CHOSEN: std::cell::Cell<Option<Canary>> = const { std::cell::Cell::new(None) };
}

/// From now on this thread, which is a whole simulated world, has this bug, or none.
#[cfg(madsim)]
pub fn choose(canary: Option<Canary>) {
    CHOSEN.with(|chosen| chosen.set(canary));
}

/// Whether this world has that bug.
#[cfg(madsim)]
pub fn sings(canary: Canary) -> bool {
    CHOSEN.with(std::cell::Cell::get) == Some(canary)
}

/// Whether this world has that bug: it has none.
#[cfg(not(madsim))]
pub const fn sings(_: Canary) -> bool {
    false
}
