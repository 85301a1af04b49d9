//! What is known of the path, and what was counted.

use std::time::Duration;

/// What the delay says of the path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum DelayState {
    /// The queue on the way neither grows nor shrinks.
    #[default]
    Normal,
    /// It grows: more is sent than the path carries.
    Overusing,
    /// It shrinks.
    Underusing,
}

/// What a controller knows, and has counted since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Stats {
    /// What may be sent, in bit/s.
    pub target_bitrate: u64,
    /// What the delay allows, in bit/s.
    pub delay_based_bitrate: u64,
    /// What losses allow, in bit/s; nothing while they say nothing.
    pub loss_based_bitrate: Option<u64>,
    /// What arrives at the peer, in bit/s; nothing before enough has.
    pub acknowledged_bitrate: Option<u64>,
    /// From sending a packet to hearing of it, smoothed, with the time that the peer waits before it reports; nothing before the first
    /// feedback.
    pub round_trip: Option<Duration>,
    /// How much of what was sent lately was lost, 0.0 to 1.0.
    pub loss_fraction: f64,
    /// What the delay says.
    pub delay_state: DelayState,
    /// Whether the application sends much less than it may.
    pub is_application_limited: bool,
    /// Packets that left.
    pub packets_sent: u64,
    /// Packets that the peer has told of as arrived.
    pub packets_arrived: u64,
    /// Packets that were told as missing, and have not been told as arrived since.
    pub packets_lost: u64,
    /// Feedback messages.
    pub feedbacks: u64,
    /// How often the delay said that more is sent than the path carries.
    pub overuses: u64,
    /// How often less was sent because nothing was heard.
    pub outages: u64,
    /// Probes that were begun.
    pub probes: u64,
    /// Probes that raised the estimate.
    pub probes_succeeded: u64,
    /// Reports of packets that were never sent, or that are forgotten.
    pub ignored_unknown: u64,
    /// Reports that told nothing new.
    pub ignored_repeated: u64,
}
