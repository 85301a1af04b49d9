#![cfg_attr(fuzzing, no_main)]
//! See `wigwag_fuzz::turn_client`.

wigwag_fuzz::target!(turn_client);
