//! DTLS connections.

use crate::duel::{Player, duel};
use crate::script::Script;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};
use wigwag_dtls::{Certificate, Config, Connection, Fingerprint, HashAlgorithm, Role};
use wigwag_sansio::Seed;

/// Any datagrams between a client and a server.
pub fn dtls_connection(data: &[u8]) {
    _ = duel([Peer::new(Role::Client), Peer::new(Role::Server)], data);
}

/// Any text as a fingerprint.
pub fn dtls_fingerprint(data: &[u8]) {
    let Ok(fingerprint) = String::from_utf8_lossy(data).parse::<Fingerprint>() else { return };
    assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint));
    assert_eq!(fingerprint.digest().len(), fingerprint.algorithm().digest_len());
}

/// Any bytes as a certificate that was kept.
pub fn dtls_certificate(data: &[u8]) {
    let [certificate, _] = &*CERTIFICATES;
    let key = certificate.private_key().expect("it is ours");
    if let Ok(kept) = Certificate::from_der(data, key.secret_bytes()) {
        assert_eq!(kept.der(), data);
    }
    let _ = Certificate::from_der(certificate.der(), data);
    let text = String::from_utf8_lossy(data);
    let _ = Certificate::from_pem(&text, &text);
}

/// Made once: making them is most of the work.
pub(crate) static CERTIFICATES: LazyLock<[Arc<Certificate>; 2]> = LazyLock::new(|| {
    [1, 2].map(|seed| {
        let now = Duration::from_secs(1_700_000_000);
        Arc::new(Certificate::generate(now, Seed::for_test(seed)).expect("a time that can be told"))
    })
});

struct Peer(Connection);

impl Peer {
    fn new(role: Role) -> Self {
        let [client, server] = &*CERTIFICATES;
        let (ours, theirs) = if role == Role::Client { (client, server) } else { (server, client) };
        let mut config = Config::new(role, Arc::clone(ours));
        config.remote_fingerprints = vec![theirs.fingerprint(HashAlgorithm::Sha256)];
        Self(Connection::new(config, Seed::for_test(role as u64)))
    }
}

impl Player for Peer {
    fn input(&mut self, packet: &mut [u8], now: Instant) {
        self.0.handle_input(packet, now, |data| assert!(data.iter().all(|byte| *byte == 7), "nobody sent this"));
    }

    fn timeout(&mut self, now: Instant) {
        self.0.handle_timeout(now);
    }

    fn packet(&mut self, now: Instant, out: &mut Vec<u8>) -> bool {
        out.clear();
        let wrote = self.0.poll_packet(now, 1200, out);
        assert!(out.len() <= 1200, "the limit holds");
        wrote
    }

    fn event(&mut self) -> bool {
        self.0.poll_event().is_some()
    }

    fn wake(&self, now: Instant) -> Option<Instant> {
        self.0.poll_timeout(now)
    }

    fn command(&mut self, script: &mut Script<'_>) {
        let (command, length) = (script.byte(), script.byte());
        match command {
            0..=239 => {
                let mut out = vec![0xaa; 3];
                let wrote = self.0.protect(1200, &mut out, |limit, out| {
                    out.extend(std::iter::repeat_n(7, limit.min(length.into())));
                    length > 0
                });
                assert!(wrote || out == [0xaa; 3], "what was not sealed is taken back");
                assert!(!wrote || self.0.is_connected());
                assert!(out.len() <= 1203, "the limit holds");
            }
            240..=249 => self.0.close(),
            _ => {
                let exported = self.0.export_keying_material("EXPORTER-fuzz", None, &mut [0; 32]);
                assert_eq!(exported.is_ok(), self.0.is_connected() || exported.is_ok() && self.0.is_closed());
            }
        }
    }

    /// The length of a single record, so that what was cut or extended is read to its end.
    fn repair(&self, packet: &mut Vec<u8>) {
        if packet.len() < 13 {
            packet.resize(13, 0);
        }
        let length = u16::try_from(packet.len() - 13).unwrap_or(u16::MAX);
        packet[11..13].copy_from_slice(&length.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn play(seed: &[u8]) -> [Connection; 2] {
        duel([Peer::new(Role::Client), Peer::new(Role::Server)], seed).map(|peer| peer.0)
    }

    #[test]
    fn the_seeds_get_where_they_want() {
        let seeds = [
            include_bytes!("../corpus/dtls_connection/loss").as_slice(),
            include_bytes!("../corpus/dtls_connection/damage"),
            include_bytes!("../corpus/dtls_connection/forged"),
        ];
        for seed in seeds {
            let peers = play(seed);
            assert!(peers.iter().all(Connection::is_connected), "{:?}", peers.each_ref().map(Connection::stats));
        }
        assert!(play(include_bytes!("../corpus/dtls_connection/handshake")).iter().all(Connection::is_closed));
    }
}
