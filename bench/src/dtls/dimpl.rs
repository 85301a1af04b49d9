//! dimpl, with the same cryptography as ours.

use super::{Connect, MTU, Pair};
use crate::BACKEND;
use dimpl::certificate::generate_self_signed_certificate;
use dimpl::crypto::{Dtls12CipherSuite, Dtls13CipherSuite, NamedGroup, aws_lc_rs, rust_crypto};
use dimpl::{Config, Dtls, DtlsCertificate, Output};
use std::sync::Arc;
use std::time::Instant;
use wigwag_dtls::{Group, Version};

pub(super) const NAME: &str = if cfg!(feature = "aws-lc-rs") { "dimpl, aws-lc-rs" } else { "dimpl, RustCrypto" };
/// It has no group that resists quantum computers: what ours costs more is seen beside its fastest.
pub(super) const NAME_X25519: &str =
    if cfg!(feature = "aws-lc-rs") { "dimpl's X25519, aws-lc-rs" } else { "dimpl's X25519, RustCrypto" };

pub(super) struct Setup {
    version: Version,
    config: Arc<Config>,
    certificates: [DtlsCertificate; 2],
}

struct Ends {
    client: Dtls,
    server: Dtls,
    output: Vec<u8>,
    datagrams: Vec<Vec<u8>>,
}

/// What an end has said beside its datagrams.
#[derive(Default)]
struct Told {
    is_connected: bool,
    has_keys: bool,
    opened: usize,
}

impl Setup {
    pub(super) fn new(version: Version, group: Group) -> Self {
        let is_fast = BACKEND == "aws-lc-rs";
        let provider = if is_fast { aws_lc_rs::default_provider() } else { rust_crypto::default_provider() };
        let group = match group {
            Group::X25519 => NamedGroup::X25519,
            Group::Secp256r1 => NamedGroup::Secp256r1,
            Group::Secp384r1 => NamedGroup::Secp384r1,
            group => panic!("{group:?} is not among its groups"),
        };
        let config = Config::builder()
            .with_crypto_provider(provider)
            .mtu(MTU)
            .kx_groups(&[group])
            .dtls12_cipher_suites(&[Dtls12CipherSuite::ECDHE_ECDSA_AES128_GCM_SHA256])
            .dtls13_cipher_suites(&[Dtls13CipherSuite::AES_128_GCM_SHA256])
            .use_server_cookie(false)
            .build()
            .expect("a configuration");
        let certificates = [(); 2].map(|()| generate_self_signed_certificate().expect("a certificate"));
        Self { version, config: Arc::new(config), certificates }
    }

    fn end(&self, certificate: &DtlsCertificate, is_client: bool, now: Instant) -> Dtls {
        let new = match self.version {
            Version::Dtls13 => Dtls::new_13,
            _ => Dtls::new_12,
        };
        let mut end = new(self.config.clone(), certificate.clone(), now);
        end.set_active(is_client);
        end.handle_timeout(now).expect("a start");
        end
    }
}

impl Connect for Setup {
    fn connect(&mut self) -> Box<dyn Pair> {
        let now = Instant::now();
        let [a, z] = &self.certificates;
        let (client, server) = (self.end(a, true, now), self.end(z, false, now));
        let mut ends = Ends { client, server, output: vec![0; 4096], datagrams: Vec::new() };
        ends.shake_hands();
        Box::new(ends)
    }
}

impl Ends {
    fn shake_hands(&mut self) {
        let (mut a, mut z) = (Told::default(), Told::default());
        while !(a.is_connected && a.has_keys && z.is_connected && z.has_keys) {
            drain(&mut self.client, &mut self.output, &mut self.datagrams, &mut a);
            for datagram in self.datagrams.drain(..) {
                self.server.handle_packet(&datagram).expect("a handshake");
            }
            drain(&mut self.server, &mut self.output, &mut self.datagrams, &mut z);
            for datagram in self.datagrams.drain(..) {
                self.client.handle_packet(&datagram).expect("a handshake");
            }
        }
    }
}

/// Takes all that an end has to say.
fn drain(end: &mut Dtls, output: &mut [u8], datagrams: &mut Vec<Vec<u8>>, told: &mut Told) {
    loop {
        match end.poll_output(output) {
            Output::Packet(packet) => datagrams.push(packet.to_vec()),
            Output::Connected => told.is_connected = true,
            Output::KeyingMaterial(..) => told.has_keys = true,
            Output::ApplicationData(data) => told.opened += data.len(),
            Output::Timeout(_) => return,
            _ => {}
        }
    }
}

impl Pair for Ends {
    fn carry(&mut self, data: &[u8]) {
        self.client.send_application_data(data).expect("a record");
        loop {
            match self.client.poll_output(&mut self.output) {
                Output::Packet(packet) => self.server.handle_packet(packet).expect("a record"),
                Output::Timeout(_) => break,
                _ => {}
            }
        }
        let mut told = Told::default();
        drain(&mut self.server, &mut self.output, &mut self.datagrams, &mut told);
        assert_eq!(told.opened, data.len());
        self.datagrams.clear();
    }
}
