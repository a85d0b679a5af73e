//! How often somebody may try to come in from one address, behind which may be one attacker or all of a
//! factory: failures are counted narrowly, attempts widely. Officers and devices have counts of their own,
//! so that no crowd of citizens shuts them out. What an attempt is, is said elsewhere.

use super::Identity;
use crate::{
    context::Cx,
    error::{Kind, Result},
    store::Limit,
};

/// Who tries to come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    /// Persons, by `WeChat`.
    Citizens,
    /// Officers, by password and one-time code.
    Officers,
    /// Checking devices, by their key.
    Devices,
}

impl Door {
    const fn attempts(self) -> Limit {
        match self {
            Self::Citizens => Limit::SignInAddress,
            Self::Officers => Limit::OfficerSignInAddress,
            Self::Devices => Limit::DeviceSignInAddress,
        }
    }

    const fn failures(self) -> Limit {
        match self {
            Self::Citizens => Limit::SignInFailure,
            Self::Officers => Limit::OfficerSignInFailure,
            Self::Devices => Limit::DeviceSignInFailure,
        }
    }
}

impl Identity {
    /// Makes an attempt to come in, where the address has some left. Attempts at the same time see the same
    /// failures; how many there can be is bounded by the attempts.
    pub(super) async fn attempt<T>(
        &self,
        cx: &Cx,
        door: Door,
        attempt: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let (limits, address) = (self.store.limits(), cx.counted_address());
        limits.left(door.failures(), &address).await?;
        limits.count(door.attempts(), &address).await?;
        let came_in = attempt.await;
        let failed = came_in.as_ref().err().map(|error| error.reason().kind());
        if failed == Some(Kind::Unauthenticated) {
            limits.failed(door.failures(), &address).await;
        }
        came_in
    }
}
