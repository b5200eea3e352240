//! Strings: written as Python's encoder writes them with `ensure_ascii`.

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Appends `text` with its quotes, all but 0x20..0x7e escaped.
pub fn write_str(out: &mut String, text: &str) {
    out.push('"');
    write_characters(out, text);
    out.push('"');
}

/// Appends `text` as it stands within a string: [`write_str`] without the quotes.
pub fn write_characters(out: &mut String, text: &str) {
    let is_special = |byte: u8| !(b' '..0x7f).contains(&byte) || byte == b'"' || byte == b'\\';
    let mut rest = text;
    while let Some(at) = rest.bytes().position(is_special) {
        out.push_str(&rest[..at]);
        // The bytes before are ASCII, so a character begins here.
        let mut characters = rest[at..].chars();
        if let Some(character) = characters.next() {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                write_unit(out, *unit);
            }
        }
        rest = characters.as_str();
    }
    out.push_str(rest);
}

/// Appends one UTF-16 unit (also half a surrogate pair) as it stands within a string.
pub fn write_unit(out: &mut String, unit: u16) {
    let short = match unit {
        0x22 => '"',
        0x5c => '\\',
        0x0a => 'n',
        0x0d => 'r',
        0x09 => 't',
        0x08 => 'b',
        0x0c => 'f',
        0x20..=0x7e => {
            out.push(char::from(unit as u8));
            return;
        }
        _ => {
            out.push_str("\\u");
            for shift in [12, 8, 4, 0] {
                out.push(char::from(HEX[usize::from(unit >> shift & 0xf)]));
            }
            return;
        }
    };
    out.push('\\');
    out.push(short);
}

/// One step through the inside of a string that [`super::lex`] has read: the UTF-16 unit that an escape stands for, or
/// a stretch of characters that stand for themselves.
pub(super) enum Piece<'a> {
    Unit(u16),
    Plain(&'a str),
}

/// The pieces of `inside`, a string without its quotes.
pub(super) fn pieces(inside: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = inside;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let Some(escape) = rest.strip_prefix('\\') else {
            let plain = &rest[..rest.find('\\').unwrap_or(rest.len())];
            rest = &rest[plain.len()..];
            return Some(Piece::Plain(plain));
        };
        let mut characters = escape.chars();
        let unit = match characters.next()? {
            'n' => 0x0a,
            'r' => 0x0d,
            't' => 0x09,
            'b' => 0x08,
            'f' => 0x0c,
            'u' => {
                let digits = escape.get(1..5)?;
                rest = &escape[5..];
                return Some(Piece::Unit(u16::from_str_radix(digits, 16).ok()?));
            }
            itself => itself as u16,
        };
        rest = characters.as_str();
        Some(Piece::Unit(unit))
    })
}

/// Appends `raw`, a JSON string with its quotes, in Python's form.
pub(super) fn rewrite(out: &mut String, raw: &str) {
    out.push('"');
    for piece in pieces(&raw[1..raw.len() - 1]) {
        match piece {
            Piece::Unit(unit) => write_unit(out, unit),
            Piece::Plain(plain) => write_characters(out, plain),
        }
    }
    out.push('"');
}

/// The text that the JSON string `raw` (with its quotes, nothing around) stands for; `None` if it is no string or holds
/// half a surrogate pair.
pub fn decode_str(raw: &str) -> Option<String> {
    let mut lexer = super::lex::Lexer::new(raw.as_bytes());
    if lexer.peek() != Some(b'"') || lexer.string().is_err() || lexer.at != raw.len() {
        return None;
    }
    decode_inside(&raw[1..raw.len() - 1])
}

/// [`decode_str`] of a string that was read already, without its quotes.
pub(super) fn decode_inside(inside: &str) -> Option<String> {
    let mut text = String::with_capacity(inside.len());
    let mut high: Option<u16> = None;
    for piece in pieces(inside) {
        match (piece, high.take()) {
            (Piece::Plain(plain), None) => text.push_str(plain),
            (Piece::Unit(unit @ 0xd800..=0xdbff), None) => high = Some(unit),
            (Piece::Unit(unit), None) => text.push(char::from_u32(u32::from(unit))?),
            (Piece::Unit(low), Some(first)) => {
                text.push(char::decode_utf16([first, low]).next()?.ok()?);
            }
            (Piece::Plain(_), Some(_)) => return None,
        }
    }
    high.is_none().then_some(text)
}
