//! What holds of everything that two agents send each other, whatever happens on the way.

use crate::{Peer, ROLES, are, end_of_candidates, introduce, strangers, trickle};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use wigwag_ice::State;
use wigwag_sim::{A, Host, World, Z, address, seeds};
use wigwag_stun::{Class, Message, TransactionId};

const MS: Duration = Duration::from_millis(1);
const S: Duration = Duration::from_secs(1);

/// Three addresses each, a network that loses and repeats, and two minutes in which to ask for consent.
fn lived(seed: u64) -> World<Peer> {
    let mut world = strangers(seed, ROLES);
    world.links(A, Z, |link| {
        link.loss(10.0).duplication(10.0);
    });
    introduce(&mut world);
    for host in [A, Z] {
        trickle(&mut world, host, address(host));
        for port in [2000, 2001] {
            let local = SocketAddr::new(address(host).ip(), port);
            world.add_address(host, local);
            trickle(&mut world, host, local);
        }
    }
    end_of_candidates(&mut world);
    world.run_for(20 * S);
    // Six questions for consent that are lost in a row are the end, and with more loss that happens to one of some thousand.
    world.links(A, Z, |link| {
        link.loss(2.0);
    });
    world.run_for(100 * S);
    // At that moment consent may be in doubt: some of it was lost.
    world.run_until(|world| are(world, State::Completed), 30 * S);
    world
}

struct Request {
    at: Duration,
    path: [SocketAddr; 2],
    bytes: Vec<u8>,
}

/// The requests of a host, as they were sent for the first time.
fn requests(world: &World<Peer>, host: Host) -> BTreeMap<TransactionId, Request> {
    let mut first: BTreeMap<TransactionId, Request> = BTreeMap::new();
    for record in world.trace().records().iter().filter(|record| record.from.ip() == address(host).ip()) {
        let message = Message::decode(&record.payload).expect("agents send nothing else (I5)");
        if message.class() == Class::Request {
            let path = [record.from, record.to];
            let request = Request { at: record.at, path, bytes: record.payload.clone() };
            let known = first.entry(message.transaction()).or_insert(request);
            // I7: the same transaction is the same request, on the same path.
            assert_eq!((known.path, &known.bytes), (path, &record.payload));
        }
    }
    first
}

/// I7.
#[test]
fn no_transaction_id_is_used_twice_by_anybody() {
    for seed in seeds(5) {
        let world = lived(seed);
        let [a, z] = [A, Z].map(|host| requests(&world, host));
        assert!(a.len() > 20 && z.len() > 20, "{} and {}", a.len(), z.len());
        assert!(a.keys().all(|transaction| !z.contains_key(transaction)), "nor the peer's");
    }
}

/// I8: at most one new transaction every 50 ms; consent is not paced, and there is no second of it within four seconds. When two of it
/// are lost in a row, the other eight pairs are tried.
#[test]
fn new_checks_are_paced_and_consent_is_seldom() {
    for seed in seeds(5) {
        let world = lived(seed);
        for host in [A, Z] {
            let requests = requests(&world, host);
            let mut times: Vec<_> = requests.values().map(|request| request.at).collect();
            times.sort_unstable();
            let too_soon = times.windows(2).filter(|pair| pair[1] - pair[0] < 50 * MS).count();
            // A consent may fall beside a check, but none is asked for in the beginning.
            assert!(too_soon <= 30, "{too_soon} of {}", times.len());
            let beginning: Vec<_> = times.iter().filter(|at| **at - times[0] < 3 * S).collect();
            assert!(beginning.len() >= 2, "{beginning:?}");
            assert!(beginning.windows(2).all(|pair| *pair[1] - *pair[0] >= 50 * MS), "{beginning:?}");
            let mut end = BTreeMap::<_, usize>::new();
            for request in requests.values().filter(|request| request.at - times[0] > 60 * S) {
                *end.entry(request.path).or_default() += 1;
            }
            // On the others there is the first of a search, and one that the peer's own triggers.
            let asked: Vec<usize> = end.into_values().filter(|count| *count > 2).collect();
            // Each path that comes into use is asked at once, and was searched before.
            let time = *times.last().expect("some") - times[0] - 60 * S;
            let most = time.as_secs() as usize / 4 + asked.len() + 2 * asked.len().saturating_sub(1);
            assert!(asked.iter().sum::<usize>() <= most, "{asked:?} in {time:?}");
        }
    }
}
