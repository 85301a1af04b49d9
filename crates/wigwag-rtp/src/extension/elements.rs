//! The elements of a header extension, with headers of one or of two bytes (RFC 8285 §4).

use crate::read::Reader;

/// The elements of a header extension: (number, data).
#[derive(Clone, Copy, Debug)]
pub struct Elements<'a> {
    form: Form,
    reader: Reader<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Form {
    OneByte,
    TwoBytes,
    Unknown,
}

impl<'a> Elements<'a> {
    pub(crate) const fn new(profile: u16, data: &'a [u8]) -> Self {
        let form = match profile {
            0xbede => Form::OneByte,
            // The low four bits are the application's.
            0x1000..=0x100f => Form::TwoBytes,
            _ => Form::Unknown,
        };
        Self { form, reader: Reader(data) }
    }

    fn one_byte(&mut self) -> Option<(u8, &'a [u8])> {
        loop {
            let byte = self.reader.u8().ok()?;
            match (byte >> 4, byte & 0x0f) {
                // Padding.
                (0, 0) => {}
                // RFC 8285 §4.2: a number of 0 with a length, or of 15, ends the extension.
                (0 | 15, _) => return None,
                (id, len) => return Some((id, self.reader.take(usize::from(len) + 1).ok()?)),
            }
        }
    }

    fn two_bytes(&mut self) -> Option<(u8, &'a [u8])> {
        loop {
            let id = self.reader.u8().ok()?;
            if id != 0 {
                let len = self.reader.u8().ok()?;
                return Some((id, self.reader.take(usize::from(len)).ok()?));
            }
        }
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let element = match self.form {
            Form::OneByte => self.one_byte(),
            Form::TwoBytes => self.two_bytes(),
            Form::Unknown => None,
        };
        if element.is_none() {
            self.form = Form::Unknown;
        }
        element
    }
}
