//! How much memory the scratch cluster may take.

/// What is free, in bytes; where nobody says, what every machine has.
const USUAL: u64 = 1 << 30;

/// Bytes that can be taken without pushing others out: of the machine, and of the control group that we are in.
pub(super) fn available() -> u64 {
    let machine = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| of_meminfo(&text));
    let group = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let group = group.and_then(|text| text.trim().parse().ok());
    machine.into_iter().chain(group).min().unwrap_or(USUAL)
}

/// `MemAvailable:   12345 kB`.
fn of_meminfo(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linux_says_what_is_available() {
        let text = "MemTotal:       16300000 kB\nMemFree:          100000 kB\nMemAvailable:    2048 kB\n";
        assert_eq!(of_meminfo(text), Some(2 << 20));
        assert_eq!(of_meminfo("MemTotal: 1 kB\n"), None);
        assert!(available() > 0);
    }
}
