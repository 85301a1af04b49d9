//! Runs wigwag against real browsers and prints what worked.

mod browser;
mod call;
mod demo;
mod namespace;
mod page;
mod peer;
mod scenario;

use anyhow::{Context, Result, bail};
use call::Role;
use clap::Parser;
use scenario::{Scenario, Stage};
use std::path::PathBuf;
use std::time::Instant;

/// Runs wigwag against real browsers, in both roles.
#[derive(Parser)]
struct Arguments {
    /// Which browser: chromium or firefox.
    #[arg(long, default_value = "chromium")]
    browser: String,
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
    /// Ends with one line of JSON: {"passed":n,"failed":n,"skipped":n}.
    #[arg(long)]
    json: bool,
}

impl Arguments {
    fn wants(&self, name: &str, has_media: bool, is_smoke: bool) -> bool {
        (!self.smoke || is_smoke)
            && (self.browser == "chromium" || !has_media)
            && self.only.as_ref().is_none_or(|only| name.contains(only))
    }

    /// What a person does with the program's page.
    fn uses(&self) -> Vec<&'static demo::Use> {
        demo::ALL.iter().filter(|it| self.wants(it.name, it.has_media, it.is_smoke)).collect()
    }
}

#[derive(Default)]
struct Count {
    passed: usize,
    failed: usize,
}

fn main() -> Result<()> {
    let mut arguments = Arguments::parse();
    if arguments.program.is_none() && !arguments.uses().is_empty() {
        arguments.program = Some(demo::program()?);
    }
    if !namespace::is_inside() {
        match namespace::Namespace::create() {
            Ok(namespace) => {
                let code = namespace.run_again(arguments.program.as_deref())?;
                drop(namespace);
                std::process::exit(code);
            }
            Err(error) if arguments.browser == "firefox" => {
                bail!("Firefox needs a network namespace, and none could be made: {error}; run this as root")
            }
            Err(error) => eprintln!("no network namespace ({error}): Chromium is driven over loopback"),
        }
    }
    let count = run(&arguments)?;
    println!("{} passed, {} failed, 0 skipped", count.passed, count.failed);
    if arguments.json {
        println!("{}", serde_json::json!({"passed": count.passed, "failed": count.failed, "skipped": 0}));
    }
    if count.failed > 0 || count.passed == 0 {
        std::process::exit(1)
    }
    Ok(())
}

fn run(arguments: &Arguments) -> Result<Count> {
    let page = page::serve()?;
    let is_chosen = |scenario: &&Scenario| {
        arguments.wants(scenario.name, scenario.has_media, scenario.is_smoke)
            && scenario.only.is_none_or(|only| only == arguments.browser)
    };
    let uses = arguments.uses();
    let mut count = Count::default();
    for hides_addresses in [false, true] {
        let chosen: Vec<_> =
            scenario::ALL.iter().filter(is_chosen).filter(|s| s.hides_addresses == hides_addresses).collect();
        if chosen.is_empty() && (hides_addresses || uses.is_empty()) {
            continue;
        }
        let mut browser = browser::start(&arguments.browser, &browser::Options { hides_addresses })?;
        for scenario in chosen {
            for role in Role::BOTH {
                let began = Instant::now();
                let result = (scenario.run)(&mut Stage { browser: browser.as_mut(), page: &page, role });
                report(scenario.name, &arguments.browser, role.text(), began, &result, &mut count);
            }
        }
        for it in uses.iter().filter(|_| !hides_addresses) {
            let began = Instant::now();
            let screenshot = arguments.screenshot.as_deref().filter(|_| it.has_media || uses.len() == 1);
            let program = arguments.program.as_deref().context("no program")?;
            let result = (it.run)(browser.as_mut(), program, screenshot);
            report(it.name, &arguments.browser, "page", began, &result, &mut count);
        }
    }
    Ok(count)
}

fn report(scenario: &str, browser: &str, role: &str, began: Instant, result: &Result<String>, count: &mut Count) {
    let seconds = began.elapsed().as_secs_f64();
    let (mark, text) = match result {
        Ok(text) => ("ok  ", text.clone()),
        Err(error) => ("FAIL", format!("{error:#}")),
    };
    *(if result.is_ok() { &mut count.passed } else { &mut count.failed }) += 1;
    println!("{mark} {browser:8} {role:8} {seconds:6.1} s  {scenario:56} {text}");
}
