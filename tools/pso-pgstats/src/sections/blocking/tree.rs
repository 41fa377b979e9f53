//! Who waits for whom as places in a tree: a graph of waits may have several ways to one session, and circles.

use std::cmp::Reverse;
use std::collections::VecDeque;

/// Where somebody stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) node: usize,
    pub(super) root: usize,
    /// From the root to it, both included.
    pub(super) path: Vec<usize>,
    /// Those that wait for it; and those that wait for them, and so on.
    pub(super) blocks: usize,
    pub(super) blocks_in_all: usize,
    /// Of the latter the longest wait.
    pub(super) longest_wait_ms: u64,
    /// Whether it waits for itself.
    pub(super) deadlock: bool,
}

/// The places in depth-first order, the worst root first. `waits_for` says of each node for whom it waits.
pub(super) fn places(waits_for: &[&[usize]], waiting_ms: impl Fn(usize) -> u64) -> Vec<Place> {
    let mut waiters: Vec<Vec<usize>> = vec![Vec::new(); waits_for.len()];
    for (node, blockers) in waits_for.iter().enumerate() {
        for blocker in *blockers {
            waiters[*blocker].push(node);
        }
    }
    let mut places: Vec<Place> = (0..waits_for.len()).map(|node| place(node, &waiters, &waiting_ms)).collect();
    let worse = |places: &[Place], node: usize| {
        let place = &places[node];
        (Reverse(place.blocks_in_all), Reverse(place.longest_wait_ms), Reverse(waiting_ms(node)), node)
    };
    let mut roots: Vec<usize> = (0..places.len()).filter(|node| waits_for[*node].is_empty()).collect();
    roots.sort_by_key(|node| worse(&places, *node));
    let mut parents: Vec<Option<usize>> = vec![None; places.len()];
    let mut reached = vec![false; places.len()];
    reach(&roots, &waiters, &mut parents, &mut reached);
    // What no root leads to is a circle, or behind one: the worst in it stands for a root.
    let mut circles: Vec<usize> = (0..places.len()).filter(|node| places[*node].deadlock).collect();
    circles.sort_by_key(|node| worse(&places, *node));
    for node in circles {
        if !reached[node] {
            roots.push(node);
            reach(&[node], &waiters, &mut parents, &mut reached);
        }
    }
    roots.sort_by_key(|node| worse(&places, *node));
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); places.len()];
    for (node, parent) in parents.iter().enumerate() {
        children[parent.unwrap_or(node)].extend(parent.map(|_| node));
    }
    let mut order = Vec::with_capacity(places.len());
    let mut open: Vec<(usize, Vec<usize>)> = roots.into_iter().rev().map(|root| (root, vec![root])).collect();
    while let Some((node, path)) = open.pop() {
        children[node].sort_by_key(|child| worse(&places, *child));
        open.extend(children[node].iter().rev().map(|child| (*child, [path.as_slice(), &[*child]].concat())));
        places[node].root = path[0];
        places[node].path = path;
        order.push(node);
    }
    order.into_iter().map(|node| places[node].clone()).collect()
}

/// What is known of a node before its place is.
fn place(node: usize, waiters: &[Vec<usize>], waiting_ms: &impl Fn(usize) -> u64) -> Place {
    let (mut parents, mut behind) = (vec![None; waiters.len()], vec![false; waiters.len()]);
    // Not reached before somebody leads back to it.
    for waiter in &waiters[node] {
        if !behind[*waiter] {
            reach(&[*waiter], waiters, &mut parents, &mut behind);
        }
    }
    let others = || (0..waiters.len()).filter(|other| behind[*other] && *other != node);
    Place {
        node,
        root: node,
        path: Vec::new(),
        blocks: waiters[node].len(),
        blocks_in_all: others().count(),
        longest_wait_ms: others().map(waiting_ms).max().unwrap_or_default(),
        deadlock: behind[node],
    }
}

/// All that wait, directly or not, for one of these; the parent of each is the first on a shortest way.
fn reach(from: &[usize], waiters: &[Vec<usize>], parents: &mut [Option<usize>], reached: &mut [bool]) {
    let mut open: VecDeque<usize> = from.iter().copied().collect();
    for node in from {
        reached[*node] = true;
    }
    while let Some(node) = open.pop_front() {
        for waiter in &waiters[node] {
            if !reached[*waiter] {
                reached[*waiter] = true;
                parents[*waiter] = Some(node);
                open.push_back(*waiter);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(waits_for: &[&[usize]]) -> Vec<Vec<usize>> {
        places(waits_for, |_| 1).into_iter().map(|place| place.path).collect()
    }

    #[test]
    fn the_shortest_way_is_the_path() {
        // 3 waits for all before it, as in a queue.
        assert_eq!(paths(&[&[], &[0], &[0, 1], &[0, 1, 2]]), [vec![0], vec![0, 1], vec![0, 2], vec![0, 3]]);
        let all = places(&[&[], &[0], &[0, 1], &[0, 1, 2]], |node| node as u64 * 10);
        let counts: Vec<_> =
            all.iter().map(|place| (place.blocks, place.blocks_in_all, place.longest_wait_ms)).collect();
        assert_eq!(counts, [(3, 3, 30), (2, 2, 30), (1, 1, 30), (0, 0, 0)]);
    }

    #[test]
    fn one_that_waits_for_several_roots_stands_under_the_worst() {
        assert_eq!(paths(&[&[], &[], &[0, 1], &[1]]), [vec![1], vec![1, 2], vec![1, 3], vec![0]]);
    }

    #[test]
    fn a_circle_has_the_one_that_blocks_most_as_its_root() {
        let all = places(&[&[1], &[0], &[1], &[2]], |node| node as u64);
        let paths_of: Vec<_> = all.iter().map(|place| place.path.clone()).collect();
        assert_eq!(paths_of, [vec![1], vec![1, 0], vec![1, 2], vec![1, 2, 3]]);
        assert_eq!(all.iter().map(|place| place.deadlock).collect::<Vec<_>>(), [true, true, false, false]);
        assert!(all.iter().all(|place| place.root == 1));
        // A circle that somebody outside of it blocks, too, has a root.
        assert_eq!(paths(&[&[1], &[0, 2], &[]]), [vec![2], vec![2, 1], vec![2, 1, 0]]);
    }

    #[test]
    fn a_long_chain_is_no_trouble() {
        let blockers: Vec<Vec<usize>> = (0..2000_usize).map(|node| node.checked_sub(1).into_iter().collect()).collect();
        let all = paths(&blockers.iter().map(Vec::as_slice).collect::<Vec<_>>());
        assert_eq!((all.len(), all[1999].len()), (2000, 2000));
    }
}
