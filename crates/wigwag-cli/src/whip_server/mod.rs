//! `wigwag whip-server`: publishers send by WHIP, and viewers watch by WHEP, or in a page.

mod broadcast;
mod offer;
mod routes;
mod streams;

use crate::console::say;
use crate::failure::{Failure, random_seed};
use crate::http::Listener;
use crate::worker::Server;
use broadcast::{Broadcast, Studio};
use wigwag::EndpointConfig;
use wigwag_sansio::Rng;

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
    server: Server,
    #[command(flatten)]
    tokens: routes::Tokens,
    /// How many publishers and viewers there may be
    #[arg(long, value_name = "NUMBER", default_value_t = 1000)]
    sessions_max: usize,
}

/// Serves until somebody ends the program.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let mut endpoint = EndpointConfig::default();
    endpoint.connections_max = args.sessions_max;
    let random = Rng::new(random_seed()?);
    args.server.run(
        endpoint,
        |line| Studio::new(line, random),
        |listener, commands| {
            say(banner(&listener));
            routes::serve(listener, Broadcast::new(commands), args.tokens.clone())
        },
    )
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
