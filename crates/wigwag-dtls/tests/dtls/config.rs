//! What a connection may be made of.

use crate::common::{A, Pair, Z, configs_of, default_configs};
use std::time::Duration;
use wigwag_dtls::{
    CipherSuite, ClientAuthentication, CloseReason, Config, Connection, Event, Group, SignatureScheme, Version,
};
use wigwag_sansio::Seed;

/// What is wrong with a configuration, by the name of the field.
type Spoiled = (&'static str, fn(&mut Config));

#[test]
fn a_configuration_that_contradicts_itself_is_refused_by_the_name_of_the_field_and_sends_nothing() {
    const BOTH: &[Spoiled] = &[
        ("min_version", |config| (config.min_version, config.max_version) = (Version::Dtls13, Version::Dtls12)),
        ("cipher_suites", |config| config.cipher_suites.clear()),
        ("cipher_suites", |config| {
            config.max_version = Version::Dtls12;
            config.cipher_suites.retain(|suite| suite.version() == Version::Dtls13);
        }),
        ("groups", |config| config.groups.clear()),
        ("groups", |config| {
            config.max_version = Version::Dtls12;
            config.groups = vec![Group::X25519MlKem768];
        }),
        ("groups", |config| {
            config.cipher_suites.retain(|suite| suite.version() == Version::Dtls12);
            config.groups = vec![Group::X25519MlKem768];
        }),
        ("signature_schemes", |config| config.signature_schemes.clear()),
        ("signature_schemes", |config| {
            config.min_version = Version::Dtls13;
            config.signature_schemes = vec![SignatureScheme::RsaPkcs1Sha256];
        }),
        ("retransmission.initial", |config| config.retransmission.initial = Duration::from_micros(999)),
        ("retransmission.initial", |config| config.retransmission.max = Duration::from_millis(199)),
        ("retransmission.patience", |config| config.retransmission.patience = Duration::ZERO),
    ];
    const CLIENT: Spoiled = ("signature_schemes", |config| {
        config.max_version = Version::Dtls12;
        config.cipher_suites = vec![CipherSuite::EcdheRsaAes128GcmSha256];
        config.signature_schemes = vec![SignatureScheme::Ed25519, SignatureScheme::EcdsaSecp256r1Sha256];
    });
    const SERVER: Spoiled = ("certificate", |config| {
        config.max_version = Version::Dtls12;
        config.cipher_suites = vec![CipherSuite::EcdheRsaAes128GcmSha256];
    });
    let both = BOTH.iter().flat_map(|spoiled| [(A, *spoiled), (Z, *spoiled)]);
    for (who, (field, spoil)) in both.chain([(A, CLIENT), (Z, SERVER)]) {
        let mut config = default_configs()[who].clone();
        config.max_version = Version::Dtls13;
        spoil(&mut config);
        let mut peer = Connection::new(config, Seed::for_test(1));
        let events: Vec<_> = std::iter::from_fn(|| peer.poll_event()).collect();
        let is_refused = |event: &Event| matches!(event, Event::Closed(CloseReason::InvalidConfig { field: named, .. }) if *named == field);
        assert!(events.len() == 1 && events.iter().all(is_refused), "{who} {field}: {events:?}");
        assert!(!peer.poll_packet(wigwag_sim::origin(), 1200, &mut Vec::new()) && peer.is_closed());
        assert_eq!(peer.poll_timeout(wigwag_sim::origin()), None);
    }
}

/// What only looks strange is not refused.
#[test]
fn a_configuration_that_some_peer_can_answer_is_taken() {
    let taken: [fn(&mut Config); 5] = [
        |_| {},
        |config| config.groups = vec![Group::X25519MlKem768],
        |config| config.cipher_suites = vec![CipherSuite::EcdheRsaAes128GcmSha256, CipherSuite::Aes128GcmSha256],
        |config| {
            config.client_authentication = ClientAuthentication::None;
            config.signature_schemes = vec![SignatureScheme::RsaPssRsaeSha256];
        },
        |config| {
            (config.retransmission.patience, config.retransmission.limit) = (Duration::MAX, 0);
            config.retransmission.initial = config.retransmission.max;
        },
    ];
    for (who, take) in [A, Z].into_iter().flat_map(|who| taken.map(|take| (who, take))) {
        let mut config = default_configs()[who].clone();
        config.max_version = Version::Dtls13;
        take(&mut config);
        assert!(!Connection::new(config, Seed::for_test(1)).is_closed());
    }
    // A server that asks nobody who they are verifies no signature.
    let mut config = default_configs()[Z].clone();
    config.client_authentication = ClientAuthentication::None;
    config.signature_schemes.clear();
    assert!(!Connection::new(config, Seed::for_test(1)).is_closed());
}

/// Law 5, and no time that cannot be told: the shortest and the longest timeout that anybody can choose.
#[test]
fn any_initial_timeout_is_one() {
    for (version, initial) in [Version::Dtls12, Version::Dtls13]
        .into_iter()
        .flat_map(|version| [Duration::ZERO, Duration::from_nanos(1), Duration::MAX].map(|initial| (version, initial)))
    {
        let mut configs = configs_of(version);
        configs.iter_mut().for_each(|config| config.retransmission.max = Duration::MAX);
        let mut pair = Pair::with(configs, 1);
        pair.peers.iter_mut().for_each(|peer| peer.set_initial_timeout(initial));
        // Whatever comes, comes twice.
        pair.exchange(|_, datagram| vec![datagram.clone(), datagram]);
        pair.assert_alive();
        pair.peers.iter_mut().for_each(|peer| peer.set_initial_timeout(initial));
        pair.poll(A);
        pair.poll(Z);
    }
}
