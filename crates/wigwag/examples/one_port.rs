//! A server: many peers on one port and one thread, as an SFU or a game has them. Three clients call it, each gets its
//! messages back.
//!
//! ```sh
//! cargo run --example one_port
//! ```

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a program has a clock, sockets, threads and an output; the machines have none"
)]

use std::error::Error;
use std::io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime};
use wigwag::{
    Config, ConnectionId, ConnectionState, DataChannelInit, Datagram, Endpoint, EndpointConfig, EndpointEvent, Event,
    PeerConnection, Seed, SessionDescription, WallClock,
};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const CLIENTS: usize = 3;
const SLEEP_MIN: Duration = Duration::from_millis(1);
const SLEEP_MAX: Duration = Duration::from_millis(20);
/// No more datagrams are taken before it is asked what shall be sent.
const BURST_MAX: usize = 64;

/// An endpoint with its socket. The same for one peer and for a hundred thousand.
struct Node {
    endpoint: Endpoint,
    socket: UdpSocket,
    local: SocketAddr,
    out: Vec<u8>,
    buffer: Vec<u8>,
}

impl Node {
    fn new() -> Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        let local = socket.local_addr()?;
        let seed = Seed::from_secure_source(getrandom::fill)?;
        let mut endpoint = Endpoint::new(EndpointConfig::default(), seed);
        endpoint.add_local_address(local)?;
        Ok(Self { endpoint, socket, local, out: Vec::new(), buffer: vec![0; 65_536] })
    }

    fn connect(&mut self) -> Result<ConnectionId> {
        let clock = WallClock::new(Instant::now(), SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?);
        Ok(self.endpoint.create(Config::new(clock))?)
    }

    /// One turn of the loop; `handle` is told what happened.
    fn turn(&mut self, mut handle: impl FnMut(&mut Endpoint, ConnectionId, Event) -> Result<()>) -> Result<()> {
        let now = Instant::now();
        self.endpoint.handle_timeout(now);
        while let Some(event) = self.endpoint.poll_event() {
            if let EndpointEvent::Connection(id, event) = event {
                handle(&mut self.endpoint, id, event)?;
            }
        }
        while let Some(transmit) = self.endpoint.poll_transmit(now, &mut self.out) {
            for datagram in self.out.chunks(transmit.segment_size) {
                let _ = self.socket.send_to(datagram, transmit.remote);
            }
        }
        let wait = self.endpoint.poll_timeout(now).map_or(SLEEP_MAX, |at| at.saturating_duration_since(now));
        self.socket.set_read_timeout(Some(wait.clamp(SLEEP_MIN, SLEEP_MAX)))?;
        // Sleep until the first one comes, then take those that wait behind it: what overflows the socket's buffer is lost.
        self.socket.set_nonblocking(false)?;
        for _ in 0..BURST_MAX {
            match self.socket.recv_from(&mut self.buffer) {
                Ok((len, remote)) => {
                    let datagram = Datagram::udp(self.local, remote, &mut self.buffer[..len]);
                    self.endpoint.handle_input(datagram, Instant::now());
                }
                Err(error) if matches!(error.kind(), WouldBlock | TimedOut | Interrupted) => break,
                Err(error) => return Err(error.into()),
            }
            self.socket.set_nonblocking(true)?;
        }
        Ok(())
    }
}

/// A client's offer, and where its answer goes.
type Call = (SessionDescription, Sender<SessionDescription>);

fn main() -> Result<()> {
    let (call, calls) = channel();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let call = call.clone();
            thread::spawn(move || client(number, &call))
        })
        .collect();
    serve(&calls)?;
    clients.into_iter().try_for_each(|client| client.join().map_err(|_| "a client panicked")?)
}

/// Ends when all clients have come and gone.
fn serve(calls: &Receiver<Call>) -> Result<()> {
    let mut node = Node::new()?;
    let (mut served, mut gone) = (0, 0);
    while gone < CLIENTS {
        while let Ok((offer, reply)) = calls.try_recv() {
            let id = node.connect()?;
            let connection = node.endpoint.connection_mut(id).ok_or("just created")?;
            match answer(connection, offer) {
                // The client may be gone already: then the connection fails later.
                Ok(answer) => _ = reply.send(answer),
                // One client's nonsense is not the end of the others.
                Err(error) => {
                    println!("server: refused {id}: {error}");
                    node.endpoint.remove(id);
                    gone += 1;
                }
            }
        }
        node.turn(|endpoint, id, event| {
            match event {
                Event::Message { channel, data, is_binary } => {
                    served += 1;
                    let connection = endpoint.connection_mut(id).ok_or("it has just spoken")?;
                    // A client that takes nothing while it sends has a full buffer one day: it can wait for `Event::Writable`, or go.
                    if connection.send(channel, data, is_binary).is_err() {
                        connection.close();
                    }
                }
                // A client that vanishes says no goodbye: this is the last that is told of it, unless ICE is restarted.
                Event::ConnectionStateChanged(ConnectionState::Failed) => {
                    println!("server: {id} has failed");
                    endpoint.remove(id);
                    gone += 1;
                }
                // Its place is free again, and the id names nothing any more.
                Event::Closed(reason) => {
                    println!("server: {id} is over: {reason}");
                    gone += 1;
                }
                _ => {}
            }
            Ok(())
        })?;
    }
    println!("server: {served} messages went back, over one port");
    Ok(())
}

fn answer(connection: &mut PeerConnection, offer: SessionDescription) -> Result<SessionDescription> {
    connection.set_remote_description(offer)?;
    let answer = connection.create_answer()?;
    connection.set_local_description(answer)?;
    // Our one address is in the description by now: no candidate has to follow it.
    Ok(connection.local_description().ok_or("just set")?)
}

fn client(number: usize, call: &Sender<Call>) -> Result<()> {
    let mut node = Node::new()?;
    let id = node.connect()?;
    let connection = node.endpoint.connection_mut(id).ok_or("just created")?;
    connection.create_data_channel("echo", DataChannelInit::default())?;
    let offer = connection.create_offer()?;
    connection.set_local_description(offer)?;
    let (reply, replies) = channel();
    call.send((connection.local_description().ok_or("just set")?, reply))?;
    connection.set_remote_description(replies.recv()?)?;
    let mut is_over = false;
    while !is_over {
        node.turn(|endpoint, id, event| {
            match (event, endpoint.connection_mut(id)) {
                (Event::ChannelOpened(channel), Some(connection)) => {
                    connection.send(channel, format!("client {number}").into(), false)?;
                }
                (Event::Message { data, .. }, Some(connection)) => {
                    println!("client {number}: {} came back", String::from_utf8_lossy(&data));
                    connection.close();
                }
                (Event::Closed(_), _) => is_over = true,
                _ => {}
            }
            Ok(())
        })?;
    }
    Ok(())
}
