//! The drawing of an application.

use super::ApplicationState;
use crate::domain::common::lifecycle::drawing;

// PA-01, PA-07, PA-08: from draft to decision, with correction, refusal and withdrawal.
#[test]
fn the_drawing_of_an_application() {
    insta::assert_snapshot!(drawing::<ApplicationState>());
}
