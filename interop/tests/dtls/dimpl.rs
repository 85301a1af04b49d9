//! DTLS with dimpl at the other end, in process and in virtual time: both versions, both roles, through loss.

use dimpl::crypto::rust_crypto;
use dimpl::{Dtls, DtlsCertificate, NamedGroup, Output};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wigwag_dtls::{Certificate, Config, Connection, Event, Group, HashAlgorithm, Role, SrtpKeys, Version};
use wigwag_sansio::{Rng, Seed};

const LIMIT: Duration = Duration::from_secs(60);

fn certificate(n: u64) -> Arc<Certificate> {
    Arc::new(
        Certificate::generate(Duration::from_secs(1_790_000_000), Seed::for_test(n)).expect("a time that can be told"),
    )
}

/// How the two are set up.
#[derive(Clone, Copy)]
struct Case {
    /// Ours.
    role: Role,
    version: Version,
    /// Of a hundred datagrams.
    loss: u64,
    seed: u64,
    mtu: usize,
    cookie: bool,
    /// Of the other.
    groups: &'static [NamedGroup],
}

impl Case {
    const fn new(role: Role, version: Version) -> Self {
        Self {
            role,
            version,
            loss: 0,
            seed: 1,
            mtu: 1200,
            cookie: false,
            groups: &[NamedGroup::X25519, NamedGroup::Secp256r1],
        }
    }
}

struct Pair {
    ours: Connection,
    theirs: Dtls,
    to_us: VecDeque<Vec<u8>>,
    to_them: VecDeque<Vec<u8>>,
    now: Instant,
    wake: Option<Instant>,
    rng: Rng,
    loss: u64,
    mtu: usize,
    our_keys: Option<SrtpKeys>,
    their_keys: Option<Vec<u8>>,
    is_connected: [bool; 2],
    received: [Vec<Vec<u8>>; 2],
}

impl Pair {
    fn new(case: Case) -> Self {
        let (our_certificate, their_certificate) = (certificate(1), certificate(2));
        let mut config = Config::new(case.role, our_certificate);
        config.remote_fingerprints = vec![their_certificate.fingerprint(HashAlgorithm::Sha256)];
        (config.min_version, config.max_version) = (case.version, case.version);
        let now = Instant::now();
        let theirs = dimpl::Config::builder()
            .with_crypto_provider(rust_crypto::default_provider())
            .mtu(case.mtu)
            .flight_start_rto(Duration::from_millis(200))
            .use_server_cookie(case.cookie)
            .kx_groups(case.groups)
            .dangerously_set_rng_seed(case.seed);
        let theirs = Arc::new(theirs.build().expect("a configuration"));
        let key = their_certificate.private_key().expect("a key of ours");
        let identity =
            DtlsCertificate { certificate: their_certificate.der().to_vec(), private_key: key.secret_bytes().to_vec() };
        let mut theirs = match case.version {
            Version::Dtls13 => Dtls::new_13(theirs, identity, now),
            _ => Dtls::new_12(theirs, identity, now),
        };
        theirs.set_active(case.role == Role::Server);
        theirs.handle_timeout(now).expect("it begins");
        Self {
            ours: Connection::new(config, Seed::for_test(case.seed)),
            theirs,
            to_us: VecDeque::new(),
            to_them: VecDeque::new(),
            now,
            wake: None,
            rng: Rng::new(Seed::for_test(1000 + case.seed)),
            loss: case.loss,
            mtu: case.mtu,
            our_keys: None,
            their_keys: None,
            is_connected: [false; 2],
            received: [vec![], vec![]],
        }
    }

    fn poll_ours(&mut self) {
        while let Some(event) = self.ours.poll_event() {
            match event {
                Event::Connected { srtp } => (self.our_keys, self.is_connected[0]) = (srtp, true),
                event => panic!("{event:?} {:?}", self.ours.stats()),
            }
        }
        let mut out = Vec::new();
        while self.ours.poll_packet(self.now, self.mtu, &mut out) {
            if self.rng.below(100) >= self.loss {
                self.to_them.push_back(out.clone());
            }
            out.clear();
        }
    }

    fn poll_theirs(&mut self) {
        let mut buffer = vec![0; 4096];
        loop {
            match self.theirs.poll_output(&mut buffer) {
                Output::Packet(packet) => {
                    let is_lost = self.rng.below(100) < self.loss;
                    self.to_us.extend((!is_lost).then(|| packet.to_vec()));
                }
                Output::BufferTooSmall { needed } => buffer.resize(needed, 0),
                Output::Timeout(at) => {
                    self.wake = Some(at);
                    return;
                }
                Output::Connected => self.is_connected[1] = true,
                Output::KeyingMaterial(material, _) => self.their_keys = Some(material.to_vec()),
                Output::ApplicationData(data) => self.received[1].push(data.to_vec()),
                _ => {}
            }
        }
    }

    /// Until nothing is on its way.
    fn exchange(&mut self) {
        loop {
            self.poll_ours();
            self.poll_theirs();
            let (to_us, to_them) = (self.to_us.pop_front(), self.to_them.pop_front());
            if to_us.is_none() && to_them.is_none() {
                return;
            }
            if let Some(mut datagram) = to_us {
                let received = &mut self.received[0];
                self.ours.handle_input(&mut datagram, self.now, |data| received.push(data.to_vec()));
            }
            if let Some(datagram) = to_them {
                self.theirs.handle_packet(&datagram).expect("it takes what we send");
            }
        }
    }

    fn run(&mut self, is_over: impl Fn(&Self) -> bool) {
        let end = self.now + LIMIT;
        loop {
            self.exchange();
            if is_over(self) {
                return;
            }
            let next =
                [self.ours.poll_timeout(self.now), self.wake].into_iter().flatten().min().expect("somebody waits");
            self.now = self.now.max(next) + Duration::from_millis(1);
            assert!(self.now < end, "not within {LIMIT:?}: {:?} {:?}", self.is_connected, self.ours.stats());
            self.ours.handle_timeout(self.now);
            self.theirs.handle_timeout(self.now).expect("it goes on");
        }
    }

    fn connect(case: Case) -> Self {
        let mut pair = Self::new(case);
        pair.run(|pair| pair.is_connected == [true; 2]);
        assert_eq!(pair.ours.version(), Some(case.version));
        let (ours, theirs) = (pair.our_keys.as_ref().expect("SRTP"), pair.their_keys.as_ref().expect("SRTP"));
        let (mut keys, mut salts) = ([ours.local_key(), ours.remote_key()], [ours.local_salt(), ours.remote_salt()]);
        if case.role == Role::Server {
            keys.reverse();
            salts.reverse();
        }
        assert_eq!([keys.concat(), salts.concat()].concat(), *theirs, "the keys of SRTP");
        pair
    }

    /// Both can send to each other; what is lost is sent again.
    fn assert_alive(&mut self) {
        self.loss = 0;
        self.run(|_| true);
        let mut out = Vec::new();
        assert!(self.ours.protect(self.mtu, &mut out, |_, out| {
            out.extend_from_slice(b"from us");
            true
        }));
        self.to_them.push_back(out);
        self.theirs.send_application_data(b"from them").expect("connected");
        self.exchange();
        assert_eq!(self.received[0].last().map(Vec::as_slice), Some(&b"from them"[..]));
        assert_eq!(self.received[1].last().map(Vec::as_slice), Some(&b"from us"[..]));
    }
}

const VERSIONS: [Version; 2] = [Version::Dtls12, Version::Dtls13];
const ROLES: [Role; 2] = [Role::Client, Role::Server];

#[test]
fn both_roles_connect_in_both_versions() {
    for version in VERSIONS {
        for role in ROLES {
            Pair::connect(Case::new(role, version)).assert_alive();
        }
    }
}

#[test]
fn loss_only_delays() {
    for version in VERSIONS {
        for role in ROLES {
            for (loss, mtu) in [(10, 1200), (30, 1200), (10, 400)] {
                for seed in 0..10 {
                    let case = Case { loss, seed, mtu, ..Case::new(role, version) };
                    Pair::connect(case).assert_alive();
                }
            }
        }
    }
}

#[test]
fn a_cookie_is_brought_back() {
    for version in VERSIONS {
        Pair::connect(Case { cookie: true, ..Case::new(Role::Client, version) }).assert_alive();
    }
}

#[test]
fn each_group_is_agreed_upon_with_another_hello_where_its_share_was_not_offered() {
    for role in ROLES {
        for (groups, group) in [(&[NamedGroup::Secp256r1], Group::Secp256r1), (&[NamedGroup::X25519], Group::X25519)] {
            let mut pair = Pair::connect(Case { groups, ..Case::new(role, Version::Dtls13) });
            assert_eq!(pair.ours.group(), Some(group));
            pair.assert_alive();
        }
    }
}

#[test]
fn keys_are_replaced_when_we_want_it() {
    for role in ROLES {
        let mut pair = Pair::connect(Case::new(role, Version::Dtls13));
        pair.assert_alive();
        for is_requested in [false, true, true] {
            pair.ours.update_keys(is_requested);
            pair.exchange();
            pair.assert_alive();
        }
        assert!(pair.ours.stats().key_updates_received >= 2, "{:?}", pair.ours.stats());
    }
}
