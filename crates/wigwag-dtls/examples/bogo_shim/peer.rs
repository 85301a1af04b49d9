//! Our end of the wire.

use crate::flags::Flags;
use crate::runner::{Operation, Runner};
use p256::ecdsa::{self, signature::Verifier as _};
use rsa::{pkcs1v15, pkcs8::DecodePublicKey};
use std::error::Error;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use wigwag_dtls::{AlertDescription, Certificate, CloseReason, Config, Connection, Event, Verifier};
use wigwag_sansio::Seed;
use x509_parser::prelude::{FromDer, X509Certificate};

type Failure = Box<dyn Error>;

/// As long as a record may be, whatever the MTU: the runner's messages are not cut.
const RECORD_LEN_MAX: usize = (1 << 14) + Connection::OVERHEAD;
/// BoringSSL's, where no flag says another.
const MTU: usize = 1400;
/// What a shim says where it has the first word.
const GREETING: &[u8] = b"hello";

/// Runs until one of both has closed.
pub(crate) fn run(flags: &Flags) -> Result<(), Failure> {
    // The runner waits for us to connect, whatever we have to say.
    let mut runner = Runner::connect(flags.is_ipv6, flags.port, flags.shim_id)?;
    let outcome = Peer::new(flags).and_then(|mut peer| peer.run(&mut runner));
    runner.finish();
    outcome
}

struct Peer<'a> {
    flags: &'a Flags,
    connection: Connection,
    now: Instant,
    mtu: usize,
    has_connected: bool,
    closed: Option<CloseReason>,
    /// Application data that came.
    received: Vec<Vec<u8>>,
}

impl<'a> Peer<'a> {
    fn new(flags: &'a Flags) -> Result<Self, Failure> {
        let seed = Seed::from_secure_source(random)?;
        let connection = Connection::new(config(flags)?, seed);
        let (now, mtu) = (Instant::now(), flags.mtu.unwrap_or(MTU));
        Ok(Self { flags, connection, now, mtu, has_connected: false, closed: None, received: Vec::new() })
    }

    fn run(&mut self, runner: &mut Runner) -> Result<(), Failure> {
        loop {
            self.flush(runner)?;
            if let Some(reason) = self.closed {
                return self.ended(reason);
            }
            match runner.receive()? {
                Operation::Datagram(mut datagram) => {
                    let received = &mut self.received;
                    self.connection.handle_input(&mut datagram, self.now, |data| received.push(data.to_vec()));
                }
                Operation::Timeout(passed) => {
                    runner.acknowledge_timeout()?;
                    self.now += passed;
                    self.connection.handle_timeout(self.now);
                }
                Operation::Mtu(mtu) => self.mtu = mtu,
                Operation::ExpectTimeout(expected) => self.check_timeout(expected)?,
                Operation::InitialTimeout(initial) => self.connection.set_initial_timeout(initial),
                Operation::End if self.has_connected => {
                    self.connection.close();
                    return Ok(());
                }
                Operation::End => return Err("the runner left before the handshake was complete".into()),
            }
        }
    }

    /// Deals with what has happened, and sends what is owed, until nothing is.
    fn flush(&mut self, runner: &mut Runner) -> Result<(), Failure> {
        loop {
            while let Some(event) = self.connection.poll_event() {
                match event {
                    Event::Connected { .. } => self.connected(runner)?,
                    Event::Closed(reason) => self.closed = Some(reason),
                    event => return Err(format!("an event that nobody knows: {event:?}").into()),
                }
            }
            for data in std::mem::take(&mut self.received) {
                let echo: Vec<u8> = data.iter().map(|byte| byte ^ 0xFF).collect();
                self.write(runner, &echo)?;
                self.before_read();
            }
            let mut out = Vec::new();
            // A socket that does not take it yet.
            if self.flags.is_async && self.connection.poll_packet(self.now, 0, &mut out) {
                return Err("something was written where there was no room".into());
            }
            if !self.connection.poll_packet(self.now, self.mtu, &mut out) {
                break;
            }
            runner.send(&out)?;
        }
        Ok(())
    }

    fn connected(&mut self, runner: &mut Runner) -> Result<(), Failure> {
        self.has_connected = true;
        // The last flight goes first.
        let mut out = Vec::new();
        while self.connection.poll_packet(self.now, self.mtu, &mut out) {
            runner.send(&out)?;
            out.clear();
        }
        let export = &self.flags.export;
        if export.len > 0 {
            let mut material = vec![0; export.len];
            let context = export.has_context.then_some(export.context.as_bytes());
            self.connection.export_keying_material(&export.label, context, &mut material)?;
            self.write(runner, &material)?;
        }
        if self.flags.sends_alert {
            self.connection.abort(AlertDescription::DecompressionFailure);
        } else if self.flags.writes_first {
            self.write(runner, GREETING)?;
        }
        self.before_read();
        if self.flags.shuts_down {
            self.connection.close();
        }
        Ok(())
    }

    fn before_read(&mut self) {
        if self.flags.updates_keys && !self.connection.is_updating_keys() {
            self.connection.update_keys(false);
        }
    }

    fn write(&mut self, runner: &mut Runner, data: &[u8]) -> Result<(), Failure> {
        let mut out = Vec::new();
        let is_written = self.connection.protect(RECORD_LEN_MAX, &mut out, |room, out| {
            out.extend_from_slice(data);
            data.len() <= room
        });
        if !is_written {
            return Err("application data could not be sent".into());
        }
        Ok(runner.send(&out)?)
    }

    fn check_timeout(&self, expected: Option<Duration>) -> Result<(), Failure> {
        let next = self.connection.poll_timeout(self.now).map(|at| at.saturating_duration_since(self.now));
        if next == expected {
            Ok(())
        } else {
            Err(format!("the next timeout is {next:?}, expected {expected:?}").into())
        }
    }

    fn ended(&self, reason: CloseReason) -> Result<(), Failure> {
        let is_ours = matches!(reason, CloseReason::Local) && (self.flags.sends_alert || self.flags.shuts_down);
        let is_asked_for = self.flags.shuts_down && self.flags.checks_close_notify;
        match reason {
            CloseReason::CloseNotify if self.has_connected => Ok(()),
            _ if is_ours && !is_asked_for => Ok(()),
            _ => Err(format!("closed: {reason}").into()),
        }
    }
}

fn config(flags: &Flags) -> Result<Config, Failure> {
    let certificate = match (&flags.certificate, &flags.key) {
        (Some(certificate), Some(key)) => {
            Certificate::from_pem(&fs::read_to_string(certificate)?, &fs::read_to_string(key)?)?
        }
        _ => {
            let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
            Certificate::generate(since_1970, Seed::from_secure_source(random)?)?
        }
    };
    let mut config = Config::new(flags.role, Arc::new(certificate));
    (config.min_version, config.max_version) = flags.versions().ok_or("there is no version to speak")?;
    let trusted = flags.trusted.as_ref().map(trusted).transpose()?;
    config.verifier = Some(Arc::new(Callback {
        refusal: flags.verify_fails.then_some(if flags.has_custom_verify {
            AlertDescription::CertificateUnknown
        } else {
            AlertDescription::HandshakeFailure
        }),
        trusted,
    }));
    config.client_authentication = flags.client_authentication;
    if !flags.signature_schemes.is_empty() {
        config.signature_schemes.clone_from(&flags.signature_schemes);
    }
    if !flags.groups.is_empty() {
        config.groups.clone_from(&flags.groups);
    }
    config.srtp_profiles.clone_from(&flags.srtp_profiles);
    config.message_len_max = flags.message_len_max;
    (config.takes_tickets, config.sends_tickets) = (flags.has_tickets, flags.has_tickets);
    // As often as BoringSSL.
    config.retransmission.limit = 12;
    config.retransmission.initial = flags.initial_timeout;
    // The runner lets as much time pass as it likes, when it has everything.
    config.retransmission.patience = Duration::MAX;
    Ok(config)
}

/// The certificate in a file, in DER.
fn trusted(path: &String) -> Result<Vec<u8>, Failure> {
    let (_, der) = pem_rfc7468::decode_vec(&fs::read(path)?).map_err(|error| format!("{path}: {error}"))?;
    Ok(der)
}

/// Believes whom the runner's root has issued, or somebody whom it has issued, and so on.
#[derive(Debug)]
struct Callback {
    refusal: Option<AlertDescription>,
    trusted: Option<Vec<u8>>,
}

impl Verifier for Callback {
    fn verify(&self, certificate: &[u8], intermediates: &[&[u8]]) -> Result<(), AlertDescription> {
        if self.trusted.as_ref().is_some_and(|trusted| !is_trusted(trusted, certificate, intermediates)) {
            return Err(AlertDescription::UnknownCa);
        }
        self.refusal.map_or(Ok(()), Err)
    }
}

/// Whether a chain leads from the root that is trusted to a certificate.
fn is_trusted(root: &[u8], certificate: &[u8], intermediates: &[&[u8]]) -> bool {
    if root == certificate || has_issued(root, certificate) {
        return true;
    }
    let Some((issuer, rest)) = intermediates.split_first() else { return false };
    has_issued(issuer, certificate) && is_trusted(root, issuer, rest)
}

/// Whether one certificate is signed with the key of another, as the runner's roots sign: with P-256 or RSA, and SHA-256.
fn has_issued(issuer: &[u8], certificate: &[u8]) -> bool {
    let (Ok((_, issuer)), Ok((_, certificate))) =
        (X509Certificate::from_der(issuer), X509Certificate::from_der(certificate))
    else {
        return false;
    };
    let (key, signature) = (issuer.public_key(), &*certificate.signature_value.data);
    let signed = certificate.tbs_certificate.as_ref();
    let by_p256 = || {
        let key = ecdsa::VerifyingKey::from_sec1_bytes(&key.subject_public_key.data).ok()?;
        key.verify(signed, &ecdsa::DerSignature::try_from(signature).ok()?).ok()
    };
    let by_rsa = || {
        let key = rsa::PublicKey::from_public_key_der(key.raw).ok()?;
        let key = pkcs1v15::VerifyingKey::<sha2::Sha256>::new(key);
        key.verify(signed, &pkcs1v15::Signature::try_from(signature).ok()?).ok()
    };
    certificate.issuer() == issuer.subject() && by_p256().or_else(by_rsa).is_some()
}

/// A real program takes `getrandom`; an example takes no dependency for it.
fn random(bytes: &mut [u8]) -> Result<(), std::io::Error> {
    use std::io::Read;
    fs::File::open("/dev/urandom")?.read_exact(bytes)
}
