//! Policies, zones, quotas and calendars take two.
