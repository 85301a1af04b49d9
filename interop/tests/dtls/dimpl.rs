//! dimpl, in process: DTLS 1.2 and 1.3.

use crate::case::{Case, Closer, ROLES};
use crate::certificates;
use crate::simulated::{self, Other};
use dimpl::crypto::rust_crypto;
use dimpl::{Dtls, DtlsCertificate, NamedGroup, Output};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wigwag_dtls::{Group, Role, SrtpProfile, Version};

const VERSIONS: [Version; 2] = [Version::Dtls12, Version::Dtls13];

struct Dimpl {
    dtls: Dtls,
    owed: VecDeque<Vec<u8>>,
    wake: Option<Instant>,
    is_connected: bool,
    exported: Option<Vec<u8>>,
    received: Vec<u8>,
    is_closed: bool,
}

fn dimpl(case: &Case, now: Instant) -> Box<dyn Other> {
    let groups = match case.group {
        Some(Group::Secp256r1) => &[NamedGroup::Secp256r1][..],
        Some(Group::X25519) => &[NamedGroup::X25519],
        _ => &[NamedGroup::X25519, NamedGroup::Secp256r1],
    };
    let config = dimpl::Config::builder()
        .with_crypto_provider(rust_crypto::default_provider())
        .mtu(case.mtu)
        .flight_start_rto(Duration::from_millis(200))
        .use_server_cookie(case.has_cookie)
        .kx_groups(groups)
        .dangerously_set_rng_seed(case.seed);
    let config = Arc::new(config.build().expect("a configuration"));
    let certificate = certificates::certificate(case.theirs);
    let key = certificate.private_key().expect("a key of ours");
    let identity =
        DtlsCertificate { certificate: certificate.der().to_vec(), private_key: key.secret_bytes().to_vec() };
    let mut dtls = match case.version {
        Version::Dtls13 => Dtls::new_13(config, identity, now),
        _ => Dtls::new_12(config, identity, now),
    };
    dtls.set_active(case.role == Role::Server);
    let mut dimpl = Dimpl {
        dtls,
        owed: VecDeque::new(),
        wake: None,
        is_connected: false,
        exported: None,
        received: Vec::new(),
        is_closed: false,
    };
    dimpl.handle_timeout(now);
    Box::new(dimpl)
}

impl Dimpl {
    fn poll(&mut self) {
        let mut buffer = vec![0; 4096];
        loop {
            match self.dtls.poll_output(&mut buffer) {
                Output::Packet(packet) => self.owed.push_back(packet.to_vec()),
                Output::BufferTooSmall { needed } => buffer.resize(needed, 0),
                Output::Timeout(at) => {
                    self.wake = Some(at);
                    return;
                }
                Output::Connected => self.is_connected = true,
                Output::KeyingMaterial(material, _) => self.exported = Some(material.to_vec()),
                Output::ApplicationData(data) => self.received.extend(data),
                Output::CloseNotify => self.is_closed = true,
                _ => {}
            }
        }
    }
}

impl Other for Dimpl {
    fn handle_input(&mut self, datagram: &[u8], now: Instant) {
        self.dtls.handle_timeout(now).expect("it goes on");
        self.poll();
        self.dtls.handle_packet(datagram).expect("it takes what we send");
        self.poll();
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.dtls.handle_timeout(now).expect("it goes on");
        self.poll();
    }

    fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.owed.pop_front()
    }

    fn owes(&self) -> bool {
        !self.owed.is_empty()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.wake
    }

    fn exported(&self) -> Option<Vec<u8>> {
        self.exported.clone().filter(|_| self.is_connected)
    }

    fn send(&mut self, data: &[u8], _now: Instant) {
        self.dtls.send_application_data(data).expect("connected");
        self.poll();
    }

    fn received(&self) -> &[u8] {
        &self.received
    }

    fn close(&mut self, _now: Instant) {
        self.dtls.close().expect("connected");
        self.poll();
    }

    fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// A client whose last flight was acknowledged in vain repeats it until it gives up.
    fn repeats_acknowledgements(&self) -> bool {
        false
    }
}

fn cases() -> impl Iterator<Item = Case> {
    VERSIONS.into_iter().flat_map(|version| ROLES.map(|role| Case::new(role, version)))
}

#[test]
fn both_roles_in_both_versions_and_either_goodbye() {
    let cases = cases().flat_map(|case| [Closer::Ours, Closer::Theirs].map(|closer| Case { closer, ..case }));
    simulated::all(&cases.collect::<Vec<_>>(), 10, dimpl);
}

#[test]
fn small_datagrams() {
    simulated::all(&cases().map(|case| Case { mtu: 400, ..case }).collect::<Vec<_>>(), 10, dimpl);
}

#[test]
fn a_cookie_is_brought_back() {
    let clients = cases().filter(|case| case.role == Role::Client);
    simulated::all(&clients.map(|case| Case { has_cookie: true, ..case }).collect::<Vec<_>>(), 10, dimpl);
}

/// A share that was not offered is asked for with another hello (RFC 8446 §4.1.4).
#[test]
fn each_group_and_each_profile_of_srtp() {
    let groups = [Group::X25519, Group::Secp256r1];
    let groups = cases().flat_map(|case| groups.map(|group| Case { group: Some(group), ..case }));
    let profiles = cases().flat_map(|case| SrtpProfile::DEFAULT.iter().map(move |&profile| Case { profile, ..case }));
    simulated::all(&groups.chain(profiles).collect::<Vec<_>>(), 2, dimpl);
}
