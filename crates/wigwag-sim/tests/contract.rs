//! The contract finds every flaw, and none where there is none.

mod toy;

use toy::{Toy, flaw};
use wigwag_sim::contract::{self, Law, Subject};

const SEEDS: [u64; 2] = [1, 2];

const _: () = contract::is_send::<Toy<{ flaw::NONE }>>();

#[test]
fn a_machine_that_keeps_the_laws_passes() {
    contract::check::<Toy<{ flaw::NONE }>>();
}

/// The first law that is found broken, as `contract::check` finds it.
fn first_broken<S: Subject>() -> Option<Law> {
    SEEDS.into_iter().find_map(|seed| Law::ALL.into_iter().find_map(|law| law.check::<S>(seed).err())).map(|v| v.law)
}

macro_rules! flaws {
    ($($test:ident: $flaw:ident breaks $law:ident;)*) => {
        $(
            #[test]
            fn $test() {
                assert_eq!(first_broken::<Toy<{ flaw::$flaw }>>(), Some(Law::$law));
                let checked = SEEDS.into_iter().find_map(|seed| Law::$law.check::<Toy<{ flaw::$flaw }>>(seed).err());
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
    reading_the_clock_is_found: READS_THE_CLOCK breaks TimeIsAnArgument;
    a_clock_that_runs_backwards_is_not_believed: BELIEVES_EVERY_CLOCK breaks TimeIsAnArgument;
    a_packet_lost_when_polled_late_is_found: LOSES_WHAT_IS_POLLED_LATE breaks PacketsAreOwed;
    a_packet_lost_when_it_does_not_fit_is_found: LOSES_WHAT_DOES_NOT_FIT breaks PacketsAreOwed;
    a_packet_beyond_its_limit_is_found: IGNORES_THE_LIMIT breaks PacketsAreOwed;
    an_input_that_panics_is_found: PANICS_AT_SHORT_INPUT breaks InputsCannotFail;
    an_input_that_is_not_counted_is_found: DROPS_WITHOUT_COUNTING breaks InputsCannotFail;
    an_input_of_a_stranger_that_matters_is_found: BELIEVES_STRANGERS breaks InputsCannotFail;
    an_event_lost_when_polled_late_is_found: HAS_ONE_PLACE_FOR_EVENTS breaks NoOrder;
    an_answer_lost_and_hidden_by_retransmission_is_found: HAS_ONE_PLACE_FOR_ACKS breaks NoOrder;
    a_message_delivered_twice_is_found: DELIVERS_TWICE breaks NoOrder;
    a_message_never_sent_again_is_found: NEVER_SENDS_AGAIN breaks NoOrder;
    a_wake_up_missing_after_a_command_is_found: DOES_NOT_WAKE_AFTER_A_COMMAND breaks OwedIsDue;
    a_wake_up_missing_for_an_event_is_found: DOES_NOT_WAKE_FOR_AN_EVENT breaks OwedIsDue;
    a_timer_that_spins_is_found: HAS_A_TIMER_THAT_SPINS breaks OwedIsDue;
    a_timer_left_behind_is_found: LEAVES_TIMERS_THAT_ARE_DUE breaks OwedIsDue;
    a_timeout_that_counts_its_calls_is_found: BACKS_OFF_AT_EACH_TIMEOUT breaks EarlyCallsAreHarmless;
    a_timeout_that_comes_early_is_found: SENDS_AGAIN_WHEN_CALLED_EARLY breaks EarlyCallsAreHarmless;
    randomness_from_elsewhere_is_found: DRAWS_ITS_TAG_ELSEWHERE breaks OneSeed;
    the_order_of_a_hash_map_is_found: SENDS_IN_THE_ORDER_OF_A_HASH_MAP breaks OneSeed;
    a_queue_without_limit_is_found: QUEUES_WITHOUT_LIMIT breaks Bounded;
    events_without_limit_are_found: KEEPS_EVENTS_WITHOUT_LIMIT breaks Bounded;
    a_poll_of_all_streams_is_found: POLLS_ALL_STREAMS breaks CostFollowsWork;
}

#[test]
fn a_violation_can_be_read() {
    let violation = Law::Bounded.check::<Toy<{ flaw::QUEUES_WITHOUT_LIMIT }>>(1).unwrap_err();
    expect_test::expect![[r#"
        law 8, bounded: A holds 129, more than its bound of 128
        WIGWAG_SEED=1"#]]
    .assert_eq(&violation.to_string());
}
