//! Makes the successors of the keys that soon sign their last (ID-08): a deployment that nobody looks
//! after goes on signing. What it makes is recorded and published as a rotation by hand is.

use crate::{error::Result, parts::Parts, store::identity::signing_keys};

/// Makes what is missing.
pub(super) async fn round(parts: &Parts) -> Result<()> {
    let made = signing_keys::ensure(&parts.store, parts.clock.now(), &parts.ids).await?;
    if made > 0 {
        tracing::info!(made, "keys were made");
    }
    Ok(())
}
