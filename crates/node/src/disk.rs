//! How much room the data directory has: a node says when it gets narrow, and stops before a write fails halfway.

use std::io;
use std::path::Path;

/// From which free bytes on something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskLimits {
    /// Below it there is a warning.
    pub warn_bytes: u64,
    /// Below it the node stops.
    pub stop_bytes: u64,
}

impl Default for DiskLimits {
    fn default() -> Self {
        Self { warn_bytes: 1 << 30, stop_bytes: 256 << 20 }
    }
}

/// What the free room means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// There is enough.
    Enough,
    /// It gets narrow.
    Narrow,
    /// There is too little to go on.
    Full,
}

impl DiskLimits {
    pub(crate) fn judge(self, free: u64) -> Room {
        match free {
            free if free < self.stop_bytes => Room::Full,
            free if free < self.warn_bytes => Room::Narrow,
            _ => Room::Enough,
        }
    }
}

/// Bytes that this process may still write where a directory is.
///
/// # Errors
/// The system's.
pub(crate) fn free_bytes(directory: &Path) -> io::Result<u64> {
    let room = rustix::fs::statvfs(directory)?;
    Ok(room.f_bavail.saturating_mul(room.f_frsize))
}

/// Bytes of memory that this process occupies; none where the system does not tell.
pub(crate) fn resident_bytes() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    pages.checked_mul(rustix::param::page_size() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_judged_by_both_limits() {
        let limits = DiskLimits { warn_bytes: 100, stop_bytes: 10 };
        let judged = [100, 99, 10, 9, 0].map(|free| limits.judge(free));
        assert_eq!(judged, [Room::Enough, Room::Narrow, Room::Narrow, Room::Full, Room::Full]);
    }

    #[test]
    fn the_system_tells_how_much_is_free() {
        assert!(free_bytes(Path::new(".")).unwrap() > 0);
        assert!(free_bytes(Path::new("no/such/place")).is_err());
    }
}
