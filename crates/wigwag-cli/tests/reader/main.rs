//! DTLS 1.3 as somebody reads it who has the two files of `--pcap` and `--keylog`: a reader of our own, for tshark 4.0 has none.
//!
//! It shares no code with what it reads: captures, key schedule and records are written here anew, from the RFCs.

#![expect(clippy::unwrap_used, reason = "a test")]

mod capture;
mod keys;
mod record;

use capture::datagrams;
use keys::{KeyLog, Sender, Suite};
use record::{Found, read};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use wigwag::{Config, DataChannelInit, Datagram, Event, PeerConnection, Seed, Tapped, WallClock, pcapng};
use wigwag_dtls::{Certificate, CipherSuite, HashAlgorithm, Role, Version};

const SINCE_1970: Duration = Duration::from_secs(1_790_000_000);
const SECRET: &str = "nobody on the way shall read this";
/// SCTP (RFC 9260 §3.1, §3.2): the common header, and the type of the first chunk behind it.
const COMMON_HEADER_LEN: usize = 12;
const INIT: u8 = 1;

/// The two files of a call.
#[derive(Default)]
struct Recording {
    capture: Vec<u8>,
    key_log: String,
}

impl Recording {
    fn begin() -> Self {
        let mut recording = Self::default();
        pcapng::begin(&mut recording.capture);
        recording
    }

    fn read(&self) -> Found {
        read(&datagrams(&self.capture), &KeyLog::parse(&self.key_log))
    }
}

/// One end of a call.
struct End {
    connection: PeerConnection,
    address: SocketAddr,
    signals: Vec<Event>,
    received: Vec<String>,
}

impl End {
    fn new(port: u16, clock: WallClock, is_tapped: bool) -> Self {
        let mut config = Config::new(clock);
        config.dtls_versions = Version::Dtls13..=Version::Dtls13;
        (config.tap.key_log, config.tap.packets) = (is_tapped, is_tapped);
        let mut connection = PeerConnection::new(config, Seed::for_test(port.into()));
        let address = SocketAddr::from(([10, 0, 0, 1], port));
        connection.add_local_address(address).unwrap();
        Self { connection, address, signals: Vec::new(), received: Vec::new() }
    }

    /// Sends the secret on every channel that opens, and keeps what comes.
    fn poll_events(&mut self) {
        while let Some(event) = self.connection.poll_event() {
            match event {
                Event::ChannelOpened(id) => self.connection.send(id, SECRET.into(), false).unwrap(),
                Event::Message { data, .. } => self.received.push(String::from_utf8(data.to_vec()).unwrap()),
                event => self.signals.push(event),
            }
        }
    }
}

/// A call of two peers with one channel, over which each says one sentence, as the first of them records it.
fn call() -> Recording {
    let mut now = Instant::now();
    let clock = WallClock::new(now, SINCE_1970);
    let mut ends = [End::new(1000, clock, true), End::new(2000, clock, false)];
    let mut recording = Recording::begin();
    ends[0].connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
    let offer = ends[0].connection.create_offer().unwrap();
    ends[0].connection.set_local_description(offer.clone()).unwrap();
    ends[1].connection.set_remote_description(offer).unwrap();
    let answer = ends[1].connection.create_answer().unwrap();
    ends[1].connection.set_local_description(answer.clone()).unwrap();
    ends[0].connection.set_remote_description(answer).unwrap();
    let end = now + Duration::from_secs(20);
    let mut out = Vec::new();
    while ends.iter().any(|end| end.received != [SECRET]) && now < end {
        for i in [0, 1] {
            ends[i].connection.handle_timeout(now);
            ends[i].poll_events();
            for signal in std::mem::take(&mut ends[i].signals) {
                if let Event::IceCandidate(candidate) = signal {
                    ends[1 - i].connection.add_ice_candidate(candidate.as_ref()).unwrap();
                }
            }
            while let Some(transmit) = ends[i].connection.poll_transmit(now, &mut out) {
                let to = &mut ends[1 - i];
                for payload in out.chunks_mut(transmit.segment_size) {
                    to.connection.handle_input(Datagram::udp(to.address, transmit.local, payload), now);
                }
            }
        }
        while let Some(tapped) = ends[0].connection.poll_tap() {
            tapped.append_pcapng(&mut recording.capture);
            if let Tapped::KeyLog(line) = &tapped {
                recording.key_log += &format!("{}\n", line.as_str());
            }
        }
        now += Duration::from_millis(1);
    }
    for end in &ends {
        assert_eq!(end.received, [SECRET]);
        assert_eq!(end.connection.transport_stats().dtls_version, Some(Version::Dtls13));
    }
    recording
}

/// Whether this is SCTP that begins an association: nobody who has the wrong keys sees such a thing.
fn is_init(packet: &[u8]) -> bool {
    packet.get(COMMON_HEADER_LEN) == Some(&INIT)
}

fn holds(data: &[u8], text: &str) -> bool {
    data.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn a_call_is_read_from_its_capture_and_its_keys() {
    let recording = call();
    let found = recording.read();
    assert_eq!((found.closed, found.suite), (0, Some(Suite::Aes128GcmSha256)));
    assert!(found.others > 2, "the handshake behind the hellos: {}", found.others);
    // Which packets these are, who has recorded them says beside them.
    let data: Vec<_> = found.data.iter().map(|(_, data)| &data[..]).collect();
    assert_eq!(data, capture::plain(&recording.capture, "sctp"));
    for sender in [Sender::Client, Sender::Server] {
        let said = found.data.iter().filter(|(from, data)| *from == sender && holds(data, SECRET));
        assert!(said.count() > 0, "what the {sender:?} said");
    }
    assert!(data.iter().any(|packet| is_init(packet)));
}

#[test]
fn who_has_not_all_the_keys_reads_the_less() {
    let recording = call();
    let all = recording.read();
    let without = |label: &str| {
        let lines = recording.key_log.lines().filter(|line| !line.starts_with(label));
        let key_log = lines.map(|line| format!("{line}\n")).collect();
        Recording { capture: recording.capture.clone(), key_log }.read()
    };
    let nothing = without("");
    assert_eq!((nothing.data.len(), nothing.closed), (0, all.data.len() + all.others));
    let half = without("SERVER_TRAFFIC_SECRET_0 ");
    assert!(half.data.iter().all(|(sender, _)| *sender == Sender::Client) && !half.data.is_empty());
    assert_eq!(without("EXPORTER_SECRET ").closed, 0);
}

/// Two connections, without the rest of a call; their datagrams go into a capture.
struct Wire {
    ends: [wigwag_dtls::Connection; 2],
    recording: Recording,
    now: Instant,
}

impl Wire {
    fn new(suite: CipherSuite) -> Self {
        let certificates = [1, 2].map(|n| Arc::new(Certificate::generate(SINCE_1970, Seed::for_test(n)).unwrap()));
        let ends = [Role::Client, Role::Server].map(|role| {
            let (own, other) = if role == Role::Client { (0, 1) } else { (1, 0) };
            let mut config = wigwag_dtls::Config::new(role, certificates[own].clone());
            config.remote_fingerprints = vec![certificates[other].fingerprint(HashAlgorithm::Sha256)];
            (config.min_version, config.max_version) = (Version::Dtls13, Version::Dtls13);
            (config.cipher_suites, config.key_log) = (vec![suite], role == Role::Client);
            wigwag_dtls::Connection::new(config, Seed::for_test(own as u64))
        });
        Self { ends, recording: Recording::begin(), now: Instant::now() }
    }

    fn carry(&mut self, from: usize, payload: &mut [u8]) {
        let address = |end: usize| SocketAddr::from(([10, 0, 0, 1], 1000 + end as u16));
        let (from_address, to) = (address(from), address(1 - from));
        let passage = pcapng::Passage { time: SINCE_1970, direction: None, from: from_address, to };
        assert!(pcapng::datagram(&mut self.recording.capture, &passage, payload));
        self.ends[1 - from].handle_input(payload, self.now, |_| {});
    }

    /// Until nobody owes anything, now or in a second.
    fn settle(&mut self) {
        for _ in 0..20 {
            for from in [0, 1] {
                self.ends[from].handle_timeout(self.now);
                let mut out = Vec::new();
                while self.ends[from].poll_packet(self.now, 1200, &mut out) {
                    self.carry(from, &mut out);
                    out.clear();
                }
            }
            while let Some(line) = self.ends[0].poll_key_log() {
                self.recording.key_log += &format!("{line}\n");
            }
            self.now += Duration::from_millis(50);
        }
    }

    fn say(&mut self, from: usize, text: &str) {
        let mut out = Vec::new();
        assert!(self.ends[from].protect(1200, &mut out, |_, out| {
            out.extend_from_slice(text.as_bytes());
            true
        }));
        self.carry(from, &mut out);
    }
}

#[test]
fn every_cipher_suite_is_read_through_replaced_keys_and_many_records() {
    for (&suite, other) in CipherSuite::ALL.iter().filter(|suite| suite.version() == Version::Dtls13).zip([
        Suite::Aes128GcmSha256,
        Suite::Aes256GcmSha384,
        Suite::ChaCha20Poly1305Sha256,
    ]) {
        let mut wire = Wire::new(suite);
        wire.settle();
        let mut said = Vec::new();
        for round in 0..5 {
            for n in 0..100 {
                for (from, sender) in [(0, Sender::Client), (1, Sender::Server)] {
                    let text = format!("{sender:?}, {round}.{n}");
                    wire.say(from, &text);
                    said.push((sender, text.into_bytes()));
                }
            }
            wire.ends[round % 2].update_keys(true);
            wire.settle();
        }
        assert!(wire.ends.iter().all(|end| end.stats().key_updates_received >= 5), "keys were replaced");
        let found = wire.recording.read();
        assert_eq!((found.closed, found.suite), (0, Some(other)));
        assert!(found.data == said, "{} of {}", found.data.len(), said.len());
    }
}

/// The program's own files; a call of DTLS 1.2 has nothing for this reader, and tshark reads it.
#[test]
fn what_the_program_records_is_read() {
    let folder = std::env::temp_dir().join(format!("wigwag-reader-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let files = ["call.pcapng", "keys"].map(|name| folder.join(name));
    let mut wigwag = Command::new(env!("CARGO_BIN_EXE_wigwag"));
    wigwag.args(["loopback", "--seconds", "1", "--json"]).arg("--pcap").arg(&files[0]).arg("--keylog").arg(&files[1]);
    let output = wigwag.stdin(Stdio::null()).output().unwrap();
    let recording =
        Recording { capture: std::fs::read(&files[0]).unwrap(), key_log: std::fs::read_to_string(&files[1]).unwrap() };
    std::fs::remove_dir_all(folder).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let found = recording.read();
    if result["dtls"] == "1.3" {
        assert!(found.closed == 0 && found.data.len() > 100, "{} and {}", found.closed, found.data.len());
        assert!(found.data.iter().any(|(_, packet)| is_init(packet)));
    } else {
        assert!(found.data.is_empty() && found.suite.is_none());
    }
}
