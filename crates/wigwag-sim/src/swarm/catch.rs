//! Catches panics, and says nothing of them.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::Once;

/// Where a world failed, and what it said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Panic {
    /// File, line and column. What fails at one place is one failure.
    pub(super) place: String,
    pub(super) message: String,
}

thread_local! {
    static IS_LISTENING: Cell<bool> = const { Cell::new(false) };
    static HEARD: Cell<Option<Panic>> = const { Cell::new(None) };
}

/// Runs something that may panic.
pub(super) fn catch(run: impl FnOnce()) -> Result<(), Panic> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(
            move |info| if IS_LISTENING.get() { HEARD.set(Some(hear(info))) } else { usual(info) },
        ));
    });
    IS_LISTENING.set(true);
    let outcome = panic::catch_unwind(AssertUnwindSafe(run));
    IS_LISTENING.set(false);
    outcome.map_err(|_| HEARD.take().unwrap_or(Panic { place: "somewhere".into(), message: "it panicked".into() }))
}

fn hear(info: &PanicHookInfo<'_>) -> Panic {
    let payload = info.payload();
    let text = payload.downcast_ref::<&str>().copied();
    let message = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("it panicked");
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    Panic { place, message: message.to_owned() }
}
