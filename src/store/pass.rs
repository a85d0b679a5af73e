//! Applications, passes, checks and the rules of zones and quotas as rows, and what a check knows of a plate.

pub mod applications;
pub mod blacklist;
pub mod checkpoints;
pub mod checks;
pub mod passes;
pub mod plates;
pub mod policies;
pub mod policy_inputs;
pub mod whereabouts;
