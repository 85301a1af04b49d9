//! Handshakes and records of DTLS: both ends in memory, in one thread.
//!
//! The work is the same for all: certificates of P-256 made beforehand, both ends show theirs and sign, no cookie where that
//! can be told, AES-128-GCM, keys for SRTP. Records carry 1,200 bytes, sealed by one end and opened by the other.

mod dimpl;
mod openssl;
mod ours;
mod rtc;

use crate::{BACKEND, Row};
use wigwag_dtls::{Group, Version};

/// What a record carries.
const DATA: [u8; 1200] = [7; 1200];

/// The longest datagram.
const MTU: usize = 1400;

/// The groups of both versions.
const CURVES: [Group; 3] = [Group::X25519, Group::Secp256r1, Group::Secp384r1];

/// Two ends that are connected.
trait Pair {
    /// A record from the client to the server.
    fn carry(&mut self, data: &[u8]);
}

pub(crate) fn rows() -> Vec<Row<'static>> {
    let mut rows = Vec::new();
    for version in [Version::Dtls12, Version::Dtls13] {
        for group in CURVES {
            rows.push(handshake(version, group, dimpl::NAME, dimpl::Setup::new(version, group)));
        }
    }
    let x25519 = dimpl::Setup::new(Version::Dtls13, Group::X25519);
    rows.push(handshake(Version::Dtls13, Group::X25519MlKem768, dimpl::NAME_X25519, x25519));
    for group in CURVES {
        rows.push(handshake(Version::Dtls12, group, openssl::NAME, openssl::Setup::new(group)));
    }
    // Its curve cannot be told: it takes the client's first, which is X25519.
    rows.push(handshake(Version::Dtls12, Group::X25519, rtc::NAME, rtc::Setup::new()));
    for version in [Version::Dtls12, Version::Dtls13] {
        rows.push(records(version, dimpl::NAME, dimpl::Setup::new(version, Group::X25519)));
    }
    rows.push(records(Version::Dtls12, openssl::NAME, openssl::Setup::new(Group::X25519)));
    rows.push(records(Version::Dtls12, rtc::NAME, rtc::Setup::new()));
    rows
}

/// Whoever can connect two ends.
trait Connect {
    fn connect(&mut self) -> Box<dyn Pair>;
}

fn name(version: Version) -> &'static str {
    match version {
        Version::Dtls13 => "DTLS 1.3",
        _ => "DTLS 1.2",
    }
}

fn handshake(
    version: Version,
    group: Group,
    peer_name: &'static str,
    mut peer: impl Connect + 'static,
) -> Row<'static> {
    let mut ours = ours::Setup::new(version, group);
    Row {
        work: format!("{} handshake, {group:?}, {BACKEND}", name(version)),
        peer_name,
        ours: Box::new(move || drop(ours.connect())),
        peer: Box::new(move || drop(peer.connect())),
    }
}

fn records(version: Version, peer_name: &'static str, mut peer: impl Connect) -> Row<'static> {
    let mut ours = ours::Setup::new(version, Group::X25519).connect();
    let mut peer = peer.connect();
    Row {
        work: format!("{} record, 1,200 bytes, {BACKEND}", name(version)),
        peer_name,
        ours: Box::new(move || ours.carry(&DATA)),
        peer: Box::new(move || peer.carry(&DATA)),
    }
}
