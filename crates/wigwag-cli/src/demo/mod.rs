//! `wigwag demo`: a page with a video call to this program, which echoes it, or to a friend with the same page.

mod calls;
mod echo;
mod pages;
mod rooms;
mod signalling;
mod websocket;

use crate::console::say;
use crate::failure::Failure;
use crate::http::Listener;
use crate::worker::Server;
use calls::{Calls, Exchange};
use wigwag::EndpointConfig;

/// What `wigwag demo` takes.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Browsers give camera and microphone to this machine's own pages (127.0.0.1) and to HTTPS only: for \
                        other devices use --tls and accept the warning, after comparing the fingerprint."
)]
pub(crate) struct Args {
    #[command(flatten)]
    server: Server,
}

/// Serves until somebody ends the program.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    args.server.run(EndpointConfig::default(), Exchange::new, |listener, commands| {
        say(banner(&listener));
        pages::serve(listener, Calls::new(commands))
    })
}

fn banner(listener: &Listener) -> String {
    let urls = listener.urls().join("\n      ");
    let mut text = format!("\n  wigwag demo is ready. Open in a browser:\n\n      {urls}\n");
    if let Some(fingerprint) = listener.fingerprint() {
        text += &format!(
            "\n  The browser will warn: nobody vouches for this certificate. Its fingerprint is\n  {fingerprint}\n"
        );
    } else if !listener.ip().is_loopback() {
        text += "\n  Browsers give no camera to pages that other devices open by http: add --tls for those.\n";
    }
    text + "\n  Press Ctrl-C to end.\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    fn banner_of(options: &[&str]) -> String {
        let cli = Cli::parse_from([&["demo"], options].concat());
        banner(&cli.args.server.listener().unwrap())
    }

    #[test]
    fn the_banner_names_urls_that_a_browser_can_open() {
        let text = banner_of(&["--listen", "127.0.0.1:0"]);
        assert!(text.contains(" http://127.0.0.1:") && !text.contains("--tls"), "{text}");
        let text = banner_of(&["--listen", "0.0.0.0:0"]);
        assert!(text.contains(" http://127.0.0.1:") && text.contains("--tls"), "{text}");
        assert!(!text.contains("0.0.0.0") && !text.contains("[::1]"), "{text}");
        let text = banner_of(&["--listen", "127.0.0.1:0", "--tls"]);
        assert!(text.contains(" https://127.0.0.1:") && text.contains("sha-256 "), "{text}");
    }
}
