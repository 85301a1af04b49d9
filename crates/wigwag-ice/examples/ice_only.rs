//! Two agents find a path to each other, each with a socket and a thread of its own; then plain bytes go over it. For
//! whoever wants paths through NATs, and no WebRTC.
//!
//! ```sh
//! cargo run -p wigwag-ice --example ice_only
//! ```

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a program has a clock, sockets, threads and an output; the machine has none"
)]

use std::error::Error;
use std::io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
use std::net::UdpSocket;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};
use wigwag_ice::{Agent, Config, Credentials, Event, LocalCandidate, Path, RemoteCandidate, Role};
use wigwag_sansio::{Datagram, Seed};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const SLEEP_MIN: Duration = Duration::from_millis(1);
const SLEEP_MAX: Duration = Duration::from_millis(20);
/// How long what was said last may still be on its way.
const PATIENCE: Duration = Duration::from_secs(1);

/// What your signalling carries, in both directions.
enum Signal {
    Credentials(Credentials),
    Candidate(RemoteCandidate),
    /// There are no more.
    EndOfCandidates,
}

fn main() -> Result<()> {
    let ((to_bob, from_ann), (to_ann, from_bob)) = (channel(), channel());
    let bob = thread::spawn(move || run("bob", Role::Controlled, &to_ann, &from_ann));
    run("ann", Role::Controlling, &to_bob, &from_bob)?;
    bob.join().map_err(|_| "bob's thread panicked")?
}

fn run(name: &str, role: Role, to: &Sender<Signal>, from: &Receiver<Signal>) -> Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let local = socket.local_addr()?;
    // Whoever begins controls: the other one is controlled.
    let mut config = Config::default();
    config.role = role;
    let mut agent = Agent::new(config, Seed::from_secure_source(getrandom::fill)?);

    to.send(Signal::Credentials(agent.local_credentials().clone()))?;
    // One candidate for each address of an interface; `add_stun_server` would find out how NATs show them to others.
    let candidate = agent.add_local_candidate(LocalCandidate::host(local))?;
    to.send(Signal::Candidate(RemoteCandidate::from(&candidate)))?;
    agent.end_of_local_candidates();
    to.send(Signal::EndOfCandidates)?;

    let (mut out, mut buffer) = (Vec::new(), vec![0; 65_536]);
    let mut greeted: Option<Instant> = None;
    let mut has_heard = false;
    loop {
        while let Ok(signal) = from.try_recv() {
            match signal {
                Signal::Credentials(credentials) => agent.set_remote_credentials(credentials),
                Signal::Candidate(candidate) => agent.add_remote_candidate(candidate)?,
                Signal::EndOfCandidates => agent.end_of_remote_candidates(),
            }
        }
        let now = Instant::now();
        agent.handle_timeout(now);
        while let Some(event) = agent.poll_event() {
            println!("{name}: {event:?}");
            if let Event::PathSelected(Path { remote, .. }) = event {
                // From now on anything may be sent there: SRTP, QUIC, a game. It must not look like STUN (RFC 7983).
                socket.send_to(format!("hello from {name}").as_bytes(), remote)?;
                greeted.get_or_insert(now);
            }
        }
        while let Some(transmit) = agent.poll_transmit(now, &mut out) {
            let _ = socket.send_to(&out, transmit.remote);
        }
        // The other end may still need our answers to its checks.
        if has_heard && greeted.is_some_and(|at| now.saturating_duration_since(at) > PATIENCE) {
            return Ok(());
        }
        let wait = agent.poll_timeout(now).map_or(SLEEP_MAX, |at| at.saturating_duration_since(now));
        socket.set_read_timeout(Some(wait.clamp(SLEEP_MIN, SLEEP_MAX)))?;
        match socket.recv_from(&mut buffer) {
            Ok((len, remote)) => {
                let datagram = Datagram::udp(local, remote, &mut buffer[..len]);
                let path = Path::of(&datagram);
                // The two highest bits of STUN are zero. Whatever else comes is taken from where the peer has shown itself.
                if datagram.payload.first().is_some_and(|first| *first < 4) {
                    agent.handle_input(datagram, Instant::now());
                } else if agent.is_open(path) {
                    println!("{name}: heard {:?}", String::from_utf8_lossy(datagram.payload));
                    has_heard = true;
                }
            }
            Err(error) if matches!(error.kind(), WouldBlock | TimedOut | Interrupted) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
