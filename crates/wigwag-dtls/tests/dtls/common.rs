//! Two connections and the wire between them, which a test can hold in its hands.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wigwag_dtls::{Certificate, CloseReason, Config, Connection, Event, HashAlgorithm, Role, SrtpKeys, Stats, Version};
use wigwag_sansio::Seed;
use wigwag_sim::contract::Law;

/// The client.
pub(crate) const A: usize = 0;
/// The server.
pub(crate) const Z: usize = 1;
pub(crate) const MTU: usize = 1200;
/// The laws of which the check compares two runs: AWS-LC signs with randomness of its own, of which no seed knows.
pub(crate) const EXCEPTED: &[Law] = if cfg!(feature = "aws-lc-rs") {
    &[
        Law::TimeIsAnArgument,
        Law::PacketsAreOwed,
        Law::InputsCannotFail,
        Law::NoOrder,
        Law::EarlyCallsAreHarmless,
        Law::OneSeed,
    ]
} else {
    &[]
};

pub(crate) fn certificate(n: u64) -> Arc<Certificate> {
    Arc::new(
        Certificate::generate(Duration::from_secs(1_790_000_000), Seed::for_test(n)).expect("a time that can be told"),
    )
}

/// Configurations of a client and a server that know each other's fingerprints, and speak 1.2 alone.
pub(crate) fn configs() -> [Config; 2] {
    configs_of(Version::Dtls12)
}

/// The same, of those who speak this version alone.
pub(crate) fn configs_of(version: Version) -> [Config; 2] {
    default_configs().map(|mut config| {
        (config.min_version, config.max_version) = (version, version);
        config
    })
}

/// The same, of those who speak whatever they speak by default.
pub(crate) fn default_configs() -> [Config; 2] {
    let certificates = [certificate(101), certificate(102)];
    [Role::Client, Role::Server].map(|role| {
        let (own, other) = if role == Role::Client { (A, Z) } else { (Z, A) };
        let mut config = Config::new(role, certificates[own].clone());
        config.remote_fingerprints = vec![certificates[other].fingerprint(HashAlgorithm::Sha256)];
        config
    })
}

pub(crate) struct Pair {
    pub(crate) peers: [Connection; 2],
    pub(crate) now: Instant,
    /// To whom, and what.
    pub(crate) wire: VecDeque<(usize, Vec<u8>)>,
    pub(crate) connected: [bool; 2],
    pub(crate) srtp: [Option<SrtpKeys>; 2],
    pub(crate) closed: [Option<CloseReason>; 2],
    pub(crate) data: [Vec<Vec<u8>>; 2],
    /// How many datagrams each has sent.
    pub(crate) sent: [usize; 2],
    pub(crate) mtu: usize,
}

impl Pair {
    pub(crate) fn new(seed: u64) -> Self {
        Self::with(configs(), seed)
    }

    pub(crate) fn with(configs: [Config; 2], seed: u64) -> Self {
        let mut n = 0;
        let peers = configs.map(|config| {
            n += 1;
            Connection::new(config, Seed::for_test(1000 * seed + n))
        });
        Self {
            peers,
            now: wigwag_sim::origin(),
            wire: VecDeque::new(),
            connected: [false; 2],
            srtp: [None, None],
            closed: [None; 2],
            data: [vec![], vec![]],
            sent: [0; 2],
            mtu: MTU,
        }
    }

    /// Takes what `who` owes: events, and datagrams for the wire. How many datagrams there were.
    pub(crate) fn poll(&mut self, who: usize) -> usize {
        self.poll_events(who);
        let mut n = 0;
        loop {
            let mut out = Vec::new();
            if !self.peers[who].poll_packet(self.now, self.mtu, &mut out) {
                break;
            }
            assert!(!out.is_empty() && out.len() <= self.mtu);
            self.wire.push_back((1 - who, out));
            n += 1;
        }
        self.sent[who] += n;
        assert!(self.peers[who].poll_timeout(self.now).is_none_or(|at| at > self.now), "law 5");
        n
    }

    pub(crate) fn poll_events(&mut self, who: usize) {
        while let Some(event) = self.peers[who].poll_event() {
            assert_eq!(self.closed[who], None, "Closed is the last event");
            match event {
                Event::Connected { srtp } => {
                    assert!(!std::mem::replace(&mut self.connected[who], true), "once");
                    self.srtp[who] = srtp;
                }
                Event::Closed(reason) => self.closed[who] = Some(reason),
                event => panic!("{event:?}"),
            }
        }
    }

    pub(crate) fn deliver(&mut self, who: usize, datagram: &[u8]) {
        let mut datagram = datagram.to_vec();
        let data = &mut self.data[who];
        self.peers[who].handle_input(&mut datagram, self.now, |text| data.push(text.to_vec()));
    }

    /// Until nobody owes anything. No time passes. `carry` is given each datagram and says what arrives.
    pub(crate) fn exchange(&mut self, mut carry: impl FnMut(usize, Vec<u8>) -> Vec<Vec<u8>>) {
        while self.poll(A) + self.poll(Z) > 0 || !self.wire.is_empty() {
            while let Some((to, datagram)) = self.wire.pop_front() {
                for datagram in carry(to, datagram) {
                    self.deliver(to, &datagram);
                }
            }
        }
    }

    /// Lets time pass to the next deadline; false if there is none.
    pub(crate) fn advance(&mut self) -> bool {
        let next = self.peers.iter().filter_map(|peer| peer.poll_timeout(self.now)).min();
        let Some(next) = next else { return false };
        self.now = self.now.max(next);
        for peer in &mut self.peers {
            peer.handle_timeout(self.now);
        }
        true
    }

    /// Runs until both are connected or closed, or `limit` has passed.
    pub(crate) fn run(&mut self, limit: Duration, mut carry: impl FnMut(usize, Vec<u8>) -> Vec<Vec<u8>>) {
        let end = self.now + limit;
        loop {
            self.exchange(&mut carry);
            let is_done = |who: usize| self.connected[who] || self.closed[who].is_some();
            if is_done(A) && is_done(Z) || !self.advance() || self.now > end {
                return;
            }
        }
    }

    /// An application record from `who` to the other, not delivered.
    pub(crate) fn protect(&mut self, who: usize, text: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        self.peers[who]
            .protect(MTU, &mut out, |_, out| {
                out.extend_from_slice(text);
                true
            })
            .then_some(out)
    }

    /// Hands `who` hostile datagrams, of one record each, and asserts what the test of every attack asserts: each was dropped for
    /// this reason and counted once, nothing was sent, and no more is held than before. That the call goes on, is
    /// [asserted](Self::assert_alive) when it has come so far.
    pub(crate) fn attack(
        &mut self,
        who: usize,
        reason: impl Fn(&Stats) -> u64,
        datagrams: impl IntoIterator<Item = impl AsRef<[u8]>>,
    ) {
        self.poll(who);
        let (before, held, data) = (self.peers[who].stats().clone(), self.peers[who].held_len(), self.data[who].len());
        let mut n = 0;
        for datagram in datagrams {
            self.deliver(who, datagram.as_ref());
            n += 1;
        }
        let after = self.peers[who].stats();
        assert_eq!(reason(after) - reason(&before), n, "each was dropped for this reason: {before:?} {after:?}");
        assert_eq!(dropped(after) - dropped(&before), n, "and for no other: {before:?} {after:?}");
        assert_eq!(self.poll(who), 0, "nothing is sent");
        assert!(self.peers[who].held_len() <= held && held <= self.peers[who].held_len_max(), "nothing is held");
        assert_eq!(self.data[who].len(), data, "nothing is delivered");
    }

    /// Both can send to each other.
    pub(crate) fn assert_alive(&mut self) {
        assert_eq!((self.connected, self.closed), ([true; 2], [None; 2]));
        for who in [A, Z] {
            let text = format!("from {who} number {}", self.data[1 - who].len());
            let record = self.protect(who, text.as_bytes()).expect("connected");
            let before = self.data[1 - who].len();
            self.deliver(1 - who, &record);
            assert_eq!(self.data[1 - who].get(before).map(Vec::as_slice), Some(text.as_bytes()));
        }
    }
}

/// Both have the same keys, from opposite ends.
pub(crate) fn assert_same_keys(pair: &Pair) {
    let exported = pair.peers.each_ref().map(|peer| {
        let mut out = [0; 40];
        peer.export_keying_material("EXPORTER-test", Some(b"context"), &mut out).map(|()| out)
    });
    assert!(exported[0].is_ok() && exported[0] == exported[1]);
    let [Some(a), Some(z)] = &pair.srtp else { panic!("both have keys") };
    assert_eq!((a.profile(), a.local_key(), a.local_salt()), (z.profile(), z.remote_key(), z.remote_salt()));
    assert_eq!((z.local_key(), z.local_salt()), (a.remote_key(), a.remote_salt()));
    assert_ne!(a.local_key(), z.local_key());
}

pub(crate) fn as_it_is(_: usize, datagram: Vec<u8>) -> Vec<Vec<u8>> {
    vec![datagram]
}

/// A pair that is connected.
pub(crate) fn established(seed: u64) -> Pair {
    let mut pair = Pair::new(seed);
    pair.run(Duration::from_secs(5), as_it_is);
    pair.assert_alive();
    pair
}

/// The records of a datagram.
pub(crate) fn records(datagram: &[u8]) -> Vec<Vec<u8>> {
    let (mut rest, mut records) = (datagram, Vec::new());
    while rest.len() >= 13 {
        let len = 13 + usize::from(u16::from_be_bytes([rest[11], rest[12]]));
        records.push(rest[..len].to_vec());
        rest = &rest[len..];
    }
    assert!(rest.is_empty());
    records
}

/// A record of epoch `epoch` that nobody protected.
pub(crate) fn plaintext(content_type: u8, epoch: u16, sequence: u64, body: &[u8]) -> Vec<u8> {
    let mut record = vec![content_type, 0xFE, 0xFD];
    record.extend_from_slice(&epoch.to_be_bytes());
    record.extend_from_slice(&sequence.to_be_bytes()[2..]);
    record.extend_from_slice(&u16::try_from(body.len()).expect("a short body").to_be_bytes());
    record.extend_from_slice(body);
    record
}

/// A handshake message in a record of its own.
pub(crate) fn handshake_record(message_type: u8, message_seq: u16, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len()).expect("a short body").to_be_bytes();
    let mut message = vec![message_type];
    message.extend_from_slice(&len[1..]);
    message.extend_from_slice(&message_seq.to_be_bytes());
    message.extend_from_slice(&[0; 3]);
    message.extend_from_slice(&len[1..]);
    message.extend_from_slice(body);
    plaintext(22, 0, 0, &message)
}

/// Whatever was dropped.
pub(crate) fn dropped(stats: &Stats) -> u64 {
    let records = stats.malformed_records
        + stats.wrong_version
        + stats.unknown_content_type
        + stats.unknown_epoch
        + stats.replayed
        + stats.not_authentic;
    let plaintext =
        stats.plaintext_application_data + stats.plaintext_alerts + stats.plaintext_acks + stats.plaintext_handshake;
    let messages = stats.malformed_acks + stats.early_application_data + stats.ignored_alerts;
    let fragments = stats.malformed_fragments
        + stats.contradicting_fragments
        + stats.excessive_fragments
        + stats.repeated_fragments
        + stats.early_hello_requests;
    let late = stats.late_handshake_messages + stats.late_change_cipher_specs + stats.after_close;
    records + plaintext + messages + fragments + late
}

/// Lets `attack` have a pair of this version before each datagram of a handshake, and after the last. It completes each time.
pub(crate) fn at_every_stage(version: Version, mut attack: impl FnMut(&mut Pair)) {
    for stage in 0.. {
        let mut pair = Pair::with(configs_of(version), stage);
        let (mut n, mut has_attacked) = (0, false);
        pair.poll(A);
        pair.poll(Z);
        loop {
            if n == stage {
                attack(&mut pair);
                has_attacked = true;
            }
            let Some((to, datagram)) = pair.wire.pop_front() else { break };
            pair.deliver(to, &datagram);
            n += 1;
            pair.poll(A);
            pair.poll(Z);
        }
        if !has_attacked {
            assert!(stage > 3, "a handshake has four datagrams");
            return;
        }
        pair.run(Duration::from_secs(100), as_it_is);
        pair.assert_alive();
    }
}
