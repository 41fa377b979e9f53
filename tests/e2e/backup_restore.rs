//! pso-backup and pso-restore against real servers: what was lost is back, and whatever fails leaves everything as it was.

mod backup;
mod parts;
mod restore;
