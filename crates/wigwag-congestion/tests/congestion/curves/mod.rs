//! What estimates do over time, kept as text, and their bounds, for other seeds, too.
//!
//! A line is each so many seconds: what the link carries, what each flow is told, both in kbit/s, and how long 95 of 100 packets waited in the
//! queue at most, in milliseconds.

mod changing;
mod senders;
mod steady;

use crate::world::{World, s};
use expect_test::Expect;
use wigwag_sim::seeds;

/// More seeds than this take more time than they tell.
const SEEDS_MAX: usize = 50;

/// Runs a world for some seeds, the first of which is drawn.
#[expect(clippy::print_stdout, reason = "a test that fails shows the curve")]
fn scenario(each: u64, until: u64, expected: &Expect, make: impl Fn(u64) -> World, bounds: impl Fn(&World)) {
    for seed in seeds(10).take(SEEDS_MAX) {
        let mut world = make(seed);
        world.run(s(until));
        println!("WIGWAG_SEED={seed}\n{}", world.curve(s(each)));
        if seed == 0 {
            expected.assert_eq(&world.curve(s(each)));
        }
        bounds(&world);
    }
}

#[track_caller]
fn at_least(what: &str, found: f64, bound: f64) {
    assert!(found >= bound, "{what}: {found:.0}, but at least {bound:.0} is expected");
}

#[track_caller]
fn at_most(what: &str, found: f64, bound: f64) {
    assert!(found <= bound, "{what}: {found:.0}, but at most {bound:.0} is expected");
}
