//! Patterns of rules, silences and inhibitions: a text in which `*` stands for anything, also for nothing.

/// Whether all of `text` fits `pattern`. The time is bounded by the product of their lengths.
pub(crate) fn fits(pattern: &str, text: &str) -> bool {
    // Most patterns have no star, and most records are of another name.
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(head) else { return false };
    let Some((middle, tail)) = rest.rsplit_once('*') else { return text.ends_with(rest) };
    // Between two stars the first place is as good as any later one.
    for piece in middle.split('*').filter(|piece| !piece.is_empty()) {
        let Some(at) = text.find(piece) else { return false };
        text = &text[at + piece.len()..];
    }
    text.ends_with(tail)
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn a_star_stands_for_anything_and_the_rest_for_itself() {
        for (pattern, text) in [
            ("", ""),
            ("a", "a"),
            ("*", ""),
            ("*", "a\nb"),
            ("sync_*", "sync_duration"),
            ("sync_*", "sync_"),
            ("*_usage", "cpu_usage"),
            ("a*c", "ac"),
            ("a*b*c", "a-bb-c"),
            ("**", "x"),
            ("é*ü", "é🎉ü"),
            ("*aab", "aaab"),
            ("*ab*ab", "abab"),
            ("a.c", "a.c"),
        ] {
            assert!(fits(pattern, text), "{pattern:?} {text:?}");
        }
        for (pattern, text) in [
            ("", "a"),
            ("a", "A"),
            ("a*", "ba"),
            ("*a", "ab"),
            ("a*a", "a"),
            ("ab*ba", "aba"),
            ("a*b*b", "ab"),
            ("*ab*ab", "ab"),
            ("a.c", "abc"),
        ] {
            assert!(!fits(pattern, text), "{pattern:?} {text:?}");
        }
    }
}
