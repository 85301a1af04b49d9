#![cfg_attr(fuzzing, no_main)]
//! See `wigwag_fuzz::turn_stream`.

wigwag_fuzz::target!(turn_stream);
