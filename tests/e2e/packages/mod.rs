//! What goes into the packages: example configurations, manual pages, completions.

mod examples;
mod generated;
mod outline;
