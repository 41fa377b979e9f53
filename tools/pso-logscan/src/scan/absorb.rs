//! Counts of two inputs as those of both.

use std::collections::hash_map::Entry;

use crate::scan::Rules;
use crate::scan::tally::{Counts, MAX_TYPES, OTHER_TYPES};

impl Counts {
    /// Adds what was counted of later inputs. The result is that of counting these after what is here already, except
    /// for which types are told apart once there are too many of them.
    pub(crate) fn absorb(&mut self, mut other: Self, rules: &Rules) {
        self.gathered.absorb(other.gathered);
        for class in rules.classes.all() {
            if other.classes.get(class).is_none() {
                continue;
            }
            let part = other.classes.take(class);
            let tally = self.classes.get_mut(class);
            tally.sum.add(part.sum);
            // In the order of their names, so that the result does not depend on where a table has put them.
            let mut types: Vec<_> = part.types.iter().collect();
            types.sort_unstable_by_key(|&(name, _)| name);
            for (name, (count, example)) in types {
                let full = tally.types.len() >= MAX_TYPES && !tally.types.contains_key(name);
                match tally.types.entry(if full { OTHER_TYPES.to_owned() } else { name.clone() }) {
                    Entry::Occupied(mut total) => total.get_mut().0.add(*count),
                    Entry::Vacant(place) => {
                        place.insert((*count, example.clone()));
                    }
                }
            }
            tally.latest.absorb(rules.keep.value(class), part.latest);
            tally.histogram.missing += part.histogram.missing;
            for (&bucket, &count) in &part.histogram.sums {
                tally.histogram.add(None, Some(bucket), count, &mut self.room);
            }
            for (name, cells) in &part.histogram.types {
                let name = if tally.types.contains_key(name) { name } else { OTHER_TYPES };
                for (&bucket, &count) in cells {
                    tally.histogram.add_to_type(name, bucket, count, &mut self.room);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::chunks::{Sizes, StreamChunks};
    use crate::scan::marks::Machine;
    use crate::scan::pipeline::{Chunks, Job, count};
    use crate::scan::tally::FileTally;
    use crate::search::class::{Class, Classes, PerClass};
    use crate::stamps::reader::Reader;
    use crate::stamps::window::Window;
    use pso_common::config::ConfigValue as _;
    use pso_common::io::Cancel;

    #[test]
    fn parts_give_what_the_whole_gives() {
        let mut keep = PerClass::<usize>::default();
        for class in Class::BUILT_IN {
            *keep.get_mut(class) = 3;
        }
        let by = crate::scan::buckets::Buckets::parse("hour");
        let rules = Rules {
            machine: Machine::detect(),
            window: Window::default(),
            keep,
            classes: Classes::default(),
            by,
            templates: false,
            assign: false,
        };
        let reader = Reader::new(crate::stamps::zone::Zone::parse("UTC").expect("a zone"), crate::stamps::Moment(0));
        let add = |text: &str, file: usize, counts: &mut Counts| {
            let chunks = StreamChunks::new(Box::new(std::io::Cursor::new(text.to_owned())), 0, Sizes::default());
            let before = FileTally::default();
            let job = Job { chunks: Chunks::Stream(&chunks), file, rules: &rules, reader: &reader, before, threads: 1 };
            count(job, &Cancel::default(), counts).expect("not cancelled");
        };
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..50 {
            let texts: Vec<String> = (0..random.usize(1..6))
                .map(|_| {
                    let line = |random: &mut fastrand::Rng| {
                        let (hour, word) = (random.u32(0..24), random.u32(0..5));
                        format!("2025-06-12T{hour:02}:00:00Z ERROR E{word} security\n")
                    };
                    (0..random.usize(0..9)).map(|_| line(&mut random)).collect()
                })
                .collect();
            let (mut whole, mut sum) = (Counts::default(), Counts::default());
            for (file, text) in texts.iter().enumerate() {
                add(text, file, &mut whole);
                let mut part = Counts::default();
                add(text, file, &mut part);
                sum.absorb(part, &rules);
            }
            for class in Class::BUILT_IN {
                assert_eq!(sum.classes.get_mut(class), whole.classes.get_mut(class));
            }
            assert_eq!(sum.room, whole.room);
        }
    }
}
