//! Who is the DTLS client, and which SRTP profile is chosen: every combination carries data and media both ways.

use crate::common::{Peer, answer, connection, offer, pair_with};
use bytes::Bytes;
use std::time::Duration;
use wigwag::jsep::DtlsRole;
use wigwag::{ConnectionState, DataChannelInit, Direction, MediaKind, RtpPacket, SrtpProfile, Version};
use wigwag_sim::{A, Host, World, Z};

/// Media and messages go both ways, and come from nowhere else.
fn talk(world: &mut World<Peer>) {
    for host in [A, Z] {
        let channel = world[host].channels["agreed"];
        let connection = &mut world[host].connection;
        connection.send(channel, format!("from {host:?}").into(), false).unwrap();
        let id = connection.transceivers().next().expect("audio").id;
        connection.write_packet(id, RtpPacket::new(111, 960, Bytes::from(format!("sound of {host:?}")))).unwrap();
    }
    world.run_for(Duration::from_secs(1));
    for (host, other) in [(A, Z), (Z, A)] {
        let messages: Vec<_> = world[host].messages.iter().map(|(_, data, _)| data.clone()).collect();
        assert_eq!(messages, [Bytes::from(format!("from {other:?}"))]);
        let packets: Vec<_> = world[host].packets.iter().map(|found| found.packet.payload.clone()).collect();
        assert_eq!(packets, [Bytes::from(format!("sound of {other:?}"))]);
    }
}

fn prepare(world: &mut World<Peer>) {
    for host in [A, Z] {
        let connection = &mut world[host].connection;
        connection.create_data_channel("agreed", DataChannelInit::default().negotiated(7)).unwrap();
    }
    world[A].connection.add_transceiver(MediaKind::Audio, Direction::Sendrecv).unwrap();
    world[Z].connection.add_track(MediaKind::Audio).unwrap();
}

fn is_connected(world: &World<Peer>) -> bool {
    [A, Z].iter().all(|host| world[*host].state == ConnectionState::Connected && !world[*host].channels.is_empty())
}

/// In JSEP the offerer says `actpass`, but one who insists is obeyed (RFC 8842 §5.2).
#[test]
fn either_side_may_be_the_dtls_client_whoever_offers() {
    let set_up = |offered: &str, role: Option<DtlsRole>, expected_in_answer: &str, is_answerer_client: bool| {
        let mut world = pair_with(11, |host, config| {
            if host == Z {
                config.negotiation.dtls_role = role;
            }
        });
        prepare(&mut world);
        let mut offer = offer(&mut world, A);
        assert!(offer.sdp.contains("a=setup:actpass\r\n"));
        offer.sdp = offer.sdp.replace("a=setup:actpass\r\n", &format!("a=setup:{offered}\r\n"));
        let answer = answer(&mut world, Z, offer);
        assert!(
            answer.sdp.contains(&format!("a=setup:{expected_in_answer}\r\n")),
            "{offered} {role:?}\n{}",
            answer.sdp
        );
        world[A].connection.set_remote_description(answer).unwrap();
        world.run_until(is_connected, Duration::from_secs(10));
        let client_hello = world.trace().records().iter().find(|record| record.payload.first() == Some(&22));
        let is_from_z = client_hello.is_some_and(|record| record.from == wigwag_sim::address(Z));
        assert_eq!(is_from_z, is_answerer_client, "{offered} {role:?}");
        talk(&mut world);
        // The client's channels have even streams, the server's odd ones (RFC 8832 §6).
        for host in [A, Z] {
            let id = world[host].connection.create_data_channel("own", DataChannelInit::default()).unwrap();
            let stream = world[host].connection.data_channel(id).and_then(|channel| channel.stream());
            assert_eq!(stream, Some(u16::from((host == Z) != is_answerer_client)));
        }
    };
    set_up("actpass", None, "active", true);
    set_up("actpass", Some(DtlsRole::Client), "active", true);
    set_up("actpass", Some(DtlsRole::Server), "passive", false);
    set_up("passive", None, "active", true);
    set_up("active", None, "passive", false);
}

#[test]
fn the_srtp_profile_is_the_first_that_both_have() {
    let (gcm, cm) = (SrtpProfile::AeadAes128Gcm, SrtpProfile::Aes128CmHmacSha1_80);
    for (of_a, of_z, expected) in [
        (vec![gcm, cm], vec![cm], cm),
        (vec![gcm], vec![cm, gcm], gcm),
        (vec![cm], vec![gcm, cm], cm),
        (vec![gcm, cm], vec![gcm, cm], gcm),
    ] {
        let profiles = |host: Host| if host == A { of_a.clone() } else { of_z.clone() };
        let mut world = pair_with(12, |host, config| config.srtp_profiles = profiles(host));
        prepare(&mut world);
        crate::common::negotiate(&mut world);
        world.run_until(is_connected, Duration::from_secs(10));
        for host in [A, Z] {
            assert_eq!(world[host].connection.transport_stats().srtp_profile, Some(expected));
        }
        talk(&mut world);
    }
}

#[test]
fn the_dtls_version_is_the_newest_that_both_were_told_to_speak() {
    let (old, new) = (Version::Dtls12, Version::Dtls13);
    for (of_a, of_z, expected) in [
        (old..=old, old..=old, old),
        (old..=new, old..=old, old),
        (old..=old, old..=new, old),
        (old..=new, old..=new, new),
        (new..=new, old..=new, new),
        (old..=new, new..=new, new),
    ] {
        let versions = |host: Host| if host == A { of_a.clone() } else { of_z.clone() };
        let mut world = pair_with(13, |host, config| config.dtls_versions = versions(host));
        prepare(&mut world);
        crate::common::negotiate(&mut world);
        world.run_until(is_connected, Duration::from_secs(10));
        for host in [A, Z] {
            assert_eq!(world[host].connection.transport_stats().dtls_version, Some(expected));
        }
        talk(&mut world);
    }
}

/// Row 30 of the design's attacks: what is drawn is drawn from the seed, and never twice.
#[test]
fn ten_thousand_connections_have_nothing_secret_in_common() {
    let mut config = crate::common::config();
    config.certificate = Some(std::sync::Arc::new(
        wigwag::Certificate::generate(crate::common::UNIX_TIME, wigwag::Seed::for_test(1)).unwrap(),
    ));
    let (mut seen, mut repeated) = (std::collections::BTreeSet::new(), 0);
    for seed in 0..10_000 {
        let mut connection = connection(seed, A, config.clone());
        connection.add_transceiver(MediaKind::Audio, Direction::Sendrecv).unwrap();
        let offer = connection.create_offer().unwrap().sdp;
        let lines = ["a=ice-ufrag:", "a=ice-pwd:", "o=", "a=ssrc:"];
        for line in lines {
            let found =
                offer.lines().find(|found| found.starts_with(line)).unwrap_or_else(|| panic!("{line}\n{offer}"));
            // What stands behind a source is its name.
            let found = if line == "a=ssrc:" { found.split(' ').next().unwrap_or(found) } else { found };
            let len = found.len() - line.len();
            assert!(line != "a=ice-pwd:" || len >= 22, "128 bits: {found}");
            assert!(line != "a=ice-ufrag:" || len >= 4, "24 bits: {found}");
            // 24 bits of a ufrag among ten thousand may meet by chance, three times or so, and 32 of a source hardly ever.
            let is_new = seen.insert(found.to_owned());
            repeated += u32::from(!is_new);
            assert!(is_new || line == "a=ice-ufrag:" || line == "a=ssrc:", "{found} came twice");
        }
    }
    assert!(repeated < 20, "{repeated}");
}
