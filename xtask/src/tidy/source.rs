//! Rust text without what is not code: enough of a lexer to find words that mean something.

/// A file of Rust.
pub(super) struct Source {
    /// From the root, with `/`.
    pub(super) path: String,
    /// How many lines it has.
    pub(super) lines: usize,
    /// The text with comments and literals blanked out, line for line.
    pub(super) code: String,
    /// The same without what is compiled for tests only.
    pub(super) product: String,
}

impl Source {
    pub(super) fn new(path: String, text: &str) -> Self {
        let code = blank_literals(text);
        let product = if is_test(&path) { String::new() } else { blank_tests(&code) };
        Self { lines: text.lines().count(), path, code, product }
    }
}

/// Files that hold tests only.
fn is_test(path: &str) -> bool {
    let has_folder = |folder| path.split('/').any(|part| part == folder);
    path.ends_with("/tests.rs") || has_folder("tests") || has_folder("benches") || has_folder("examples")
}

/// The lines, from 1, on which `word` stands alone, not as a part of a longer name.
pub(super) fn lines_with(code: &str, word: &str) -> Vec<usize> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let opens_name = word.starts_with(is_name);
    let closes_name = word.ends_with(is_name);
    let has = |line: &str| {
        line.match_indices(word).any(|(at, _)| {
            let before = line.get(..at).unwrap_or_default();
            let after = line.get(at + word.len()..).unwrap_or_default();
            !(opens_name && before.ends_with(is_name) || closes_name && after.starts_with(is_name))
        })
    };
    code.lines().enumerate().filter(|(_, line)| has(line)).map(|(index, _)| index + 1).collect()
}

/// Comments, strings and characters become spaces.
fn blank_literals(text: &str) -> String {
    let mut rest = text;
    let mut code = String::with_capacity(text.len());
    let mut after_name = false;
    while let Some(c) = rest.chars().next() {
        let literal = if after_name && c != '"' && c != '\'' { 0 } else { literal(rest) };
        let length = literal.max(c.len_utf8());
        let (taken, left) = rest.split_at(length);
        if literal > 0 {
            code.extend(taken.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        } else {
            code.push(c);
        }
        after_name = literal == 0 && (c.is_alphanumeric() || c == '_');
        rest = left;
    }
    code
}

/// The length of the comment or literal that `text` begins with, 0 if with neither.
fn literal(text: &str) -> usize {
    let end_of = |close: &str, from: usize| {
        text.get(from..).and_then(|rest| rest.find(close)).map_or(text.len(), |at| from + at + close.len())
    };
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        return block_comment(text);
    }
    let prefix = ["br", "cr", "r", "b", "c"].into_iter().find(|prefix| text.starts_with(prefix)).unwrap_or("");
    let body = text.get(prefix.len()..).unwrap_or_default();
    if prefix.ends_with('r') {
        let hashes = body.chars().take_while(|c| *c == '#').count();
        if body.get(hashes..).is_some_and(|body| body.starts_with('"')) {
            return end_of(&format!("\"{}", "#".repeat(hashes)), prefix.len() + hashes + 1);
        }
    } else if body.starts_with('"') {
        return prefix.len() + quoted(body, '"');
    } else if body.starts_with('\'') && (prefix.is_empty() || prefix == "b") && is_character(body) {
        return prefix.len() + quoted(body, '\'');
    }
    0
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let step = if rest.starts_with("/*") {
            depth += 1;
            2
        } else if rest.starts_with("*/") {
            depth -= 1;
            2
        } else {
            rest.chars().next().map_or(1, char::len_utf8)
        };
        at += step;
        if depth == 0 {
            break;
        }
    }
    at
}

/// `'a'` and `'\n'` are characters, `'a` is a lifetime.
fn is_character(text: &str) -> bool {
    let mut chars = text.chars().skip(1);
    chars.next() == Some('\\') || chars.next() == Some('\'')
}

/// The length of what stands between two `quote`s, with them.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

/// Items under `#[cfg(test)]` become spaces.
fn blank_tests(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut product = String::with_capacity(code.len());
    let mut rest = code;
    while let Some((before, item)) = rest.split_once(MARK) {
        product.push_str(before);
        let (item, after) = item.split_at(item_length(item));
        product.extend(item.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        rest = after;
    }
    product + rest
}

/// Up to the `;` or the `}` that ends the first item of `code`.
fn item_length(code: &str) -> usize {
    let mut depth = 0_i32;
    for (at, c) in code.char_indices() {
        match c {
            '{' | '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            '}' => {
                depth -= 1;
                if depth <= 0 {
                    return at + 1;
                }
            }
            ';' | ',' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::new("crates/x/src/a.rs".to_owned(), text)
    }

    #[test]
    fn comments_and_literals_are_no_code() {
        let code = source(
            "fn a<'b>(c: &'b str) { let d = \"HashMap \\\" HashMap\"; } // HashMap\n/* HashMap /* HashMap */ HashMap */\n\
             let e = r#\"HashMap \" HashMap\"#; let f = b\"HashMap\"; let g = '\\''; let h = '\"'; let i = HashMap;\n",
        )
        .code;
        assert_eq!(lines_with(&code, "HashMap"), [3]);
        assert!(code.contains("fn a<'b>(c: &'b str) { let d ="), "{code}");
        assert!(code.ends_with("let i = HashMap;\n"), "{code}");
    }

    #[test]
    fn tests_are_no_product() {
        let source = source(
            "use a;\n#[cfg(test)]\nmod tests {\n    fn b() { HashMap }\n}\nfn c() { HashMap }\n#[cfg(test)]\nuse HashMap;\n\
             #[cfg(test)]\nfn d(e: [u8; 3]) -> u8 { HashMap }\nfn f() {}\n",
        );
        assert_eq!(lines_with(&source.code, "HashMap"), [4, 6, 8, 10]);
        assert_eq!(lines_with(&source.product, "HashMap"), [6]);
        assert!(source.product.ends_with("fn f() {}\n"));
    }

    #[test]
    fn files_of_tests_are_no_product() {
        for path in ["crates/x/tests/a.rs", "crates/x/src/a/tests.rs", "crates/x/src/tests/a.rs"] {
            assert_eq!(Source::new(path.to_owned(), "HashMap").product, "");
        }
    }

    #[test]
    fn words_stand_alone() {
        assert_eq!(lines_with("Arc\nRc\nRcX\nsrc::Rc::new", "Rc"), [2, 4]);
        assert_eq!(lines_with("thread::spawn\nmy_thread::x", "thread::"), [1]);
        assert_eq!(lines_with("unsafe_code\nunsafe {", "unsafe"), [2]);
    }
}
