//! The attributes of TURN (RFC 8656 §18), read from a message and written into one.

use std::net::SocketAddr;
use std::time::Duration;
use wigwag_stun::{AttributeType, Message, Method};

/// The server shall relay.
pub(crate) const ALLOCATE: Method = method(0x003);
/// And go on relaying, or stop.
pub(crate) const REFRESH: Method = method(0x004);
/// Relay this to a peer.
pub(crate) const SEND: Method = method(0x006);
/// This was relayed from a peer.
pub(crate) const DATA_INDICATION: Method = method(0x007);
/// Let a peer reach us.
pub(crate) const CREATE_PERMISSION: Method = method(0x008);
/// Call a peer by a number.
pub(crate) const CHANNEL_BIND: Method = method(0x009);

const fn method(number: u16) -> Method {
    match Method::new(number) {
        Some(method) => method,
        None => Method::BINDING,
    }
}

pub(crate) const CHANNEL_NUMBER: AttributeType = AttributeType(0x000C);
pub(crate) const LIFETIME: AttributeType = AttributeType(0x000D);
pub(crate) const XOR_PEER_ADDRESS: AttributeType = AttributeType(0x0012);
pub(crate) const DATA: AttributeType = AttributeType(0x0013);
pub(crate) const XOR_RELAYED_ADDRESS: AttributeType = AttributeType(0x0016);
pub(crate) const REQUESTED_ADDRESS_FAMILY: AttributeType = AttributeType(0x0017);
pub(crate) const EVEN_PORT: AttributeType = AttributeType(0x0018);
pub(crate) const REQUESTED_TRANSPORT: AttributeType = AttributeType(0x0019);
pub(crate) const PASSWORD_ALGORITHM: AttributeType = AttributeType(0x001D);
pub(crate) const USERHASH: AttributeType = AttributeType(0x001E);
pub(crate) const ADDITIONAL_ADDRESS_FAMILY: AttributeType = AttributeType(0x8000);
pub(crate) const ADDRESS_ERROR_CODE: AttributeType = AttributeType(0x8001);
pub(crate) const PASSWORD_ALGORITHMS: AttributeType = AttributeType(0x8002);
pub(crate) const ALTERNATE_SERVER: AttributeType = AttributeType(0x8023);
/// Of servers that hand out tokens for a second allocation: our client never asks for one, our server has none.
pub(crate) const RESERVATION_TOKEN: AttributeType = AttributeType(0x0022);

/// UDP, by its number among the protocols of IP (RFC 8656 §18.7).
pub(crate) const UDP: [u8; 4] = [17, 0, 0, 0];

/// Whether an attribute that must be understood is not.
pub(crate) fn has_unknown(message: &Message<'_>) -> bool {
    message.has_unknown_required()
        && message.unknown_required().any(|kind| {
            ![
                CHANNEL_NUMBER,
                LIFETIME,
                XOR_PEER_ADDRESS,
                DATA,
                XOR_RELAYED_ADDRESS,
                REQUESTED_TRANSPORT,
                PASSWORD_ALGORITHM,
                USERHASH,
                RESERVATION_TOKEN,
            ]
            .contains(&kind)
        })
}

/// The value of the first attribute of this type.
pub(crate) fn value<'a>(message: &Message<'a>, kind: AttributeType) -> Option<&'a [u8]> {
    message.iter().find(|(found, _)| *found == kind).map(|(_, value)| value)
}

/// The address in the first attribute of this type.
pub(crate) fn xor_address(message: &Message<'_>, kind: AttributeType) -> Option<SocketAddr> {
    value(message, kind).and_then(|value| message.xor_address(value))
}

/// LIFETIME.
pub(crate) fn lifetime(message: &Message<'_>) -> Option<Duration> {
    let value = value(message, LIFETIME)?.try_into().ok()?;
    Some(Duration::from_secs(u64::from(u32::from_be_bytes(value))))
}
