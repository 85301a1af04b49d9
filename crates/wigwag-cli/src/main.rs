//! The wigwag program: a video call in a browser page, a benchmark of two peers over loopback, a TURN server, and a server that sends
//! streams on.

#![forbid(unsafe_code)]

mod console;
mod demo;
mod failure;
mod http;
mod loopback;
mod recording;
mod sockets;
mod turn_server;
mod whip_server;
mod worker;

use clap::{ArgAction, Parser, Subcommand};
use failure::Failure;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

/// WebRTC from the command line: calls, data and media between browsers and this machine.
#[derive(Debug, Parser)]
#[command(name = "wigwag", version, about, propagate_version = true, arg_required_else_help = true)]
#[command(after_help = "Examples:
  wigwag demo                          a video call with an echo: open http://127.0.0.1:8080
  wigwag demo --listen 0.0.0.0:8443 --tls
                                       the same for other devices of your network
  wigwag loopback --seconds 10         how fast are two peers on this machine?
  wigwag turn-server --user alice:secret --allow 127.0.0.0/8
                                       a relay for tests on this machine
  wigwag whip-server --publish-token secret
                                       publish with OBS to http://127.0.0.1:8080/whip/NAME, watch /watch/NAME")]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Say more of what happens; twice for much more. The variable WIGWAG_LOG chooses exactly, as `wigwag_ice=trace`
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve a page with a video call: camera and microphone come back, chat lines too, with live statistics
    Demo(demo::Args),
    /// Measure two peers on this machine: data as fast as possible and media, both ways, over real sockets
    Loopback(loopback::Args),
    /// Relay for clients that know a password: a TURN server over UDP and TCP
    TurnServer(turn_server::Args),
    /// Send streams on to many viewers: publishers come with WHIP (OBS, a browser), viewers with WHEP or a page
    WhipServer(whip_server::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = start_log(cli.verbose).and_then(|()| match cli.command {
        Command::Demo(args) => demo::run(&args),
        Command::Loopback(args) => loopback::run(&args),
        Command::TurnServer(args) => turn_server::run(&args),
        Command::WhipServer(args) => whip_server::run(&args),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            console::complain(&failure);
            ExitCode::FAILURE
        }
    }
}

/// The variable is obeyed, or its mistake is told: silence would look like a quiet program.
fn start_log(verbose: u8) -> Result<(), Failure> {
    let level = match verbose {
        0 => "error",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let chosen = std::env::var("WIGWAG_LOG").ok();
    let filter = EnvFilter::builder().parse(chosen.as_deref().unwrap_or(level)).map_err(|error| {
        Failure::new(format!("cannot understand WIGWAG_LOG: {error}: write a level or parts, as wigwag_ice=trace,info"))
    })?;
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_options_of_all_commands_fit_together() {
        Cli::command().debug_assert();
    }
}
