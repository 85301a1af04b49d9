//! usrsctp: a program of ours (interop/peers/usrsctp_peer.c) in a process of its own, which is told what time it is.

use crate::{End, How, Options, State};
use bytes::Bytes;
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// How often its timers run.
const TICK: Duration = Duration::from_millis(10);
/// What usrsctp.h calls the policies of RFC 3758.
mod policy {
    pub(super) const RELIABLE: u16 = 0;
    pub(super) const LIFETIME: u16 = 1;
    pub(super) const RETRANSMITS: u16 = 3;
}

pub(crate) struct Usrsctp {
    process: Child,
    requests: ChildStdin,
    answers: ChildStdout,
    epoch: Instant,
    /// When its timers ran last.
    ticked: Instant,
    packets: VecDeque<Vec<u8>>,
    messages: VecDeque<(u16, Bytes)>,
    resets: Vec<u16>,
    state: State,
}

/// The program, compiled once.
fn program() -> &'static Path {
    static COMPILED: OnceLock<PathBuf> = OnceLock::new();
    COMPILED.get_or_init(|| {
        let interop = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let program = interop.join(format!("target/usrsctp_peer-{}", std::process::id()));
        let mut command = Command::new("cc");
        command.args(["-Wall", "-Wextra", "-Werror", "-O1"]).arg(interop.join("peers/usrsctp_peer.c"));
        // Not the shared one, whose clock would not be ours.
        command.args(["-l:libusrsctp.a", "-pthread", "-o"]).arg(&program);
        assert!(command.status().expect("a compiler of C").success(), "{command:?}: cargo xtask setup --compiled");
        program
    })
}

impl Usrsctp {
    pub(crate) fn new(now: Instant) -> Self {
        let mut command = Command::new(program());
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a process");
        let requests = process.stdin.take().expect("its input");
        let answers = process.stdout.take().expect("its output");
        let (packets, messages, resets) = Default::default();
        let state = State::Connecting;
        let mut peer = Self { process, requests, answers, epoch: now, ticked: now, packets, messages, resets, state };
        peer.ask(b'L', &[], now);
        peer
    }

    /// Whether it had room.
    fn ask(&mut self, letter: u8, bytes: &[u8], now: Instant) -> bool {
        let time = now.saturating_duration_since(self.epoch).as_micros() as u64;
        self.ticked = self.ticked.max(now);
        let mut request = vec![letter];
        request.extend_from_slice(&time.to_ne_bytes());
        request.extend_from_slice(&(bytes.len() as u32).to_ne_bytes());
        request.extend_from_slice(bytes);
        self.requests.write_all(&request).expect("a process that reads");
        let mut had_room = true;
        loop {
            let (letter, bytes) = self.read_answer().expect("a process that answers");
            let stream = || u16::from_ne_bytes([bytes[0], bytes[1]]);
            match letter {
                b'.' => return had_room,
                b'P' => self.packets.push_back(bytes),
                b'M' => self.messages.push_back((stream(), Bytes::copy_from_slice(&bytes[2..]))),
                b'X' => self.resets.push(stream()),
                b'C' => self.state = State::Connected,
                b'E' => self.state = State::Closed,
                b'F' => had_room = false,
                other => panic!("an answer {other}"),
            }
        }
    }

    fn read_answer(&mut self) -> std::io::Result<(u8, Vec<u8>)> {
        let mut head = [0; 5];
        self.answers.read_exact(&mut head)?;
        let [letter, len @ ..] = head;
        let mut bytes = vec![0; u32::from_ne_bytes(len) as usize];
        self.answers.read_exact(&mut bytes)?;
        Ok((letter, bytes))
    }
}

impl Drop for Usrsctp {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl End for Usrsctp {
    fn connect(&mut self, now: Instant) {
        self.ask(b'C', &[], now);
    }

    fn handle_input(&mut self, packet: &[u8], now: Instant) {
        self.ask(b'P', packet, now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.ask(b'T', &[], now);
    }

    fn poll_timeout(&self, _: Instant) -> Option<Instant> {
        Some(self.ticked + TICK)
    }

    fn poll_packet(&mut self, _: Instant, out: &mut Vec<u8>) -> bool {
        let packet = self.packets.pop_front();
        out.extend(packet.iter().flatten());
        packet.is_some()
    }

    fn send(&mut self, stream: u16, data: &Bytes, how: How, now: Instant) -> bool {
        let (policy, value) = match (how.retransmits_max, how.lifetime) {
            (Some(max), _) => (policy::RETRANSMITS, u32::from(max)),
            (None, Some(lifetime)) => (policy::LIFETIME, lifetime.as_millis() as u32),
            (None, None) => (policy::RELIABLE, 0),
        };
        let mut request = [stream, u16::from(how.unordered), policy].map(u16::to_ne_bytes).concat();
        request.extend_from_slice(&value.to_ne_bytes());
        request.extend_from_slice(data);
        self.ask(b'S', &request, now)
    }

    fn poll_message(&mut self) -> Option<(u16, Bytes)> {
        self.messages.pop_front()
    }

    fn reset(&mut self, stream: u16, now: Instant) {
        self.ask(b'R', &stream.to_ne_bytes(), now);
    }

    fn peer_resets(&mut self) -> Vec<u16> {
        std::mem::take(&mut self.resets)
    }

    fn shutdown(&mut self, now: Instant) {
        self.ask(b'D', &[], now);
    }

    fn state(&self) -> State {
        self.state
    }

    fn agreed(&self) -> Options {
        Options::default()
    }
}
