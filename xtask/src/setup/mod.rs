//! `cargo xtask setup`: the only command that installs anything.

mod peers;
pub(crate) mod wolfssl;

use crate::{Error, Tally, bogo, process};
use std::process::Stdio;

/// Install what the tests can use beyond Rust: browsers, network namespaces and tshark (apt, as root), and other stacks;
/// with --bogo also BoringSSL's runner, with --compiled what the peers that are compiled with C need.
///
/// Everywhere else it prints what to install. No other command installs anything.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only print what would be installed.
    #[arg(long)]
    dry_run: bool,
    /// BoringSSL's runner too, for `cargo xtask bogo`: fetches 80 MB and builds for some minutes.
    #[arg(long)]
    bogo: bool,
    /// What `cargo xtask long --part peers` needs: compilers, and wolfSSL, whose sources it builds for some minutes.
    #[arg(long)]
    compiled: bool,
}

/// What a package of Debian brings.
struct Wanted {
    package: &'static str,
    purpose: &'static str,
    /// Commands any one of which shows, by its success, that it is there.
    shown_by: &'static [&'static [&'static str]],
}

const WANTED: [Wanted; 16] = [
    Wanted {
        package: "chromium",
        purpose: "interop with Chromium",
        shown_by: &[&["chromium"], &["chromium-browser"], &["google-chrome"]],
    },
    Wanted { package: "firefox-esr", purpose: "interop with Firefox", shown_by: &[&["firefox-esr"], &["firefox"]] },
    Wanted { package: "openssl", purpose: "DTLS with OpenSSL", shown_by: &[&["openssl"]] },
    Wanted { package: "gnutls-bin", purpose: "DTLS with GnuTLS", shown_by: &[&["gnutls-serv"]] },
    Wanted { package: "coturn", purpose: "calls through a TURN server", shown_by: &[&["turnserver"]] },
    Wanted { package: "iproute2", purpose: "network namespaces for interop", shown_by: &[&["ip"]] },
    Wanted { package: "tshark", purpose: "reads the captures that the program writes", shown_by: &[&["tshark"]] },
    Wanted {
        package: "python3-venv",
        purpose: "interop with aiortc",
        shown_by: &[&["python3", "-c", "import ensurepip, venv"]],
    },
    Wanted { package: "nodejs", purpose: "interop with werift, node-datachannel, roamhq", shown_by: &[&["node"]] },
    Wanted { package: "npm", purpose: "installs werift, node-datachannel, roamhq", shown_by: &[&["npm"]] },
    Wanted {
        package: "python3-gi",
        purpose: "interop with GStreamer",
        shown_by: &[&["/usr/bin/python3", "-c", "import gi"]],
    },
    Wanted {
        package: "gir1.2-gst-plugins-bad-1.0",
        purpose: "interop with GStreamer",
        shown_by: &[&["sh", "-c", "ls /usr/lib/*/girepository-1.0/GstWebRTC-1.0.typelib"]],
    },
    Wanted {
        package: "gstreamer1.0-plugins-base",
        purpose: "GStreamer's Opus",
        shown_by: &[&["sh", "-c", "ls /usr/lib/*/gstreamer-1.0/libgstopus.so"]],
    },
    Wanted {
        package: "gstreamer1.0-plugins-good",
        purpose: "GStreamer's RTP and VP8",
        shown_by: &[&["sh", "-c", "ls /usr/lib/*/gstreamer-1.0/libgstvpx.so"]],
    },
    Wanted {
        package: "gstreamer1.0-plugins-bad",
        purpose: "GStreamer's webrtcbin",
        shown_by: &[&["sh", "-c", "ls /usr/lib/*/gstreamer-1.0/libgstwebrtc.so"]],
    },
    Wanted {
        package: "gstreamer1.0-nice",
        purpose: "GStreamer's ICE",
        shown_by: &[&["sh", "-c", "ls /usr/lib/*/gstreamer-1.0/libgstnice.so"]],
    },
];

/// The same, for BoringSSL's runner.
const WANTED_BY_BOGO: [Wanted; 1] =
    [Wanted { package: "python3-pip", purpose: "Go, for BoringSSL's runner", shown_by: &[&["pip3"]] }];

/// The same, for peers that are compiled.
const WANTED_BY_COMPILED: [Wanted; 7] = [
    Wanted { package: "g++", purpose: "BoringSSL and wolfSSL", shown_by: &[&["c++"]] },
    Wanted { package: "make", purpose: "BoringSSL and wolfSSL", shown_by: &[&["make"]] },
    Wanted { package: "cmake", purpose: "BoringSSL", shown_by: &[&["cmake"]] },
    Wanted {
        package: "libclang-dev",
        purpose: "BoringSSL's bindings",
        shown_by: &[&["sh", "-c", "ls /usr/lib/llvm-*/lib/libclang*.so"]],
    },
    Wanted { package: "automake", purpose: "wolfSSL", shown_by: &[&["automake"]] },
    Wanted { package: "libtool", purpose: "wolfSSL", shown_by: &[&["libtoolize"]] },
    Wanted {
        package: "libusrsctp-dev",
        purpose: "SCTP with usrsctp",
        shown_by: &[&["sh", "-c", "ls /usr/include/usrsctp.h"]],
    },
];

/// What each tier can use that no package of Debian brings.
const BY_HAND: [(&str, &str, &str); 2] = [
    ("cargo-fuzz", "rustup toolchain install nightly && cargo install cargo-fuzz --locked", "cargo xtask fuzz"),
    ("cargo-deny", "cargo install cargo-deny --locked", "cargo xtask long --part deny"),
];

impl Wanted {
    fn is_present(&self) -> bool {
        self.shown_by.iter().any(|command| match command {
            [program] => process::find(program).is_some(),
            [program, args @ ..] => {
                let mut command = process::program(program, args);
                command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
            }
            [] => false,
        })
    }
}

impl Args {
    pub(crate) fn run(&self) -> Result<Tally, Error> {
        let by_bogo = WANTED_BY_BOGO.iter().filter(|_| self.bogo);
        let compiled = WANTED_BY_COMPILED.iter().filter(|_| self.compiled);
        let wanted = WANTED.iter().chain(by_bogo).chain(compiled);
        let (present, missing): (Vec<_>, Vec<_>) = wanted.partition(|wanted| wanted.is_present());
        for wanted in &present {
            println!("present:   {} ({})", wanted.package, wanted.purpose);
        }
        for (name, install, purpose) in BY_HAND {
            if process::find(name).is_none() {
                println!("by hand:   {install}   (only for `{purpose}`)");
            }
        }
        let mut tally = Tally { passed: present.len() as u64, ..Tally::default() };
        if !missing.is_empty() {
            tally += self.install(&missing)?;
        }
        tally += peers::install(self.dry_run)?;
        if self.bogo {
            tally += bogo::build::install(self.dry_run)?;
        }
        if self.compiled {
            tally += wolfssl::install(self.dry_run)?;
        }
        Ok(tally)
    }

    fn install(&self, missing: &[&Wanted]) -> Result<Tally, Error> {
        let packages: Vec<_> = missing.iter().map(|wanted| wanted.package).collect();
        let count = packages.len() as u64;
        for wanted in missing {
            println!("missing:   {} ({})", wanted.package, wanted.purpose);
        }
        if self.dry_run || process::find("apt-get").is_none() || !is_root()? {
            println!("to do:     apt-get update && apt-get install -y --no-install-recommends {}", packages.join(" "));
            return Ok(Tally { skipped: count, ..Tally::default() });
        }
        let mut update = process::program("apt-get", &["update", "-qq"]);
        let mut install = process::program("apt-get", &["install", "-y", "-qq", "--no-install-recommends"]);
        // Servers are programs here, and not services that begin with their installation.
        install.args(packages).envs([("DEBIAN_FRONTEND", "noninteractive"), ("RUNLEVEL", "1")]);
        // A mirror that fails to update can still have what is missing.
        process::step(&mut update)?;
        let installed = process::step(&mut install)?;
        Ok(Tally { passed: installed.passed * count, failed: installed.failed * count, skipped: 0 })
    }
}

fn is_root() -> Result<bool, Error> {
    Ok(process::output(&mut process::program("id", &["-u"]))?.trim() == "0")
}
