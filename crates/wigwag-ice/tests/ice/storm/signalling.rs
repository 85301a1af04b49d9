//! What the programs tell each other: offers, answers and candidates, late but in order and none lost.

use super::party::Party;
use std::net::SocketAddr;
use std::time::Duration;
use wigwag_ice::{Credentials, LocalCandidate, RemoteCandidate};
use wigwag_sim::{A, Host, World, Z};

fn other(host: Host) -> Host {
    if host == A { Z } else { A }
}

/// Does something at the other side, some time later.
fn say(world: &mut World<Party>, from: Host, delay: u64, what: impl FnOnce(&mut World<Party>) + Send + 'static) {
    let at = (world.age() + Duration::from_millis(delay % 1500)).max(world[from].said_until);
    world[from].said_until = at;
    world.at(at, what);
}

/// All addresses of a host, as far as it knows them.
fn candidates(world: &World<Party>, of: Host) -> Vec<RemoteCandidate> {
    world[of].agent.local_candidates().iter().map(RemoteCandidate::from).collect()
}

/// The host finds the address that it has.
pub(super) fn gather(world: &mut World<Party>, host: Host) {
    let local = LocalCandidate::host(world[host].address);
    let party = &mut world[host];
    party.found.extend(party.agent.add_local_candidate(local).ok());
}

/// What was found is signalled.
pub(super) fn trickle(world: &mut World<Party>, host: Host) {
    for candidate in &std::mem::take(&mut world[host].found) {
        let (ufrag, candidate) = (world[host].agent.offered_credentials().ufrag.clone(), candidate.into());
        let to = other(host);
        say(world, host, 50, move |world| world[to].early.push((ufrag, candidate)));
        say(world, host, 50, move |world| take_early(world, to));
    }
}

/// Candidates are those of the generation that they name, or of none yet.
fn take_early(world: &mut World<Party>, host: Host) {
    let of_peer = world[other(host)].agent.local_credentials().clone();
    if !world[host].agent.is_peer(&of_peer) {
        return;
    }
    let party = &mut world[host];
    let (now, later) = std::mem::take(&mut party.early).into_iter().partition(|(ufrag, _)| *ufrag == of_peer.ufrag);
    party.early = later;
    let now: Vec<(String, RemoteCandidate)> = now;
    now.into_iter().for_each(|(_, candidate)| _ = party.agent.add_remote_candidate(candidate));
}

fn meet(world: &mut World<Party>, host: Host, credentials: Credentials, candidates: Vec<RemoteCandidate>) {
    let party = &mut world[host];
    party.agent.set_remote_credentials(credentials);
    candidates.into_iter().for_each(|candidate| _ = party.agent.add_remote_candidate(candidate));
    party.agent.end_of_local_candidates();
    party.agent.end_of_remote_candidates();
}

/// Begins anew, or begins. Of two offers at once none is begun: who is polite knows that from elsewhere.
pub(super) fn offer(world: &mut World<Party>, from: Host, delay: u64) -> bool {
    if [A, Z].iter().any(|host| world[*host].offer.is_some()) {
        return false;
    }
    let agent = &mut world[from].agent;
    if agent.has_peer() {
        let credentials = agent.new_credentials();
        agent.prepare_restart(credentials);
    }
    let credentials = agent.offered_credentials().clone();
    world[from].offer = Some(delay);
    let (to, told) = (other(from), candidates(world, from));
    say(world, from, delay, move |world| {
        // Taken back meanwhile.
        if world[from].offer == Some(delay) {
            meet(world, to, credentials, told);
            answer(world, to, delay);
        }
    });
    true
}

fn answer(world: &mut World<Party>, from: Host, delay: u64) {
    let (credentials, told) = (world[from].agent.local_credentials().clone(), candidates(world, from));
    let to = other(from);
    // Nobody takes back what was answered.
    world[to].offer = Some(u64::MAX);
    say(world, from, delay / 1500, move |world| {
        meet(world, to, credentials, told);
        world[to].offer = None;
        [A, Z].into_iter().for_each(|host| take_early(world, host));
    });
}

/// The offer is taken back, if nobody has answered it yet.
pub(super) fn take_back(world: &mut World<Party>, host: Host) -> bool {
    let is_open = world[host].offer.is_some_and(|offer| offer != u64::MAX) && world[host].agent.has_peer();
    if is_open {
        world[host].agent.cancel_restart();
        world[host].offer = None;
    }
    is_open
}

/// The host has another address; its program notices before or after it has lost the old one.
pub(super) fn move_on(world: &mut World<Party>, host: Host, delay: u64) {
    let (old, moves) = (world[host].address, world[host].moves);
    let [a, b, c, _] = match old {
        SocketAddr::V4(old) => old.ip().octets(),
        SocketAddr::V6(_) => return,
    };
    let base = if host == A { 10 } else { 110 };
    let new = SocketAddr::from(([a, b, c, base + moves % 90], 1000));
    world[host].moves = moves.wrapping_add(1);
    world.change_address(host, old, new);
    world[host].address = new;
    let later = world.age() + Duration::from_millis(delay % 3000);
    let lose = move |world: &mut World<Party>| world[host].agent.remove_local_candidate(old);
    let find = move |world: &mut World<Party>| gather(world, host);
    if delay.is_multiple_of(2) {
        lose(world);
        world.at(later, find);
    } else {
        find(world);
        world.at(later, lose);
    }
}
