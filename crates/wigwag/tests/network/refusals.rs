//! What a user gets wrong is refused with a reason, not swallowed.

use crate::common::{Peer, config, connection, negotiate, pair_with};
use bytes::Bytes;
use std::time::Duration;
use wigwag::jsep::{Codec, HeaderExtension};
use wigwag::{
    AddressError, Credentials, DataChannelInit, Direction, Endpoint, EndpointConfig, EndpointError, Error, MediaKind,
    PeerConnection, Seed, SendError, Version,
};
use wigwag_sim::{A, World, Z};

#[test]
fn an_address_to_which_nothing_can_come_is_refused() {
    let mut endpoint = Endpoint::new(EndpointConfig::default(), Seed::for_test(1));
    let mut connection = connection(1, A, config());
    for (text, expected) in [
        ("0.0.0.0:5000", AddressError::Unspecified as fn(_) -> _),
        ("[::]:5000", AddressError::Unspecified),
        ("[::ffff:0.0.0.0]:5000", AddressError::Unspecified),
        ("10.0.0.1:0", AddressError::NoPort),
        ("239.1.2.3:5000", AddressError::NotUnicast),
        ("[ff02::1]:5000", AddressError::NotUnicast),
        ("255.255.255.255:5000", AddressError::NotUnicast),
    ] {
        let address = text.parse().unwrap();
        assert_eq!(endpoint.add_local_address(address), Err(expected(address)));
        assert_eq!(connection.add_local_address(address), Err(expected(address)));
        assert!(expected(address).to_string().starts_with(text), "{}", expected(address));
    }
    assert!(endpoint.local_addresses().is_empty());
    for text in ["10.0.0.1:1", "[::1]:65535"] {
        assert_eq!(endpoint.add_local_address(text.parse().unwrap()), Ok(()));
    }
}

/// What a socket bound to `[::]` tells of itself and of who sends from IPv4.
#[test]
fn an_ipv4_address_within_ipv6_is_refused_with_what_to_write_instead() {
    let mut endpoint = Endpoint::new(EndpointConfig::default(), Seed::for_test(1));
    let address = "[::ffff:10.0.0.1]:5000".parse().unwrap();
    let expected =
        "[::ffff:10.0.0.1]:5000 is an IPv4 address within IPv6: write it, and those of datagrams, as 10.0.0.1:5000";
    for refused in [endpoint.add_local_address(address), connection(1, A, config()).add_local_address(address)] {
        assert_eq!(refused.map_err(|error| error.to_string()), Err(expected.to_owned()));
    }
    assert!(endpoint.local_addresses().is_empty());
}

#[test]
fn a_configuration_with_which_nothing_works_is_refused_by_the_name_of_its_field() {
    let mut endpoint = Endpoint::new(EndpointConfig::default(), Seed::for_test(1));
    let mut refused = |change: &dyn Fn(&mut wigwag::Config)| {
        let mut config = config();
        change(&mut config);
        match endpoint.create(config) {
            Err(EndpointError::InvalidConfig { field, .. }) => field,
            other => panic!("{other:?}"),
        }
    };
    for mtu in [0, 575, 65_508] {
        assert_eq!(refused(&|config| config.mtu = mtu), "mtu");
    }
    for (ufrag, password) in [("abc", 22), ("abcd", 21), ("ab d", 22), ("ab\r\n", 22), ("", 22)] {
        let credentials = Credentials { ufrag: ufrag.into(), password: "p".repeat(password) };
        assert_eq!(refused(&|config| config.credentials = Some(credentials.clone())), "credentials");
    }
    let servers = |count: u8| (0..count).map(|last| ([192, 0, 2, last], 3478).into()).collect::<Vec<_>>();
    assert_eq!(refused(&|config| config.stun_servers = servers(9)), "stun_servers");
    assert_eq!(refused(&|config| config.srtp_profiles.clear()), "srtp_profiles");
    assert_eq!(refused(&|config| config.dtls_versions = Version::Dtls13..=Version::Dtls12), "dtls_versions");
    assert_eq!(refused(&|config| config.receive_buffer = 0), "receive_buffer");
    assert_eq!(refused(&|config| config.send_buffer = 0), "send_buffer");
    for size in [0, (1 << 30) + 1, u64::MAX] {
        assert_eq!(refused(&|config| config.negotiation.max_message_size = size), "negotiation.max_message_size");
    }
    assert_eq!(refused(&|config| config.negotiation.sctp_port = 0), "negotiation.sctp_port");
    for (name, clock_rate, parameters) in [
        ("", 90_000, ""),
        ("two words", 90_000, ""),
        ("a/b", 90_000, ""),
        ("x\r\nm=", 1, ""),
        ("x", 0, ""),
        ("x", 1, "a=1\nb=2"),
    ] {
        let mut codec = Codec::new(MediaKind::Video, name, clock_rate, 1, 96);
        codec.parameters = parameters.to_owned();
        assert_eq!(refused(&|config| config.negotiation.codecs.push(codec.clone())), "negotiation.codecs");
    }
    for uri in ["", "urn: x", "urn:x\r\n"] {
        let extension = HeaderExtension::new(uri, 1, None);
        let refused = refused(&|config| config.negotiation.header_extensions.push(extension.clone()));
        assert_eq!(refused, "negotiation.header_extensions");
    }
    for size in [0, (1 << 30) + 1, u64::MAX] {
        let mut config = config();
        (config.negotiation.max_message_size, config.partial_delivery_from) = (size, Some(65_536));
        assert!(endpoint.create(config).is_ok());
    }
    let mut eight = config();
    eight.stun_servers = [servers(8), servers(8)].concat();
    assert!(endpoint.create(eight).is_ok(), "eight different ones, each twice");
    for mtu in [576, 65_507] {
        let mut config = config();
        config.mtu = mtu;
        assert!(endpoint.create(config).is_ok());
    }
}

#[test]
fn what_could_not_be_offered_is_not_added() {
    let mut config = config();
    config.negotiation.codecs.retain(|codec| codec.kind == MediaKind::Audio);
    let mut connection = connection(1, A, config);
    let refused = [
        connection.add_transceiver(MediaKind::Video, Direction::Sendrecv),
        connection.add_track(MediaKind::Video),
        connection.add_transceiver(MediaKind::Video, Direction::Recvonly),
    ];
    assert_eq!(refused, [(); 3].map(|()| Err(Error::NoCodec(MediaKind::Video))));
    assert_eq!(
        refused[0].as_ref().unwrap_err().to_string(),
        "no video codec is configured: add one to Config::negotiation.codecs"
    );
    connection.add_transceiver(MediaKind::Audio, Direction::Sendrecv).unwrap();
    let offer = connection.create_offer().unwrap();
    connection.set_local_description(offer).unwrap();
}

/// Whoever makes a connection without an endpoint is not asked: what would be held of messages without a limit has the one of what is held.
#[test]
fn a_connection_that_would_hold_any_message_says_how_long_they_may_be() {
    for (size, buffer, in_parts, expected) in [
        (0, 8 << 20, None, 2 << 20),
        (u64::MAX, 4 << 20, None, 1 << 20),
        (0, 1000, None, 262_144),
        (0, 8 << 20, Some(65_536), 0),
        (1 << 20, 1000, None, 1 << 20),
    ] {
        let mut config = config();
        config.negotiation.max_message_size = size;
        (config.receive_buffer, config.partial_delivery_from) = (buffer, in_parts);
        let mut connection = PeerConnection::new(config, Seed::for_test(1));
        connection.create_data_channel("c", DataChannelInit::default()).unwrap();
        let offer = connection.create_offer().unwrap().sdp;
        assert!(offer.contains(&format!("a=max-message-size:{expected}\r\n")), "{offer}");
    }
}

#[test]
fn a_string_is_utf_8_or_given_back() {
    let mut world: World<Peer> = pair_with(1, |_, _| {});
    let id = world[A].connection.create_data_channel("c", DataChannelInit::default().negotiated(0)).unwrap();
    world[Z].connection.create_data_channel("c", DataChannelInit::default().negotiated(0)).unwrap();
    negotiate(&mut world);
    world.run_until(|world| !world[A].channels.is_empty(), Duration::from_secs(10));
    let wrong = Bytes::from_static(&[b'a', 0xff]);
    assert_eq!(world[A].connection.send(id, wrong.clone(), false), Err(SendError::NotUtf8(wrong.clone())));
    assert_eq!(world[A].connection.send(id, wrong, true), Ok(()));
    assert_eq!(world[A].connection.send(id, "ä✓".into(), false), Ok(()));
    let text = format!("{:?}", SendError::Full(Bytes::from_static(b"secret")));
    assert_eq!(text, "Full(6 bytes)");
}
