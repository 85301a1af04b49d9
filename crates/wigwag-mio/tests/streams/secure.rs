//! TLS before a TURN server, with a certificate that is made here.

use crate::relay::Relay;
use crate::{Pair, at, call_in_spite_of, local, server_that};
use p256::ecdsa::{DerSignature, SigningKey};
use p256::pkcs8::EncodePrivateKey;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use wigwag::IceTransportPolicy;
use wigwag_mio::{DriverConfig, Tls};
use x509_cert::TbsCertificate;
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{Builder, CertificateBuilder};
use x509_cert::der::asn1::{Ia5String, OctetString};
use x509_cert::der::{DateTime, Encode};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::{Extension, ToExtension};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{SubjectPublicKeyInfoOwned, SubjectPublicKeyInfoRef};
use x509_cert::time::{Time, Validity};

const NAME: &str = "turn.example.org";
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Of somebody, for these names.
struct Profile(u8, Vec<GeneralName>);

impl BuilderProfile for Profile {
    fn get_issuer(&self, subject: &Name) -> Name {
        subject.clone()
    }

    fn get_subject(&self) -> Name {
        format!("CN=test {}", self.0).parse().unwrap()
    }

    fn build_extensions(
        &self,
        _spk: SubjectPublicKeyInfoRef<'_>,
        _issuer_spk: SubjectPublicKeyInfoRef<'_>,
        tbs: &TbsCertificate,
    ) -> x509_cert::builder::Result<Vec<Extension>> {
        Ok(vec![SubjectAltName(self.1.clone()).to_extension(tbs.subject(), &[])?])
    }
}

struct Identity {
    der: Vec<u8>,
    key: SigningKey,
}

fn time(since_epoch: Duration) -> Time {
    Time::from(DateTime::from_unix_duration(since_epoch).unwrap())
}

/// One that nobody but itself vouches for, good from `age` ago for a week.
fn identity(secret: u8, age: Duration) -> Identity {
    identity_of(secret, secret, age)
}

fn identity_of(name: u8, secret: u8, age: Duration) -> Identity {
    let key = SigningKey::from_slice(&[secret; 32]).unwrap();
    let names = vec![
        GeneralName::DnsName(Ia5String::new(NAME).unwrap()),
        GeneralName::IpAddress(OctetString::new([127, 0, 0, 1]).unwrap()),
    ];
    let begin = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() - age;
    let validity = Validity::new(time(begin), time(begin + 7 * DAY));
    let public = SubjectPublicKeyInfoOwned::from_key(key.verifying_key()).unwrap();
    let builder = CertificateBuilder::new(Profile(name, names), SerialNumber::from(1u8), validity, public).unwrap();
    let certificate = builder.build::<_, DerSignature>(&key).unwrap();
    Identity { der: certificate.to_der().unwrap(), key }
}

impl Identity {
    fn pem(&self) -> String {
        pem_rfc7468::encode_string("CERTIFICATE", pem_rfc7468::LineEnding::LF, &self.der).unwrap()
    }

    /// Whoever trusts it.
    fn trusting(&self) -> DriverConfig {
        let mut config = local();
        config.tls = Some(Tls::trusting_pem(self.pem().as_bytes()).unwrap());
        config
    }

    /// TLS before a server.
    fn before(&self, server: SocketAddr) -> SocketAddr {
        let secret = p256::SecretKey::from_slice(&self.key.to_bytes()).unwrap();
        let key = PrivatePkcs8KeyDer::from(secret.to_pkcs8_der().unwrap().as_bytes().to_vec());
        let chain = vec![CertificateDer::from(self.der.clone())];
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, PrivateKeyDer::Pkcs8(key));
        let config = Arc::new(config.unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let config = Arc::clone(&config);
                thread::spawn(move || carry(client, TcpStream::connect(server).unwrap(), config));
            }
        });
        address
    }
}

/// Carries bytes until one has ended.
fn carry(mut client: TcpStream, mut server: TcpStream, config: Arc<ServerConfig>) {
    let mut session = ServerConnection::new(config).unwrap();
    let mut buffer = vec![0; 1 << 14];
    client.set_nonblocking(true).unwrap();
    server.set_nonblocking(true).unwrap();
    let later = |error: &std::io::Error| error.kind() == ErrorKind::WouldBlock;
    loop {
        let mut is_idle = true;
        match session.read_tls(&mut client) {
            Ok(0) => return,
            Ok(_) => is_idle = false,
            Err(error) if later(&error) => {}
            Err(_) => return,
        }
        let is_wrong = session.process_new_packets().is_err();
        while let Ok(len) = session.reader().read(&mut buffer)
            && len > 0
        {
            server.write_all(&buffer[..len]).unwrap();
        }
        match server.read(&mut buffer) {
            Ok(0) => return,
            Ok(len) => {
                is_idle = false;
                session.writer().write_all(&buffer[..len]).unwrap();
            }
            Err(error) if later(&error) => {}
            Err(_) => return,
        }
        while session.wants_write() && session.write_tls(&mut client).is_ok() {}
        if is_wrong {
            return;
        }
        if is_idle {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

#[test]
fn a_call_goes_through_a_server_over_tls_alone() {
    let (relay, identity) = (Relay::start(), identity(7, DAY));
    for name in [NAME, "127.0.0.1"] {
        let server = at(identity.before(relay.address)).over_tls(name);
        let mut pair = Pair::new(&identity.trusting(), server, IceTransportPolicy::Relay);
        let channels = pair.open();
        for len in [0, 1, 1200, 200_000] {
            pair.exchange(channels, len);
        }
        let stats = pair.connection(0).stats(Instant::now()).to_json();
        assert!(stats.contains("\"relayProtocol\":\"tls\"") && stats.contains("\"url\":\"turns:"), "{stats}");
        let counted = pair.stats();
        assert_eq!((counted.datagrams_sent, counted.streams_opened, counted.streams_failed), (0, 1, 0), "{counted:?}");
    }
}

/// Not told anything, neither name nor password: the handshake does not come to its end.
#[test]
fn a_server_whose_certificate_is_wrong_is_refused_and_somebody_told_why() {
    let (relay, known, stranger, old) = (Relay::start(), identity(7, DAY), identity(8, DAY), identity(7, 30 * DAY));
    let pretender = identity_of(7, 8, DAY);
    for (shown, trusted, name, words) in [
        (&known, &known, "other.example.org", "give over_tls the name that it is for"),
        (&known, &known, "127.0.0.2", "give over_tls the name that it is for"),
        (&stranger, &known, NAME, "nobody in DriverConfig::tls vouches for it"),
        (&pretender, &known, NAME, "it was not signed by whom it names"),
        (&old, &old, NAME, "the clock of this machine is wrong"),
    ] {
        let server = at(shown.before(relay.address)).over_tls(name);
        let error = call_in_spite_of(&trusted.trusting(), server);
        let is_told = error.contains(" 701 there is no connection to the server: TLS: invalid peer certificate");
        assert!(is_told && error.contains(words), "{error}");
    }
}

#[test]
fn a_server_that_speaks_no_tls_or_nothing_is_told_or_keeps_nobody_waiting() {
    let identity = identity(7, DAY);
    let speaks = server_that(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let error = call_in_spite_of(&identity.trusting(), at(speaks).over_tls(NAME));
    assert!(error.contains(" 701 ") && error.contains("does not speak TLS at this port"), "{error}");
    let closes = server_that(|mut stream| {
        let _ = stream.read(&mut [0; 2000]);
    });
    let error = call_in_spite_of(&identity.trusting(), at(closes).over_tls(NAME));
    assert!(error.contains(" 701 ") && error.contains("the server has closed it"), "{error}");
    let silent = server_that(std::mem::forget);
    let mut pair = Pair::new(&identity.trusting(), at(silent).over_tls(NAME), IceTransportPolicy::All);
    let channels = pair.open();
    pair.exchange(channels, 1000);
    assert!(pair.errors.is_empty());
}

#[test]
fn whoever_has_not_said_whom_to_trust_is_told_so() {
    let relay = Relay::start();
    let error = call_in_spite_of(&local(), at(identity(7, DAY).before(relay.address)).over_tls(NAME));
    assert!(error.contains(" 701 ") && error.contains("set DriverConfig::tls"), "{error}");
    for pem in ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let error = Tls::trusting_pem(pem.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    }
    // One that nobody can read, as old ones among those of a system are, keeps the others from nothing.
    let good = identity(7, DAY).pem();
    let some = ["-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", &good].concat();
    assert!(Tls::trusting_pem(some.as_bytes()).is_ok());
}
