//! Runs wigwag against real browsers and other stacks, and prints what worked.

mod browser;
mod call;
mod coturn;
mod demo;
mod matrix;
mod namespace;
mod page;
mod peer;
mod relay;
mod scenario;
mod selecting;
mod stack;

use anyhow::{Context, Result, anyhow};
use browser::Options;
use call::Role;
use cap::Cap;
use clap::Parser;
use matrix::Matrix;
use scenario::{Scenario, Stage};
use std::alloc::System;
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Counts the bytes that are held, of which a scenario asks whether they were given back.
#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

/// Runs wigwag against real browsers and other stacks, in both roles; without arguments against all of them.
#[derive(Parser)]
struct Arguments {
    /// Only this browser: chromium or firefox (may be repeated).
    #[arg(long, value_parser = browser::named)]
    browser: Vec<&'static str>,
    /// Only this stack: aiortc, werift, node-datachannel, roamhq or gstreamer (may be repeated).
    #[arg(long, value_parser = stack::named)]
    peer: Vec<&'static str>,
    /// Everybody but these, browsers or stacks (may be repeated).
    #[arg(long, value_name = "NAME", conflicts_with_all = ["browser", "peer"], value_parser = anybody)]
    without: Vec<&'static str>,
    /// Only scenarios whose name contains this.
    #[arg(long)]
    only: Option<String>,
    /// Writes a picture of the demo page, as PNG, here.
    #[arg(long, value_name = "FILE")]
    screenshot: Option<PathBuf>,
    /// The wigwag program whose page is used; without it, it is built.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Only the few that show that the rest is worth trying.
    #[arg(long)]
    smoke: bool,
    /// Only what takes too long for every change.
    #[arg(long)]
    long: bool,
    /// Ends with one line of JSON: {"passed":n,"failed":n,"skipped":n}.
    #[arg(long)]
    json: bool,
}

/// The browser or stack of this name.
fn anybody(name: &str) -> Result<&'static str> {
    browser::named(name).or_else(|_| stack::named(name)).map_err(|_| anyhow!("nobody here has this name"))
}

impl Arguments {
    fn wants(&self, name: &str, is_smoke: bool) -> bool {
        (!self.smoke || is_smoke) && self.only.as_ref().is_none_or(|only| name.contains(only))
    }

    fn wants_of(&self, browser: &str, name: &str, has_media: bool, is_smoke: bool) -> bool {
        self.wants(name, is_smoke) && (browser == "chromium" || !has_media)
    }

    fn is_for_all(&self) -> bool {
        self.browser.is_empty() && self.peer.is_empty()
    }

    fn browsers(&self) -> impl Iterator<Item = &'static str> {
        let is_wanted =
            |name: &&str| if self.is_for_all() { !self.without.contains(name) } else { self.browser.contains(name) };
        browser::NAMES.into_iter().filter(is_wanted)
    }

    fn stacks(&self) -> impl Iterator<Item = &'static stack::Stack> {
        let is_wanted =
            |name: &str| if self.is_for_all() { !self.without.contains(&name) } else { self.peer.contains(&name) };
        stack::ALL.iter().filter(move |stack| is_wanted(stack.name))
    }

    /// Whether any browser does something with the wigwag program.
    fn needs_program(&self) -> bool {
        let is_needed = |it: &Scenario| it.needs_program && it.is_long == self.long && self.wants(it.name, it.is_smoke);
        let is_any_needed = scenario::ALL.iter().any(is_needed);
        self.browsers().any(|browser| is_any_needed || !self.uses(browser).is_empty())
    }

    /// What a person does with the program's page.
    fn uses(&self, browser: &str) -> Vec<&'static demo::Use> {
        let is_wanted = |it: &&demo::Use| !self.long && self.wants_of(browser, it.name, it.has_media, it.is_smoke);
        demo::ALL.iter().filter(is_wanted).collect()
    }
}

fn main() -> Result<()> {
    let mut arguments = Arguments::parse();
    if arguments.program.is_none() && arguments.needs_program() {
        arguments.program = Some(demo::program()?);
    }
    if !namespace::is_inside() {
        match namespace::Namespace::create() {
            Ok(namespace) => {
                let code = namespace.run_again(arguments.program.as_deref())?;
                drop(namespace);
                std::process::exit(code);
            }
            Err(error) => eprintln!("no network namespace ({error}): Chromium alone can be driven, over loopback"),
        }
    }
    let mut matrix = Matrix::default();
    run(&arguments, &mut matrix)?;
    let (passed, failed, skipped) = (matrix.passed(), matrix.failed(), matrix.skipped());
    println!("\nOn {}:\n\n{}\n{passed} passed, {failed} failed, {skipped} skipped", today(), matrix.table());
    if arguments.json {
        println!("{}", serde_json::json!({"passed": passed, "failed": failed, "skipped": skipped}));
    }
    if failed > 0 || passed + skipped == 0 {
        std::process::exit(1)
    }
    Ok(())
}

/// The date, as the system's own program tells it.
fn today() -> String {
    let output = std::process::Command::new("date").args(["-u", "+%F"]).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

fn run(arguments: &Arguments, matrix: &mut Matrix) -> Result<()> {
    const NEEDS_NAMESPACE: &str = "it needs a network namespace, which none could be made of; run this as root";
    let is_free = !namespace::is_inside();
    let page = page::serve()?;
    let wants_coturn = |scenario: &Scenario| scenario.needs_coturn && arguments.wants(scenario.name, scenario.is_smoke);
    if arguments.browsers().next().is_some() && scenario::ALL.iter().any(wants_coturn) && !coturn::exists() {
        matrix.skip("coturn", "it is not installed; `cargo xtask setup` installs it");
    }
    for name in arguments.browsers() {
        if name == "firefox" && is_free {
            matrix.skip(name, NEEDS_NAMESPACE);
        } else if let Some(version) = browser::version(name) {
            matrix.begin(name, version);
            let began = Instant::now();
            if let Err(error) = run_browser(name, &page, arguments, matrix) {
                matrix.report("the browser starts", name, "", began, &Err(error));
            }
        } else {
            matrix.skip(name, "it is not installed; `cargo xtask setup` installs it");
        }
    }
    for stack in arguments.stacks() {
        if is_free {
            matrix.skip(stack.name, NEEDS_NAMESPACE);
        } else {
            stack::run(stack, arguments, matrix);
        }
    }
    Ok(())
}

type Beside = (&'static Scenario, Role, JoinHandle<(Duration, Result<String>)>);

/// A scenario that does little but wait, with a browser of its own, beside all that follow.
fn beside(name: &'static str, options: Options, scenario: &'static Scenario, page: &str, role: Role) -> Beside {
    let page = page.to_owned();
    let thread = std::thread::spawn(move || {
        let began = Instant::now();
        let started = browser::start(name, &options);
        let result = started.and_then(|mut browser| {
            (scenario.run)(&mut Stage { browser: browser.as_mut(), page: &page, role, program: None })
        });
        (began.elapsed(), result)
    });
    (scenario, role, thread)
}

fn run_browser(name: &'static str, page: &str, arguments: &Arguments, matrix: &mut Matrix) -> Result<()> {
    let is_chosen = |scenario: &&Scenario| {
        arguments.wants_of(name, scenario.name, scenario.has_media && !scenario.has_media_in_firefox, scenario.is_smoke)
            && scenario.only.is_none_or(|only| only == name)
            && scenario.is_long == arguments.long
            && (!scenario.needs_coturn || coturn::exists())
    };
    let uses = arguments.uses(name);
    for options in Options::ALL {
        let chosen: Vec<_> = scenario::ALL.iter().filter(is_chosen).filter(|s| s.options == options).collect();
        let is_usual = options == Options::USUAL;
        if chosen.is_empty() && (!is_usual || uses.is_empty()) {
            continue;
        }
        let mut browser = browser::start(name, &options)?;
        let mut quiet = Vec::new();
        for scenario in chosen {
            for role in Role::BOTH {
                if scenario.is_quiet {
                    quiet.push(beside(name, options, scenario, page, role));
                    continue;
                }
                let began = Instant::now();
                let program = arguments.program.as_deref();
                let result = (scenario.run)(&mut Stage { browser: browser.as_mut(), page, role, program });
                matrix.report(scenario.name, name, role.text(), began, &result);
            }
        }
        for it in uses.iter().filter(|_| is_usual) {
            let began = Instant::now();
            let screenshot = arguments.screenshot.as_deref().filter(|_| it.has_media || uses.len() == 1);
            let program = arguments.program.as_deref().context("no program")?;
            let result = (it.run)(browser.as_mut(), program, screenshot);
            matrix.report(it.name, name, "page", began, &result);
        }
        for (scenario, role, thread) in quiet {
            let (took, result) = thread.join().map_err(|_| anyhow!("{} panicked", scenario.name))?;
            matrix.report_after(scenario.name, name, role.text(), took, &result);
        }
    }
    Ok(())
}
