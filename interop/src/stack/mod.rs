//! Other stacks as counterparties: each is driven by a small program of interop/peers/, over lines of JSON.

mod call;
mod process;
mod scenario;
mod stun;

use crate::Arguments;
use crate::call::Role;
use crate::matrix::Matrix;
use anyhow::{Context, Result};
use process::Driver;
use scenario::{ALL as SCENARIOS, Stage};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;
use wigwag::SrtpProfile;

/// What runs a driver.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Language {
    Python,
    /// That of the system, which finds the system's libraries.
    SystemPython,
    JavaScript,
}

/// What can be said of media that came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judge {
    /// It was decoded, and pictures and sound are what was sent.
    Decoded,
    /// The peer has no codec: packets came back as they were sent.
    Packets,
}

/// What another stack does otherwise than the RFCs have it, so that it is asked for less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing goes out for an empty message, which RFC 8831 §6.6 sends as one byte.
    SwallowsEmptyMessages,
    /// An empty string is taken for empty bytes, and those for a string: the identifiers of RFC 8831 §8 are exchanged.
    SwapsEmptyKinds,
    /// The lengths of label and protocol in DATA_CHANNEL_OPEN are those in characters (RFC 8832 §5.1: in bytes).
    CountsCharacters,
    /// A channel that gives up is opened as ordered, though it was asked for unordered (RFC 8832 §5.1).
    ForgetsUnordered,
    /// Closing is not told, by close_notify (RFC 8827 §6.5) or otherwise: consent must expire.
    ClosesSilently,
    /// close_notify is read, and nobody is told of it: the state stays "connected", and channels stay open.
    HearsNoEnd,
    /// Whatever the offer says, the answerer is the DTLS client, and ids are chosen by who offered (RFC 8832 §6).
    HasOneDtlsRole,
    /// DTLS fails if it is done before an answer has been read to its end, as can be where packets take no time.
    RacesItsAnswer,
}

/// Somebody else's stack.
pub(crate) struct Stack {
    pub(crate) name: &'static str,
    /// What its users may call it.
    aliases: &'static [&'static str],
    language: Language,
    driver: &'static str,
    /// How media are judged, if its driver has any.
    pub(crate) media: Option<Judge>,
    /// The SRTP protection profiles that it knows.
    pub(crate) profiles: &'static [SrtpProfile],
    /// Whether it opens streams of TCP, and listens for them (RFC 6544).
    pub(crate) has_streams: bool,
    faults: &'static [Fault],
}

pub(crate) const ALL: &[Stack] = &[
    Stack {
        name: "aiortc",
        aliases: &[],
        language: Language::Python,
        driver: "aiortc_peer.py",
        media: Some(Judge::Decoded),
        profiles: &[SrtpProfile::AeadAes256Gcm, SrtpProfile::AeadAes128Gcm, SrtpProfile::Aes128CmHmacSha1_80],
        has_streams: false,
        faults: &[Fault::CountsCharacters],
    },
    Stack {
        name: "werift",
        aliases: &[],
        language: Language::JavaScript,
        driver: "werift_peer.mjs",
        media: Some(Judge::Packets),
        profiles: &[SrtpProfile::AeadAes128Gcm, SrtpProfile::Aes128CmHmacSha1_80],
        has_streams: false,
        faults: &[
            Fault::SwallowsEmptyMessages,
            Fault::CountsCharacters,
            Fault::ForgetsUnordered,
            Fault::ClosesSilently,
            Fault::HasOneDtlsRole,
        ],
    },
    Stack {
        name: "node-datachannel",
        aliases: &["libdatachannel"],
        language: Language::JavaScript,
        driver: "datachannel_peer.mjs",
        media: None,
        profiles: &[],
        has_streams: false,
        faults: &[Fault::RacesItsAnswer],
    },
    Stack {
        name: "roamhq",
        aliases: &["@roamhq/wrtc", "wrtc"],
        language: Language::JavaScript,
        driver: "roamhq_peer.mjs",
        media: Some(Judge::Decoded),
        profiles: &[SrtpProfile::Aes128CmHmacSha1_80],
        has_streams: true,
        faults: &[],
    },
    Stack {
        name: "gstreamer",
        aliases: &["webrtcbin"],
        language: Language::SystemPython,
        driver: "gstreamer_peer.py",
        media: Some(Judge::Decoded),
        profiles: &[SrtpProfile::Aes128CmHmacSha1_80],
        has_streams: true,
        faults: &[Fault::SwallowsEmptyMessages, Fault::SwapsEmptyKinds, Fault::ClosesSilently, Fault::HearsNoEnd],
    },
];

/// Whether the system has all of GStreamer that its driver uses.
const HAS_GSTREAMER: &str = "
import gi
gi.require_version('GstWebRTC', '1.0')
from gi.repository import Gst
Gst.init(None)
missing = [name for name in ('webrtcbin', 'nicesrc', 'vp8enc', 'opusenc', 'decodebin') if not Gst.ElementFactory.find(name)]
raise SystemExit(len(missing))
";

/// The stack with this name, as an argument of the command line.
pub(crate) fn named(name: &str) -> Result<&'static str, String> {
    let is_it = |stack: &&Stack| stack.name == name || stack.aliases.contains(&name);
    let known = || ALL.iter().map(|stack| stack.name).collect::<Vec<_>>().join(", ");
    ALL.iter().find(is_it).map(|stack| stack.name).ok_or_else(|| format!("there are {}", known()))
}

fn interop() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Whichever is first on the path may know nothing of the system's libraries.
const SYSTEM_PYTHON: &str = "/usr/bin/python3";

fn lacks_gstreamer() -> Option<String> {
    let mut command = Command::new(SYSTEM_PYTHON);
    let found = command.args(["-c", HAS_GSTREAMER]).stderr(Stdio::null()).status();
    let is_there = found.is_ok_and(|status| status.success());
    (!is_there).then(|| "it is not installed; `cargo xtask setup` installs it".into())
}

/// Where `cargo xtask setup` installs other stacks; xtask/src/setup/peers.rs has the same.
fn installed() -> PathBuf {
    interop().join("../target/peers")
}

impl Stack {
    pub(crate) fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }

    /// Why it cannot be tried: it is not installed, or not in the versions that are asked for here.
    fn lacks(&self) -> Option<String> {
        let (ours, theirs) = match self.language {
            Language::Python => ("peers/requirements.txt", "python/installed.txt"),
            Language::JavaScript => ("peers/package-lock.json", "node/installed.txt"),
            Language::SystemPython => return lacks_gstreamer(),
        };
        let wanted = std::fs::read(interop().join(ours)).ok()?;
        match std::fs::read(installed().join(theirs)) {
            Ok(found) if found == wanted => None,
            Ok(_) => Some("other versions than those asked for are installed; `cargo xtask setup` mends that".into()),
            Err(_) => Some("it is not installed; `cargo xtask setup` installs it".into()),
        }
    }

    pub(crate) fn start(&self) -> Result<Driver> {
        let mut command = match self.language {
            Language::Python => Command::new(installed().join("python/bin/python")),
            Language::SystemPython => Command::new(SYSTEM_PYTHON),
            Language::JavaScript => Command::new("node"),
        };
        command.arg(interop().join("peers").join(self.driver)).env("WIGWAG_PEERS", installed());
        // What Python keeps of a module would lie beside its source.
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        Driver::start(command)
    }

    fn version(&self) -> Result<String> {
        let version = self.start()?.ask("hello", json!({}))?;
        Ok(version.as_str().context("the driver tells no version")?.to_owned())
    }
}

/// Tries all that is wanted with one stack, in both roles.
pub(crate) fn run(stack: &'static Stack, arguments: &Arguments, matrix: &mut Matrix) {
    if let Some(why) = stack.lacks() {
        return matrix.skip(stack.name, &why);
    }
    let began = Instant::now();
    match stack.version() {
        Ok(version) => matrix.begin(stack.name, version),
        Err(error) => {
            matrix.begin(stack.name, "?".to_owned());
            return matrix.report("its driver starts", stack.name, "", began, &Err(error));
        }
    }
    let is_chosen = |name: &str, is_smoke| arguments.wants(name, is_smoke);
    for scenario in SCENARIOS.iter().filter(|it| is_chosen(it.name, it.is_smoke)) {
        for role in Role::BOTH {
            let (stage, began) = (Stage { stack, role }, Instant::now());
            if (scenario.suits)(&stage) {
                let result = (scenario.run)(&stage);
                matrix.report(scenario.name, stack.name, role.text(), began, &result);
            } else {
                matrix.leave_out(scenario.name, stack.name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_is_found_by_every_name_of_it_and_by_no_other() {
        assert_eq!(named("@roamhq/wrtc"), Ok("roamhq"));
        assert_eq!(named("aiortc"), Ok("aiortc"));
        assert!(named("aiort").is_err_and(|error| error.contains("node-datachannel")));
    }

    #[test]
    fn every_driver_is_there() {
        for stack in ALL {
            assert!(interop().join("peers").join(stack.driver).is_file(), "{}", stack.name);
        }
    }
}
