//! DTLS connections.

use crate::duel::{Player, duel};
use crate::script::Script;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};
use wigwag_dtls::{Certificate, Config, Connection, Fingerprint, Group, HashAlgorithm, Role, Version};
use wigwag_sansio::Seed;

/// Any datagrams between a client and a server of DTLS 1.2.
pub fn dtls_connection(data: &[u8]) {
    _ = duel([Peer::new(Role::Client, Version::Dtls12), Peer::new(Role::Server, Version::Dtls12)], data);
}

/// Any datagrams between a client and a server of DTLS 1.3, of whom one may speak 1.2 as well.
pub fn dtls_13_connection(data: &[u8]) {
    _ = duel(peers_13(data.first().copied().unwrap_or(0)), data);
}

/// Which group and suite is preferred, whether it takes another hello, and whether there are tickets, the first byte says as well.
fn peers_13(choice: u8) -> [Peer; 2] {
    let peer = |role| {
        let mut config = Peer::config(role, Version::Dtls13);
        if choice & 0x10 != 0 && role == Role::Client {
            config.min_version = Version::Dtls12;
        }
        (config.takes_tickets, config.sends_tickets) = (choice & 0x80 != 0, choice & 0x80 != 0);
        // Post-quantum key exchange is most of the work of a handshake.
        let groups = [Group::X25519, Group::Secp256r1, Group::X25519MlKem768];
        let group = if role == Role::Server { usize::from(choice >> 5 & 1) } else { usize::from(choice >> 6 & 1) };
        config.groups = groups.to_vec();
        config.groups.rotate_left(group);
        if choice & 0x20 != 0 && role == Role::Server {
            config.groups = vec![Group::Secp256r1];
        }
        Peer(Connection::new(config, Seed::for_test(role as u64)))
    };
    [peer(Role::Client), peer(Role::Server)]
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
    fn new(role: Role, version: Version) -> Self {
        Self(Connection::new(Self::config(role, version), Seed::for_test(role as u64)))
    }

    fn config(role: Role, version: Version) -> Config {
        let [client, server] = &*CERTIFICATES;
        let (ours, theirs) = if role == Role::Client { (client, server) } else { (server, client) };
        let mut config = Config::new(role, Arc::clone(ours));
        config.remote_fingerprints = vec![theirs.fingerprint(HashAlgorithm::Sha256)];
        (config.min_version, config.max_version) = (version, version);
        config
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
            240..=247 => self.0.close(),
            248..=249 => self.0.update_keys(length > 127),
            _ => {
                let exported = self.0.export_keying_material("EXPORTER-fuzz", None, &mut [0; 32]);
                assert_eq!(exported.is_ok(), self.0.is_connected() || exported.is_ok() && self.0.is_closed());
            }
        }
    }

    /// The length of a single record, so that what was cut or extended is read to its end.
    fn repair(&self, packet: &mut Vec<u8>) {
        // That of DTLS 1.3: with 16 bits of number, and a length.
        if let Some(first) = packet.first_mut().filter(|first| **first & 0xe0 == 0x20) {
            *first = *first & 0xe3 | 0x0c;
            packet.resize(packet.len().max(5), 0);
            let length = u16::try_from(packet.len() - 5).unwrap_or(u16::MAX);
            packet[3..5].copy_from_slice(&length.to_be_bytes());
            return;
        }
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
        let peers = [Role::Client, Role::Server].map(|role| Peer::new(role, Version::Dtls12));
        duel(peers, seed).map(|peer| peer.0)
    }

    fn play_13(seed: &[u8]) -> [Connection; 2] {
        duel(peers_13(seed[0]), seed).map(|peer| peer.0)
    }

    #[test]
    fn the_seeds_of_1_3_get_where_they_want() {
        let seeds = [
            (include_bytes!("../corpus/dtls_13_connection/loss").as_slice(), Group::X25519),
            (include_bytes!("../corpus/dtls_13_connection/damage"), Group::X25519),
            (include_bytes!("../corpus/dtls_13_connection/retry"), Group::Secp256r1),
            (include_bytes!("../corpus/dtls_13_connection/key_update"), Group::X25519),
        ];
        for (seed, group) in seeds {
            let peers = play_13(seed);
            for peer in &peers {
                assert!(peer.is_connected(), "{:?}", peers.each_ref().map(Connection::stats));
                assert_eq!((peer.version(), peer.group()), (Some(Version::Dtls13), Some(group)));
            }
        }
        assert!(play_13(include_bytes!("../corpus/dtls_13_connection/handshake")).iter().all(Connection::is_closed));
        let updated = play_13(include_bytes!("../corpus/dtls_13_connection/key_update"));
        assert!(updated.iter().all(|peer| peer.stats().key_updates_received > 0));
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
