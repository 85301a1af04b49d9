//! What holds of every datagram of a call, whatever the network does to it.

use crate::common::{Peer, VERSIONS, connect_with_channel, dissect, pair_speaking};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use wigwag::{DataChannelInit, Direction, MediaKind, RtpPacket};
use wigwag_sim::{A, Host, Record, World, Z, address, seeds};

/// [`Config::mtu`](wigwag::Config::mtu), if nobody changes it.
const MTU: usize = 1232;

/// What is sealed under one number: the path (two homes may have the same private address), the number, and what was sealed.
#[derive(Default)]
struct Sealed<'a>(BTreeMap<([SocketAddr; 2], Vec<u8>), &'a [u8]>);

impl<'a> Sealed<'a> {
    #[track_caller]
    fn add(&mut self, path: [SocketAddr; 2], number: &[u8], bytes: &'a [u8]) {
        let known = *self.0.entry((path, number.to_vec())).or_insert(bytes);
        assert!(known == bytes, "two things of {path:?} were sealed with {number:02x?}");
    }
}

/// D3, S5, C12: no number is used for two things, and no datagram is longer than the path takes.
pub(crate) fn hold(records: &[Record]) {
    let (mut dtls, mut rtp, mut rtcp) = (Sealed::default(), Sealed::default(), Sealed::default());
    for Record { from, to, payload, .. } in records {
        let path = [*from, *to];
        assert!(!payload.is_empty() && payload.len() <= MTU, "C12: {} bytes", payload.len());
        match payload[0] {
            // Of 1.3, the numbers are encrypted.
            20..=25 => records_of(payload).for_each(|record| {
                // Epoch, explicit nonce; the first epoch has none.
                if record[3..5] != [0, 0] {
                    dtls.add(path, &record[13..21], record);
                }
            }),
            128..=191 if (192..=223).contains(&payload[1]) => {
                let (rest, index) = payload.split_at(payload.len() - 4);
                rtcp.add(path, index, rest);
            }
            // A call of these is shorter than a circle of sequence numbers.
            128..=191 => rtp.add(path, &[&payload[2..4], &payload[8..12]].concat(), payload),
            _ => {}
        }
    }
}

fn records_of(mut datagram: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        // What follows of 1.3 has another header.
        datagram.first().filter(|first| **first < 32)?;
        let len = 13 + usize::from(u16::from_be_bytes([*datagram.get(11)?, *datagram.get(12)?]));
        let (record, rest) = datagram.split_at_checked(len)?;
        datagram = rest;
        Some(record)
    })
}

/// I5, I6: nothing but STUN leaves before a check was answered, nor 30 s after the last answer.
fn asks_first(world: &World<Peer>, host: Host) {
    let records = world.trace().records();
    let is_answer = |record: &&Record| {
        record.to == address(host) && dissect(&record.payload) == "Binding response" && !record.fate.is_lost()
    };
    let answers: Vec<_> = records.iter().filter(is_answer).map(|record| record.at).collect();
    for record in records.iter().filter(|record| record.from == address(host) && record.payload[0] > 3) {
        let last = answers.iter().rev().find(|at| **at < record.at).expect("I5");
        // The trace tells when the answer was sent, which is a little earlier than when it came.
        assert!(record.at - *last <= Duration::from_secs(31), "I6: {:?} after {last:?}", record.at);
    }
}

#[test]
fn a_call_keeps_its_promises_whatever_the_network_does() {
    for seed in seeds(10) {
        let mut world = pair_speaking(200 + seed, VERSIONS[(seed % 2) as usize]);
        world.links(A, Z, |link| {
            link.latency(Duration::from_millis(20)).loss(5.0).duplication(5.0);
            link.reordering(5.0, Duration::from_millis(30));
        });
        let video = world[A].connection.add_transceiver(MediaKind::Video, Direction::Sendrecv).unwrap();
        world[Z].connection.add_track(MediaKind::Video).unwrap();
        connect_with_channel(&mut world, "chat", DataChannelInit::default());
        let channel = world[A].channels["chat"];
        for n in 0..500u32 {
            let _ = world[A].connection.write_packet(video, RtpPacket::new(96, n * 900, Bytes::from(vec![7; 1000])));
            let _ = world[A].connection.send(channel, vec![n as u8; (n as usize * 37) % 5000].into(), true);
            world.run_for(Duration::from_millis(10));
        }
        // What waits for a timer that backs off comes later; and then nothing comes any more.
        world.run_for(Duration::from_secs(10));
        world.run_until(|world| world[Z].messages.len() == 500, Duration::from_secs(50));
        world.links(A, Z, |link| {
            link.loss(100.0);
        });
        world.run_for(Duration::from_secs(60));
        hold(world.trace().records());
        let known = [address(A), address(Z)];
        assert!(world.trace().records().iter().all(|record| known.contains(&record.to)), "G5");
        [A, Z].into_iter().for_each(|host| asks_first(&world, host));
        let (packets, messages) = (world[Z].packets.len(), world[Z].messages.len());
        assert!(packets > 450 && messages == 500, "{packets} packets and {messages} messages, seed {seed}");
    }
}
