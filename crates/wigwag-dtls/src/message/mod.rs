//! Handshake messages (RFC 5246 §7.4, RFC 6347 §4.2.2, RFC 8446 §4): one file a message, each a value that decodes and encodes its
//! body.

#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

pub(crate) mod certificate;
pub(crate) mod certificate_13;
pub(crate) mod certificate_request;
pub(crate) mod certificate_request_13;
pub(crate) mod certificate_verify;
pub(crate) mod client_hello;
pub(crate) mod client_key_exchange;
pub(crate) mod encrypted_extensions;
pub(crate) mod extension;
pub(crate) mod hello_verify_request;
pub(crate) mod key_update;
pub(crate) mod new_session_ticket;
pub(crate) mod server_hello;
pub(crate) mod server_key_exchange;
#[cfg(test)]
mod tests;

pub(crate) use certificate::Certificate;
pub(crate) use certificate_13::Certificate13;
pub(crate) use certificate_request::CertificateRequest;
pub(crate) use certificate_request_13::CertificateRequest13;
pub(crate) use certificate_verify::CertificateVerify;
pub(crate) use client_hello::ClientHello;
pub(crate) use client_key_exchange::ClientKeyExchange;
pub(crate) use encrypted_extensions::EncryptedExtensions;
pub(crate) use hello_verify_request::HelloVerifyRequest;
pub(crate) use key_update::KeyUpdate;
pub(crate) use new_session_ticket::NewSessionTicket;
pub(crate) use server_hello::ServerHello;
pub(crate) use server_key_exchange::ServerKeyExchange;

/// The type of a handshake message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct HandshakeType(pub(crate) u8);

impl HandshakeType {
    pub(crate) const HELLO_REQUEST: Self = Self(0);
    pub(crate) const CLIENT_HELLO: Self = Self(1);
    pub(crate) const SERVER_HELLO: Self = Self(2);
    pub(crate) const HELLO_VERIFY_REQUEST: Self = Self(3);
    pub(crate) const NEW_SESSION_TICKET: Self = Self(4);
    pub(crate) const ENCRYPTED_EXTENSIONS: Self = Self(8);
    pub(crate) const CERTIFICATE: Self = Self(11);
    pub(crate) const SERVER_KEY_EXCHANGE: Self = Self(12);
    pub(crate) const CERTIFICATE_REQUEST: Self = Self(13);
    pub(crate) const SERVER_HELLO_DONE: Self = Self(14);
    pub(crate) const CERTIFICATE_VERIFY: Self = Self(15);
    pub(crate) const CLIENT_KEY_EXCHANGE: Self = Self(16);
    pub(crate) const FINISHED: Self = Self(20);
    pub(crate) const KEY_UPDATE: Self = Self(24);
    /// Never on the wire (RFC 8446 §4.4.1).
    pub(crate) const MESSAGE_HASH: Self = Self(254);
}

impl std::fmt::Debug for HandshakeType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match *self {
            Self::HELLO_REQUEST => "HelloRequest",
            Self::CLIENT_HELLO => "ClientHello",
            Self::SERVER_HELLO => "ServerHello",
            Self::HELLO_VERIFY_REQUEST => "HelloVerifyRequest",
            Self::NEW_SESSION_TICKET => "NewSessionTicket",
            Self::ENCRYPTED_EXTENSIONS => "EncryptedExtensions",
            Self::CERTIFICATE => "Certificate",
            Self::SERVER_KEY_EXCHANGE => "ServerKeyExchange",
            Self::CERTIFICATE_REQUEST => "CertificateRequest",
            Self::SERVER_HELLO_DONE => "ServerHelloDone",
            Self::CERTIFICATE_VERIFY => "CertificateVerify",
            Self::CLIENT_KEY_EXCHANGE => "ClientKeyExchange",
            Self::FINISHED => "Finished",
            Self::KEY_UPDATE => "KeyUpdate",
            Self(number) => return write!(f, "HandshakeType({number})"),
        })
    }
}

/// RFC 5246 §7.4.9: the length of verify_data in 1.2.
pub(crate) const VERIFY_DATA_LEN: usize = 12;
