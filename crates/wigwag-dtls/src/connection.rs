//! A connection (RFC 6347).

use crate::{CipherSuite, Config, Error, Event, Group, SrtpProfile, Stats, Version};
use std::time::Instant;
use wigwag_sansio::Seed;

/// A DTLS connection: the handshake, and records around what the layer above sends.
#[derive(Debug)]
pub struct Connection {
    config: Config,
    stats: Stats,
}

impl Connection {
    /// What a record adds to application data, at most: header, explicit nonce and tag.
    pub const OVERHEAD: usize = 37;

    /// A client owes its ClientHello at once; a server awaits one.
    pub fn new(config: Config, _seed: Seed) -> Self {
        Self { config, stats: Stats::default() }
    }

    /// Reads every record of a datagram. Application data is lent to `deliver`, decrypted where it lies.
    pub fn handle_input(&mut self, _datagram: &mut [u8], _now: Instant, mut _deliver: impl FnMut(&[u8])) {}

    /// Time has passed.
    pub fn handle_timeout(&mut self, _now: Instant) {}

    /// Appends a datagram of the handshake, or an alert, of at most `limit` bytes; or changes nothing and says `false`.
    pub fn poll_packet(&mut self, _now: Instant, _limit: usize, _out: &mut Vec<u8>) -> bool {
        false
    }

    /// Appends one record of at most `limit` bytes around the application data that `write` appends; or changes nothing
    /// and says `false`, if the handshake is not complete or `write` says so.
    pub fn protect(&mut self, _limit: usize, _out: &mut Vec<u8>, _write: impl FnOnce(usize, &mut Vec<u8>) -> bool) -> bool {
        false
    }

    /// What has happened?
    pub fn poll_event(&mut self) -> Option<Event> {
        None
    }

    /// When to be woken.
    pub fn poll_timeout(&self, _now: Instant) -> Option<Instant> {
        None
    }

    /// Closes; a close_notify is owed.
    pub fn close(&mut self) {}

    /// Whether the handshake is complete and the connection not closed.
    pub fn is_connected(&self) -> bool {
        false
    }

    /// Whether the connection is closed.
    pub fn is_closed(&self) -> bool {
        false
    }

    /// The version negotiated.
    pub fn version(&self) -> Option<Version> {
        None
    }

    /// The cipher suite negotiated.
    pub fn cipher_suite(&self) -> Option<CipherSuite> {
        None
    }

    /// The group of the key exchange.
    pub fn group(&self) -> Option<Group> {
        None
    }

    /// The SRTP profile negotiated.
    pub fn srtp_profile(&self) -> Option<SrtpProfile> {
        None
    }

    /// The peer's certificate, once it has been authenticated.
    pub fn peer_certificate_der(&self) -> Option<&[u8]> {
        None
    }

    /// Fills `out` with keying material (RFC 5705).
    ///
    /// # Errors
    /// [`Error::NotConnected`], [`Error::InvalidExporter`].
    pub fn export_keying_material(&self, _label: &str, _context: Option<&[u8]>, _out: &mut [u8]) -> Result<(), Error> {
        Err(Error::NotConnected)
    }

    /// Counters.
    pub const fn stats(&self) -> &Stats {
        &self.stats
    }

    /// What it was made of.
    pub const fn config(&self) -> &Config {
        &self.config
    }
}
