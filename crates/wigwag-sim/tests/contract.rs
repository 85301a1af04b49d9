//! The contract finds every flaw, and none where there is none.

mod toy;

use toy::{Flaw, Toy};
use wigwag_sim::contract::{self, Law};

const SEEDS: [u64; 2] = [1, 2];

const _: () = contract::is_send_and_sync::<Toy>();

#[test]
fn a_machine_that_keeps_the_laws_passes() {
    contract::check::<Toy>();
}

/// The first law that is found broken, as `contract::check` finds it.
fn first_broken(flaw: Flaw) -> Option<Law> {
    toy::suffer_from(flaw);
    SEEDS.into_iter().find_map(|seed| Law::ALL.into_iter().find_map(|law| law.check::<Toy>(seed).err())).map(|v| v.law)
}

macro_rules! flaws {
    ($($test:ident: $flaw:ident breaks $law:ident;)*) => {
        $(
            #[test]
            fn $test() {
                assert_eq!(first_broken(Flaw::$flaw), Some(Law::$law));
                let checked = SEEDS.into_iter().find_map(|seed| Law::$law.check::<Toy>(seed).err());
                let violation = checked.expect("the check of this law finds it");
                assert_eq!(violation.law, Law::$law, "{violation}");
            }
        )*

        #[test]
        fn every_law_has_a_machine_that_breaks_it() {
            let broken = [$(Law::$law),*];
            assert!(Law::ALL.iter().all(|law| broken.contains(law)));
        }
    };
}

flaws! {
    reading_the_clock_is_found: ReadsTheClock breaks TimeIsAnArgument;
    a_clock_that_runs_backwards_is_not_believed: BelievesEveryClock breaks TimeIsAnArgument;
    a_panic_when_time_runs_backwards_is_found: PanicsWhenTimeRunsBackwards breaks TimeIsAnArgument;
    a_timer_counted_from_an_earlier_now_is_found: CountsTimersFromAnEarlierNow breaks TimeIsAnArgument;
    a_packet_lost_when_polled_late_is_found: LosesWhatIsPolledLate breaks PacketsAreOwed;
    a_packet_lost_when_it_does_not_fit_is_found: LosesWhatDoesNotFit breaks PacketsAreOwed;
    a_packet_beyond_its_limit_is_found: IgnoresTheLimit breaks PacketsAreOwed;
    an_input_that_panics_is_found: PanicsAtShortInput breaks InputsCannotFail;
    a_reflection_that_panics_is_found: PanicsAtItsOwnPackets breaks InputsCannotFail;
    an_input_that_is_not_counted_is_found: DropsWithoutCounting breaks InputsCannotFail;
    an_input_of_a_stranger_that_matters_is_found: BelievesStrangers breaks InputsCannotFail;
    an_event_lost_when_polled_late_is_found: HasOnePlaceForEvents breaks NoOrder;
    an_answer_lost_and_hidden_by_retransmission_is_found: HasOnePlaceForAcks breaks NoOrder;
    a_message_delivered_twice_is_found: DeliversTwice breaks NoOrder;
    a_message_never_sent_again_is_found: NeverSendsAgain breaks NoOrder;
    a_wake_up_missing_after_a_command_is_found: DoesNotWakeAfterACommand breaks OwedIsDue;
    a_wake_up_missing_for_an_event_is_found: DoesNotWakeForAnEvent breaks OwedIsDue;
    a_timer_that_spins_is_found: HasATimerThatSpins breaks OwedIsDue;
    a_timer_left_behind_is_found: LeavesTimersThatAreDue breaks OwedIsDue;
    a_timeout_that_counts_its_calls_is_found: BacksOffAtEachTimeout breaks EarlyCallsAreHarmless;
    a_timeout_that_comes_early_is_found: SendsAgainWhenCalledEarly breaks EarlyCallsAreHarmless;
    randomness_from_elsewhere_is_found: DrawsItsTagElsewhere breaks OneSeed;
    the_order_of_a_hash_map_is_found: SendsInTheOrderOfAHashMap breaks OneSeed;
    a_queue_without_limit_is_found: QueuesWithoutLimit breaks Bounded;
    events_without_limit_are_found: KeepsEventsWithoutLimit breaks Bounded;
    a_poll_of_all_streams_is_found: PollsAllStreams breaks CostFollowsWork;
}

#[test]
fn a_violation_can_be_read() {
    toy::suffer_from(Flaw::QueuesWithoutLimit);
    let violation = Law::Bounded.check::<Toy>(1).unwrap_err();
    expect_test::expect![[r#"
        law 8, bounded: A holds 129, more than its bound of 128
        WIGWAG_SEED=1"#]]
    .assert_eq(&violation.to_string());
}
