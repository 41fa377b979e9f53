//! Templates of lines that nobody has written.

use crate::fuzzing::choices::Choices;
use crate::stamps::Moment;
use crate::templates::{Known, Line, Mined, Order, Sketch, Slot, mine};

/// `templates`: counts the lines of a text in one sketch, and in two that are joined.
///
/// # Panics
/// When a line is lost, has no template, or the result depends on how the lines were divided or in which order sketches
/// were joined.
pub fn templates(data: &[u8]) {
    let mut choices = Choices::of(data);
    let (fields, stamp_end, parts) = (choices.below(5), choices.below(30), 1 + choices.below(3));
    let lines: Vec<&[u8]> = choices.rest().split(|&byte| byte == b'\n').collect();
    let whole = mined(&lines, fields, stamp_end, &[0]);
    let counted: u64 = whole.0.templates.iter().map(|template| template.count.count).sum();
    assert_eq!(counted, lines.len() as u64);
    let mut ids: Vec<&str> = whole.0.templates.iter().map(|template| &*template.id).collect();
    ids.sort_unstable();
    assert!(ids.is_sorted_by(|one, next| one < next), "two templates have one name");
    for slot in &whole.1 {
        assert!(whole.0.template_of(*slot).is_some());
    }
    let order: Vec<usize> = (0..=parts).collect();
    let reverse: Vec<usize> = order.iter().rev().copied().collect();
    for order in [order, reverse] {
        let other = mined(&lines, fields, stamp_end, &order);
        assert!(other.0.templates == whole.0.templates, "joined in the order {order:?}");
    }
}

/// Divides the lines among as many sketches as `order` has, and joins these in that order.
fn mined(lines: &[&[u8]], fields: usize, stamp_end: usize, order: &[usize]) -> (Mined, Vec<Slot>) {
    let mut sketches: Vec<Sketch> = order.iter().map(|_| Sketch::default()).collect();
    let mut slots = Vec::new();
    for (number, bytes) in lines.iter().enumerate() {
        let order = Order { file: 0, chunk: 0, line: number as u64 };
        let stamp_end = stamp_end.min(bytes.len());
        let at = Some(Moment(number as i64));
        let sketch = number % sketches.len();
        slots.push(sketches[sketch].add(Line { bytes, stamp_end, fields, at, order }));
    }
    let mut whole = Sketch::default();
    for &part in order {
        whole.absorb(std::mem::take(&mut sketches[part]));
    }
    (mine(&whole, &Known::default()), slots)
}
