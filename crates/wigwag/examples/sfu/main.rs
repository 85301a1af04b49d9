//! A conference through a server (an SFU): many members on one port of it, each sends once and gets what all the others send.
//! Nothing is decoded. The server itself is in `room.rs`; here are its socket, its signalling, and three members who come in turn.
//!
//! ```sh
//! cargo run -p wigwag --example sfu
//! ```

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a program has a clock, sockets, threads and an output; the machines have none"
)]

mod room;

use room::{Room, Told};
use std::collections::BTreeMap;
use std::error::Error;
use std::io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime};
use wigwag::{
    Config, ConnectionId, Datagram, Direction, Endpoint, EndpointConfig, Event, Frame, MediaKind, PeerConnection, Seed,
    SessionDescription, TransceiverId, WallClock, congestion,
};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const NAMES: [&str; 3] = ["ann", "bob", "cem"];
/// So many pictures of each other member are enough; then a member stays a little, for the others may not have had enough.
const ENOUGH: u32 = 25;
/// The pictures in three sizes (simulcast), and how many bytes each has: the server chooses for each listener.
const LAYERS: [(&str, usize); 3] = [("q", 200), ("h", 800), ("f", 3000)];
const FAREWELL: Duration = Duration::from_secs(2);
const PICTURE: Duration = Duration::from_millis(20);
const SLEEP_MIN: Duration = Duration::from_millis(1);
const SLEEP_MAX: Duration = Duration::from_millis(20);
/// No more datagrams are taken before it is asked what shall be sent.
const BURST_MAX: usize = 64;

/// What travels over your own signalling, a WebSocket for each member: here a channel to the server, and one to each member.
enum Signal {
    Join(String, SessionDescription, Sender<(ConnectionId, SessionDescription)>),
    Description(ConnectionId, SessionDescription),
}

fn main() -> Result<()> {
    let (to_server, signals) = channel();
    let members: Vec<_> = (0..)
        .zip(NAMES)
        .map(|(n, name)| {
            let to_server = to_server.clone();
            thread::spawn(move || {
                thread::sleep(PICTURE * 20 * n); // they come in turn
                member(name, &to_server)
            })
        })
        .collect();
    serve(&signals)?;
    members.into_iter().try_for_each(|member| member.join().map_err(|_| "a member panicked")?)
}

/// Ends when all have come and gone.
fn serve(signals: &Receiver<Signal>) -> Result<()> {
    let mut socket = Socket::new()?;
    let mut endpoint = Endpoint::new(EndpointConfig::default(), Seed::from_secure_source(getrandom::fill)?);
    endpoint.add_local_address(socket.local)?;
    let mut room = Room::default();
    let mut members = BTreeMap::new();
    let mut gone = 0;
    while gone < NAMES.len() {
        while let Ok(signal) = signals.try_recv() {
            match signal {
                Signal::Join(name, offer, reply) => match room.join(&mut endpoint, &name, config()?, offer) {
                    Ok((id, answer)) => {
                        let _ = reply.send((id, answer));
                        members.insert(id, reply);
                    }
                    Err(error) => {
                        println!("server: {name} is refused: {error}");
                        gone += 1;
                    }
                },
                // One member's nonsense is not the end of the others.
                Signal::Description(id, description) => match room.describe(&mut endpoint, id, description) {
                    Ok(Some(answer)) => _ = members.get(&id).map(|member| member.send((id, answer))),
                    Ok(None) => {}
                    Err(error) => println!("server: {id}: {error}"),
                },
            }
        }
        let now = Instant::now();
        endpoint.handle_timeout(now);
        while let Some(event) = endpoint.poll_event() {
            match room.handle_event(&mut endpoint, event) {
                Some(Told::Offer(id, offer)) => _ = members.get(&id).map(|member| member.send((id, offer))),
                Some(Told::Left(id, name)) => {
                    println!("server: {name} has left");
                    members.remove(&id);
                    gone += 1;
                }
                None => {}
            }
        }
        while let Some(transmit) = endpoint.poll_transmit(now, &mut socket.out) {
            socket.send(transmit.segment_size, transmit.remote);
        }
        socket.receive(endpoint.poll_timeout(now), now, |datagram| {
            endpoint.handle_input(datagram, Instant::now());
        })?;
    }
    Ok(())
}

/// Sends pictures, such as they are, and looks at those of the others until it has seen enough. A browser's page does it in fewer
/// lines: `docs/sfu.md` has them.
fn member(name: &str, server: &Sender<Signal>) -> Result<()> {
    let mut socket = Socket::new()?;
    let mut peer = PeerConnection::new(config()?, Seed::from_secure_source(getrandom::fill)?);
    peer.add_local_address(socket.local)?;
    let camera = peer.add_transceiver(MediaKind::Video, Direction::Sendonly)?;
    peer.set_send_layers(camera, LAYERS.map(|(rid, _)| rid))?;
    let offer = peer.create_offer()?;
    peer.set_local_description(offer)?;
    let (reply, replies) = channel();
    server.send(Signal::Join(name.to_owned(), peer.local_description().ok_or("just set")?, reply))?;
    let (id, answer) = replies.recv()?;
    peer.set_remote_description(answer)?;

    let (mut seen, mut number, mut wants_key) = (BTreeMap::new(), 0u32, true);
    let (mut next, mut leaves, mut is_over) = (Instant::now(), None, false);
    while !is_over {
        while let Ok((_, offer)) = replies.try_recv() {
            peer.set_remote_description(offer)?;
            let answer = peer.create_answer()?;
            peer.set_local_description(answer.clone())?;
            server.send(Signal::Description(id, answer))?;
        }
        let now = Instant::now();
        if now >= next {
            // Something that is longer than a packet, and begins as a VP8 frame does: with a bit that says whether it is a key frame.
            let mut is_taken = true;
            for (rid, len) in LAYERS {
                let picture = [&[u8::from(!wants_key)], &number.to_be_bytes()[..], &vec![7; len]].concat();
                let frame = Frame::new(payload_type(&peer, camera), number * 1800, picture.into());
                is_taken &= peer.write_layer_frame(camera, rid, frame).is_ok();
            }
            wants_key &= !is_taken;
            (number, next) = (number + 1, now + PICTURE);
        }
        if leaves.is_some_and(|at| at <= now) {
            peer.close();
        }
        peer.handle_timeout(now);
        while let Some(event) = peer.poll_event() {
            match event {
                Event::Track(track) if peer.transceiver(track).is_some() => peer.receive_frames(track)?,
                Event::KeyFrameRequested { .. } => wants_key = true,
                Event::Frame { transceiver, frame, .. } if frame.is_decodable => {
                    *seen.entry(whose(&peer, transceiver)).or_insert(0) += 1;
                    let has_enough = seen.len() == NAMES.len() - 1 && seen.values().all(|pictures| *pictures >= ENOUGH);
                    leaves = leaves.or(has_enough.then_some(now + FAREWELL));
                }
                Event::Closed(_) => is_over = true,
                _ => {}
            }
        }
        while let Some(transmit) = peer.poll_transmit(now, &mut socket.out) {
            socket.send(transmit.segment_size, transmit.remote);
        }
        socket.receive(peer.poll_timeout(now), now, |datagram| peer.handle_input(datagram, Instant::now()))?;
    }
    println!("{name} has seen {seen:?}");
    Ok(())
}

fn payload_type(peer: &PeerConnection, track: TransceiverId) -> u8 {
    let negotiated = peer.transceiver(track).and_then(|found| found.negotiated.as_ref());
    negotiated.and_then(|negotiated| negotiated.send_codecs.first()).map_or(0, |codec| codec.payload_type)
}

fn whose(peer: &PeerConnection, track: TransceiverId) -> String {
    let negotiated = peer.transceiver(track).and_then(|found| found.negotiated.as_ref());
    negotiated.and_then(|negotiated| negotiated.remote_stream_ids.first().cloned()).unwrap_or_default()
}

fn config() -> Result<Config> {
    let clock = WallClock::new(Instant::now(), SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?);
    let mut config = Config::new(clock);
    config.media_congestion_control = Some(congestion::Config::new()); // the server learns what each listener's path takes
    Ok(config)
}

/// As in `one_port`.
struct Socket {
    socket: UdpSocket,
    local: SocketAddr,
    out: Vec<u8>,
    buffer: Vec<u8>,
}

impl Socket {
    fn new() -> Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        let local = socket.local_addr()?;
        Ok(Self { socket, local, out: Vec::new(), buffer: vec![0; 65_536] })
    }

    fn send(&self, segment_size: usize, remote: SocketAddr) {
        for datagram in self.out.chunks(segment_size) {
            let _ = self.socket.send_to(datagram, remote); // or it is lost, as on any network
        }
    }

    /// Sleeps until the first one comes or it is time, then takes those that wait behind it.
    fn receive(&mut self, until: Option<Instant>, now: Instant, mut handle: impl FnMut(Datagram<'_>)) -> Result<()> {
        let wait = until.map_or(SLEEP_MAX, |at| at.saturating_duration_since(now));
        self.socket.set_read_timeout(Some(wait.clamp(SLEEP_MIN, SLEEP_MAX)))?;
        self.socket.set_nonblocking(false)?;
        for _ in 0..BURST_MAX {
            match self.socket.recv_from(&mut self.buffer) {
                Ok((len, remote)) => handle(Datagram::udp(self.local, remote, &mut self.buffer[..len])),
                Err(error) if matches!(error.kind(), WouldBlock | TimedOut | Interrupted) => break,
                Err(error) => return Err(error.into()),
            }
            self.socket.set_nonblocking(true)?;
        }
        Ok(())
    }
}
