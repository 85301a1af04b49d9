#![cfg_attr(fuzzing, no_main)]
//! See `wigwag_fuzz::turn_server`.

wigwag_fuzz::target!(turn_server);
