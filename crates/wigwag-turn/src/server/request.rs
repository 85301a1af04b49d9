//! What clients ask for (RFC 8656 §7.2, §8.2, §10.2, §12.2).

use super::allocation::{Allocation, IPV4, IPV6, LIFETIME_DEFAULT, Wanted, seconds};
use super::asked::Asked;
use super::auth::{Known, Shown};
use super::peer_policy::{Verdict, forms};
use super::permission::PERMISSIONS_MAX;
use super::refusal::Refusal;
use super::{CloseReason, FiveTuple, Server};
use crate::attribute::{
    ADDITIONAL_ADDRESS_FAMILY, ALLOCATE, CHANNEL_BIND, CHANNEL_NUMBER, CREATE_PERMISSION, DATA, EVEN_PORT, LIFETIME,
    REFRESH, REQUESTED_ADDRESS_FAMILY, REQUESTED_TRANSPORT, RESERVATION_TOKEN, UDP, XOR_PEER_ADDRESS,
    XOR_RELAYED_ADDRESS, lifetime, value, xor_address,
};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};
use wigwag_stun::{AttributeType, Message, Method};

/// What must be understood, and is; DONT-FRAGMENT is not.
// RFC 8656 §7.2: "The request may contain a DONT-FRAGMENT attribute. If it does, but the server does not support sending UDP datagrams with
// the DF bit set to 1 (see Sections 14 and 15), then the server treats the DONT-FRAGMENT attribute in the Allocate request as an unknown
// comprehension-required attribute."
const UNDERSTOOD: [AttributeType; 9] = [
    CHANNEL_NUMBER,
    LIFETIME,
    XOR_PEER_ADDRESS,
    DATA,
    XOR_RELAYED_ADDRESS,
    REQUESTED_ADDRESS_FAMILY,
    EVEN_PORT,
    REQUESTED_TRANSPORT,
    RESERVATION_TOKEN,
];

/// The attributes that must be understood and are not.
pub(super) fn unknown<'a>(message: &Message<'a>) -> impl Iterator<Item = AttributeType> + Clone + use<'a> {
    message.unknown_required().filter(|kind| !UNDERSTOOD.contains(kind))
}

/// Whether it is a request that only those who are known may make.
pub(super) fn is_served(method: Method) -> bool {
    [ALLOCATE, REFRESH, CREATE_PERMISSION, CHANNEL_BIND].contains(&method)
}

impl Server {
    pub(super) fn serve(&mut self, asked: Asked, message: &Message<'_>, now: Instant) {
        let known = match self.authenticate(&asked.way, message, now) {
            Ok(known) => known,
            Err(refusal) => return self.refuse_stranger(asked, refusal, now),
        };
        let unknown = unknown(message);
        let served = match () {
            () if unknown.clone().next().is_some() => Err(Refusal::UNKNOWN_ATTRIBUTE),
            () => self.serve_known(asked, message, &known, now),
        };
        if let Err(refusal) = served {
            self.refuse(asked, &known, refusal, unknown);
        }
    }

    fn authenticate(&mut self, way: &FiveTuple, message: &Message<'_>, now: Instant) -> Result<Known, Refusal> {
        let shown = Shown::read(message, &self.config.users.realm)?;
        // Before anything else is computed: whoever shows one of ours is where the datagram says.
        if !self.nonces.is_good(shown.nonce, way, now) {
            return Err(Refusal::STALE_NONCE);
        }
        // Whoever has something keeps it, though a password of an hour has run out, or there is another by now.
        let holder = self.allocations.get(way).map(|allocation| &allocation.known);
        let known = match holder.filter(|holder| holder.username == shown.username) {
            Some(holder) => message.is_authentic(&holder.key).then(|| holder.clone()),
            None => self.config.users.signer(message, shown.username, now),
        };
        known.ok_or(Refusal::UNAUTHENTICATED)
    }

    fn serve_known(&mut self, asked: Asked, message: &Message<'_>, known: &Known, now: Instant) -> Result<(), Refusal> {
        if asked.method == ALLOCATE {
            return self.allocate(asked, message, known, now);
        }
        // RFC 8656 §5: "if the 5-tuple does not identify an existing allocation, then the message MUST either be rejected with a 437 Allocation
        // Mismatch error (if it is a request) or be silently ignored (if it is an indication or a ChannelData message)."
        let holder = self.allocations.get(&asked.way).filter(|holder| holder.is_open());
        let holder = holder.ok_or(Refusal::ALLOCATION_MISMATCH)?;
        // RFC 8656 §5: "the request does not use the same username as used to create the allocation, then the request MUST be rejected with
        // a 441 (Wrong Credentials) error."
        if holder.known.username != known.username {
            return Err(Refusal::WRONG_CREDENTIALS);
        }
        let relayed = holder.relayed;
        match asked.method {
            REFRESH => self.refresh(asked, message, relayed, now)?,
            CREATE_PERMISSION => self.create_permission(&asked.way, message, relayed, now)?,
            _ => self.bind_channel(&asked.way, message, relayed, now)?,
        }
        if asked.method != REFRESH {
            self.grant(asked, &known.key, |writer| writer);
        }
        Ok(())
    }

    fn allocate(&mut self, asked: Asked, message: &Message<'_>, known: &Known, now: Instant) -> Result<(), Refusal> {
        if let Some(allocation) = self.allocations.get(&asked.way) {
            // RFC 8656 §7.2: "The server checks if the 5-tuple is currently in use by an existing allocation. If yes, the server rejects
            // the request with a 437 (Allocation Mismatch) error." It may be the request that has made it, sent again.
            let is_same = allocation.made_by == asked.id && allocation.known.username == known.username;
            return match (is_same, allocation.is_open()) {
                (false, _) => Err(Refusal::ALLOCATION_MISMATCH),
                (true, false) => Ok(()),
                (true, true) => {
                    self.tell_allocated(asked, now);
                    Ok(())
                }
            };
        }
        let wanted = self.wanted(message)?;
        self.begin(asked, known.clone(), wanted, now)
    }

    /// What an Allocate request asks for, if the server has it.
    fn wanted(&self, message: &Message<'_>) -> Result<Wanted, Refusal> {
        match value(message, REQUESTED_TRANSPORT) {
            Some([protocol, _, _, _]) if [*protocol] == UDP[..1] => {}
            // RFC 8656 §7.2: "if the attribute is included but specifies a protocol that is not supported by the server, the server rejects
            // the request with a 442 (Unsupported Transport Protocol) error."
            Some([_, _, _, _]) => return Err(Refusal::NO_SUCH_TRANSPORT),
            // RFC 8656 §7.2: "If the REQUESTED-TRANSPORT attribute is not included or is malformed, the server rejects the request with a
            // 400 (Bad Request) error."
            Some(_) | None => return Err(Refusal::BAD_REQUEST),
        }
        let family = |kind| value(message, kind).map(|value| value.first().copied().unwrap_or_default());
        let (requested, additional) = (family(REQUESTED_ADDRESS_FAMILY), family(ADDITIONAL_ADDRESS_FAMILY));
        let even_port = value(message, EVEN_PORT);
        let reserves = even_port.is_some_and(|value| value.first().is_some_and(|flags| flags & 0x80 != 0));
        let has_token = value(message, RESERVATION_TOKEN).is_some();
        let is_contradictory = has_token && (even_port.is_some() || requested.is_some() || additional.is_some())
            || requested.is_some() && additional.is_some()
            || reserves && additional.is_some()
            || additional.is_some_and(|family| family != IPV6);
        if is_contradictory {
            return Err(Refusal::BAD_REQUEST);
        }
        let family = requested.unwrap_or(IPV4);
        let has_family = self.config.relay_addresses.iter().any(|ip| self::family(*ip) == family);
        // RFC 8656 §7.2: "If the REQUESTED-ADDRESS-FAMILY attribute is absent and the server does not support the IPv4 address family, the
        // server MUST include an ERROR-CODE attribute with the 440 (Address Family not Supported) response code."
        if !has_family {
            return Err(Refusal::NO_SUCH_FAMILY);
        }
        // No port is reserved for a second allocation, so no token is good.
        // RFC 8656 §7.2: "If the server cannot satisfy the request, then the server rejects the request with a 508 (Insufficient Capacity)
        // error."
        if has_token || reserves {
            return Err(Refusal::NO_CAPACITY);
        }
        let lifetime = self.granted_lifetime(message);
        let (is_even, has_additional) = (even_port.is_some(), additional.is_some());
        Ok(Wanted { is_ipv6: family == IPV6, is_even, has_additional, lifetime })
    }

    /// How long is granted of what is asked for.
    // RFC 8656 §7.2: "If the request contains a LIFETIME attribute, then the server computes the minimum of the client's proposed lifetime
    // and the server's maximum allowed lifetime. If this computed value is greater than the default lifetime, then the server uses the
    // computed lifetime as the initial value of the time-to-expiry field. Otherwise, the server uses the default lifetime."
    fn granted_lifetime(&self, message: &Message<'_>) -> Duration {
        let proposed = lifetime(message).unwrap_or(LIFETIME_DEFAULT);
        proposed.min(self.config.lifetime_max).max(LIFETIME_DEFAULT)
    }

    fn refresh(
        &mut self,
        asked: Asked,
        message: &Message<'_>,
        relayed: SocketAddr,
        now: Instant,
    ) -> Result<(), Refusal> {
        let requested = value(message, REQUESTED_ADDRESS_FAMILY).and_then(|value| value.first());
        if requested.is_some_and(|family| *family != self::family(relayed.ip())) {
            return Err(Refusal::FAMILY_MISMATCH);
        }
        let Some(key) = self.allocations.get(&asked.way).map(|allocation| allocation.known.key.clone()) else {
            return Err(Refusal::ALLOCATION_MISMATCH);
        };
        // RFC 8656 §8.2: "if the request contains a LIFETIME attribute and the attribute value is zero, then the "desired lifetime" is zero."
        let is_over = lifetime(message).is_some_and(|lifetime| lifetime.is_zero());
        let lifetime = if is_over { Duration::ZERO } else { self.granted_lifetime(message) };
        if is_over {
            // RFC 8656 §8.2: "If the "desired lifetime" is zero, then the request succeeds and the allocation is deleted."
            self.end(asked.way, CloseReason::Released);
        } else {
            self.prolong(asked.way, lifetime, now);
        }
        self.grant(asked, &key, |writer| writer.attribute(LIFETIME, &seconds(lifetime)));
        Ok(())
    }

    fn create_permission(
        &mut self,
        way: &FiveTuple,
        message: &Message<'_>,
        relayed: SocketAddr,
        now: Instant,
    ) -> Result<(), Refusal> {
        let values = message.iter().filter(|(kind, _)| *kind == XOR_PEER_ADDRESS).map(|(_, value)| value);
        let count = values.clone().take(PERMISSIONS_MAX.saturating_add(1)).count();
        if count == 0 {
            return Err(Refusal::BAD_REQUEST);
        }
        if count > PERMISSIONS_MAX {
            return Err(Refusal::NO_CAPACITY);
        }
        let peers: Option<Vec<_>> = values.map(|value| message.xor_address(value).map(|peer| peer.ip())).collect();
        let peers = peers.ok_or(Refusal::BAD_REQUEST)?;
        if peers.iter().any(|peer| family(*peer) != family(relayed.ip())) {
            return Err(Refusal::FAMILY_MISMATCH);
        }
        // RFC 8656 §10.2: the server "MAY impose restrictions" on addresses, and refuses with 403.
        if !peers.iter().all(|peer| self.may_permit(*peer)) {
            return Err(Refusal::FORBIDDEN);
        }
        let allocation = self.allocations.get_mut(way).ok_or(Refusal::ALLOCATION_MISMATCH)?;
        let has_room = allocation.permissions.permit(peers.iter().copied(), now);
        if has_room { Ok(()) } else { Err(Refusal::NO_CAPACITY) }
    }

    fn bind_channel(
        &mut self,
        way: &FiveTuple,
        message: &Message<'_>,
        relayed: SocketAddr,
        now: Instant,
    ) -> Result<(), Refusal> {
        let number = match value(message, CHANNEL_NUMBER) {
            Some([a, b, _, _]) => u16::from_be_bytes([*a, *b]),
            Some(_) | None => return Err(Refusal::BAD_REQUEST),
        };
        let peer = xor_address(message, XOR_PEER_ADDRESS).ok_or(Refusal::BAD_REQUEST)?;
        if family(peer.ip()) != family(relayed.ip()) {
            return Err(Refusal::FAMILY_MISMATCH);
        }
        if !self.may_permit(peer.ip()) || !self.may_reach(peer) {
            return Err(Refusal::FORBIDDEN);
        }
        let Allocation { permissions, channels, .. } =
            self.allocations.get_mut(way).ok_or(Refusal::ALLOCATION_MISMATCH)?;
        if !channels.may_bind(number, peer, now) {
            return Err(Refusal::BAD_REQUEST);
        }
        // RFC 8656 §12.1: "A ChannelBind transaction also creates or refreshes a permission towards the peer"
        let has_room = permissions.permit(std::iter::once(peer.ip()), now) && channels.bind(number, peer, now);
        if has_room { Ok(()) } else { Err(Refusal::NO_CAPACITY) }
    }

    /// Whether anybody may be permitted there.
    pub(super) fn may_permit(&self, ip: IpAddr) -> bool {
        match self.config.peers.judge(ip) {
            Verdict::Denied => false,
            Verdict::Allowed => true,
            // Two clients of ours reach each other by addresses of ours.
            Verdict::Far | Verdict::Near if self.is_own(ip) => {
                forms(ip).any(|ip| self.config.relay_addresses.contains(&ip))
            }
            Verdict::Far => true,
            Verdict::Near => false,
        }
    }

    /// Whether anything may be sent there: of addresses of ours those alone that we relay for others, for what else listens there is not
    /// for strangers, and least of all the server itself.
    pub(super) fn may_reach(&self, peer: SocketAddr) -> bool {
        let is_ours = |ip| self.config.listening.contains(&SocketAddr::new(ip, peer.port()));
        if peer.port() == 0 || forms(peer.ip()).any(is_ours) {
            return false;
        }
        match self.config.peers.judge(peer.ip()) {
            Verdict::Denied => false,
            Verdict::Allowed => true,
            Verdict::Far | Verdict::Near if self.is_own(peer.ip()) => self.relays.client_of(peer).is_some(),
            Verdict::Far => true,
            Verdict::Near => false,
        }
    }

    fn is_own(&self, ip: IpAddr) -> bool {
        forms(ip).any(|ip| {
            self.config.relay_addresses.contains(&ip)
                || self.config.listening.iter().any(|listening| listening.ip() == ip)
        })
    }
}

/// The number of an address's family (RFC 8656 §18.9).
const fn family(ip: IpAddr) -> u8 {
    match ip {
        IpAddr::V4(_) => IPV4,
        IpAddr::V6(_) => IPV6,
    }
}
