//! Two peers, each with a socket and a loop of its own: one calls, the other answers, and a message goes there and back.
//!
//! ```sh
//! cargo run --example own_loop
//! ```

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a program has a clock, sockets, threads and an output; the machines have none"
)]

use std::error::Error;
use std::io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
use std::net::UdpSocket;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime};
use wigwag::{
    Config, DataChannelInit, Datagram, Event, IceCandidate, PeerConnection, SdpType, Seed, SessionDescription,
    WallClock,
};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// No sleep is shorter: what is due in a microsecond may wait for what arrives meanwhile.
const SLEEP_MIN: Duration = Duration::from_millis(1);
/// No sleep is longer: the other thread's signals wait in a channel that does not wake this loop. (A loop on mio, epoll or
/// an async runtime would be woken, and sleep as long as `poll_timeout` says.)
const SLEEP_MAX: Duration = Duration::from_millis(20);
/// No more datagrams are taken before it is asked what shall be sent: a peer that never stops must not keep us from answering.
const BURST_MAX: usize = 64;

/// What travels over your own signalling: a WebSocket, HTTP, a piece of paper.
enum Signal {
    Description(SessionDescription),
    Candidate(Option<IceCandidate>),
}

fn main() -> Result<()> {
    let ((to_bob, from_ann), (to_ann, from_bob)) = (channel(), channel());
    let bob = thread::spawn(move || run("bob", false, &to_ann, &from_ann));
    run("ann", true, &to_bob, &from_bob)?;
    bob.join().map_err(|_| "bob's thread panicked")?
}

fn run(name: &str, calls: bool, to: &Sender<Signal>, from: &Receiver<Signal>) -> Result<()> {
    // One socket for each address of an interface: 0.0.0.0 would not say where a packet has come to.
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let local = socket.local_addr()?;
    // The machines read no clock and draw no randomness: both are handed to them here, once.
    let clock = WallClock::new(Instant::now(), SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?);
    let mut peer = PeerConnection::new(Config::new(clock), Seed::from_secure_source(getrandom::fill)?);
    peer.add_local_address(local)?;
    if calls {
        peer.create_data_channel("greetings", DataChannelInit::default())?;
        let offer = peer.create_offer()?;
        peer.set_local_description(offer.clone())?;
        to.send(Signal::Description(offer))?;
    }

    let (mut out, mut buffer) = (Vec::new(), vec![0; 65_536]);
    loop {
        while let Ok(signal) = from.try_recv() {
            handle_signal(&mut peer, signal, to)?;
        }
        let now = Instant::now();
        peer.handle_timeout(now);
        while let Some(event) = peer.poll_event() {
            println!("{name}: {event:?}");
            match event {
                // The peer may be gone already: then nobody needs our candidates.
                Event::IceCandidate(candidate) => _ = to.send(Signal::Candidate(candidate)),
                Event::ChannelOpened(id) if calls => peer.send(id, "hello".into(), false)?,
                Event::Message { .. } if calls => peer.close(),
                Event::Message { channel, data, is_binary } => peer.send(channel, data, is_binary)?,
                Event::Closed(_) => return Ok(()),
                _ => {}
            }
        }
        while let Some(transmit) = peer.poll_transmit(now, &mut out) {
            // A batch holds datagrams of one size, the last may be shorter. What cannot be sent is lost, as on any network.
            for datagram in out.chunks(transmit.segment_size) {
                let _ = socket.send_to(datagram, transmit.remote);
            }
        }
        let wait = peer.poll_timeout(now).map_or(SLEEP_MAX, |at| at.saturating_duration_since(now));
        socket.set_read_timeout(Some(wait.clamp(SLEEP_MIN, SLEEP_MAX)))?;
        // Sleep until the first one comes, then take those that wait behind it: packets come in bursts, and what overflows
        // the socket's buffer is lost. (The crate `socket2` makes that buffer larger, where the system allows it.)
        socket.set_nonblocking(false)?;
        for _ in 0..BURST_MAX {
            match socket.recv_from(&mut buffer) {
                Ok((len, remote)) => {
                    peer.handle_input(Datagram::udp(local, remote, &mut buffer[..len]), Instant::now());
                }
                Err(error) if matches!(error.kind(), WouldBlock | TimedOut | Interrupted) => break,
                Err(error) => return Err(error.into()),
            }
            socket.set_nonblocking(true)?;
        }
    }
}

fn handle_signal(peer: &mut PeerConnection, signal: Signal, to: &Sender<Signal>) -> Result<()> {
    match signal {
        Signal::Candidate(candidate) => peer.add_ice_candidate(candidate.as_ref())?,
        Signal::Description(description) => {
            let is_offer = description.kind == SdpType::Offer;
            peer.set_remote_description(description)?;
            if is_offer {
                let answer = peer.create_answer()?;
                peer.set_local_description(answer.clone())?;
                to.send(Signal::Description(answer))?;
            }
        }
    }
    Ok(())
}
