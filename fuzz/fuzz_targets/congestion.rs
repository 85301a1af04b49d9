#![cfg_attr(fuzzing, no_main)]
//! See `wigwag_fuzz::congestion`.

wigwag_fuzz::target!(congestion);
