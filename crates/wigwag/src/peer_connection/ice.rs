//! Addresses, candidates, and beginning ICE anew (RFC 8445 §9, RFC 9429 §4.1.19).
//!
//! A restart is prepared when a description with new credentials of ours is set, and happens when both sides' descriptions
//! are agreed upon: an offer that is refused or taken back changes nothing, and data goes on all the while.

use super::PeerConnection;
use crate::config::IceTransportPolicy;
use crate::description::IceCandidate;
use crate::error::{AddressError, Error};
use crate::jsep::{LocalTransport, SignalingState};
use crate::mapping;
use crate::state::IceGatheringState;
use std::net::SocketAddr;
use wigwag_ice::{self as ice, Path, TcpType};

/// So many candidates of a description that is not agreed upon are kept: as many as the agent takes.
const HELD_MAX: usize = 100;

/// The peer's candidates for a description that is not agreed upon.
#[derive(Debug, Default)]
pub(super) struct Held {
    candidates: Vec<ice::RemoteCandidate>,
    is_end: bool,
}

impl PeerConnection {
    /// W3C `restartIce`: the next offer begins ICE anew, with new credentials, which
    /// [`Event::NegotiationNeeded`](crate::Event::NegotiationNeeded) asks for. Data goes on where it goes, until a new path
    /// is chosen. After the connection has [failed](crate::ConnectionState::Failed) or the network has changed, this is what
    /// helps.
    ///
    /// Before anything was negotiated there is nothing to restart, and nothing changes.
    ///
    /// # Errors
    /// The connection is closed.
    pub fn restart_ice(&mut self) -> Result<(), Error> {
        self.ensure_open()?;
        self.jsep.want_ice_restart();
        self.needs_negotiation();
        Ok(())
    }

    /// An address on which datagrams arrive and leave: a host candidate, unless
    /// [`ice_transport_policy`](field@crate::Config::ice_transport_policy) allows relayed ones alone. One call for each address of an interface
    /// (`wigwag_mio::interfaces`, or the crate `if-addrs`, lists them).
    ///
    /// Behind a NAT that gives this machine a public address of its own, as clouds do, that is the address to add: then datagrams that come
    /// to the socket behind it name it, and what leaves from it leaves by that socket.
    ///
    /// Datagrams that come name one of these as their [`Datagram::local`](crate::Datagram::local); those that name another
    /// are counted in [`drops`](Self::drops), as `ice.unknown_local_address`.
    ///
    /// # Errors
    /// No packet can come to such an address, as of a socket bound to `0.0.0.0` or `[::]`, or to port 0; or it is of IPv4 and written
    /// as one of IPv6.
    pub fn add_local_address(&mut self, address: SocketAddr) -> Result<(), AddressError> {
        AddressError::check(address)?;
        if let Some(relays) = &mut self.transport.relays {
            relays.add_base(address);
        }
        if self.config.ice_transport_policy == IceTransportPolicy::Relay {
            self.may_tell = true;
            return Ok(());
        }
        self.add_host(ice::LocalCandidate::host(address))
    }

    /// An address has vanished: nothing is sent from it any more. If it was in use, another one that works takes its place,
    /// or the next one that is added: the call goes on if one comes within the time that [`ConnectionState::Failed`] names.
    ///
    /// [`ConnectionState::Failed`]: crate::ConnectionState::Failed
    pub fn remove_local_address(&mut self, address: SocketAddr) {
        if let Some(relays) = &mut self.transport.relays {
            relays.remove_base(address, &mut self.transport.ice);
            relays.settle(&mut self.transport.ice); // it may have been the last that was waited for
        }
        self.transport.ice.remove_local_candidate(address);
        self.settle_names();
        self.jsep.update_candidates(&self.local_transport());
        self.may_tell = true;
    }

    /// An address for ICE over TCP (RFC 6544), which is tried where UDP does not come through: where streams are accepted
    /// ([`TcpType::Passive`], the listener's address and port), or where they are opened from ([`TcpType::Active`], of which the port means
    /// nothing). Whoever drives the connection opens, accepts and closes streams as [`Datagram`](crate::Datagram)s and
    /// [`Transmit`](crate::Transmit)s of [`Protocol::Tcp`](crate::Protocol::Tcp) say, which are named by both their addresses; of one that
    /// we open, the local port is but a name. Browsers open streams and accept none.
    ///
    /// With an [`ice_transport_policy`](field@crate::Config::ice_transport_policy) that allows relays alone it is not used.
    ///
    /// # Errors
    /// As for [`add_local_address`](Self::add_local_address).
    pub fn add_local_tcp_address(&mut self, address: SocketAddr, tcp_type: TcpType) -> Result<(), AddressError> {
        AddressError::check_tcp(address, tcp_type)?;
        self.may_tell = true;
        if self.config.ice_transport_policy == IceTransportPolicy::Relay {
            return Ok(());
        }
        let candidate = match tcp_type {
            TcpType::Active => ice::LocalCandidate::tcp_active(address.ip()),
            TcpType::Passive => ice::LocalCandidate::tcp_passive(address),
        };
        self.add_host(candidate)
    }

    fn add_host(&mut self, candidate: ice::LocalCandidate) -> Result<(), AddressError> {
        self.hide(candidate.address.ip());
        let added = self.transport.ice.add_local_candidate(candidate);
        self.may_tell = true;
        self.settle_names(); // it may be one too many
        let candidate = added.map_err(|_| AddressError::NotTaken(candidate.address))?;
        self.gathering.found(&candidate, &self.transport.ice.offered_credentials().ufrag);
        self.jsep.update_candidates(&self.local_transport());
        Ok(())
    }

    /// An address for ICE over TCP has vanished; its streams are closed.
    pub fn remove_local_tcp_address(&mut self, address: SocketAddr, tcp_type: TcpType) {
        self.transport.ice.remove_local_tcp_candidate(address, tcp_type);
        self.settle_names();
        self.jsep.update_candidates(&self.local_transport());
        self.may_tell = true;
    }

    /// The name that the server's certificate must be for, of a stream that a transmit of [`Protocol::Tls`](crate::Protocol::Tls) opens.
    /// Whoever drives the connection asks for it then, and checks it.
    pub fn tls_server_name(&self, stream: Path) -> Option<&str> {
        self.transport.relays.as_ref()?.tls_server_name(stream)
    }

    /// Whoever drives the connection knows why a stream could not be opened or is about to end, as a sentence without its full stop: it is
    /// told in [`Event::IceCandidateError`](crate::Event::IceCandidateError). The empty input that ends the stream follows.
    pub fn explain_stream_end(&mut self, stream: Path, why: &str) {
        if let Some(relays) = &mut self.transport.relays {
            relays.explain_end(stream, why);
        }
    }

    /// W3C `addIceCandidate`; `None`, or an empty candidate, says that these were all.
    ///
    /// A candidate that cannot be used here (a name that is no UUID and `.local`, over TCP one that accepts no streams, another family) is ignored without error; so is
    /// one that names another description than the last, and one that comes when ICE has failed. One that hides its address behind a
    /// `.local` name is used when that is [resolved](crate::Event::NameResolutionNeeded).
    ///
    /// # Errors
    /// There is no remote description yet, or it has no such section; the text is not a candidate, there are more than 100, or the
    /// connection is closed. In W3C's perfect negotiation, whoever ignores an offer ignores the errors of its candidates, too.
    pub fn add_ice_candidate(&mut self, candidate: Option<&IceCandidate>) -> Result<(), Error> {
        self.ensure_open()?;
        if self.jsep.remote_description().is_none() {
            return Err(Error::NoRemoteDescription);
        }
        self.may_tell = true;
        let Some(candidate) = candidate else {
            self.end_of_remote_candidates();
            return Ok(());
        };
        let is_end = candidate.candidate.is_empty();
        let parsed = if is_end { None } else { Some(wigwag_sdp::Candidate::parse(&candidate.candidate)?) };
        let named = parsed.as_ref().and_then(|parsed| parsed.extensions.get("ufrag"));
        let ufrag = candidate.username_fragment.as_deref().or(named);
        let index = candidate.sdp_m_line_index.map(usize::from);
        self.jsep.ensure_section(candidate.sdp_mid.as_deref(), index)?;
        if !self.jsep.takes_candidate(candidate.sdp_mid.as_deref(), index, ufrag) {
            return Ok(());
        }
        match parsed {
            None => self.end_of_remote_candidates(),
            Some(parsed) => {
                if let Some(mapped) = mapping::remote_candidate(&parsed) {
                    self.add_remote_candidate(mapped)?;
                }
            }
        }
        Ok(())
    }

    fn add_remote_candidate(&mut self, candidate: ice::RemoteCandidate) -> Result<(), Error> {
        if self.is_agreed() {
            self.let_through();
            return match self.take_candidate(candidate) {
                // What has failed begins anew with other candidates, or not at all.
                Err(ice::Error::Ended) => Ok(()),
                result => Ok(result?),
            };
        }
        if self.held.candidates.len() >= HELD_MAX {
            return Err(ice::Error::TooManyCandidates.into());
        }
        self.held.candidates.push(candidate);
        Ok(())
    }

    /// Servers that relay are told of the peer's candidates.
    pub(super) fn let_through(&mut self) {
        if let Some(relays) = &mut self.transport.relays {
            relays.follow_anew();
        }
    }

    fn end_of_remote_candidates(&mut self) {
        if self.is_agreed() {
            self.transport.ice.end_of_remote_candidates();
        } else {
            self.held.is_end = true;
        }
    }

    /// Whether the agent goes by the peer's last description.
    fn is_agreed(&self) -> bool {
        self.remote_credentials().is_some_and(|credentials| self.transport.ice.is_peer(&credentials))
    }

    pub(super) fn remote_credentials(&self) -> Option<ice::Credentials> {
        let remote = self.jsep.remote_transport()?;
        Some(ice::Credentials { ufrag: remote.ufrag.clone(), password: remote.pwd.clone() })
    }

    /// What our descriptions that were set say of the transport.
    pub(super) fn local_transport(&self) -> LocalTransport {
        self.transport_with(self.transport.ice.offered_credentials())
    }

    /// What a new description says of it: new credentials, if it begins anew. Nothing changes until it is set.
    pub(super) fn transport_to_describe(&mut self, is_new: bool) -> LocalTransport {
        if !is_new {
            return self.local_transport();
        }
        let credentials = self.transport.ice.new_credentials();
        LocalTransport { end_of_candidates: false, ..self.transport_with(&credentials) }
    }

    fn transport_with(&self, credentials: &ice::Credentials) -> LocalTransport {
        let is_complete = self.gathering.state() == IceGatheringState::Complete;
        let init = self.sctp_init.as_deref();
        mapping::local_transport(&self.transport.ice, credentials, &self.certificate, is_complete, init)
    }

    /// Whether our next offer is to begin anew.
    pub(super) fn offers_anew(&self) -> bool {
        self.jsep.is_to_be_replaced(&self.transport.ice.offered_credentials().ufrag)
    }

    /// RFC 8839 §4.4.1.1.1: whether our next answer is to begin anew, as the peer's offer does.
    pub(super) fn answers_anew(&self) -> bool {
        self.transport.ice.has_peer() && !self.is_agreed()
    }

    /// A description of ours was set: checks that name its credentials are for us from now on.
    pub(super) fn prepare_restart(&mut self) {
        let agent = &mut self.transport.ice;
        let Some((ufrag, password)) = self.jsep.local_credentials() else { return };
        if ufrag == agent.local_credentials().ufrag {
            agent.cancel_restart();
        } else {
            agent.prepare_restart(ice::Credentials { ufrag: ufrag.to_owned(), password: password.to_owned() });
        }
    }

    /// Our offer was taken back, or the peer's is another now.
    pub(super) fn cancel_restart(&mut self) {
        self.held = Held::default();
        self.transport.ice.cancel_restart();
        self.begin_gathering();
    }

    /// Tells the candidates for the description that was set last, unless they are told already.
    pub(super) fn begin_gathering(&mut self) {
        let Some((mid, index)) = self.jsep.candidate_section() else { return };
        let has_begun = self.gathering.begin(mid, index, &self.transport.ice);
        if let Some(relays) = self.transport.relays.as_mut().filter(|_| has_begun) {
            relays.begin();
        }
    }

    /// There will be no more candidates but those that servers have still to tell.
    pub(super) fn end_of_local_candidates(&mut self) {
        match &mut self.transport.relays {
            Some(relays) => {
                relays.want_end();
                relays.settle(&mut self.transport.ice);
            }
            None => self.transport.ice.end_of_local_candidates(),
        }
    }

    /// Nothing is sent before the application has answered: a check tells the caller where we are, and that we are here
    /// (RFC 8827 §6.4).
    pub(super) fn apply_ice(&mut self) {
        match self.jsep.signaling_state() {
            SignalingState::HaveLocalOffer | SignalingState::HaveRemoteOffer | SignalingState::Closed => return,
            SignalingState::Stable | SignalingState::HaveLocalPranswer | SignalingState::HaveRemotePranswer => {}
        }
        let Some((credentials, remote)) = self.remote_credentials().zip(self.jsep.remote_transport()) else { return };
        if remote.ice_lite {
            self.transport.ice.set_remote_lite();
        }
        self.transport.ice.set_remote_credentials(credentials);
        let described: Vec<_> = remote.candidates.iter().filter_map(mapping::remote_candidate).collect();
        let is_end = remote.end_of_candidates;
        let held = std::mem::take(&mut self.held);
        for candidate in described.into_iter().chain(held.candidates) {
            // Too many candidates are counted by the agent: what has a place may still work.
            let _ = self.take_candidate(candidate);
        }
        if is_end || held.is_end {
            self.transport.ice.end_of_remote_candidates();
        }
        self.let_through();
    }
}
