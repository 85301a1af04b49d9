//! The names of an association's states.

/// The state of an association (RFC 9260 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not yet begun, or ended.
    Closed,
    /// An INIT was sent or is owed.
    CookieWait,
    /// A COOKIE ECHO was sent or is owed.
    CookieEchoed,
    /// Messages flow.
    Established,
    /// Shutting down: what is queued is sent first.
    ShutdownPending,
    /// A SHUTDOWN was sent or is owed.
    ShutdownSent,
    /// The peer shuts down: what is queued is sent first.
    ShutdownReceived,
    /// A SHUTDOWN ACK was sent or is owed.
    ShutdownAckSent,
}
