//! A driver's process, and the lines of JSON that it is asked with and answers.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// A driver waits 20 s for what it was asked for, and then says so.
const PATIENCE: Duration = Duration::from_secs(40);

pub(crate) struct Driver {
    child: Child,
    requests: ChildStdin,
    answers: Receiver<String>,
    /// What it wrote to its standard error.
    log: PathBuf,
}

impl Driver {
    /// Starts `command` as the leader of a process group of its own.
    pub(super) fn start(mut command: Command) -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let log = std::env::temp_dir().join(format!("wigwag-driver-{}-{number}.log", std::process::id()));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(std::fs::File::create(&log)?).process_group(0);
        let program = command.get_program().to_owned();
        let mut child = command.spawn().with_context(|| format!("starting {}", program.display()))?;
        let requests = child.stdin.take().context("no standard input")?;
        let output = BufReader::new(child.stdout.take().context("no standard output")?);
        let (sender, answers) = channel();
        std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Ok(Self { child, requests, answers, log })
    }

    /// Asks for `what` with the members of the object `with`; what came back.
    pub(crate) fn ask(&mut self, what: &str, mut with: Value) -> Result<Value> {
        with["do"] = what.into();
        let answer = self.exchange(&with).with_context(|| format!("{what}; {}", self.last_words()))?;
        match answer.get("error") {
            Some(error) => bail!("{what}: {}", error.as_str().unwrap_or_default()),
            None => Ok(answer["ok"].clone()),
        }
    }

    fn exchange(&mut self, request: &Value) -> Result<Value> {
        writeln!(self.requests, "{request}").context("the driver has ended")?;
        self.requests.flush()?;
        loop {
            let line = self.answers.recv_timeout(PATIENCE).map_err(|error| match error {
                RecvTimeoutError::Timeout => anyhow::anyhow!("no answer within {} s", PATIENCE.as_secs()),
                RecvTimeoutError::Disconnected => anyhow::anyhow!("the driver has ended"),
            })?;
            // A library may print what it likes.
            if let Ok(answer @ Value::Object(_)) = serde_json::from_str(&line) {
                return Ok(answer);
            }
        }
    }

    /// The end of what it wrote to its standard error.
    fn last_words(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<_> = text.lines().rev().take(5).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join(" / ")
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill").args(["-s", "KILL", "--", &group]).stderr(Stdio::null()).status();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.log);
    }
}
