//! The one clock reading of a simulation.

use std::sync::OnceLock;
use std::time::Instant;

/// Where virtual time begins: an arbitrary instant, the same for the whole process. Only differences to it mean anything.
pub fn origin() -> Instant {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    #[expect(clippy::disallowed_methods, reason = "an arbitrary origin; only differences to it are used")]
    *ORIGIN.get_or_init(Instant::now)
}
