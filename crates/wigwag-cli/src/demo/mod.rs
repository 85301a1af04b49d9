//! `wigwag demo`: a page with a video call to this program, which echoes it, or to a friend with the same page.

mod calls;
mod echo;
mod http;
mod rooms;
mod server;
mod signalling;
mod stream;
mod tls;
mod websocket;

use crate::console::{self, say};
use crate::failure::Failure;
use crate::recording;
use calls::{CallThread, Calls};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};
use tls::Tls;
use wigwag_dtls::Certificate;

/// How long the calls may take to say goodbye.
const FAREWELL_TIME_MAX: Duration = Duration::from_millis(500);

/// What `wigwag demo` takes.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Browsers give camera and microphone to this machine's own pages (127.0.0.1) and to HTTPS only: for \
                        other devices use --tls and accept the warning, after comparing the fingerprint."
)]
pub(crate) struct Args {
    /// Where the page is served: ADDRESS:PORT, or a PORT of this machine alone
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080", value_parser = parse_listen)]
    listen: SocketAddr,
    /// Serve HTTPS, with a certificate made for this run
    #[arg(long)]
    tls: bool,
    /// The port of the calls, for UDP and TCP, on each address of this machine; 0 takes free ones
    #[arg(long, value_name = "PORT", default_value_t = 0, value_parser = parse_media_port)]
    media_port: u16,
    #[command(flatten)]
    recording: recording::Files,
}

fn parse_media_port(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| "write a port from 1 to 65535, or 0 for free ones".to_owned())
}

fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    let text = text.trim();
    if let Ok(port) = text.parse() {
        return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    }
    let numeric = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    let port = text.rsplit_once(':').map_or(text, |(_, port)| port);
    if port.parse::<u128>().is_ok_and(|port| port > u128::from(u16::MAX)) {
        return Err("ports go up to 65535".to_owned());
    }
    numeric.as_deref().unwrap_or(text).parse().map_err(|_| {
        "write an address and a port, such as 127.0.0.1:8080, 0.0.0.0:8080 or [::1]:8080, or a port alone".to_owned()
    })
}

/// Serves until somebody ends the program.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let tls = args.tls.then(make_certificate).transpose()?.map(|certificate| Tls::new(&certificate)).transpose()?;
    let listener =
        TcpListener::bind(args.listen).map_err(|error| Failure::bind("TCP", args.listen, "--listen", &error))?;
    let listen = listener.local_addr().unwrap_or(args.listen);
    let recording = args.recording.open()?;
    let stop = stop_signal()?;
    let thread = CallThread::start(args.media_port, recording)?;
    let calls = thread.calls();
    say(banner(listen, tls.as_ref()));
    serve_in_background(listener, tls, calls.clone())?;
    // Whichever comes first: somebody ends the program, or the calls could not go on.
    let result = wait(&stop, &thread);
    calls.stop();
    let result = result.and(thread.join(FAREWELL_TIME_MAX));
    if result.is_ok() {
        say("Goodbye.");
    }
    result
}

fn wait(stop: &mpsc::Receiver<()>, thread: &CallThread) -> Result<(), Failure> {
    loop {
        match stop.recv_timeout(Duration::from_millis(250)) {
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(mpsc::RecvTimeoutError::Disconnected) => return Ok(()),
        }
        if let Some(reason) = thread.failure() {
            return Err(Failure::new(format!("the calls ended: {reason}")));
        }
    }
}

fn serve_in_background(listener: TcpListener, tls: Option<Tls>, calls: Calls) -> Result<(), Failure> {
    let serve = move || server::serve(&listener, tls.as_ref(), &calls);
    thread::Builder::new()
        .name("http".to_owned())
        .spawn(serve)
        .map(drop)
        .map_err(|error| Failure::new(format!("cannot start a thread: {error}")))
}

fn make_certificate() -> Result<Certificate, Failure> {
    let seed = wigwag_mio::seed().map_err(|error| Failure::new(format!("the system gives no randomness: {error}")))?;
    Certificate::generate(wigwag_mio::wall_clock().unix_time(Instant::now()), seed)
        .map_err(|error| Failure::new(format!("cannot make a certificate: {error} (is the clock right?)")))
}

/// Tells that the program is asked to end.
fn stop_signal() -> Result<mpsc::Receiver<()>, Failure> {
    let (tell, told) = mpsc::sync_channel(1);
    console::on_stop(move || {
        let _ = tell.try_send(());
    })?;
    Ok(told)
}

fn banner(listen: SocketAddr, tls: Option<&Tls>) -> String {
    let scheme = if tls.is_some() { "https" } else { "http" };
    let urls: Vec<_> = addresses(listen).into_iter().map(|address| format!("{scheme}://{address}/")).collect();
    let mut text = format!("\n  wigwag demo is ready. Open in a browser:\n\n      {}\n", urls.join("\n      "));
    if let Some(tls) = tls {
        text += &format!(
            "\n  The browser will warn: nobody vouches for this certificate. Its fingerprint is\n  {}\n",
            tls.fingerprint
        );
    } else if !listen.ip().is_loopback() {
        text += "\n  Browsers give no camera to pages that other devices open by http: add --tls for those.\n";
    }
    text + "\n  Press Ctrl-C to end.\n"
}

/// What a browser can open: all addresses of this machine instead of "any", the loopback first.
fn addresses(listen: SocketAddr) -> Vec<SocketAddr> {
    let is_wanted = |ip: &IpAddr| ip.is_ipv4() || listen.is_ipv6();
    match wigwag_mio::interfaces(true) {
        Ok(found) if listen.ip().is_unspecified() && !found.is_empty() => {
            let (here, there): (Vec<_>, Vec<_>) =
                found.into_iter().map(|found| found.address).filter(is_wanted).partition(IpAddr::is_loopback);
            here.into_iter().chain(there).map(|ip| SocketAddr::new(ip, listen.port())).collect()
        }
        _ => vec![listen],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wigwag_sansio::Seed;

    #[test]
    fn an_address_or_a_port_alone_says_where_to_listen() {
        for (text, expected) in [
            ("127.0.0.1:9000", "127.0.0.1:9000"),
            ("[::1]:80", "[::1]:80"),
            ("8443", "127.0.0.1:8443"),
            ("localhost:1", "127.0.0.1:1"),
        ] {
            assert_eq!(parse_listen(text), Ok(expected.parse().unwrap()));
        }
        for text in ["", "70000", "example.org:80", "127.0.0.1", "::1:80:"] {
            assert!(parse_listen(text).is_err(), "{text}");
        }
        for text in ["127.0.0.1:99999", "65536", "[::1]:70000"] {
            assert!(parse_listen(text).unwrap_err().contains("65535"), "{text}");
        }
    }

    #[test]
    fn a_port_for_the_calls_is_a_number_with_bounds() {
        assert_eq!(["0", "65535"].map(parse_media_port), [Ok(0), Ok(65_535)]);
        for text in ["", "abc", "-1", "65536", "127.0.0.1:80"] {
            assert!(parse_media_port(text).unwrap_err().contains("from 1 to 65535"), "{text}");
        }
    }

    #[test]
    fn the_banner_names_urls_that_a_browser_can_open() {
        let text = banner("127.0.0.1:8080".parse().unwrap(), None);
        assert!(text.contains(" http://127.0.0.1:8080/\n") && !text.contains("--tls"), "{text}");
        let text = banner("0.0.0.0:8080".parse().unwrap(), None);
        assert!(text.contains(" http://127.0.0.1:8080/\n") && text.contains("--tls"), "{text}");
        assert!(!text.contains("0.0.0.0") && !text.contains("[::1]"), "{text}");
        let certificate = Certificate::generate(Duration::from_secs(1_790_000_000), Seed::for_test(1)).unwrap();
        let tls = Tls::new(&certificate).unwrap();
        let text = banner("127.0.0.1:8080".parse().unwrap(), Some(&tls));
        assert!(text.contains(" https://127.0.0.1:8080/\n") && text.contains("sha-256 "), "{text}");
    }
}
