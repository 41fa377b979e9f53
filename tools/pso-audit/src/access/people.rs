//! Users and groups, as `/etc/passwd` and `/etc/group` name them. Those of a directory (LDAP) are known by number only.

use std::collections::{HashMap, HashSet};
use std::fs;

#[derive(Debug, Default)]
pub(crate) struct People {
    users: HashMap<u32, String>,
    groups: HashMap<u32, String>,
    /// Users of a group, by its own list and by being their first group.
    members: HashMap<u32, HashSet<String>>,
    trusted: HashSet<u32>,
}

impl People {
    pub(crate) fn of_this_machine(trusted_groups: &[String]) -> Self {
        let read = |path| fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
        Self::parse(&read("/etc/passwd"), &read("/etc/group"), trusted_groups)
    }

    /// `passwd(5)` is `name:password:uid:gid:…`, `group(5)` is `name:password:gid:member,…`.
    fn parse(passwd: &str, group: &str, trusted_groups: &[String]) -> Self {
        let mut people = Self::default();
        for line in group.lines() {
            let fields: Vec<&str> = line.split(':').collect();
            if let [name, _, id, members] = fields[..]
                && let Ok(id) = id.parse::<u32>()
            {
                people.groups.entry(id).or_insert_with(|| name.to_owned());
                let members = members.split(',').map(str::trim).filter(|member| !member.is_empty());
                people.members.entry(id).or_default().extend(members.map(str::to_owned));
            }
        }
        for line in passwd.lines() {
            let mut fields = line.split(':');
            if let (Some(name), _, Some(Ok(id)), Some(Ok(group))) =
                (fields.next(), fields.next(), fields.next().map(str::parse), fields.next().map(str::parse::<u32>))
            {
                people.users.entry(id).or_insert_with(|| name.to_owned());
                people.members.entry(group).or_default().insert(name.to_owned());
            }
        }
        let numbered = |name: &String| {
            let known = people.groups.iter().find(|(_, known)| *known == name).map(|(id, _)| *id);
            known.or_else(|| name.parse().ok())
        };
        people.trusted = trusted_groups.iter().filter_map(numbered).collect();
        people
    }

    /// The user's name, else the number.
    pub(crate) fn user(&self, id: u32) -> String {
        self.users.get(&id).cloned().unwrap_or_else(|| id.to_string())
    }

    /// The number of a user who is named by name or number.
    pub(crate) fn user_id(&self, name: &str) -> Option<u32> {
        let known = self.users.iter().find(|(_, known)| *known == name).map(|(id, _)| *id);
        known.or_else(|| name.parse().ok())
    }

    /// The group's name, else the number.
    pub(crate) fn group(&self, id: u32) -> String {
        self.groups.get(&id).cloned().unwrap_or_else(|| id.to_string())
    }

    /// Whether the group gives nobody a right who does not have it anyway: it has no member but the owner and root, or
    /// somebody trusts it. A group that is not known may have members.
    pub(crate) fn is_private(&self, group: u32, owner: u32) -> bool {
        if self.trusted.contains(&group) {
            return true;
        }
        let (owner, root) = (self.users.get(&owner), self.users.get(&0));
        let is_known = self.groups.contains_key(&group);
        let members = self.members.get(&group);
        is_known && members.is_none_or(|members| members.iter().all(|name| Some(name) == owner || Some(name) == root))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_private_when_only_its_owner_is_in_it() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nsync:x:990:990::/srv:/bin/false\nbob:x:1000:1000::/home/bob:/bin/sh\n\
                      eve:x:1001:100::/home/eve:/bin/sh\nbroken\n";
        let group = "root:x:0:\nsync:x:990:\nusers:x:100:\nbob:x:1000:\nops:x:200:bob,sync\nempty:x:300:\n";
        let people = People::parse(passwd, group, &["ops".to_owned(), "4242".to_owned()]);
        for (gid, uid, private) in [
            (990, 990, true),
            (990, 1000, false),
            (100, 1000, false),
            (100, 1001, true),
            (0, 990, true),
            (300, 990, true),
            (555, 990, false),
            (200, 0, true),
            (4242, 0, true),
        ] {
            assert_eq!(people.is_private(gid, uid), private, "group {gid} of {uid}");
        }
        assert_eq!(
            (people.user(990).as_str(), people.user(7).as_str(), people.group(200).as_str()),
            ("sync", "7", "ops")
        );
        assert_eq!(
            (people.user_id("bob"), people.user_id("77"), people.user_id("nobody-here")),
            (Some(1000), Some(77), None)
        );
    }
}
