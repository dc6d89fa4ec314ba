//! Just enough Rust to tell code from comments and literals.

/// One line of a Rust file, taken apart. Both parts keep their columns; what belongs to the other part is blank.
#[derive(Debug, Default, PartialEq)]
pub struct Line {
    /// Code, with the insides of string and character literals blanked.
    pub code: String,
    /// Comments, with their slashes.
    pub comment: String,
}

impl Line {
    /// The words of the code, and each other character by itself.
    pub fn tokens(&self) -> Vec<&str> {
        let mut tokens = Vec::new();
        let mut rest = self.code.as_str();
        while let Some(first) = rest.chars().next() {
            let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            let (token, tail) = rest.split_at(if word == 0 { first.len_utf8() } else { word });
            if !token.trim().is_empty() {
                tokens.push(token);
            }
            rest = tail;
        }
        tokens
    }
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Code,
    LineComment,
    /// With its depth: Rust's block comments nest.
    BlockComment(usize),
    /// A string that ends at a quote not escaped.
    Text,
    /// A string that ends at a quote followed by this many hashes.
    RawText(usize),
}

/// Takes a file apart, line by line.
pub fn lines(text: &str) -> Vec<Line> {
    let characters: Vec<char> = text.chars().collect();
    let mut scanner = Scanner { characters: &characters, at: 0, state: State::Code, lines: vec![Line::default()] };
    while scanner.at < characters.len() {
        scanner.step();
    }
    scanner.lines
}

struct Scanner<'a> {
    characters: &'a [char],
    at: usize,
    state: State,
    lines: Vec<Line>,
}

impl Scanner<'_> {
    fn peek(&self, ahead: usize) -> char {
        self.characters.get(self.at + ahead).copied().unwrap_or('\0')
    }

    fn starts(&self, pattern: &str) -> bool {
        pattern.chars().enumerate().all(|(ahead, c)| self.peek(ahead) == c)
    }

    /// Moves on by `count` characters, which are code, comment or neither.
    fn take(&mut self, count: usize, is_code: bool, is_comment: bool) {
        for _ in 0..count {
            let c = self.peek(0);
            self.at += 1;
            if c == '\n' {
                self.lines.push(Line::default());
                if self.state == State::LineComment {
                    self.state = State::Code;
                }
            } else if let Some(line) = self.lines.last_mut() {
                line.code.push(if is_code { c } else { ' ' });
                line.comment.push(if is_comment { c } else { ' ' });
            }
        }
    }

    fn step(&mut self) {
        match self.state {
            State::Code => self.step_code(),
            State::LineComment => self.take(1, false, true),
            State::BlockComment(depth) if self.starts("*/") => {
                self.take(2, false, true);
                self.state = if depth == 1 { State::Code } else { State::BlockComment(depth - 1) };
            }
            State::BlockComment(depth) if self.starts("/*") => {
                self.take(2, false, true);
                self.state = State::BlockComment(depth + 1);
            }
            State::BlockComment(_) => self.take(1, false, true),
            State::Text if self.peek(0) == '\\' => self.take(2, false, false),
            State::Text if self.peek(0) == '"' => {
                self.take(1, true, false);
                self.state = State::Code;
            }
            State::RawText(hashes) if self.peek(0) == '"' && self.hashes(1) >= hashes => {
                self.take(1 + hashes, true, false);
                self.state = State::Code;
            }
            State::Text | State::RawText(_) => self.take(1, false, false),
        }
    }

    fn step_code(&mut self) {
        let inside_word = self.at > 0 && is_word(self.characters[self.at - 1]);
        if self.starts("//") {
            self.state = State::LineComment;
        } else if self.starts("/*") {
            self.state = State::BlockComment(1);
            self.take(2, false, true);
        } else if self.peek(0) == '"' {
            self.state = State::Text;
            self.take(1, true, false);
        } else if !inside_word && let Some(prefix) = self.raw_prefix() {
            let hashes = self.hashes(prefix);
            self.state = State::RawText(hashes);
            self.take(prefix + hashes + 1, true, false);
        } else if self.peek(0) == '\'' {
            self.step_quote();
        } else {
            self.take(1, true, false);
        }
    }

    /// A quote opens a character literal or a lifetime.
    fn step_quote(&mut self) {
        let end = if self.peek(1) == '\\' { (3..12).find(|&ahead| self.peek(ahead) == '\'') } else { Some(2) };
        match end.filter(|&end| self.peek(end) == '\'') {
            Some(end) => {
                self.take(1, true, false);
                self.take(end - 1, false, false);
                self.take(1, true, false);
            }
            None => self.take(1, true, false),
        }
    }

    /// Length of `r`, `br` or `cr` when it opens a raw string here.
    fn raw_prefix(&self) -> Option<usize> {
        let prefix = ["r", "br", "cr"].into_iter().find(|prefix| self.starts(prefix))?.len();
        (self.peek(prefix + self.hashes(prefix)) == '"').then_some(prefix)
    }

    fn hashes(&self, from: usize) -> usize {
        (from..).take_while(|&ahead| self.peek(ahead) == '#').count()
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> Vec<String> {
        lines(text).into_iter().map(|line| line.code.trim_end().to_string()).collect()
    }

    #[test]
    fn comments_leave_the_code() {
        let parts = lines("let a = 1; // one\n/* two /* nested */ still */ let b;");
        assert_eq!(parts[0].code.trim_end(), "let a = 1;");
        assert_eq!(parts[0].comment.trim(), "// one");
        assert_eq!(parts[1].code.trim(), "let b;");
        assert_eq!(parts[1].comment.trim(), "/* two /* nested */ still */");
    }

    #[test]
    fn literals_are_blank_and_end_where_rust_says() {
        assert_eq!(code(r#"f("a // \" b", x)"#), [r#"f("         ", x)"#]);
        assert_eq!(code(r##"f(r#"a " b"#, x)"##), [r##"f(r#"     "#, x)"##]);
        assert_eq!(code("g(b\"\\\\\", y) // z"), ["g(b\"  \", y)"]);
        assert_eq!(code("\"one\ntwo\" + k"), ["\"", "   \" + k"]);
    }

    #[test]
    fn quotes_are_characters_or_lifetimes() {
        assert_eq!(code("fn f<'a>(c: &'a str) -> char { '\"' }"), ["fn f<'a>(c: &'a str) -> char { ' ' }"]);
        assert_eq!(code(r"['\'', '\u{1F600}', '/']"), ["['  ', '         ', ' ']"]);
    }

    #[test]
    fn a_word_that_ends_in_r_is_not_a_raw_string() {
        assert_eq!(code("for\"x\""), ["for\" \""]);
    }

    #[test]
    fn tokens_are_words_and_signs() {
        let line = &lines("unsafe_code unsafe { f() }")[0];
        assert_eq!(line.tokens(), ["unsafe_code", "unsafe", "{", "f", "(", ")", "}"]);
    }
}
