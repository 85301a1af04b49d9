//! stub
use crate::{Config, Event, ResetError, SendError, SendOptions, State, Stats};
use bytes::Bytes;
use std::time::Instant;
use wigwag_sansio::Seed;

/// An SCTP association.
#[derive(Debug)]
pub struct Association {
    state: State,
}

#[expect(unused_variables, clippy::needless_pass_by_value, missing_docs, reason = "signatures first")]
impl Association {
    pub fn new(config: Config, seed: Seed) -> Self { Self { state: State::Closed } }
    pub fn connect(&mut self) {}
    pub fn send(&mut self, stream: u16, ppid: u32, data: Bytes, options: SendOptions) -> Result<(), SendError> { Err(SendError::Closed) }
    pub fn reset_stream(&mut self, stream: u16) -> Result<(), ResetError> { Err(ResetError::Closed) }
    pub fn shutdown(&mut self) {}
    pub fn abort(&mut self) {}
    pub fn set_mtu(&mut self, mtu: usize) {}
    pub fn set_remote_max_message_size(&mut self, len: usize) {}
    pub fn set_buffered_amount_low_threshold(&mut self, stream: u16, threshold: usize) {}
    pub fn handle_input(&mut self, packet: &[u8], now: Instant) {}
    pub fn handle_timeout(&mut self, now: Instant) {}
    pub fn poll_packet(&mut self, now: Instant, limit: usize, out: &mut Vec<u8>) -> bool { false }
    pub fn poll_event(&mut self) -> Option<Event> { None }
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> { None }
    pub fn buffered_amount(&self, stream: u16) -> usize { 0 }
    pub fn state(&self) -> State { self.state }
    pub fn stats(&self) -> Stats { Stats::default() }
}
