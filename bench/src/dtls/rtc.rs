//! rtc-dtls, which speaks 1.2 alone, takes the client's first curve, and asks for a cookie.

use super::{Connect, Pair};
use bytes::BytesMut;
use rtc_crypto::RTCCryptoProvider;
use rtc_crypto::providers::AwsLcRsProvider;
use rtc_dtls::cipher_suite::CipherSuiteId;
use rtc_dtls::config::{ClientAuthType, ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig};
use rtc_dtls::crypto::Certificate;
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc_shared::TransportProtocol;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

pub(super) const NAME: &str = "rtc-dtls, aws-lc-rs";

pub(super) struct Setup {
    client: Arc<HandshakeConfig>,
    server: Arc<HandshakeConfig>,
}

struct Ends {
    addresses: [SocketAddr; 2],
    client: Endpoint,
    server: Endpoint,
    now: Instant,
}

impl Setup {
    pub(super) fn new() -> Self {
        Self { client: config(true), server: config(false) }
    }
}

fn config(is_client: bool) -> Arc<HandshakeConfig> {
    let provider: Arc<dyn RTCCryptoProvider> = Arc::new(AwsLcRsProvider::default());
    let certificate = Certificate::generate_self_signed(vec!["localhost".into()], provider.crypto());
    let config = ConfigBuilder::default()
        .with_crypto_provider(provider)
        .with_certificates(vec![certificate.expect("a certificate")])
        .with_cipher_suites(vec![CipherSuiteId::Tls_Ecdhe_Ecdsa_With_Aes_128_Gcm_Sha256])
        .with_srtp_protection_profiles(vec![SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm])
        .with_client_auth(ClientAuthType::RequireAnyClientCert)
        .with_insecure_skip_verify(true)
        .with_extended_master_secret(ExtendedMasterSecretType::Require)
        .build(is_client, None);
    Arc::new(config.expect("a configuration"))
}

impl Connect for Setup {
    fn connect(&mut self) -> Box<dyn Pair> {
        let now = Instant::now();
        let addresses = [1, 2].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let mut client = Endpoint::new(addresses[0], TransportProtocol::UDP, None);
        let server = Endpoint::new(addresses[1], TransportProtocol::UDP, Some(self.server.clone()));
        client.connect(now, addresses[1], self.client.clone(), None).expect("a start");
        let mut ends = Ends { addresses, client, server, now };
        ends.shake_hands();
        Box::new(ends)
    }
}

impl Ends {
    fn shake_hands(&mut self) {
        let [a, z] = self.addresses;
        let [mut is_client_done, mut is_server_done] = [false; 2];
        while !(is_client_done && is_server_done) {
            while let Some(transmit) = self.client.poll_transmit() {
                is_server_done |= is_complete(&read(&mut self.server, self.now, a, &transmit.message));
            }
            while let Some(transmit) = self.server.poll_transmit() {
                is_client_done |= is_complete(&read(&mut self.client, self.now, z, &transmit.message));
            }
        }
        for (end, other) in [(&self.client, z), (&self.server, a)] {
            let state = end.get_connection_state(other).expect("a connection");
            state.export_keying_material("EXTRACTOR-dtls_srtp", &[], 56).expect("keys");
        }
    }
}

fn read(end: &mut Endpoint, now: Instant, from: SocketAddr, datagram: &[u8]) -> Vec<EndpointEvent> {
    end.read(now, from, None, BytesMut::from(datagram)).expect("a datagram")
}

fn is_complete(events: &[EndpointEvent]) -> bool {
    events.iter().any(|event| matches!(event, EndpointEvent::HandshakeComplete))
}

impl Pair for Ends {
    fn carry(&mut self, data: &[u8]) {
        let [a, z] = self.addresses;
        self.client.write(self.now, z, data).expect("a record");
        let mut opened = 0;
        while let Some(transmit) = self.client.poll_transmit() {
            for event in read(&mut self.server, self.now, a, &transmit.message) {
                if let EndpointEvent::ApplicationData(data) = event {
                    opened += data.len();
                }
            }
        }
        assert_eq!(opened, data.len());
    }
}
