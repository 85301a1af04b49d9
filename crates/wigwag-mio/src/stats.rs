//! What a driver counts.

/// What went through a [`Driver`](crate::Driver), and what did not, by reason.
///
/// Datagrams are counted one by one, also where the kernel took or gave several in one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DriverStats {
    /// Datagrams that the kernel took.
    pub datagrams_sent: u64,
    /// Their payload, in bytes.
    pub bytes_sent: u64,
    /// System calls that sent something.
    pub send_calls: u64,
    /// Datagrams that were handed to the endpoint.
    pub datagrams_received: u64,
    /// Their payload, in bytes.
    pub bytes_received: u64,
    /// System calls that received something.
    pub receive_calls: u64,
    /// How often the kernel had no room, and a send was kept until it had.
    pub sends_blocked: u64,
    /// Datagrams not sent: the kernel had no room on their socket for so long that they would have held up the others; and those that
    /// were to go over a stream that had no room.
    pub dropped_no_room: u64,
    /// Datagrams not sent: they are larger than the interface takes.
    pub dropped_too_large: u64,
    /// Datagrams not sent: no socket has their local address, or the remote address cannot be sent to from it; and those that were to go
    /// over a stream of a listener's that no peer has opened, or that has ended.
    pub dropped_no_route: u64,
    /// Datagrams not sent: they were to travel by something else than UDP.
    pub dropped_protocol: u64,
    /// Datagrams not sent: the kernel refused them for another reason.
    pub dropped_refused: u64,
    /// Datagrams received that held nothing.
    pub dropped_empty: u64,
    /// Names of peers' candidates whose address was found.
    pub names_resolved: u64,
    /// Names of peers' candidates that nobody on our links has.
    pub names_unresolved: u64,
    /// How often addresses of this machine have come or vanished: whoever has calls may want to restart their ICE
    /// ([`restart_ice`](wigwag::PeerConnection::restart_ice)), for not every peer follows without.
    pub address_changes: u64,
    /// Names in place of addresses of ours that nobody answers for: there were 1024.
    pub names_unanswered: u64,
    /// Errors of the kernel while receiving.
    pub receive_errors: u64,
    /// Streams of TCP that we have opened.
    pub streams_opened: u64,
    /// Streams that could not be opened, or of which the handshake of TLS did not come to its end.
    pub streams_failed: u64,
    /// Bytes that the kernel took for streams, TLS's own among them.
    pub stream_bytes_sent: u64,
    /// Bytes that came on streams.
    pub stream_bytes_received: u64,
    /// How often a stream was asked for what had come: the measure of work.
    pub stream_visits: u64,
    /// Streams that peers have opened to our listeners, and that were taken.
    pub streams_accepted: u64,
    /// Streams that peers have opened and that were closed at once: there were [`streams_max`](crate::DriverConfig::streams_max), or one
    /// of the same addresses and ports was not over yet.
    pub streams_refused: u64,
    /// Streams that peers have opened and that were closed since nothing came on them for 10 s; they count as accepted, too.
    pub streams_silent: u64,
    /// How often a listener could not accept: the peer had gone before its turn came, or the system has no room, as for one file more.
    pub listener_failures: u64,
}
