//! The system's OpenSSL, which speaks 1.2 alone.

use super::{Connect, MTU, Pair};
use openssl::asn1::{Asn1Integer, Asn1Time};
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{
    Error, ErrorCode, Ssl, SslContext, SslContextBuilder, SslMethod, SslOptions, SslSessionCacheMode, SslStream,
    SslVerifyMode,
};
use openssl::x509::{X509, X509Name};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::rc::Rc;
use wigwag_dtls::Group;

pub(super) const NAME: &str = "OpenSSL";

pub(super) struct Setup {
    contexts: [SslContext; 2],
}

type Queue = Rc<RefCell<VecDeque<Vec<u8>>>>;

/// Datagrams in memory.
struct Pipe {
    incoming: Queue,
    outgoing: Queue,
}

struct Ends {
    client: SslStream<Pipe>,
    server: SslStream<Pipe>,
    opened: Vec<u8>,
}

impl Read for Pipe {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let datagram = self.incoming.borrow_mut().pop_front().ok_or(io::ErrorKind::WouldBlock)?;
        let len = datagram.len().min(out.len());
        out[..len].copy_from_slice(&datagram[..len]);
        Ok(len)
    }
}

impl Write for Pipe {
    fn write(&mut self, datagram: &[u8]) -> io::Result<usize> {
        self.outgoing.borrow_mut().push_back(datagram.to_vec());
        Ok(datagram.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Setup {
    pub(super) fn new(group: Group) -> Self {
        let group = match group {
            Group::Secp256r1 => "P-256",
            // It wants the certificate's curve to be among them.
            Group::Secp384r1 => "P-384:P-256",
            _ => "X25519:P-256",
        };
        Self { contexts: [(); 2].map(|()| context(group).expect("a configuration")) }
    }
}

fn context(groups: &str) -> Result<SslContext, openssl::error::ErrorStack> {
    let (key, certificate) = certificate()?;
    let mut context = SslContextBuilder::new(SslMethod::dtls())?;
    context.set_cipher_list("ECDHE-ECDSA-AES128-GCM-SHA256")?;
    context.set_groups_list(groups)?;
    context.set_tlsext_use_srtp("SRTP_AEAD_AES_128_GCM")?;
    context.set_verify_callback(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT, |_, _| true);
    context.set_private_key(&key)?;
    context.set_certificate(&certificate)?;
    context.set_options(SslOptions::NO_DTLSV1 | SslOptions::NO_TICKET | SslOptions::NO_QUERY_MTU);
    context.set_session_cache_mode(SslSessionCacheMode::OFF);
    Ok(context.build())
}

fn certificate() -> Result<(PKey<Private>, X509), openssl::error::ErrorStack> {
    let key = PKey::from_ec_key(EcKey::generate(&*EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?)?)?;
    let mut name = X509Name::builder()?;
    name.append_entry_by_text("CN", "WebRTC")?;
    let name = name.build();
    let mut certificate = X509::builder()?;
    certificate.set_version(2)?;
    certificate.set_serial_number(&*Asn1Integer::from_bn(&*BigNum::from_u32(7)?)?)?;
    certificate.set_not_before(&*Asn1Time::days_from_now(0)?)?;
    certificate.set_not_after(&*Asn1Time::days_from_now(7)?)?;
    certificate.set_pubkey(&key)?;
    certificate.set_subject_name(&name)?;
    certificate.set_issuer_name(&name)?;
    certificate.sign(&key, MessageDigest::sha256())?;
    Ok((key, certificate.build()))
}

impl Connect for Setup {
    fn connect(&mut self) -> Box<dyn Pair> {
        let [up, down]: [Queue; 2] = Default::default();
        let end = |context, incoming: &Queue, outgoing: &Queue| {
            let mut ssl = Ssl::new(context).expect("an end");
            ssl.set_mtu(MTU as u32).expect("a length");
            SslStream::new(ssl, Pipe { incoming: incoming.clone(), outgoing: outgoing.clone() }).expect("an end")
        };
        let [a, z] = &self.contexts;
        let (mut client, mut server) = (end(a, &down, &up), end(z, &up, &down));
        let [mut is_client_done, mut is_server_done] = [false; 2];
        while !(is_client_done && is_server_done) {
            is_client_done = is_client_done || is_done(client.connect());
            is_server_done = is_server_done || is_done(server.accept());
        }
        for end in [&client, &server] {
            end.ssl().export_keying_material(&mut [0; 56], "EXTRACTOR-dtls_srtp", None).expect("keys");
        }
        Box::new(Ends { client, server, opened: vec![0; MTU] })
    }
}

/// Whether it waits for nothing more.
fn is_done(outcome: Result<(), Error>) -> bool {
    match outcome {
        Ok(()) => true,
        Err(error) if error.code() == ErrorCode::WANT_READ => false,
        Err(error) => panic!("{error}"),
    }
}

impl Pair for Ends {
    fn carry(&mut self, data: &[u8]) {
        self.client.ssl_write(data).expect("a record");
        assert_eq!(self.server.ssl_read(&mut self.opened).expect("a record"), data.len());
    }
}
