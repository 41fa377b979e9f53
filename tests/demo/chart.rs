//! Small comparisons for the reader of the demo.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// One line a part, with the word for it: how many items were there before and are there now.
pub(crate) fn compare(what: &str, before: &BTreeMap<String, usize>, now: &BTreeMap<String, usize>) -> String {
    let mut text = String::new();
    for (part, was) in before {
        let is = now.get(part).map_or_else(|| "gone".to_owned(), ToString::to_string);
        let mark = if now.get(part) == Some(was) { "" } else { "   <──" };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {what:<7} {part:<22} {was:>7} → {is:>7}{mark}");
    }
    text
}
