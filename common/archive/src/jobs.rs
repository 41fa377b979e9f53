//! How many sessions restore a database at once.

use anyhow::ensure;
use pso_common::config::{Config, Field};

/// More sessions than this are a typing error.
const MOST: u32 = 64;
/// How many are used unless somebody says so: the server needs a core for each.
const USUAL: u32 = 4;

/// The flag, the key of the configuration, or the number of cores, within reason.
///
/// # Errors
/// When the number is none that can be meant; the message names the key.
pub fn jobs(config: &Config, key: &str, flag: Option<u32>, field: &Field) -> anyhow::Result<usize> {
    let cores = std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(1));
    let jobs = config.pick(key).flag(flag).file(field).or(cores.min(USUAL))?;
    ensure!((1..=MOST).contains(&jobs), "{key} is {jobs}; give a number from 1 to {MOST}");
    Ok(usize::try_from(jobs)?)
}
