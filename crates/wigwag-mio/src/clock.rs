//! The system's clock.

use std::time::{Instant, SystemTime, UNIX_EPOCH};
use wigwag_sansio::WallClock;

/// What the system's clock shows now, for [`wigwag::Config::new`]. A clock before 1970 counts as 1970.
pub fn wall_clock() -> WallClock {
    WallClock::new(Instant::now(), SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}
