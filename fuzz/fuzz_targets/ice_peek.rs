#![cfg_attr(fuzzing, no_main)]
//! See `wigwag_fuzz::ice_peek`.

wigwag_fuzz::target!(ice_peek);
