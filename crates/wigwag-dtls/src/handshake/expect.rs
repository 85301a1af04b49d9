//! What a handshake waits for, in either version.

use super::first_flight::{ExpectClientHello, ExpectServerHello};
use super::fragment::Message;
use super::{Failure, Handshake};
use crate::error::Error;
use crate::{v12, v13};

#[derive(Debug)]
pub(crate) enum Expect {
    ClientHello(ExpectClientHello),
    ServerHello(ExpectServerHello),
    Dtls12(v12::Expect),
    Dtls13(v13::Expect),
}

/// What a message leads to.
#[derive(Debug)]
pub(crate) enum Next {
    Expect(Expect),
    Complete(Secrets),
}

impl Expect {
    pub(crate) fn handle(self, message: &Message, handshake: &mut Handshake) -> Result<Next, Failure> {
        match self {
            Self::ClientHello(state) => state.handle(message, handshake).map(Next::Expect),
            Self::ServerHello(state) => state.handle(message, handshake).map(Next::Expect),
            Self::Dtls12(state) => state.handle(message, handshake),
            Self::Dtls13(state) => state.handle(message, handshake),
        }
    }

    pub(crate) const fn is_dtls13(&self) -> bool {
        matches!(self, Self::Dtls13(_))
    }
}

/// What is left of a handshake that is complete.
#[derive(Debug)]
pub(crate) enum Secrets {
    Dtls12(Box<v12::key_schedule::Secrets>),
    Dtls13(Box<v13::Established>),
}

impl Secrets {
    pub(crate) fn export(&self, label: &str, context: Option<&[u8]>, out: &mut [u8]) -> Result<(), Error> {
        match self {
            Self::Dtls12(secrets) => secrets.export(label, context, out),
            Self::Dtls13(established) => established.exporter.export(label, context, out),
        }
    }
}
