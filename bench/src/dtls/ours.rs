//! wigwag-dtls.

use super::{Connect, MTU, Pair};
use std::sync::Arc;
use std::time::{Duration, Instant};
use wigwag_dtls::{
    Certificate, CipherSuite, Config, Connection, Event, Group, HashAlgorithm, Role, SrtpProfile, Version,
};
use wigwag_sansio::{Rng, Seed};

/// Of the certificates, since 1970.
const MADE_AT: Duration = Duration::from_secs(1_790_000_000);

pub(super) struct Setup {
    configs: [Config; 2],
    /// As fast as the others' are.
    randomness: Rng,
}

struct Ends {
    client: Connection,
    server: Connection,
    now: Instant,
    datagram: Vec<u8>,
}

impl Setup {
    pub(super) fn new(version: Version, group: Group) -> Self {
        let certificates = [1, 2].map(|n| Certificate::generate(MADE_AT, Seed::for_test(n)).expect("a time"));
        let [a, z] = certificates.map(Arc::new);
        let configs = [(Role::Client, &a, &z), (Role::Server, &z, &a)].map(|(role, own, other)| {
            let mut config = Config::new(role, own.clone());
            config.remote_fingerprints = vec![other.fingerprint(HashAlgorithm::Sha256)];
            (config.min_version, config.max_version) = (version, version);
            config.cipher_suites = vec![CipherSuite::EcdheEcdsaAes128GcmSha256, CipherSuite::Aes128GcmSha256];
            config.groups = vec![group];
            config.srtp_profiles = vec![SrtpProfile::AeadAes128Gcm];
            config
        });
        Self { configs, randomness: Rng::new(Seed::for_test(3)) }
    }
}

impl Connect for Setup {
    fn connect(&mut self) -> Box<dyn Pair> {
        let [client, server] =
            self.configs.each_ref().map(|config| Connection::new(config.clone(), self.randomness.seed()));
        let mut ends = Box::new(Ends { client, server, now: Instant::now(), datagram: Vec::with_capacity(MTU) });
        ends.shake_hands();
        ends
    }
}

impl Ends {
    fn shake_hands(&mut self) {
        let Self { client, server, now, datagram } = self;
        while !(client.is_connected() && server.is_connected()) {
            pass(client, server, *now, datagram);
            pass(server, client, *now, datagram);
        }
        for end in [client, server] {
            assert!(matches!(end.poll_event(), Some(Event::Connected { srtp: Some(_) })));
        }
    }
}

/// All that one end owes, to the other.
fn pass(from: &mut Connection, to: &mut Connection, now: Instant, datagram: &mut Vec<u8>) {
    while from.poll_packet(now, MTU, datagram) {
        to.handle_input(datagram, now, |_| {});
        datagram.clear();
    }
}

impl Pair for Ends {
    fn carry(&mut self, data: &[u8]) {
        self.datagram.clear();
        let is_sealed = self.client.protect(MTU, &mut self.datagram, |_, out| {
            out.extend_from_slice(data);
            true
        });
        let mut opened = 0;
        self.server.handle_input(&mut self.datagram, self.now, |data| opened += data.len());
        assert!(is_sealed && opened == data.len());
    }
}
