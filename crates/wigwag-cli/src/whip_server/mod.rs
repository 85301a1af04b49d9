//! `wigwag whip-server`: publishers send by WHIP, and viewers watch by WHEP, or in a page.

mod broadcast;
mod offer;
mod routes;
mod streams;

use crate::console::say;
use crate::failure::Failure;
use crate::http::{self, Listener};
use crate::recording;
use crate::worker::{self, stop_signal};
use wigwag::EndpointConfig;

/// What `wigwag whip-server` takes.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Publish to http://127.0.0.1:8080/whip/NAME (OBS: Settings, Stream, WHIP; a browser: /publish/NAME), and watch \
                        http://127.0.0.1:8080/whep/NAME (a browser: /watch/NAME). Nothing is decoded: who watches needs the codec of \
                        who publishes. A publisher who comes again takes the place of the one before, and viewers wait for that for \
                        30 s. Browsers give cameras to this machine's own pages and to HTTPS only."
)]
pub(crate) struct Args {
    #[command(flatten)]
    http: http::Listen,
    #[command(flatten)]
    media: worker::Sockets,
    #[command(flatten)]
    tokens: routes::Tokens,
    /// How many publishers and viewers there may be
    #[arg(long, value_name = "NUMBER", default_value_t = 1000)]
    sessions_max: usize,
    #[command(flatten)]
    recording: recording::Files,
}

/// Serves until somebody ends the program.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let listener = Listener::bind(&args.http)?;
    let recording = args.recording.open()?;
    let stopped = stop_signal()?;
    let mut endpoint = EndpointConfig::default();
    endpoint.connections_max = args.sessions_max;
    let (broadcast, worker) = broadcast::start(args.media.bind(endpoint)?, recording)?;
    say(banner(&listener));
    routes::serve(listener, broadcast.clone(), args.tokens.clone())?;
    worker.run_until_stopped(&stopped, || broadcast.stop())?;
    say("Goodbye.");
    Ok(())
}

fn banner(listener: &Listener) -> String {
    let mut text = "\n  wigwag whip-server is ready. NAME is what you like.\n".to_owned();
    for url in listener.urls() {
        text += &format!("\n      publish  {url}whip/NAME   or in a browser  {url}publish/NAME");
        text += &format!("\n      watch    {url}whep/NAME   or in a browser  {url}watch/NAME\n");
    }
    if let Some(fingerprint) = listener.fingerprint() {
        text += &format!("\n  Nobody vouches for the certificate. Its fingerprint is\n  {fingerprint}\n");
    }
    text + "\n  Press Ctrl-C to end.\n"
}
