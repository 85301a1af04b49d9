//! A relay of UDP that loses datagrams, or is slow.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use wigwag_sansio::{Rng, Seed};

/// How often a thread looks whether it is wanted still.
const TICK: Duration = Duration::from_millis(20);

/// Carries datagrams between one client and one server, and loses some of both directions: which ones, each by its number
/// in its direction, follows from the seed.
pub(crate) struct Relay {
    /// Where the client shall send to.
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    /// Of a hundred.
    loss: AtomicU64,
    /// Of what goes to the client, in bit/s; 0 if all passes at once.
    rate: AtomicU64,
    counts: [[AtomicU64; 2]; 2],
    client: Mutex<Option<SocketAddr>>,
    is_over: AtomicBool,
}

/// What became of datagrams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) lost: u64,
}

#[derive(Clone, Copy)]
enum To {
    Server,
    Client,
}

impl Relay {
    /// Loses `loss` of a hundred of what goes to `server`, and of what comes from there.
    pub(crate) fn start(server: SocketAddr, loss: u64, seed: u64) -> io::Result<Self> {
        let front = Arc::new(UdpSocket::bind((server.ip(), 0))?);
        let back = Arc::new(UdpSocket::bind((server.ip(), 0))?);
        back.connect(server)?;
        for socket in [&front, &back] {
            socket.set_read_timeout(Some(TICK))?;
        }
        let shared = Arc::new(Shared::default());
        shared.loss.store(loss, Ordering::Relaxed);
        let address = front.local_addr()?;
        let run = |to: To, label| {
            let (front, back, shared) = (front.clone(), back.clone(), shared.clone());
            let rng = Rng::new(Seed::for_test(seed).fork(label));
            thread::spawn(move || shared.carry(to, &front, &back, rng))
        };
        let threads = vec![run(To::Server, "to the server"), run(To::Client, "to the client")];
        Ok(Self { address, shared, threads })
    }

    /// Loses so many of a hundred from now on.
    pub(crate) fn lose(&self, loss: u64) {
        self.shared.loss.store(loss, Ordering::Relaxed);
    }

    /// Carries no more than this to the client from now on, in bit/s, UDP and IP included; what comes faster waits as long as the
    /// kernel has room for it. 0: all at once.
    pub(crate) fn limit(&self, bits_per_second: u64) {
        self.shared.rate.store(bits_per_second, Ordering::Relaxed);
    }

    /// What became of what was carried so far, in both directions.
    pub(crate) fn counts(&self) -> [Counts; 2] {
        self.shared
            .counts
            .each_ref()
            .map(|[passed, lost]| Counts { passed: passed.load(Ordering::Relaxed), lost: lost.load(Ordering::Relaxed) })
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        self.threads.drain(..).for_each(|thread| drop(thread.join()));
    }
}

impl Shared {
    fn carry(&self, to: To, front: &UdpSocket, back: &UdpSocket, mut rng: Rng) {
        let mut buffer = vec![0; 65_536];
        while !self.is_over.load(Ordering::Relaxed) {
            let received = match to {
                To::Server => front.recv_from(&mut buffer),
                To::Client => back.recv_from(&mut buffer),
            };
            // Nobody has sent, or the other end is not there yet.
            let Ok((len, from)) = received else { continue };
            if matches!(to, To::Client) {
                let bits = 8 * (len as u64 + 28);
                let time = (bits * 1_000_000).checked_div(self.rate.load(Ordering::Relaxed));
                thread::sleep(Duration::from_micros(time.unwrap_or(0)));
            }
            let is_lost = rng.below(100) < self.loss.load(Ordering::Relaxed);
            self.counts[to as usize][usize::from(is_lost)].fetch_add(1, Ordering::Relaxed);
            let mut client = self.client.lock().expect("no thread panics");
            match to {
                To::Server => *client = Some(from),
                To::Client => {}
            }
            let _ = match (is_lost, to, *client) {
                (false, To::Server, _) => back.send(&buffer[..len]),
                (false, To::Client, Some(client)) => front.send_to(&buffer[..len], client),
                _ => continue,
            };
        }
    }
}

#[test]
fn a_relay_loses_what_it_is_told_to_lose_and_nothing_else() {
    use std::net::Ipv4Addr;
    const SENT: u64 = 1000;
    let run = |loss| {
        let [client, server] = [0, 1].map(|_| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket"));
        let relay = Relay::start(server.local_addr().expect("its address"), loss, 7).expect("a relay");
        client.connect(relay.address).expect("an address");
        let (mut arrived, mut buffer) = (vec![], [0; 8]);
        for n in 0..SENT {
            client.send(&n.to_be_bytes()).expect("sent");
            while relay.counts()[0].passed + relay.counts()[0].lost <= n {
                thread::yield_now();
            }
            if relay.counts()[0].passed > arrived.len() as u64 {
                let (len, from) = server.recv_from(&mut buffer).expect("it came");
                server.send_to(&buffer[..len], from).expect("sent back");
                arrived.push(u64::from_be_bytes(buffer));
            }
        }
        relay.lose(0);
        (arrived, relay.counts())
    };
    let (arrived, [there, _]) = run(0);
    assert_eq!((arrived, there), ((0..SENT).collect(), Counts { passed: SENT, lost: 0 }));
    for loss in [10, 30] {
        let (arrived, [there, _]) = run(loss);
        assert_eq!(there.passed + there.lost, SENT);
        assert!(there.lost.abs_diff(10 * loss) < 45, "{loss} %: {there:?}");
        assert_eq!(run(loss).0, arrived, "the same seed, another loss");
    }
}

#[test]
fn a_relay_is_as_slow_as_it_is_told_towards_the_client() {
    use std::net::Ipv4Addr;
    let [client, server] = [0, 1].map(|_| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket"));
    let relay = Relay::start(server.local_addr().expect("its address"), 0, 7).expect("a relay");
    let mut buffer = [0; 972];
    client.send_to(&buffer, relay.address).expect("sent");
    let (_, back) = server.recv_from(&mut buffer).expect("it came");
    let mut time = |rate| {
        relay.limit(rate);
        let began = std::time::Instant::now();
        for _ in 0..10 {
            server.send_to(&buffer, back).expect("sent back");
        }
        (0..10).for_each(|_| _ = client.recv_from(&mut buffer).expect("it came"));
        began.elapsed()
    };
    // 8,000 bits each, with what is around them.
    assert!(time(400_000) >= Duration::from_millis(200));
    time(0);
    assert_eq!(relay.counts()[1], Counts { passed: 20, lost: 0 });
}
