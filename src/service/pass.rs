//! From the application to the check at the roadside.

pub mod applications;
pub mod checks;
pub mod passes;
