//! An association that goes on elsewhere: its state as bytes, and an association of such bytes.
//!
//! A format of our own. Behind a version, the key of the cookies and the ports come the parts of an association in the order in which
//! `association/migrate.rs` names them, each with its fields in the order in which `state!` names them beside its definition: numbers
//! in network order; durations in nanoseconds; moments as durations before or after the export; lists, and what is of
//! some length, behind their lengths in four bytes; of what is one of several, its number first.
//!
//! What follows from the rest (sums, places in lines, what is lost) is not written but computed, so that it cannot contradict. What
//! `Config` says is taken from the one at hand. Whatever else bytes may say that no association would is refused: they may be anybody's.

mod collections;
mod values;

pub(crate) use values::{Reader, Writer};

/// A part of an association's state.
pub(crate) trait State: Sized {
    fn write(&self, out: &mut Writer);

    /// `None`: no association writes this.
    fn read(from: &mut Reader<'_>) -> Option<Self>;
}

/// Makes a [`State`] of a type, by the names of all its fields or variants: one that is forgotten does not compile.
///
/// Of a struct, fields that are `anew` are not written; each is made by a function of the reader. Then, `if` a
/// condition holds, or `then` what a function makes of it, is the state.
macro_rules! state {
    (
        struct $name:ident { $($field:ident),* $(,)? }
        $(anew { $($new:ident: $make:expr),* $(,)? })?
        $(if $condition:expr)?
        $(=> then $finish:expr)?
    ) => {
        impl $crate::migration::State for $name {
            fn write(&self, out: &mut $crate::migration::Writer) {
                let Self { $($field,)* $($($new: _,)*)? } = self;
                $($crate::migration::State::write($field, out);)*
            }

            fn read(from: &mut $crate::migration::Reader<'_>) -> Option<Self> {
                let state = Self {
                    $($field: $crate::migration::State::read(from)?,)*
                    $($($new: $crate::migration::anew(from, $make),)*)?
                };
                $(let state = $crate::migration::only_if(from, state, $condition)?;)?
                $(let state = $crate::migration::finished(from, state, $finish)?;)?
                Some(state)
            }
        }
    };
    (enum $name:ident {
        $($number:literal: $variant:ident $(($($item:ident),*))? $({ $($field:ident),* })?),* $(,)?
    }) => {
        impl $crate::migration::State for $name {
            fn write(&self, out: &mut $crate::migration::Writer) {
                match self {
                    $(Self::$variant $(($($item),*))? $({ $($field),* })? => {
                        out.bytes(&[$number]);
                        $($($crate::migration::State::write($item, out);)*)?
                        $($($crate::migration::State::write($field, out);)*)?
                    })*
                }
            }

            fn read(from: &mut $crate::migration::Reader<'_>) -> Option<Self> {
                Some(match <u8 as $crate::migration::State>::read(from)? {
                    $($number => Self::$variant
                        $(($({ let $item = $crate::migration::State::read(from)?; $item }),*))?
                        $({ $($field: $crate::migration::State::read(from)?),* })?,)*
                    _ => return None,
                })
            }
        }
    };
}
pub(crate) use state;

/// What `anew` says of a field.
pub(crate) fn anew<T>(from: &Reader<'_>, make: impl FnOnce(&Reader<'_>) -> T) -> T {
    make(from)
}

/// What `if` says.
pub(crate) fn only_if<T>(from: &Reader<'_>, state: T, condition: impl FnOnce(&T, &Reader<'_>) -> bool) -> Option<T> {
    condition(&state, from).then_some(state)
}

/// What `then` says.
pub(crate) fn finished<'a, T>(
    from: &mut Reader<'a>,
    state: T,
    finish: impl FnOnce(T, &mut Reader<'a>) -> Option<T>,
) -> Option<T> {
    finish(state, from)
}
